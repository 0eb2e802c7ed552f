"""The settings of a fine-tuning run: one flat TOML file, read into one frozen value.

Names follow transformers' TrainingArguments and PEFT's LoraConfig where possible, so that recipes
found elsewhere can be copied line by line.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from segue.errors import InputError
from segue.files.text import read_text

Method = Literal["lora", "qlora", "full"]
Mask = Literal["assistant", "qwen"]
TrainVision = Literal["none", "merger", "lora", "full"]
Precision = Literal["auto", "bfloat16", "float16", "float32"]
Schedule = Literal["cosine", "linear", "constant", "constant_with_warmup"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a chat model is fine-tuned. Paths are relative to the working directory."""

    base: str
    """The chat model to start from: a nickname, a folder or a hub id."""
    data: str
    """Training conversations, in any format that `segue convert` writes."""
    output: str
    """The folder of the run: log, checkpoints, and the result."""
    validation: str | None = None
    """Validation conversations, for evaluation during training."""

    method: Method = "lora"
    """lora: small matrices beside the frozen weights; qlora: the same beside weights of 4 bits;
    full: all weights of the language model."""
    mask: Mask = "assistant"
    """Which tokens are learned: the assistant's answers, or as in the published Qwen-VL recipe."""
    train_vision: TrainVision = "none"
    """What is trained of the vision side: nothing, the merger that connects it to the language
    model, LoRA in its blocks too (with lora and qlora), or all of it."""
    train_embeddings: bool = False
    """With lora: train the token embeddings and the vocabulary head in full (full always does)."""
    lora_r: int = 64
    lora_alpha: int = 16
    lora_dropout: float = 0.05
    lora_targets: tuple[str, ...] = ()
    """Endings of the names of adapted layers; empty: those of the family's language model."""

    max_length: int = 2048
    """Maximum length of a conversation in tokens, pictures included."""
    too_long: Literal["drop", "cut"] = "drop"
    """What happens to longer ones; cut is for Qwen-VL only, as in its own recipe."""
    packing: bool = False
    """Learn several short conversations in one row of at most `max_length` tokens."""
    min_pixels: int | None = None
    max_pixels: int | None = None
    """Area to which pictures are scaled down or up, for models that take any size."""

    epochs: float = 1.0
    max_steps: int | None = None
    """Exactly this number of steps instead of epochs."""
    batch_size: int = 1
    gradient_accumulation_steps: int = 8
    learning_rate: float = 1e-4
    weight_decay: float = 0.1
    adam_beta1: float = 0.9
    adam_beta2: float = 0.95
    max_grad_norm: float = 1.0
    schedule: Schedule = "cosine"
    warmup: float = 0.01
    """Below 1: a fraction of all steps; otherwise a number of steps."""
    precision: Precision = "auto"
    """Number format; auto: bfloat16 where the device has it, float32 on a CPU."""
    gradient_checkpointing: bool = True
    """Recompute activations in the backward pass instead of keeping them."""
    device: str = "auto"
    workers: int = 0
    """Data loader processes."""
    seed: int = 0

    log_steps: int = 1
    save_steps: int = 100
    keep_checkpoints: int = 3
    eval_steps: int = 100
    eval_questions: int = 64
    """Questions of the validation file that are answered at each evaluation."""
    eval_max_new_tokens: int = 96
    tensorboard: bool = False

    def __post_init__(self) -> None:
        """Refuse values that make no sense, alone or together."""
        positive_fields = (
            *("lora_r", "lora_alpha", "max_length", "epochs", "batch_size", "learning_rate"),
            *("gradient_accumulation_steps", "max_grad_norm", "log_steps", "save_steps"),
            *("keep_checkpoints", "eval_steps", "eval_max_new_tokens"),
        )
        for name in positive_fields:
            _require(getattr(self, name) > 0, name, "be above 0", getattr(self, name))
        for name in ("lora_dropout", "adam_beta1", "adam_beta2"):
            _require(0 <= getattr(self, name) < 1, name, "lie in [0, 1)", getattr(self, name))
        for name in ("weight_decay", "warmup", "workers", "eval_questions", "seed"):
            _require(getattr(self, name) >= 0, name, "be 0 or more", getattr(self, name))
        for name in ("max_steps", "min_pixels", "max_pixels"):
            value = getattr(self, name)
            _require(value is None or value > 0, name, "be above 0", value)
        for name in ("base", "data", "output"):
            _require(bool(getattr(self, name)), name, "not be empty", getattr(self, name))
        if self.method == "full" and self.train_vision == "lora":
            raise InputError(
                "train_vision = 'lora' needs the method lora or qlora, got method = 'full'. "
                "With full, use 'none', 'merger' or 'full'."
            )
        if self.method == "qlora" and self.train_embeddings:
            raise InputError(
                "train_embeddings needs unquantised embeddings; use method = 'lora' with it."
            )

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        return asdict(self)


def _require(is_valid: bool, name: str, expectation: str, value: Any) -> None:
    if not is_valid:
        raise InputError(f"{name} must {expectation}, got {value!r}. Change it in the recipe.")


def read_recipe(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe.

    Args:
        path: a TOML file.
        overrides: "key=value" each; the value is written as in TOML, quotes are optional.

    Raises:
        InputError: the file cannot be read, a key is unknown (the message names the nearest), a
            value has the wrong type or makes no sense.
    """
    try:
        values = tomllib.loads(read_text(path))
    except OSError as error:
        raise InputError(f"Cannot read the recipe {path}: {error.strerror or error}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"The recipe {path} is not TOML: {error}.") from error
    for text in overrides:
        key, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"An override must be key=value, got {text!r}.")
        values[key.strip()] = _parse_toml_value(value.strip())
    return make_recipe(values)


def make_recipe(values: Mapping[str, Any]) -> Recipe:
    """Make a recipe from plain values, checked like those of a file.

    Raises:
        InputError: see `read_recipe`.

    Example:
        >>> make_recipe({"base": "qwen-vl-chat", "data": "a", "output": "b", "lora_rank": 8})
        Traceback (most recent call last):
        segue.errors.InputError: A recipe has no 'lora_rank'. Did you mean 'lora_r'? ...
    """
    field_types = get_type_hints(Recipe)
    for key, value in values.items():
        if isinstance(value, Mapping):
            raise InputError(
                f"A recipe is flat, got the section [{key}]. Write its keys without a section."
            )
        if key not in field_types:
            close_matches = get_close_matches(key, field_types, 1, 0.5)
            hint = f" Did you mean {close_matches[0]!r}?" if close_matches else ""
            raise InputError(f"A recipe has no {key!r}.{hint} Known: {', '.join(field_types)}.")
    missing_keys = [f.name for f in fields(Recipe) if f.default is MISSING and f.name not in values]
    if missing_keys:
        raise InputError(
            f"A recipe needs {', '.join(missing_keys)}. Add it, or pass it with --set."
        )
    return Recipe(**{key: _coerce(key, value, field_types[key]) for key, value in values.items()})


def _parse_toml_value(text: str) -> Any:
    """Parse a TOML value; anything else is taken as a string."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return None if text == "none" else text


def _coerce(key: str, value: Any, field_type: Any) -> Any:
    """Convert a value to the type of its field; "none" means None, which TOML cannot express."""
    if get_origin(field_type) in (Union, UnionType):
        options = get_args(field_type)
        if NoneType in options and value in (None, "none"):
            return None
        field_type = next(option for option in options if option is not NoneType)
    if value is None:
        value = "none"
    if get_origin(field_type) is Literal:
        allowed_values = get_args(field_type)
        if value not in allowed_values:
            close_matches = get_close_matches(str(value), allowed_values, 1, 0.5)
            hint = f" Did you mean {close_matches[0]!r}?" if close_matches else ""
            raise InputError(
                f"{key} must be one of {', '.join(allowed_values)}, got {value!r}.{hint}"
            )
        return value
    if get_origin(field_type) is tuple:
        text_list = [value] if isinstance(value, str) else value
        if not isinstance(text_list, list | tuple) or not all(
            isinstance(v, str) for v in text_list
        ):
            raise InputError(f"{key} must be a list of strings, got {value!r}.")
        return tuple(text_list)
    if field_type is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, field_type) or (field_type is int and isinstance(value, bool)):
        type_names = {bool: "true or false", int: "an integer", float: "a number", str: "a string"}
        raise InputError(f"{key} must be {type_names[field_type]}, got {value!r}.")
    return value
