"""16-bit files that use fewer bits."""

import io
import logging

import numpy as np
import PIL.Image
import pytest

from segue.values.image import Image


def stored(values: np.ndarray, format_name: str) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.fromarray(values.astype(np.uint16)).save(buffer, format_name)
    return buffer.getvalue()


@pytest.mark.parametrize("format_name", ["TIFF", "PNG"])
@pytest.mark.parametrize("bits", [9, 11, 12])
def test_a_picture_of_few_bits_in_16_uses_the_whole_range(format_name, bits, caplog):
    caplog.set_level(logging.WARNING, "segue")
    values = np.linspace(0, 2**bits - 1, 48).reshape(6, 8)
    array = Image.open(stored(values, format_name)).array
    assert (array.min(), array.max()) == (0, 255)
    assert f"{bits} bits" in caplog.text


def test_a_picture_of_16_bits_and_a_dark_one_of_8_stay_as_they_are():
    values = np.linspace(0, 65535, 48).reshape(6, 8)
    assert Image.open(stored(values, "TIFF")).array.max() == 255
    spread = (np.arange(12) * 257).reshape(3, 4)
    assert Image.open(stored(spread, "TIFF")).array.max() == 11
