"""LoRA adapters as PEFT writes them: found, and added to a network."""

import warnings
from collections.abc import Iterable
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from segue.errors import InputError, MissingExtra, ModelError
from segue.runtime.weights import read_json
from segue.runtime.weights.completeness import listed_names

CONFIG = "adapter_config.json"
_IMPORTING = ("megatron_config", "loftq_config", "eva_config", "corda_config", "runtime_config")
"""Settings of PEFT with which loading does more than to add matrices; empty ones are harmless."""
_PARTS = ("lora_", ".modules_to_save.")
"""In the names of all tensors that an adapter has."""
WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")


def adapter_folder(place: str | Path) -> Path:
    """Return the folder of an adapter: itself, or `adapter/` in the folder of the run that made it.

    Raises:
        InputError: there is no adapter.
    """
    path = Path(place).expanduser()
    for folder in (path, path / "adapter"):
        if (folder / CONFIG).is_file():
            return folder
    raise InputError(
        f"{path} must be the folder of an adapter, with {CONFIG} and adapter_model.safetensors. "
        "segue finetune writes one into adapter/ of its output."
    )


def base_of(folder: Path) -> str:
    """Return the base that an adapter was made for: a nickname, a folder or a hub id.

    Raises:
        ModelError: its configuration does not say.
    """
    base = read_json(folder, CONFIG).get("base_model_name_or_path")
    if not base:
        raise ModelError(f"{folder / CONFIG} does not name a base. Say it: BASE+{folder}.")
    if not isinstance(base, str) or (_has_options(base) and not Path(base).exists()):
        # An address could send pictures, or fetch files, wherever the adapter's maker likes.
        raise ModelError(
            f"{folder / CONFIG} must name its base by hub id or folder, got {str(base)[:80]!r}. "
            f"If you trust it, say the base: BASE+{folder}."
        )
    if any((Path(base).expanduser() / place / CONFIG).is_file() for place in ("", "adapter")):
        raise ModelError(
            f"{folder / CONFIG} must name a whole model as its base, got the adapter {base!r}. "
            f"Merge that one first (segue merge), or say the base: BASE+{folder}."
        )
    return base


def _has_options(base: str) -> bool:
    """Whether a name is more than a hub id or a folder: an address, a backend, options."""
    return ":" in base.removeprefix("hf://") or "?" in base


def _check_config(folder: Path) -> None:
    """Refuse settings that make PEFT import a module or read a file which the adapter names.

    Raises:
        ModelError: the adapter is no LoRA, or has such a setting.
    """
    config = read_json(folder, CONFIG)
    kind = config.get("peft_type")
    if kind != "LORA":
        raise ModelError(f"{folder / CONFIG} must be of a LoRA adapter, got {str(kind)[:40]!r}.")
    for name in _IMPORTING:
        if config.get(name):
            raise ModelError(
                f"{folder / CONFIG} sets {name!r}, which would import or read what the adapter's "
                "maker names. Only plain LoRA adapters are loaded; remove it if you trust it."
            )


def attach(network: Any, folder: Path) -> Any:
    """Add an adapter to a network, in place.

    Args:
        network: the base, unquantised.
        folder: of the adapter.

    Returns:
        The same network, with changed weights.

    Raises:
        MissingExtra: peft is not installed.
        ModelError: the adapter belongs to another model.
    """
    try:
        from peft import PeftModel, load_peft_weights, set_peft_model_state_dict
        from safetensors import SafetensorError
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "Adapters need the 'finetune' extra (peft is not installed). "
            "Run: pip install 'segue[finetune]'"
        ) from error
    if not any((folder / name).is_file() for name in WEIGHTS):
        raise ModelError(
            f"{folder} holds {CONFIG}, but no {WEIGHTS[0]}. Copy it there, or train again."
        )
    _check_config(folder)
    try:
        with warnings.catch_warnings():  # PEFT asks transformers by names on their way out
            warnings.simplefilter("ignore", FutureWarning)
            warnings.filterwarnings("ignore", "Found missing adapter keys")  # raised below
            peft_model = PeftModel.from_pretrained(
                network, str(folder), local_files_only=True, trust_remote_code=False
            )
        tensors = load_peft_weights(str(folder), device="cpu")
        fit = set_peft_model_state_dict(peft_model, tensors)  # once more, for what it reports
    except SafetensorError as error:
        raise ModelError(
            f"{folder / WEIGHTS[0]} is damaged or cut off ({error}). Copy it again."
        ) from error
    except UnpicklingError as error:
        raise ModelError(
            f"{folder} holds an adapter_model.bin with more than tensors in it, which is refused "
            "because it can run code. Ask its maker for adapter_model.safetensors."
        ) from error
    except (ValueError, RuntimeError, KeyError, OSError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelError(f"The adapter in {folder} does not fit this base: {reason}") from error
    _require_complete(folder, fit.missing_keys, fit.unexpected_keys)
    return peft_model.merge_and_unload()


def _require_complete(folder: Path, missing: Iterable[str], extra: Iterable[str]) -> None:
    """Refuse an adapter with a gap, or with matrices that the base has no place for.

    Raises:
        ModelError: it names them.
    """
    gaps = sorted(name for name in missing if any(part in name for part in _PARTS))
    problems = [
        f"it {word} {len(names)} tensors ({listed_names(names)})"
        for word, names in (("lacks", gaps), ("holds, without a place for them,", sorted(extra)))
        if names
    ]
    if problems:
        raise ModelError(
            f"The adapter in {folder} does not fit this base: {'; '.join(problems)}. Copy its "
            f"files again, or say the base it was made for: BASE+{folder}."
        )
