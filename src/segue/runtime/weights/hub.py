"""Fetches a model from the model hub into the hub's own cache, only the files that are needed."""

import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from segue.errors import InputError, MissingExtra, MissingWeights, ModelError, SegueError

_TEXT_FILES = ("*.json", "*.txt", "*.model", "*.tiktoken", "*.jinja")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_CONNECTING = ("httpx", "httpx2", "httpcore", "requests", "urllib3")
"""Packages whose errors mean that the hub was not reached."""

_NOT_ALLOWED = (401, 403)
"""What the hub answers to somebody whose token is wrong, or allows too little."""
_FORBIDDEN = "connecting is switched off (SEGUE_OFFLINE or HF_HUB_OFFLINE is set)"
_logger = logging.getLogger(__name__)


def fetch_model(text: str, files: Sequence[str] | None, *, offline: bool) -> Path:
    """Return the folder of a model in the hub's cache, fetched unless it is there already.

    Where the hub cannot be reached, the version in the cache is used.

    Args:
        text: "owner/name" or "owner/name@revision".
        files: patterns of the files needed; None: texts, and one form of the weights.
        offline: never connect.

    Raises:
        InputError: `text` is no hub id.
        ModelError: no such model or revision, no permission, or not cached and no connection.
    """
    name, _, revision = text.partition("@")
    if not _HUB_ID.fullmatch(name):
        raise InputError(
            "Weights must be 'embedded/<part>', an existing path, a hub id 'owner/name' or a URL, "
            f"got {text!r}."
        )
    hub = _hub()
    if offline:
        return _cached_folder(hub, name, revision, _FORBIDDEN)
    endpoint = os.environ.get("HF_ENDPOINT") or None
    try:
        default_patterns = _needed_files(hub.HfApi(endpoint=endpoint), name, revision)
        patterns = default_patterns if files is None else files
        folder = hub.snapshot_download(
            name, revision=revision or None, allow_patterns=list(patterns), endpoint=endpoint
        )
    except Exception as error:  # told apart below; what is not the hub's goes on its way
        _logger.debug("%s: the hub failed", name, exc_info=error)
        if not _is_unreachable(error):
            explanation = _explain(hub.errors, error, name, revision)
            if explanation is None:
                raise
            raise explanation from None  # the log has the causes, which explain nothing more
    else:
        return Path(folder)
    return _cached_folder(hub, name, revision, "the hub cannot be reached")


def _hub() -> Any:
    try:
        import huggingface_hub
        import huggingface_hub.errors
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "Fetching from the model hub needs huggingface_hub, which is not installed. "
            "Run: pip install 'segue[models]'"
        ) from error
    return huggingface_hub


def _needed_files(api: Any, name: str, revision: str) -> list[str]:
    """Return the files worth fetching: texts, and one form of the weights."""
    # one request without the repetitions of the other calls: an unplugged cable is told at once
    about = api.model_info(name, revision=revision or None, timeout=10)
    top = [entry.rfilename for entry in about.siblings or () if "/" not in entry.rfilename]
    safe = any(file.endswith(".safetensors") for file in top)
    kinds = (*_TEXT_FILES, "*.safetensors" if safe else "*.bin")
    return [file for file in top if any(Path(file).match(kind) for kind in kinds)]


def _cached_folder(hub: Any, name: str, revision: str, why: str) -> Path:
    config = hub.try_to_load_from_cache(name, "config.json", revision=revision or None)
    if isinstance(config, str):
        _logger.info("using %s from the cache: %s", name, why)
        return Path(config).parent
    raise missing_weights([name], why)


def missing_weights(names: Sequence[str], reason: str) -> MissingWeights:
    """Return the error for models of the hub that are not in the cache and cannot be fetched."""
    *others, last = (repr(name) for name in names)
    listed = f"{', '.join(others)} and {last}" if others else last
    commands = "; ".join(f"hf download {name}" for name in names)
    folders = "those folders" if others else "that folder"
    message = (
        f"The weights of {listed} are not on this machine and {reason}. Where there is a network "
        f"run: {commands}, and copy {folders} or the hub's cache here."
    )
    return MissingWeights(message, names, reason)


def _is_unreachable(error: BaseException) -> bool:
    """Return True for failures between here and the hub; its answers (no such model…) are not."""
    has_response = getattr(error, "response", None) is not None
    package = type(error).__module__.partition(".")[0]
    missing = type(error).__name__ in ("LocalEntryNotFoundError", "OfflineModeIsEnabled")
    return missing or (not has_response and (package in _CONNECTING or isinstance(error, OSError)))


def _explain(errors: Any, error: Exception, name: str, revision: str) -> SegueError | None:
    if isinstance(error, errors.GatedRepoError):
        return ModelError(
            f"The model {name!r} is gated. Accept its licence at https://huggingface.co/{name}, "
            "wait where its makers grant access by hand, then run: hf auth login"
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return ModelError(
            f"The model {name!r} has no revision {revision!r}. Leave '@…' out for the newest."
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        return ModelError(
            f"The hub has no model {name!r} that you may read. Check the spelling; for a private "
            f"or gated model accept its licence at https://huggingface.co/{name} and run: hf auth "
            f"login. For a local folder write './{name}'."
        )
    if isinstance(error, errors.HfHubHTTPError) and _status(error) in _NOT_ALLOWED:
        return ModelError(
            f"The hub does not let you read {name!r}. Accept its licence at "
            f"https://huggingface.co/{name}, then run: hf auth login; a token needs the permission "
            "to read gated models."
        )
    if isinstance(error, errors.HfHubHTTPError):
        return ModelError(f"The hub refused to send {name!r}: {error}. Try again later.")
    return None


def _status(error: Exception) -> int | None:
    return getattr(getattr(error, "response", None), "status_code", None)
