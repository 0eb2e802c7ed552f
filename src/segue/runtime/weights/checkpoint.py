"""Reads weights that are on this machine: tensors without running code, networks without gaps."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segue.errors import MissingExtra, ModelError
from segue.runtime.weights.completeness import require_complete

if TYPE_CHECKING:
    import torch


def read_options(place: Path) -> dict[str, Any]:
    """Read settings that travel with weights: `segue.json` in their folder; {} where there is none.

    Raises:
        ModelError: the file is not a JSON object.
    """
    return read_json(place, "segue.json")


def read_json(place: Path, name: str) -> dict[str, Any]:
    """Read the JSON object in the file `name` of the folder of `place`; {} where there is none.

    Raises:
        ModelError: the file is not a JSON object.
    """
    path = (place if place.is_dir() else place.parent) / name
    if not path.is_file():
        return {}
    try:
        value = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ModelError(f"{path} must be JSON, but {error}. Restore or remove it.") from error
    if not isinstance(value, dict):
        raise ModelError(f"{path} must hold a JSON object, got {type(value).__name__}.")
    return value


def load_tokenizer(folder: Path) -> Any:
    """Load the tokenizer in a folder of weights, with transformers and from nowhere else.

    Raises:
        ModelError: there is none, or it is damaged.
    """
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder} must hold the tokenizer of the model, but {error}") from error


def require_model_type(folder: Path, *kinds: str) -> str:
    """Return the `model_type` that a folder's `config.json` states.

    Raises:
        ModelError: it is none of `kinds`.
    """
    stated = read_json(folder, "config.json").get("model_type", "nothing known")
    if stated not in kinds:
        raise ModelError(
            f"{folder} must hold a model of type {' or '.join(map(repr, kinds))}, but its "
            f"config.json says {stated!r}."
        )
    return str(stated)


def read_tensors(path: Path) -> "dict[str, torch.Tensor]":
    """Read a checkpoint file of any age without running code that is hidden in it.

    Pickled files are read with `weights_only`, memory-mapped where their format allows; the usual
    wrapping {"model": {…}} or {"state_dict": {…}} and a "module." before each name are taken off.

    Returns:
        Name -> tensor, on the processor.

    Raises:
        ModelError: the file is missing, damaged, or holds anything but tensors.
    """
    if not path.is_file():
        raise ModelError(f"There is no file {str(path)!r}. Check the path.")
    try:
        content = _load_pickle(path) if path.suffix != ".safetensors" else _load_safetensors(path)
    except ImportError as error:
        raise MissingExtra(
            f"Reading {path.name} needs {error.name}. Run: pip install 'segue[models]'"
        ) from error
    except Exception as error:  # the readers raise a dozen kinds; all mean a file we cannot use
        raise ModelError(
            f"{path} must be a checkpoint that holds only tensors, but reading it failed: "
            f"{_first_line(error)}. It may be cut short (fetch it again) or hold Python objects, "
            "which are refused because they can run code."
        ) from error
    return _unwrap(content, path)


def load_pretrained(
    model_class: Any,
    folder: Path | None = None,
    *,
    config: Any = None,
    tensors: "dict[str, torch.Tensor] | None" = None,
) -> Any:
    """Build a transformers model in float32 from a local folder, or from a config and tensors.

    Never connects, and refuses weights that leave a part of the network at random. Tensors must
    all have a place in the network; a folder may hold parts of other models besides.

    Raises:
        ModelError: files are missing or damaged, or the weights do not fit the network.
    """
    import torch
    from transformers.utils import logging

    where = str(folder) if folder else "the checkpoint"
    options: dict[str, Any] = {"config": config} if config is not None else {}
    if tensors is not None:
        options["state_dict"] = tensors
    bars, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()  # what its report would say is raised below
    try:
        model, report = model_class.from_pretrained(
            None if folder is None else str(folder),
            local_files_only=True,
            trust_remote_code=False,
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # told below, by name
            **options,
        )
    except Exception as error:  # a missing file, a bad config, a truncated tensor file
        raise ModelError(
            f"{where} could not be loaded as {model_class.__name__}: {_first_line(error)}. "
            "It must hold config.json and weights of that model."
        ) from error
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
    require_complete(model, report, where, exact=tensors is not None)
    return model.eval()


def _load_pickle(path: Path) -> Any:
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except RuntimeError as error:
        if "mmap" not in str(error):
            raise
        return torch.load(path, map_location="cpu", weights_only=True)  # written before torch 1.6


def _load_safetensors(path: Path) -> Any:
    from safetensors.torch import load_file

    return load_file(path)


def _unwrap(content: Any, path: Path) -> "dict[str, torch.Tensor]":
    import torch

    for wrapper in ("model", "state_dict", "model_state_dict"):
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict) or not content:
        raise ModelError(f"{path} must hold named tensors, got {type(content).__name__}.")
    non_tensors = [name for name, value in content.items() if not isinstance(value, torch.Tensor)]
    if non_tensors:
        raise ModelError(
            f"{path} must hold nothing but tensors, got {non_tensors[0]!r} among them."
        )
    return {str(name).removeprefix("module."): value for name, value in content.items()}


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
