"""A fine-tune's settings: one flat TOML file, read into one frozen value.

Names are those of transformers' TrainingArguments and PEFT's LoraConfig where they have them, so
that recipes found elsewhere can be carried over line by line.
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
    """How a chat model is fine-tuned. Paths are relative to the current folder."""

    base: str
    """The chat model to start from: a nickname, a folder or a hub id."""
    data: str
    """Conversations to learn from, in any format that `segue convert` writes."""
    output: str
    """The folder of the run: log, checkpoints, and what was learned."""
    validation: str | None = None
    """Conversations to measure on while training."""

    method: Method = "lora"
    """lora: small matrices beside the frozen weights; qlora: the same beside weights of 4 bits;
    full: all weights of the language model."""
    mask: Mask = "assistant"
    """What is learned: the assistant's words, or as the published Qwen-VL recipe has it."""
    train_vision: TrainVision = "none"
    """Of the vision side: nothing, what joins it to the language model, LoRA in its blocks too
    (with lora and qlora), or all of it."""
    train_embeddings: bool = False
    """With lora: train the token embeddings and the vocabulary head in full (full always does)."""
    lora_r: int = 64
    lora_alpha: int = 16
    lora_dropout: float = 0.05
    lora_targets: tuple[str, ...] = ()
    """Endings of the names of adapted layers; empty: those of the family's language model."""

    max_length: int = 2048
    """Longest conversation in tokens, pictures included."""
    too_long: Literal["drop", "cut"] = "drop"
    """What becomes of longer ones; cut is for Qwen-VL only, as in its own recipe."""
    min_pixels: int | None = None
    max_pixels: int | None = None
    """Area to which pictures are shrunk or grown, for models that take any size."""

    epochs: float = 1.0
    max_steps: int | None = None
    """Exactly so many steps instead of epochs."""
    batch_size: int = 1
    gradient_accumulation_steps: int = 8
    learning_rate: float = 1e-4
    weight_decay: float = 0.1
    adam_beta1: float = 0.9
    adam_beta2: float = 0.95
    max_grad_norm: float = 1.0
    schedule: Schedule = "cosine"
    warmup: float = 0.01
    """Below 1: a share of all steps; from 1 on: steps."""
    precision: Precision = "auto"
    """Number format; auto: bfloat16 where the device has it, float32 on a CPU."""
    gradient_checkpointing: bool = True
    """Compute activations twice instead of keeping them."""
    device: str = "auto"
    workers: int = 0
    """Processes that read pictures beside the training."""
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
        positive = (
            *("lora_r", "lora_alpha", "max_length", "epochs", "batch_size", "learning_rate"),
            *("gradient_accumulation_steps", "max_grad_norm", "log_steps", "save_steps"),
            *("keep_checkpoints", "eval_steps", "eval_max_new_tokens"),
        )
        for name in positive:
            _must(getattr(self, name) > 0, name, "be above 0", getattr(self, name))
        for name in ("lora_dropout", "adam_beta1", "adam_beta2"):
            _must(0 <= getattr(self, name) < 1, name, "lie in [0, 1)", getattr(self, name))
        for name in ("weight_decay", "warmup", "workers", "eval_questions", "seed"):
            _must(getattr(self, name) >= 0, name, "be 0 or more", getattr(self, name))
        for name in ("max_steps", "min_pixels", "max_pixels"):
            value = getattr(self, name)
            _must(value is None or value > 0, name, "be above 0", value)
        for name in ("base", "data", "output"):
            _must(bool(getattr(self, name)), name, "not be empty", getattr(self, name))
        if self.method == "full" and self.train_vision == "lora":
            raise InputError(
                "train_vision = 'lora' belongs to the methods lora and qlora, got method = 'full'. "
                "With full, say 'none', 'merger' or 'full'."
            )
        if self.method == "qlora" and self.train_embeddings:
            raise InputError(
                "train_embeddings needs unquantised embeddings; use method = 'lora' with it."
            )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def _must(fine: bool, name: str, expectation: str, value: Any) -> None:
    if not fine:
        raise InputError(f"{name} must {expectation}, got {value!r}. Change it in the recipe.")


def read_recipe(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe.

    Args:
        path: a TOML file.
        overrides: "key=value" each; the value is written as in TOML, quotes may be left out.

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
        values[key.strip()] = _value(value.strip())
    return make_recipe(values)


def make_recipe(values: Mapping[str, Any]) -> Recipe:
    """A recipe from plain values, checked as those of a file are.

    Raises:
        InputError: see `read_recipe`.

    Example:
        >>> make_recipe({"base": "qwen-vl-chat", "data": "a", "output": "b", "lora_rank": 8})
        Traceback (most recent call last):
        segue.errors.InputError: A recipe has no 'lora_rank'. Did you mean 'lora_r'? ...
    """
    kinds = get_type_hints(Recipe)
    for key, value in values.items():
        if isinstance(value, Mapping):
            raise InputError(
                f"A recipe is flat, got the section [{key}]. Write its keys without a section."
            )
        if key not in kinds:
            near = get_close_matches(key, kinds, 1, 0.5)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise InputError(f"A recipe has no {key!r}.{hint} Known: {', '.join(kinds)}.")
    needed = [f.name for f in fields(Recipe) if f.default is MISSING and f.name not in values]
    if needed:
        raise InputError(f"A recipe must say {', '.join(needed)}. Add it, or pass it with --set.")
    return Recipe(**{key: _typed(key, value, kinds[key]) for key, value in values.items()})


def _value(text: str) -> Any:
    """A value as in TOML; anything that is none is a string."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return None if text == "none" else text


def _typed(key: str, value: Any, kind: Any) -> Any:
    """The value in the type of its field. "none" stands for nothing, which TOML cannot write."""
    if get_origin(kind) in (Union, UnionType):
        options = get_args(kind)
        if NoneType in options and value in (None, "none"):
            return None
        kind = next(option for option in options if option is not NoneType)
    if value is None:
        value = "none"
    if get_origin(kind) is Literal:
        allowed = get_args(kind)
        if value not in allowed:
            near = get_close_matches(str(value), allowed, 1, 0.5)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise InputError(f"{key} must be one of {', '.join(allowed)}, got {value!r}.{hint}")
        return value
    if get_origin(kind) is tuple:
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, list | tuple) or not all(isinstance(v, str) for v in listed):
            raise InputError(f"{key} must be a list of texts, got {value!r}.")
        return tuple(listed)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        names = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
        raise InputError(f"{key} must be {names[kind]}, got {value!r}.")
    return value
