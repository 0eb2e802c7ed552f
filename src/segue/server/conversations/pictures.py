"""Pictures by content: PNG files that are whole or not there, and a few decoded ones in memory."""

import os
import re
import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import PIL.Image

from segue.errors import InputError
from segue.server.conversations.storage import private
from segue.server.http.errors import ApiError
from segue.values.image import Image, content_of, pixels
from segue.values.image.pixels import Limits


class PictureStore:
    """A folder of `<digest>.png`. Safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        """Open the folder; what a crash left half written is thrown away."""
        self.folder = folder
        self._arrays: WeakValueDictionary[str, np.ndarray] = WeakValueDictionary()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for draft in folder.glob(".*"):
            draft.unlink(missing_ok=True)

    def file(self, digest: str) -> Path:
        """Where a picture lies."""
        if not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise InputError(f"A picture's name must be a SHA-256 digest, got {digest!r}.")
        return self.folder / f"{digest}.png"

    def keep(self, image: Image) -> None:
        """Write a picture; when this returns it is on the disk for good."""
        file = self.file(image.digest)
        if file.exists():
            return
        draft = self.folder / f".{image.digest}.{os.getpid()}.{threading.get_ident()}"
        try:
            with open(draft, "wb", opener=private) as out:
                # Little compression: the next one waits for this to be done.
                PIL.Image.fromarray(image.array).save(out, "PNG", compress_level=1)
                out.flush()
                os.fsync(out.fileno())
            draft.replace(file)
        finally:
            draft.unlink(missing_ok=True)
        _sync_folder(self.folder)

    def read(self, digest: str, name: str = "") -> Image:
        """Read a stored picture; its pixels are shared by all who have it open."""
        array = self._arrays.get(digest)
        if array is None:
            limits = Limits(max_pixels=2**31, max_bytes=2**33)  # it was checked when it came
            array = Image.open(self.file(digest), limits=limits).array
            self._arrays[digest] = array
        return Image(array, name)

    def pixels(self, digest: str) -> int:
        """Height times width, from the file's header."""
        with PIL.Image.open(self.file(digest)) as file:
            return file.width * file.height

    def forget(self, digest: str) -> None:
        """Delete a picture."""
        self.file(digest).unlink(missing_ok=True)


class Recent:
    """What was used lately, within a budget of bytes. Safe to share between threads."""

    def __init__(self, budget_bytes: int) -> None:
        self._budget = budget_bytes
        self._held: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, key: Hashable, value: Any, size_bytes: int) -> None:
        """Remember something; the newest is kept even if it alone is over the budget."""
        with self._lock:
            self._held[key] = (value, size_bytes)
            self._held.move_to_end(key)
            while len(self._held) > 1 and self.size_bytes > self._budget:
                self._held.popitem(last=False)

    def get(self, key: Hashable) -> Any:
        """Return what is cached; None when it is gone."""
        with self._lock:
            if key not in self._held:
                return None
            self._held.move_to_end(key)
            return self._held[key][0]

    def pop(self, key: Hashable) -> None:
        """Forget it."""
        with self._lock:
            self._held.pop(key, None)

    @property
    def size_bytes(self) -> int:
        return sum(size for _, size in tuple(self._held.values()))


@dataclass(frozen=True, slots=True)
class Upload:
    """A picture that a request brought; its header was read, its pixels were not."""

    content: bytes
    what: str
    """How messages call it."""
    name: str
    pixels: int
    """Height times width, as the header states."""
    limits: Limits

    def decode(self) -> Image:
        """Decode the picture.

        Raises:
            ApiError: 400, it is damaged.
        """
        try:
            return Image(pixels.decode(self.content, self.what, self.limits), self.name)
        except InputError as error:
            raise _refusal(error) from error


def receive_picture(
    source: str | bytes, limits: Limits, *, allow_urls: bool, name: str = ""
) -> Upload:
    """Receive the picture of a request: bytes, or a data: or http(s) address, never a path.

    Raises:
        ApiError: 400, it is not a picture, is too large, or may not be fetched.
    """
    addresses = ("data:", "http://", "https://")
    if isinstance(source, str) and not source[:8].lower().startswith(addresses):
        raise ApiError(
            400,
            "picture_unreadable",
            "A picture must be given as a data: URL"
            + (" or an http(s) address." if allow_urls else "."),
            param="image_url",
        )
    try:
        content, what, source_name = content_of(source, allow_urls=allow_urls, limits=limits)
        height, width = pixels.size_in_header(content, what, limits)
    except InputError as error:
        raise _refusal(error) from error
    return Upload(content, what, name or source_name, height * width, limits)


def decode_picture(
    source: str | bytes, limits: Limits, *, allow_urls: bool, name: str = ""
) -> Image:
    """Receive a picture and decode it at once."""
    return receive_picture(source, limits, allow_urls=allow_urls, name=name).decode()


def clean_picture_name(text: str) -> str:
    """Clean the name that a request or a file gave a picture, for display.

    Only the last part of a path, without what does not print, and never one that files cannot
    have.

    >>> clean_picture_name("C:\\\\x/..\\\\airport.png")
    'airport.png'
    >>> clean_picture_name(".."), clean_picture_name("a/b/")
    ('', '')
    """
    last = text.replace("\\", "/").rpartition("/")[2]
    name = "".join(c for c in last if c.isprintable()).strip()[:120]
    return name if name.strip(". ") else ""


def _refusal(error: InputError) -> ApiError:
    large = "pixels, more than the limit" in str(error) or "claims more pixels" in str(error)
    code = "picture_too_large" if large else "picture_unreadable"
    return ApiError(400, code, _without_advice(str(error)), param="image")


def _without_advice(message: str) -> str:
    """Without hints about Python arguments, which a caller over HTTP does not have."""
    message = re.sub(r" Cut it into pieces, or raise Limits\([^)]*\)\.", "", message)
    message = re.sub(r", or raise Limits\([^)]*\)\.", ".", message)
    message = re.sub(r" Allow it with allow_urls=True, or download", " Download", message)
    return re.sub(r"; to go beyond both, set PIL\S* as well", "", message)


def _sync_folder(folder: Path) -> None:
    """Make a rename last; not every system can."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
