"""LoRA adapters as PEFT writes them: found, and added to a network."""

import warnings
from pathlib import Path
from typing import Any

from segue.errors import InputError, MissingExtra, ModelError
from segue.weights import read_json

CONFIG = "adapter_config.json"
WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")


def adapter_folder(place: str | Path) -> Path:
    """The folder of an adapter: itself, or `adapter/` in the folder of the run that made it.

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
    """The base that an adapter was made for: a nickname, a folder or a hub id.

    Raises:
        ModelError: its configuration does not say.
    """
    base = read_json(folder, CONFIG).get("base_model_name_or_path")
    if not base:
        raise ModelError(f"{folder / CONFIG} does not name a base. Say it: BASE+{folder}.")
    return str(base)


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
        from peft import PeftModel
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
    try:
        with warnings.catch_warnings():  # PEFT asks transformers by names on their way out
            warnings.simplefilter("ignore", FutureWarning)
            adapted = PeftModel.from_pretrained(network, str(folder))
    except SafetensorError as error:
        raise ModelError(
            f"{folder / WEIGHTS[0]} is damaged or cut off ({error}). Copy it again."
        ) from error
    except (ValueError, RuntimeError, KeyError, OSError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelError(f"The adapter in {folder} does not fit this base: {reason}") from error
    return adapted.merge_and_unload()
