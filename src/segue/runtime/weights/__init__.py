"""Finds weights: bundled, in a folder, on the model hub, or behind a URL. Reads them safely.

A local path never touches the network, whether it exists or not. Environment variables:

    SEGUE_OFFLINE=1   never connect; use what is in the caches (HF_HUB_OFFLINE=1 counts too)
    SEGUE_CACHE=DIR   where files fetched from URLs are kept (default: ~/.cache/segue)

Hub models live in the hub's own cache (HF_HOME), shared with other programs.
"""

import os
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from segue.errors import InputError, ModelError
from segue.files.folders import cache_folder
from segue.runtime.weights import download, hub
from segue.runtime.weights.checkpoint import (
    load_pretrained,
    load_tokenizer,
    read_json,
    read_options,
    read_tensors,
    require_model_type,
)

__all__ = [
    "BUNDLED",
    "CHECKPOINT_SUFFIXES",
    "load_pretrained",
    "load_tokenizer",
    "locate",
    "offline",
    "read_json",
    "read_options",
    "read_tensors",
    "require_model_type",
]

BUNDLED = ("chat", "detector", "segmenter")
"""Parts whose weights are shipped in the package, written "embedded/<part>"."""

CHECKPOINT_SUFFIXES = (".pth", ".pt", ".bin", ".ckpt", ".safetensors")
"""How the names of single checkpoint files end."""


def locate(source: str | Path, *, files: Sequence[str] | None = None) -> Path:
    """Find weights and return where they lie on this machine, fetching them when they do not.

    Args:
        source: one of
            "embedded/<part>"      bundled weights; part is one of `BUNDLED`
            a folder or a file     anything that exists, or looks like a path: "./x", "x.pth"
            "owner/name"           a hub id, "owner/name@revision" for a branch, tag or commit;
                                   "hf://owner/name" says so where a folder has the same name
            "https://…"            the URL of a checkpoint file
        files: patterns of the files needed of a hub model; None: its texts, and its weights as
            safetensors where it has them, else as .bin.

    Returns:
        A folder, or a file where `source` names one.

    Raises:
        InputError: `source` is none of these.
        ModelError: it is not there, or cannot be fetched; the message says what to do.
    """
    text = os.fspath(source)
    if isinstance(source, Path):
        return _existing_path(text)
    if not text.strip():
        return hub.fetch_model(text, files, offline=True)  # says what a source may be
    if text.startswith(("http://", "https://")):
        return download.fetch(text, cache_folder(), offline=offline())
    if text.startswith("embedded/"):
        return _bundled_folder(text.removeprefix("embedded/"))
    if text.startswith("hf://"):
        return hub.fetch_model(text.removeprefix("hf://"), files, offline=offline())
    if Path(text).expanduser().exists() or _looks_local(text):
        return _existing_path(text)
    return hub.fetch_model(text, files, offline=offline())


def offline() -> bool:
    """Return whether the environment forbids connecting: SEGUE_OFFLINE or HF_HUB_OFFLINE is set."""
    yes = {"1", "true", "yes", "on"}
    return any(
        os.environ.get(name, "").lower() in yes for name in ("SEGUE_OFFLINE", "HF_HUB_OFFLINE")
    )


def _existing_path(text: str) -> Path:
    path = Path(text).expanduser()
    if not path.exists():
        raise ModelError(_no_file(path))
    return path


def _no_file(path: Path) -> str:
    published = download.PUBLISHED.get(path.name)
    remedy = f"Check the path, or give the hub id (owner/name). This folder is {Path.cwd()}."
    if published:
        megabytes = published.size_bytes / 1e6
        remedy = f"It is published at {published.url} ({megabytes:.0f} MB); pass that URL."
    return f"There is no file or folder {str(path)!r}. {remedy}"


def _looks_local(text: str) -> bool:
    """Return whether the user means a path, so that a typo in it never becomes a request."""
    hub_id = text.partition("@")[0]
    return (
        text.startswith((".", "/", "~", "\\"))
        or "\\" in text
        or Path(hub_id).suffix in CHECKPOINT_SUFFIXES
        or hub_id.count("/") > 1
        or ("/" in hub_id and Path(hub_id.partition("/")[0]).is_dir())
    )


def _bundled_folder(part: str) -> Path:
    if part not in BUNDLED:
        raise InputError(
            f"Bundled weights must be one of {', '.join(BUNDLED)}, got 'embedded/{part}'."
        )
    folder = Path(str(resources.files("segue"))) / "embedded" / "weights" / part
    if not folder.is_dir():
        raise ModelError(
            f"The weights of the embedded {part} are not in this installation ({folder}). "
            "Reinstall segue, or train them in a clone of its repository: python -m lab train."
        )
    return folder
