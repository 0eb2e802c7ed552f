"""How much a session file may hold: compared before pictures and masks are decoded.

A file of a kilobyte can claim gigabytes, and it may come from somebody else.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segue.errors import InputError
from segue.values.box import Size
from segue.values.image import Image
from segue.values.image.pixels import Limits, size_in_header
from segue.values.mask import rle
from segue.values.mask.compact import packed_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """Bounds of one session; the defaults suit a desktop."""

    max_file_bytes: int = 256 * 2**20
    """Length of session.json."""
    max_images: int = 256
    """Pictures, those behind edits and those never shown included."""
    max_pixels: int = 400_000_000
    """Of all pictures together; three bytes each."""
    max_mask_bytes: int = 512 * 2**20
    """Memory of all masks together, those of steps that can be undone included."""
    picture: Limits = field(default_factory=Limits)
    """Of each picture."""


def check_file(file: Path, limits: SessionLimits) -> None:
    """Refuse a session file that holds too much.

    Raises:
        InputError: the file is longer than allowed.
    """
    length = file.stat().st_size
    if length > limits.max_file_bytes:
        raise InputError(
            f"{file} has {length} bytes, more than the limit of {limits.max_file_bytes}. "
            "Raise SessionLimits(max_file_bytes=…) if you trust it."
        )


def check_pictures(files: Sequence[Path], limits: SessionLimits) -> None:
    """Add up what the headers of picture files state.

    Raises:
        InputError: there are too many, one cannot be read, or one or all have too many pixels.
    """
    if len(files) > limits.max_images:
        raise InputError(
            f"The session names {len(files)} pictures, more than the limit of "
            f"{limits.max_images}. Raise SessionLimits(max_images=…) if you trust it."
        )
    total = 0
    for file in files:
        height, width = size_in_header(_content(file, limits.picture), str(file), limits.picture)
        total += height * width
        if total > limits.max_pixels:
            raise InputError(
                f"The pictures of the session have more than {limits.max_pixels} pixels together. "
                "Raise SessionLimits(max_pixels=…) if you trust it."
            )


def check_masks(
    document: Mapping[str, Any], images: Sequence[Image], limits: SessionLimits
) -> None:
    """Compare every region with the picture it lies on, and add up the masks.

    Raises:
        InputError: a region lies on no picture, its mask has another size, or all masks together
            take too much memory.
        KeyError, TypeError, AttributeError: a field is missing or of another kind.
    """
    sizes = [image.size for image in images]
    distinct_masks: set[Any] = set()
    total = 0
    for region in _regions(document):
        size = _size_for(region, sizes)
        mask = region.get("mask")
        if mask is None:
            continue
        try:
            rle.read_size(mask, expected_size=size, max_pixels=limits.picture.max_pixels)
        except InputError as error:
            raise InputError(
                f"The mask of region {str(region.get('id'))[:80]!r}: {error}"
            ) from error
        counts = mask.get("counts")
        key = (size, counts if isinstance(counts, str) else tuple(counts))
        if key not in distinct_masks:
            distinct_masks.add(key)
            total += packed_bytes(size.height * size.width)
        if total > limits.max_mask_bytes:
            raise InputError(
                f"The masks of the session take more than {limits.max_mask_bytes} bytes together. "
                "Raise SessionLimits(max_mask_bytes=…) if you trust it."
            )


def _size_for(region: Mapping[str, Any], sizes: Sequence[Size]) -> Size:
    index = region.get("image", 0)
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < len(sizes):
        raise InputError(
            f"Region {str(region.get('id'))[:80]!r} lies on picture {str(index)[:20]}; there are "
            f"{len(sizes)}."
        )
    return sizes[index]


def _regions(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every region that a document holds, wherever it stands."""
    history = document.get("history") or {}
    for turn in (*document["turns"], *history.get("later", ())):
        yield from turn["regions"]
    yield from document.get("regions", ())
    yield from history.get("regions", ())


def _content(file: Path, limits: Limits) -> bytes:
    try:
        with file.open("rb") as stream:
            if (length := file.stat().st_size) > limits.max_bytes:
                raise InputError(f"{file} has {length} bytes, more than {limits.max_bytes}.")
            return stream.read()
    except OSError as error:
        raise InputError(f"Cannot read {file}: {error.strerror or error}.") from error
