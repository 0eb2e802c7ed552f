"""Fetches one large file from a URL: into a cache, with resume, a size limit and a checksum.

Knows the published checkpoints of Segment Anything and Grounding DINO by file name.
"""

import hashlib
import http.client
import logging
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from segue.errors import InputError, ModelError
from segue.files.lock import wait_for_lock

MAX_BYTES = 20 * 1024**3
"""Larger files are refused: no checkpoint that this package reads comes near it."""

_CHUNK = 1024 * 1024
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Published:
    """A checkpoint as its authors published it."""

    url: str
    size_bytes: int
    """Exact where `sha256` is known, else rounded."""
    sha256: str = ""
    """The checksum or its beginning, lower case; empty when not known."""


_SAM = "https://dl.fbaipublicfiles.com/segment_anything/"
_DINO = "https://github.com/IDEA-Research/GroundingDINO/releases/download/"

PUBLISHED: Mapping[str, Published] = {
    # the part after the last "_" is the beginning of the sha256
    "sam_vit_b_01ec64.pth": Published(_SAM + "sam_vit_b_01ec64.pth", 375_000_000, "01ec64"),
    "sam_vit_l_0b3195.pth": Published(_SAM + "sam_vit_l_0b3195.pth", 1_249_000_000, "0b3195"),
    "sam_vit_h_4b8939.pth": Published(_SAM + "sam_vit_h_4b8939.pth", 2_564_000_000, "4b8939"),
    "groundingdino_swint_ogc.pth": Published(
        _DINO + "v0.1.0-alpha/groundingdino_swint_ogc.pth", 693_997_677, "3b3ca256"
    ),
    "groundingdino_swinb_cogcoor.pth": Published(
        _DINO + "v0.1.0-alpha2/groundingdino_swinb_cogcoor.pth", 938_057_991, "46270f7a"
    ),
}


def fetch(
    url: str,
    folder: Path,
    *,
    offline: bool = False,
    sha256: str = "",
    max_bytes: int = MAX_BYTES,
    timeout_s: float = 30,
) -> Path:
    """Return the file behind `url`, fetching it into `folder` unless it is there already.

    An interrupted transfer goes on where it stopped. A file that is whole appears under its name;
    until then it is called `NAME.part`. Of several processes one fetches it.

    Args:
        url: http(s) URL that ends in a file name.
        folder: the cache; files from different addresses do not mix.
        offline: never connect.
        sha256: expected checksum or its beginning; "": taken from `PUBLISHED` by file name.
        max_bytes: refuse a larger file, before or while fetching it.
        timeout_s: longest silence of the server, in seconds.

    Raises:
        InputError: the URL names no file.
        ModelError: offline and not cached, cannot be fetched, too large, or not the right file.
    """
    target = _target(url, folder)
    if target.is_file():
        return target
    if offline:
        raise ModelError(
            f"{url} is not in the cache ({target}) and connecting is switched off (SEGUE_OFFLINE "
            "or HF_HUB_OFFLINE is set). Fetch it where there is a network and pass its path."
        )
    expected = sha256.lower() or (PUBLISHED[target.name].sha256 if target.name in PUBLISHED else "")
    part = target.with_name(target.name + ".part")
    with wait_for_lock(target.with_name(f".{target.name}.lock")):
        if target.is_file():
            return target
        try:
            _transfer(url, part, max_bytes, timeout_s)
        except (OSError, http.client.HTTPException) as error:
            raise ModelError(
                f"{url} could not be fetched: {error}. What has come so far is kept; try again to "
                "go on, or fetch it by other means and pass its path."
            ) from error
        _verify(part, expected, url)
        os.replace(part, target)
    return target


def _target(url: str, folder: Path) -> Path:
    parts = urlsplit(url)
    name = unquote(parts.path.rpartition("/")[2])
    if parts.scheme not in ("http", "https") or not parts.netloc or not name.strip("."):
        raise InputError(f"A checkpoint URL must be http(s) and end in a file name, got {url!r}.")
    if "/" in name or "\\" in name or "\0" in name:
        raise InputError(
            f"The file name at the end of a checkpoint URL must be plain, got {name!r}."
        )
    address = hashlib.sha256(url.encode()).hexdigest()[:12]
    return folder / "downloads" / address / name


def _transfer(url: str, part: Path, max_bytes: int, timeout_s: float) -> None:
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "segue"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        reply = urllib.request.urlopen(request, timeout=timeout_s)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # nothing after what we have: it is whole, or another file
            if error.headers.get("Content-Range", "").rpartition("/")[2] != str(have):
                part.unlink()
                _transfer(url, part, max_bytes, timeout_s)
            return
        raise
    with reply:
        if urlsplit(reply.geturl()).scheme not in ("http", "https"):
            raise ModelError(f"{url} leads to {reply.geturl()!r}, which is not a web address.")
        resumed = have > 0 and reply.status == 206
        start = have if resumed else 0
        length = reply.headers.get("Content-Length")
        total = start + int(length) if length and length.isdigit() else None
        _room_for(url, total, start, part, max_bytes)
        _logger.info("fetching %s (%s bytes)", url, total if total is not None else "unknown")
        with part.open("ab" if resumed else "wb") as file:
            size = start
            while chunk := reply.read(_CHUNK):
                size += len(chunk)
                if size > max_bytes:
                    raise ModelError(_too_large(url, size, max_bytes))
                file.write(chunk)
        if total is not None and size < total:
            raise OSError(f"the connection ended after {size} of {total} bytes")


def _room_for(url: str, total: int | None, have: int, part: Path, max_bytes: int) -> None:
    if total is None:
        return
    if total > max_bytes:
        raise ModelError(_too_large(url, total, max_bytes))
    free = shutil.disk_usage(part.parent).free
    if total - have > free:
        raise ModelError(
            f"{url} needs {total - have} bytes, but only {free} are free in {part.parent}. Make "
            "room, or set SEGUE_CACHE to another disk."
        )


def _too_large(url: str, size: int, max_bytes: int) -> str:
    return (
        f"{url} must not be larger than {max_bytes} bytes, got {size}. Fetch it yourself and pass "
        "its path."
    )


def _verify(part: Path, expected: str, url: str) -> None:
    if not expected:
        return
    digest = hashlib.sha256()
    with part.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    if not digest.hexdigest().startswith(expected):
        part.unlink()
        raise ModelError(
            f"{url} must have the sha256 {expected}…, got {digest.hexdigest()}. It was damaged on "
            "the way or is another file; it has been removed. Try again."
        )
