"""Loads the processor of a model: tokenizer, pictures, chat template; with or without torchvision.

Most processors of transformers also carry a video processor, which cannot be made without
torchvision, and some one of sound. Neither is ever sent here, so the processor is built without
those parts; its pictures go through torchvision where it is installed, else through Pillow.
"""

import inspect
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import transformers
from transformers.image_processing_backends import PilBackend
from transformers.image_utils import SizeDict
from transformers.models.auto.processing_auto import (
    PROCESSOR_MAPPING,
    processor_class_from_name,
)

from segue.errors import MissingExtra, ModelError
from segue.runtime.weights import read_json

_FILES = ("processor_config.json", "preprocessor_config.json", "tokenizer_config.json")
_UNUSED = ("video_processor", "feature_extractor")
_PARTS = ("image_processor", "tokenizer", *_UNUSED)
_FOR_PICTURES = {"SmolVLMProcessor": "Idefics3Processor"}
"""The same for pictures, without a package that only spells the lengths of videos."""


def load_processor(folder: Path, config: Any) -> Any:
    """Load the processor beside the weights in `folder`.

    Args:
        folder: with the tokenizer's files and `preprocessor_config.json`.
        config: of the model.

    Raises:
        ModelError: files are missing, or this model has no processor in transformers.
        MissingExtra: it cannot be had without torchvision or another package.
    """
    official = _processor_class(folder, config)
    try:
        processor = _for_pictures(official, folder)
    except Exception as error:  # each class has its own way to miss a file or a setting
        reason = " ".join(str(error).split())[:300]
        lacks_torchvision = "torchvision" in reason.lower() and find_spec("torchvision") is None
        if isinstance(error, ImportError) or lacks_torchvision:
            what = "torchvision" if lacks_torchvision else "a package"
            raise MissingExtra(
                f"The processor of {config.model_type!r} models needs {what}, which is not "
                f"installed. Install the build of it that fits your PyTorch. ({reason})"
            ) from error
        raise ModelError(
            f"The processor in {folder} cannot be loaded: {reason} The folder must hold the "
            "tokenizer and the preprocessor_config.json of the model."
        ) from error
    if processor.chat_template is None:
        processor.chat_template = getattr(processor.tokenizer, "chat_template", None)
    processor.image_processor = _with_widths_first(processor.image_processor)
    return processor


class WidthsFirst(PilBackend):
    """Resizing by Pillow in the order of torchvision: widths, then heights.

    Pillow by itself takes the order that is quicker; at hard edges both orders differ by up to 16
    grey levels, for Pillow clips what a bicubic filter overshoots after each of its two passes.
    """

    def resize(self, image: np.ndarray, size: Any, *rest: Any, **options: Any) -> np.ndarray:
        """Resize a picture (3, h, w); a size of another kind than height and width as Pillow does.

        Source: transformers, `PilBackend.resize`.
        """
        if size.height and size.width and not (size.shortest_edge or size.longest_edge):
            stretched = SizeDict(image.shape[1], size.width)
            image = super().resize(image, stretched, *rest, **options)
        return super().resize(image, size, *rest, **options)


def _with_widths_first(image_processor: Any) -> Any:
    """Return an image processor of the same settings, whose class resizes so if it can."""
    official = type(image_processor)
    if not issubclass(official, PilBackend):
        return image_processor
    names = {"__module__": official.__module__, "__qualname__": official.__qualname__}
    widths_first: Any = type(official.__name__, (official, WidthsFirst), names)
    return widths_first.from_dict(image_processor.to_dict())


def _processor_class(folder: Path, config: Any) -> Any:
    for file in _FILES:
        name = str(read_json(folder, file).get("processor_class") or "")
        name = _FOR_PICTURES.get(name, name)
        if name and (processor_class := processor_class_from_name(name)) is not None:
            return processor_class
    if type(config) in PROCESSOR_MAPPING:
        official = PROCESSOR_MAPPING[type(config)]
        replacement = _FOR_PICTURES.get(official.__name__)
        return processor_class_from_name(replacement) if replacement else official
    raise ModelError(f"transformers has no processor for models of type {config.model_type!r}.")


def _for_pictures(official: Any, folder: Path) -> Any:
    """Build the processor without its parts for videos and sound."""
    parameters = inspect.signature(official.__init__).parameters
    unused = [name for name in _UNUSED if name in parameters]
    if not unused:
        return official.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    settings, _ = official.get_processor_dict(folder)
    options = {k: v for k, v in settings.items() if k in parameters and k not in _PARTS}

    def check(self: Any, name: str, part: Any) -> Any:
        if name in unused and (part is None or isinstance(part, _Absent)):
            return None  # its class is of no interest
        return official.check_argument_for_proper_class(self, name, part)

    # The name stays the official one: it is what a processor writes into the files it saves.
    pictures_only = type(official.__name__, (official,), {"check_argument_for_proper_class": check})
    parts = {
        name: loader.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        for name, loader in (
            ("image_processor", transformers.AutoImageProcessor),
            ("tokenizer", transformers.AutoTokenizer),
        )
    }
    try:
        processor = pictures_only(**parts, **dict.fromkeys(unused), **options)
        _ = processor.model_input_names
    except AttributeError:  # it reads settings of a part that is not there
        return pictures_only(**parts, **{name: _Absent() for name in unused}, **options)
    return processor


class _Absent:
    """In the place of a part of a processor that is never used: it has no settings."""

    @property
    def model_input_names(self) -> list[str]:
        return []

    def __getattr__(self, name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)
