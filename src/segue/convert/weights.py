"""Original checkpoints -> folders that every tool reads: config, safetensors, preprocessing.

Conversion is optional: the originals load as they are; a folder loads faster and can be shared.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from segue.errors import InputError, ModelError
from segue.runtime.weights import read_options, read_tensors

_BACKENDS = {"sam": "Segment Anything", "grounding_dino": "Grounding DINO"}


def detect_backend(path: Path) -> str:
    """Detect which backend reads the original checkpoint at `path`: "sam" or "grounding_dino".

    Raises:
        ModelError: it cannot be read, or is of neither kind.
    """
    from segue.detect.original_grounding_dino import is_original_grounding_dino
    from segue.segment.original_sam import is_original_sam

    tensors = read_tensors(path)
    if is_original_sam(tensors):
        return "sam"
    if is_original_grounding_dino(tensors):
        return "grounding_dino"
    raise ModelError(
        f"{path} must be an original checkpoint of {' or '.join(_BACKENDS.values())}, but its "
        f"first tensor is {next(iter(tensors))!r}. A file in transformers' form needs no "
        "conversion; keep it in a folder with its config.json."
    )


def convert_weights(path: Path, folder: Path, *, vocabulary: str | Path | None = None) -> str:
    """Write the original checkpoint at `path` as a folder in transformers' form.

    The folder is written completely or not at all.

    Args:
        path: `sam_vit_*.pth` or `groundingdino_*.pth`.
        folder: where to write; must not exist, or be empty.
        vocabulary: for Grounding DINO, see `segue.detect.grounding_dino.load`.

    Returns:
        The backend that reads it: "sam" or "grounding_dino".

    Raises:
        InputError: `folder` is not empty.
        ModelError: the checkpoint or the vocabulary cannot be read.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"The folder to write must be new or empty, but {folder} is not.")
    backend = detect_backend(path)
    write: Callable[[Path, Path], None] = (
        _write_sam
        if backend == "sam"
        else lambda source, target: _write_grounding_dino(source, target, vocabulary)
    )
    unfinished = folder.with_name(folder.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        write(path, unfinished)
        if folder.exists():
            folder.rmdir()
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return backend


def _write_sam(path: Path, folder: Path) -> None:
    from segue.segment.sam_network import SamOptions, read_sam

    model, options = read_sam(path), SamOptions.read(path)
    side = model.config.vision_config.image_size
    low_resolution = 4 * (side // model.config.vision_config.patch_size)
    preprocessor_config = {
        "image_processor_type": "SamImageProcessor",
        "image_mean": list(options.mean),
        "image_std": list(options.std),
        "size": {"longest_edge": side},
        "pad_size": {"height": side, "width": side},
        "mask_size": {"longest_edge": low_resolution},
        "mask_pad_size": {"height": low_resolution, "width": low_resolution},
    }
    _write(model, preprocessor_config, read_options(path), folder)


def _write_grounding_dino(path: Path, folder: Path, vocabulary: str | Path | None) -> None:
    from segue.detect.grounding_dino import read_grounding_dino
    from segue.detect.resizing import DetectorResizing
    from segue.detect.vocabulary import load_bert_tokenizer

    tokenizer = load_bert_tokenizer(path, vocabulary)  # before the large file: it is often missing
    resizing = DetectorResizing.read(path)
    preprocessor_config = {
        "image_processor_type": "GroundingDinoImageProcessor",
        "image_mean": list(resizing.mean),
        "image_std": list(resizing.std),
        "size": {"shortest_edge": resizing.short, "longest_edge": resizing.long},
    }
    if resizing.fixed is not None:
        preprocessor_config["size"] = resizing.fixed._asdict()
    options = read_options(path)
    options.pop("heads", None)  # in the config from now on
    _write(read_grounding_dino(path), preprocessor_config, options, folder)
    tokenizer.save_pretrained(str(folder))


def _write(
    model: Any, preprocessor_config: dict[str, Any], options: dict[str, Any], folder: Path
) -> None:
    from transformers.utils import logging

    had_progress_bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        model.save_pretrained(str(folder))
    finally:
        if had_progress_bars:
            logging.enable_progress_bar()
    for name, value in (("preprocessor_config.json", preprocessor_config), ("segue.json", options)):
        if value:
            text = json.dumps(value, indent=2) + "\n"
            (folder / name).write_text(text, encoding="utf-8")
