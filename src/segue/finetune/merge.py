"""From a base and an adapter to one model that others can load.

The files of tokenizer and processor are copied from the base as they are: what transformers would
write in their place is in a newer form that other programs do not read.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers.utils import logging

from segue.chat.adapter import adapter_folder, attach, base_of
from segue.errors import InputError, ModelError
from segue.files.atomic import write_json
from segue.finetune.trainable_models import base_folder
from segue.models.qwen_vl import QwenVLForCausalLM
from segue.runtime.device import pick
from segue.runtime.weights import read_json

_NOT_COPIED = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".index.json", ".md")


def merge(
    adapter: str | Path, out: str | Path, *, base: str | None = None, dtype: str | None = None
) -> Path:
    """Add an adapter to its base and write the whole model.

    The base is read unquantised, also for an adapter of QLoRA.

    Args:
        adapter: the folder of the adapter, or of the run that made it.
        out: a folder that does not exist yet, or is empty.
        base: another place of the base; None: as the adapter says.
        dtype: "float32", "bfloat16" or "float16"; None: as the base is stored.

    Returns:
        `out`, in the layout of the base: transformers, vLLM and `segue.load(chat=out)` read it.

    Raises:
        InputError: `out` has something in it or cannot be written, `adapter` is none, or there
            is no such number format.
        ModelError: the base is missing or does not fit the adapter.
    """
    dtype = _dtype_name(dtype)
    folder, target = adapter_folder(adapter), Path(out)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"{target} has something in it. Name a new folder.")
    origin = _origin(folder, base)
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    with _writing(target):
        part.mkdir(parents=True)  # before the long work
    try:
        network = attach(_load(origin, dtype), folder)
        with _writing(target):
            write_model(network, origin, part)
            if target.is_dir():
                target.rmdir()
            part.rename(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return target


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"Cannot write {target}: {reason}. Name another folder, or make room."
        ) from error


def _origin(adapter: Path, base: str | None) -> Path:
    """Where the base is. Says how to name another place when it is not where it was."""
    named = base or base_of(adapter)
    try:
        return base_folder(named)
    except (ModelError, InputError) as error:
        if base is not None:
            raise
        raise ModelError(
            f"The base of this adapter is not where it was: {error} If it was moved, say where "
            "it is: --base FOLDER."
        ) from error


def _dtype_name(dtype: str | None) -> str | None:
    """The whole name of a number format."""
    return None if dtype is None else str(pick("cpu", dtype).dtype).removeprefix("torch.")


def _load(folder: Path, dtype: str | None) -> Any:
    config = read_json(folder, "config.json")
    stored = config.get("dtype") or config.get("torch_dtype") or "float32"
    wanted = dtype or str(stored).removeprefix("torch.")
    if config.get("model_type") == "qwen":
        from segue.models.qwen_vl import load

        return load(folder, dtype=wanted, device="cpu")[0]
    from transformers import AutoModelForImageTextToText

    return AutoModelForImageTextToText.from_pretrained(
        str(folder), dtype=getattr(torch, wanted), local_files_only=True, trust_remote_code=False
    )


def write_adapter(network: Any, base: str, folder: Path) -> None:
    """Write the adapter of a PEFT model, saying which base it belongs to."""
    network.save_pretrained(str(folder))
    config = folder / "adapter_config.json"
    values = json.loads(config.read_text(encoding="utf-8"))
    values["base_model_name_or_path"] = lasting_name(base)
    write_json(config, values, indent=2)
    (folder / "README.md").unlink(missing_ok=True)  # a form to fill in


def lasting_name(base: str) -> str:
    """A base as it is found again from any folder, by PEFT itself too: hub id or whole path.

    >>> lasting_name("qwen-vl-chat")
    'Qwen/Qwen-VL-Chat'
    """
    from segue.assistant.presets import CARDS

    local, card = Path(base).expanduser(), CARDS.get(base)
    if card is not None and card.kind == "chat":
        return card.source
    return str(local.resolve()) if local.exists() else base


def write_model(network: Any, base: Path, folder: Path) -> None:
    """Write a plain network in the layout of its base, with the base's other files as they are."""
    logging.disable_progress_bar()
    if isinstance(network, QwenVLForCausalLM):
        from segue.models.qwen_vl import save
        from segue.models.qwen_vl.checkpoint import read_processor

        save(network, read_processor(base, network.config), folder)
    else:
        network.save_pretrained(str(folder))
    written = str(network.dtype).removeprefix("torch.")
    for file in sorted(base.iterdir()):
        if file.is_file() and not file.name.endswith(_NOT_COPIED) and file.name[0] != ".":
            shutil.copyfile(file, folder / file.name)
    _say_dtype(folder / "config.json", written)


def _say_dtype(config: Path, dtype: str) -> None:
    """Let config.json name the number format of the weights beside it, if it names another."""
    values = json.loads(config.read_text(encoding="utf-8"))
    named = [key for key in ("dtype", "torch_dtype") if key in values]
    if not named or any(values[key] != dtype for key in named):
        for key in named or ["torch_dtype"]:
            values[key] = dtype
        write_json(config, values, indent=2)
