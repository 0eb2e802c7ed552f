"""COCO run lengths: a (H, W) bool array as `{"size": [h, w], "counts": ...}` and back.

The pixels are read column by column; the first number counts zeros, then ones, then zeros, and so
on. "Uncompressed" counts are that list of numbers; "compressed" counts are text: each number as a
difference from the one two places before it, in groups of five bits, six bits per character.

Decision: written here, on NumPy alone, rather than taken from pycocotools or faster-coco-eval.
Their decoders trust their input (a strange string reads beyond their buffers), and they would be
the only compiled dependency of this layer. The text is identical to theirs; a test compares them.

Source: the format is the one of the COCO API, https://github.com/cocodataset/cocoapi.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from segue.errors import InputError

MAX_PIXELS = 2**28
"""No array larger than this is made from run lengths unless the caller allows it: a few characters
can claim any size."""


def encode(array: np.ndarray) -> dict[str, Any]:
    """Write a (H, W) bool array as compressed COCO RLE, `counts` as str."""
    height, width = array.shape
    return {"size": [int(height), int(width)], "counts": text_of_counts(counts_of(array))}


def decode(
    rle: Mapping[str, Any],
    *,
    expected_size: tuple[int, int] | None = None,
    max_pixels: int = MAX_PIXELS,
) -> np.ndarray:
    """Read compressed or uncompressed COCO RLE into a (H, W) bool array.

    The sizes are compared before anything is decoded, so a false one costs no memory; the array
    takes one byte a pixel, and another one while it is made.

    Args:
        rle: `{"size": [h, w], "counts": text or list}`.
        expected_size: (height, width) of the picture that the mask lies on; None: any.
        max_pixels: the largest height times width that is decoded.

    Raises:
        InputError: it is not an RLE, has another size than expected or more pixels than allowed,
            or its counts do not add up to its size.
    """
    height, width = read_size(rle, expected_size=expected_size, max_pixels=max_pixels)
    counts = rle.get("counts") if isinstance(rle, Mapping) else None
    if isinstance(counts, bytes):
        counts = counts.decode("latin-1")
    if isinstance(counts, str):
        runs = counts_of_text(counts)
    elif isinstance(counts, Sequence | np.ndarray):
        runs = _read_run_lengths(counts)
    else:
        raise InputError(
            f"RLE counts must be a text or a list of numbers, got {type(counts).__name__}."
        )
    if runs.size and (runs.min() < 0 or runs.max() > height * width):
        raise InputError(
            f"RLE counts must lie between 0 and {height * width} (size {height} x {width}), "
            f"got one of {int(runs.min() if runs.min() < 0 else runs.max())}."
        )
    if int(runs.sum()) != height * width:
        raise InputError(
            f"RLE counts must add up to {height} x {width} = {height * width} pixels, "
            f"got {int(runs.sum())}. Is 'size' in the order [height, width]?"
        )
    values = (np.arange(runs.size) % 2).astype(bool)
    return np.ascontiguousarray(np.repeat(values, runs).reshape(width, height).T)


def counts_of(array: np.ndarray) -> np.ndarray:
    """Return the uncompressed counts of a (H, W) bool array: (N,) int64, zeros first."""
    flat = array.T.reshape(-1)
    turns = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    edges = np.concatenate(([0], turns, [flat.size]))
    counts = np.diff(edges)
    return np.concatenate(([0], counts)) if flat[0] else counts


def text_of_counts(counts: np.ndarray) -> str:
    """Compress counts, (N,) int64, into COCO's text."""
    values = counts.astype(np.int64)
    values[3:] -= counts[1:-2]
    characters, unfinished, columns = [], np.ones(values.size, bool), []
    while unfinished.any():
        low = values & 0x1F
        values = values >> 5
        has_more = np.where(low & 0x10, values != -1, values != 0)
        characters.append((low | np.where(has_more, 0x20, 0)) + 48)
        columns.append(unfinished)
        unfinished = unfinished & has_more
    table, used = np.stack(characters, 1), np.stack(columns, 1)  # (N, groups) each
    return str(table[used].astype(np.uint8).tobytes(), "ascii")


def counts_of_text(text: str) -> np.ndarray:
    """Read COCO's compressed text into counts, (N,) int64. They are not checked against a size.

    Raises:
        InputError: a character is outside the alphabet, or the text ends inside a number.
    """
    try:
        codes = np.frombuffer(text.encode("ascii"), np.uint8).astype(np.int64) - 48
    except UnicodeEncodeError as error:
        raise InputError(f"RLE counts must be plain ASCII, got {text[error.start]!r}.") from error
    if not codes.size:
        return np.zeros(0, np.int64)
    if codes.min() < 0 or codes.max() > 63:
        wrong = next(c for c in text if not 48 <= ord(c) <= 111)
        raise InputError(f"RLE counts must use the characters '0' to 'o' only, got {wrong!r}.")
    if codes[-1] & 0x20:
        raise InputError("RLE counts end inside a number: the text was cut off.")
    last = np.flatnonzero((codes & 0x20) == 0)
    first = np.concatenate(([0], last[:-1] + 1))
    if int((last - first).max()) > 8:
        raise InputError("RLE counts hold a number of more than nine characters, none is so large.")
    place = np.arange(codes.size) - np.repeat(first, last - first + 1)
    values = np.add.reduceat((codes & 0x1F) << (5 * place), first)
    negative = (codes[last] & 0x10) != 0
    values[negative] -= np.int64(1) << (5 * (place[last][negative] + 1))
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values


def shortest_text(counts: Any) -> str | None:
    """Return the text that `encode` gives for counts that `decode` took.

    None where a run is empty, so that only the pixels tell.
    """
    if isinstance(counts, bytes):
        counts = counts.decode("latin-1")
    runs = counts_of_text(counts) if isinstance(counts, str) else _read_run_lengths(counts)
    return text_of_counts(runs) if runs.size and (runs[1:] > 0).all() else None


def read_size(
    rle: Mapping[str, Any],
    *,
    expected_size: tuple[int, int] | None = None,
    max_pixels: int = MAX_PIXELS,
) -> tuple[int, int]:
    """Read the (height, width) that an RLE states, as `decode` checks it, without its counts.

    Raises:
        InputError: there is no size, or it is not the expected one, or it is above `max_pixels`.
    """
    size = rle.get("size") if isinstance(rle, Mapping) else None
    try:
        height, width = size  # type: ignore[misc]
        are_integers = int(height) == height and int(width) == width
    except (TypeError, ValueError, OverflowError):
        are_integers = False
    if not are_integers or height < 1 or width < 1:
        raise InputError(
            f"RLE size must be [height, width], two positive whole numbers, got {size!r}."
        )
    stated = int(height), int(width)
    if expected_size is not None and stated != tuple(expected_size):
        raise InputError(
            f"RLE size must be that of its picture, {list(expected_size)} (height, width), got "
            f"{_size_text(stated)}. It belongs to another picture, or was changed after saving."
        )
    if stated[0] * stated[1] > max_pixels:
        raise InputError(
            f"RLE size {_size_text(stated)} is larger than the limit of {max_pixels} pixels. "
            "Check 'size'; it is [height, width]."
        )
    return stated


def _size_text(size: tuple[int, int]) -> str:
    """Return a size for a message; a number may have thousands of digits."""
    return " x ".join(str(side) if side < 10**9 else "over 10^9" for side in size)


def _read_run_lengths(counts: Any) -> np.ndarray:
    try:
        runs = np.asarray(counts)
        are_integers = runs.ndim == 1 and (runs.size == 0 or runs.dtype.kind in "iu")
    except ValueError:  # a ragged list
        are_integers = False
    if not are_integers:
        raise InputError("RLE counts must be a flat list of whole numbers.")
    return runs.astype(np.int64)
