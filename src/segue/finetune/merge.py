"""Merging an adapter into its base: one model that other programs can load.

The files of tokenizer and processor are copied from the base as they are: transformers would
write them in a newer form that other programs do not read.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from transformers.utils import logging

from segue.chat.adapter import adapter_folder, attach, base_of
from segue.errors import InputError, ModelError
from segue.files.atomic import write_json
from segue.finetune.trainable_models import find_base_folder
from segue.models.qwen_vl import QwenVLForCausalLM
from segue.runtime.device import pick
from segue.runtime.weights import read_json

_NOT_COPIED = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".index.json", ".md")


def merge(
    adapter: str | Path, out: str | Path, *, base: str | None = None, dtype: str | None = None
) -> Path:
    """Merge an adapter into its base and write the full model.

    The base is read unquantised, also for an adapter of QLoRA.

    Args:
        adapter: the folder of the adapter, or of the run that made it.
        out: a folder that does not exist yet, or is empty.
        base: the base, if it moved; None: where the adapter says.
        dtype: "float32", "bfloat16" or "float16"; None: as the base is stored.

    Returns:
        `out`, in the layout of the base: transformers, vLLM and `segue.load(chat=out)` read it.

    Raises:
        InputError: `out` is not empty or cannot be written, `adapter` is not an adapter, or
            there is no such number format.
        ModelError: the base is missing or does not fit the adapter.
    """
    dtype = _dtype_name(dtype)
    adapter_path, target = adapter_folder(adapter), Path(out)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"{target} is not empty. Name a new folder.")
    base_path = _find_base(adapter_path, base)
    partial_folder = target.with_name(f".{target.name}.part")
    shutil.rmtree(partial_folder, ignore_errors=True)
    with _naming_write_errors(target):
        partial_folder.mkdir(parents=True)  # fail before the long work
    try:
        network = attach(_load_base(base_path, dtype), adapter_path)
        with _naming_write_errors(target):
            write_model(network, base_path, partial_folder)
            if target.is_dir():
                target.rmdir()
            partial_folder.rename(target)
    finally:
        shutil.rmtree(partial_folder, ignore_errors=True)
    return target


@contextmanager
def _naming_write_errors(target: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"Cannot write {target}: {reason}. Name another folder, or free some space."
        ) from error


def _find_base(adapter: Path, base: str | None) -> Path:
    """Return the folder of the base; the error says how to name another when it has moved."""
    base_name = base or base_of(adapter)
    try:
        return find_base_folder(base_name)
    except (ModelError, InputError) as error:
        if base is not None:
            raise
        raise ModelError(
            f"The base of this adapter is not where it was: {error} If it was moved, pass its new "
            "location: --base FOLDER."
        ) from error


def _dtype_name(dtype: str | None) -> str | None:
    """Return the full name of a number format."""
    return None if dtype is None else str(pick("cpu", dtype).dtype).removeprefix("torch.")


def _load_base(folder: Path, dtype: str | None) -> Any:
    config = read_json(folder, "config.json")
    stored_dtype = config.get("dtype") or config.get("torch_dtype") or "float32"
    dtype_name = dtype or str(stored_dtype).removeprefix("torch.")
    if config.get("model_type") == "qwen":
        from segue.models.qwen_vl import load

        return load(folder, dtype=dtype_name, device="cpu")[0]
    from segue.chat.transformers.loading import load_network

    return load_network(folder, device="cpu", dtype=dtype_name)


def write_adapter(network: Any, base: str, folder: Path) -> None:
    """Write the adapter of a PEFT model, with the name of its base."""
    network.save_pretrained(str(folder))
    config_file = folder / "adapter_config.json"
    config_values = json.loads(config_file.read_text(encoding="utf-8"))
    config_values["base_model_name_or_path"] = portable_base_name(base)
    write_json(config_file, config_values, indent=2)
    (folder / "README.md").unlink(missing_ok=True)  # an empty model card


def portable_base_name(base: str) -> str:
    """Return a name of a base that PEFT finds from any folder: a hub id or an absolute path.

    >>> portable_base_name("qwen-vl-chat")
    'Qwen/Qwen-VL-Chat'
    """
    from segue.pipeline.presets import CARDS

    local_path, card = Path(base).expanduser(), CARDS.get(base)
    if card is not None and card.kind == "chat":
        return card.source
    return str(local_path.resolve()) if local_path.exists() else base


def write_model(network: Any, base: Path, folder: Path) -> None:
    """Write a plain network in the layout of its base, with the base's other files as they are."""
    logging.disable_progress_bar()
    if isinstance(network, QwenVLForCausalLM):
        from segue.models.qwen_vl import save
        from segue.models.qwen_vl.checkpoint import read_processor

        save(network, read_processor(base, network.config), folder)
    else:
        network.save_pretrained(str(folder))
    dtype_name = str(network.dtype).removeprefix("torch.")
    for file in sorted(base.iterdir()):
        if file.is_file() and not file.name.endswith(_NOT_COPIED) and file.name[0] != ".":
            shutil.copyfile(file, folder / file.name)
    _set_config_dtype(folder / "config.json", dtype_name)


def _set_config_dtype(config_file: Path, dtype: str) -> None:
    """Set the number format in config.json to that of the weights beside it."""
    config_values = json.loads(config_file.read_text(encoding="utf-8"))
    dtype_keys = [key for key in ("dtype", "torch_dtype") if key in config_values]
    if not dtype_keys or any(config_values[key] != dtype for key in dtype_keys):
        for key in dtype_keys or ["torch_dtype"]:
            config_values[key] = dtype
        write_json(config_file, config_values, indent=2)
