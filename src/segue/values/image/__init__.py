"""Image: one picture, upright, RGB, from whatever it came in.

Reading files is in pixels.py, fetching URLs in url.py; this file decides what a source is.
"""

import hashlib
import io
import os
import threading
import weakref
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
import PIL.Image

from segue.errors import InputError
from segue.files.text import check_regular
from segue.values.box import Size
from segue.values.image import pixels, url
from segue.values.image.conversion import png_thumbnail
from segue.values.image.pixels import Limits

ImageSource: TypeAlias = (
    "Image | str | os.PathLike[str] | bytes | IO[bytes] | PIL.Image.Image | np.ndarray"
)
"""What `Image.open` reads."""

_CHUNK_BYTES = 2**20


@dataclass(frozen=True, eq=False)
class Image:
    """One picture. Two are equal when their pixels are, whatever they are called."""

    array: np.ndarray
    """(H, W, 3) uint8 RGB, upright (EXIF orientation applied), read-only."""
    name: str = ""
    """For people: the file's name or the last part of the URL; never opened again."""

    def __post_init__(self) -> None:
        array = self.array
        if not isinstance(array, np.ndarray) or array.dtype != np.uint8:
            kind = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
            raise InputError(
                f"An Image holds a uint8 array, got {kind}. Use Image.open, which converts."
            )
        if array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
            raise InputError(
                f"An Image holds an array of shape (height, width, 3), got {array.shape}. "
                "Use Image.open, which converts."
            )
        if array.flags.writeable or array.base is not None or not array.flags.c_contiguous:
            array = array.copy(order="C")
            array.setflags(write=False)
            object.__setattr__(self, "array", array)

    @classmethod
    def open(
        cls, source: ImageSource, *, allow_urls: bool = False, limits: Limits | None = None
    ) -> "Image":
        """Read a picture.

        Args:
            source: a path (str or Path), the bytes of a file, a binary file object, a PIL image, an
                array (see `pixels.from_array` for shapes and dtypes), a `data:` URL, an http(s)
                URL, or an Image, which is returned as it is.
            allow_urls: whether http(s) URLs may be fetched; see url.py for what is refused even so.
            limits: bounds on pixels, bytes and seconds; by default `Limits()`.

        EXIF orientation is applied once; transparent parts become white; grey, palette, 16-bit and
        CMYK pictures become 8-bit RGB; of an animation the first frame is taken.

        Raises:
            InputError: it cannot be read, or exceeds the limits. Sizes are checked before decoding.
        """
        limits = limits or Limits()
        if isinstance(source, Image):
            return source
        if isinstance(source, np.ndarray):
            return cls(pixels.from_array(source, limits))
        if isinstance(source, PIL.Image.Image):
            name = Path(os.fsdecode(getattr(source, "filename", "") or "")).name
            return cls(pixels.from_pil(source, limits), name)
        if isinstance(source, bytes | bytearray | memoryview):
            return cls(pixels.decode(bytes(source), "the data given", limits))
        if isinstance(source, str):
            return cls._open_text(source, allow_urls, limits)
        if isinstance(source, os.PathLike):
            return cls._open_path(Path(os.fsdecode(source)), limits)
        if hasattr(source, "read"):
            return cls._open_stream(source, limits)
        raise InputError(
            f"Cannot read a picture from {type(source).__name__}. Give a path, bytes, a binary "
            "file, a PIL image, a NumPy array or a URL."
        )

    @classmethod
    def _open_text(cls, source: str, allow_urls: bool, limits: Limits) -> "Image":
        if source[:8].lower().startswith(("data:", "http://", "https://")):
            data, what, name = content_of(source, allow_urls=allow_urls, limits=limits)
            return cls(pixels.decode(data, what, limits), name)
        if source[:5].lower() == "file:":
            raise InputError(f"file: URLs are not read. Give the path itself, not {source!r}.")
        if not source or "\0" in source:
            raise InputError(f"A path must name a file, got {source!r}.")
        return cls._open_path(Path(source), limits)

    @classmethod
    def _open_path(cls, path: Path, limits: Limits) -> "Image":
        try:
            if path.is_dir():
                raise InputError(f"{path} is a folder. Give the path of a picture in it.")
            check_regular(path)
            with path.open("rb") as file:
                data = _read_at_most(file, limits.max_bytes + 1)
        except FileNotFoundError as error:
            raise InputError(f"There is no file {path}. Check the path.") from error
        except OSError as error:
            raise InputError(f"Cannot read {path}: {error.strerror or error}.") from error
        return cls(pixels.decode(data, str(path), limits), path.name)

    @classmethod
    def _open_stream(cls, stream: IO[bytes], limits: Limits) -> "Image":
        data = _read_at_most(stream, limits.max_bytes + 1)
        name = getattr(stream, "name", "")
        name = Path(name).name if isinstance(name, str) else ""
        return cls(pixels.decode(data, name or "the file object", limits), name)

    @property
    def size(self) -> Size:
        height, width, _ = self.array.shape
        return Size(height, width)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of shape and pixels, hexadecimal: the identity of the picture's content."""
        content = hashlib.sha256(f"{self.size.height}x{self.size.width}x3 uint8\n".encode())
        content.update(self.array.data)
        return content.hexdigest()

    def to_pil(self) -> PIL.Image.Image:
        """Return a PIL image, mode RGB, that may be drawn on."""
        return PIL.Image.fromarray(self.array)  # which copies: PIL keeps RGB as four bytes a pixel

    def resized(self, size: Size, resampling: PIL.Image.Resampling) -> np.ndarray:
        """Return the pixels (h, w, 3) uint8 at another size, as Pillow resizes them.

        Widths change first, then heights, as in PyTorch and torchvision. Pillow by itself takes
        the order that is quicker, and both orders round differently. Resizing one picture several
        times in a thread costs one copy of it.
        """
        picture = _pil_copy(self)
        stretched = picture.resize((size.width, picture.height), resampling)
        return np.array(stretched.resize((size.width, size.height), resampling))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Return what `np.asarray(image)` gives: the (H, W, 3) uint8 array, read-only."""
        array = self.array if dtype is None else self.array.astype(dtype, copy=False)
        return array.copy() if copy and array is self.array else array

    def _repr_png_(self) -> bytes:
        """Return a small picture for a notebook."""
        return png_thumbnail(self.to_pil(), 640)

    def to_png_bytes(self) -> bytes:
        """Return the picture as a PNG file, without loss."""
        buffer = io.BytesIO()
        PIL.Image.fromarray(self.array).save(buffer, "PNG")
        return buffer.getvalue()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Image):
            return NotImplemented
        if self is other:
            return True
        return self.size == other.size and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"Image({self.name!r}, {self.size.height} x {self.size.width})"


_latest = threading.local()


def _pil_copy(image: Image) -> PIL.Image.Image:
    """Return a picture as Pillow has it; each thread keeps that of its latest one while it lives.

    Pillow keeps RGB as four bytes a pixel, so that making one costs as much as resizing it.
    """
    reference, copy = getattr(_latest, "entry", (None, None))
    if reference is None or copy is None or reference() is not image:
        entries = _latest.__dict__  # of this thread, also when another one drops the picture
        copy = image.to_pil()
        entries["entry"] = weakref.ref(image, lambda _: entries.pop("entry", None)), copy
    return copy


def content_of(source: str | bytes, *, allow_urls: bool, limits: Limits) -> tuple[bytes, str, str]:
    """Return the bytes of a picture that is given as bytes or by address, not decoded.

    Args:
        source: bytes, or a `data:` or http(s) URL.
        allow_urls: whether http(s) URLs may be fetched.
        limits: bounds on bytes and seconds.

    Returns:
        The bytes, what to call them in messages, and a name for people, "" where there is none.

    Raises:
        InputError: it cannot be fetched, or may not be.
    """
    if isinstance(source, bytes):
        return source, "the data given", ""
    if source[:5].lower() == "data:":
        return url.read_data(source, limits), "the data: URL", ""
    if not allow_urls:
        raise InputError(
            f"Fetching pictures from the network is off: {url.short(source)}. "
            "Allow it with allow_urls=True, or download the file first."
        )
    return url.fetch(source, limits), url.short(source), url.file_name(source)


def _read_at_most(stream: IO[bytes], max_bytes: int) -> bytes:
    """Read a stream, up to a limit. Memory is taken for what comes, not for the limit.

    Raises:
        InputError: it gives text.
    """
    parts, n_remaining = [], max_bytes
    while n_remaining > 0:
        part = stream.read(min(n_remaining, _CHUNK_BYTES))
        if not isinstance(part, bytes):
            raise InputError("A file object must be opened in binary mode: open(path, 'rb').")
        if not part:
            break
        parts.append(part)
        n_remaining -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
