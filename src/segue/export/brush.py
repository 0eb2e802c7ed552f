"""The pixels of a Label Studio brush, packed into bits.

A brush is the picture's pixels as RGBA, row by row, packed into bits: 32 bits number of values, 5
bits word size - 1, four times 4 bits "length of a count" - 1, then blocks: 1 bit (1: one value
repeated, 0: values one by one), 2 bits which length of count, the count - 1, the value or values.

Source: https://github.com/thi-ng/umbrella/tree/develop/packages/rle-pack describes the packing.
"""

import numpy as np

from segue.annotations.fields import read_list
from segue.errors import InputError

_LENGTHS = (3, 4, 8, 16)
"""Bits of a count, as Label Studio itself writes."""


def pack(values: np.ndarray) -> list[int]:
    """Pack (N,) uint8 into the bytes of a brush."""
    edges = np.concatenate(([0], np.flatnonzero(values[1:] != values[:-1]) + 1, [values.size]))
    bits = [f"{values.size:032b}{7:05b}", *(f"{length - 1:04b}" for length in _LENGTHS)]
    for start, count in zip(edges[:-1].tolist(), np.diff(edges).tolist(), strict=True):
        value = f"{int(values[start]):08b}"
        while count > 0:
            which = next((n for n, b in enumerate(_LENGTHS) if count <= 1 << b), 3)
            part = min(count, 1 << _LENGTHS[which])
            bits.append(f"1{which:02b}{part - 1:0{_LENGTHS[which]}b}{value}")
            count -= part
    text = "".join(bits)
    return np.packbits(np.frombuffer(text.encode(), np.uint8) - 48).tolist()


def unpack(packed: list[int], expected: int) -> np.ndarray:
    """Read the bytes of a brush: (expected,) uint8.

    Raises:
        InputError: they end early, or hold another number of values.
    """
    try:
        text = "".join(f"{byte:08b}" for byte in bytes(read_list(packed, "a brush")))
    except (TypeError, ValueError) as error:
        raise InputError(f"a brush must be a list of bytes ({error})") from error
    place = 0

    def read_bits(bits: int) -> int:
        nonlocal place
        place += bits
        if place > len(text):
            raise InputError("a brush ends early")
        return int(text[place - bits : place], 2)

    count, word = read_bits(32), read_bits(5) + 1
    lengths = [read_bits(4) + 1 for _ in range(4)]
    if count != expected or word != 8:
        raise InputError(f"a brush holds {count} values of {word} bits, expected {expected} of 8")
    values, done = np.zeros(count, np.uint8), 0
    while done < count:
        repeated, end = read_bits(1), done
        end += read_bits(lengths[read_bits(2)]) + 1
        if end > count:
            raise InputError("a brush holds more values than it says")
        values[done:end] = read_bits(8) if repeated else [read_bits(8) for _ in range(end - done)]
        done = end
    return values
