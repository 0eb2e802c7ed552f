"""The manifest of a file of predictions: everything that the scores depend on."""

import hashlib
import platform
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segue.errors import InputError
from segue.evaluate.questions import json_lines
from segue.version import __version__

if TYPE_CHECKING:
    from segue.assistant import Assistant
    from segue.values.message import Sampling

FORMAT = 1
PACKAGES = ("torch", "transformers", "numpy", "peft")
"""Packages whose versions are recorded."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """Models, thresholds, prompt, sampling and versions of a run."""

    questions: Mapping[str, Any]
    """file, sha256, and limit if the run asked only some of them."""
    prompt: str
    """The question for a referring expression, which replaces "{sent}"."""
    models: Mapping[str, Any]
    dialect: str
    thresholds: Mapping[str, float | None]
    """box and text; None: the detector's own."""
    sampling: Mapping[str, Any]
    versions: Mapping[str, str]
    teach_tag: bool = False
    """Whether a system prompt explained the tag to the chat model."""
    route: str = "reply"
    """How questions were answered; see `segue.pipeline.routing`."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"format": FORMAT, **{name: getattr(self, name) for name in self.__slots__}}


def make_manifest(
    assistant: "Assistant",
    questions_file: Path,
    sampling: "Sampling",
    *,
    prompt: str = "{sent}",
    limit: int | None = None,
) -> Manifest:
    """Return the manifest of a run that is about to start."""
    questions: dict[str, Any] = {"file": questions_file.name, "sha256": _digest(questions_file)}
    if limit is not None:
        questions["limit"] = limit
    sampling_values = {name: getattr(sampling, name) for name in sampling.__slots__}
    return Manifest(
        questions=questions,
        prompt=prompt,
        models={
            "chat": getattr(assistant.chat, "name", None),
            "detect": getattr(assistant.detector, "name", None),
            "segment": getattr(assistant.segmenter, "name", None),
        },
        dialect=assistant.dialect_name,
        thresholds={"box": assistant.box_threshold, "text": assistant.text_threshold},
        sampling={
            name: list(value) if isinstance(value, tuple) else value
            for name, value in sampling_values.items()
        },
        versions=_package_versions(),
        teach_tag=assistant.teach_tag,
        route=assistant.route,
    )


def read_manifest(path: str | Path) -> dict[str, Any]:
    """Read the manifest of a file of predictions.

    Raises:
        InputError: the file cannot be read, or is not a file of predictions.
    """
    first_line = next(json_lines(Path(path)), {})
    value = first_line.get("manifest")
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise InputError(
            f"{path} is not a file of predictions: its first line must be a manifest of format "
            f"{FORMAT}. Make one with: segue evaluate predict"
        )
    missing_keys = sorted(key for key in _REQUIRED_KEYS if key not in value)
    if missing_keys or not all(isinstance(value[key], dict) for key in _OBJECT_KEYS):
        problem = (
            f"lacks {', '.join(missing_keys)}"
            if missing_keys
            else f"must have objects under {', '.join(_OBJECT_KEYS)}"
        )
        raise InputError(f"The manifest of {path} {problem}. Create the file again.")
    return value


_OBJECT_KEYS = ("questions", "models", "thresholds", "sampling", "versions")
_REQUIRED_KEYS = (*_OBJECT_KEYS, "prompt", "dialect")


def _package_versions() -> dict[str, str]:
    versions = {"segue": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return versions


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.") from error
