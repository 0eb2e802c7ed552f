"""What opening a picture costs, and what is decoded at the same time."""

import io
import json
import struct
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path
from urllib.parse import unquote_to_bytes

import numpy as np
import PIL.Image
import pytest

from segue.errors import InputError
from segue.values.image import Image, webp
from segue.values.image.budget import PixelBudget
from segue.values.image.conversion import on_white
from segue.values.image.pixels import Limits, size_in_header
from segue.values.image.url import read_data
from values.image import bombs

linux = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads /proc")


@linux
def test_no_kind_of_picture_takes_more_than_its_bytes_a_pixel(tmp_path):
    """Under a limit of address space; the figures are those of docs/security.md."""
    for kind in bombs.KINDS:
        (tmp_path / kind).write_bytes(bombs.bomb(kind))
        (tmp_path / f"{kind} small").write_bytes(bombs.bomb(kind, 8))
    command = [sys.executable, "-m", "values.image.bombs", str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    print("\n".join(f"{kind:40} {cost:5.2f} bytes a pixel" for kind, cost in found.items()))
    assert found.keys() == bombs.KINDS.keys()
    over = {kind: cost for kind, cost in found.items() if cost > bombs.KINDS[kind]}
    assert not over


@pytest.mark.parametrize("kind", ["png", "webp", "webp, animation", "jpeg", "gif", "tiff, fax"])
def test_the_size_is_known_without_decoding(kind):
    data = bombs.bomb(kind, 300)
    assert size_in_header(data, "the file", Limits()) == (300, 300)
    with pytest.raises(InputError, match="300 x 300 = 90000 pixels, more than the limit"):
        size_in_header(data, "the file", Limits(max_pixels=89_999))
    with pytest.raises(InputError, match="300 x 300 = 90000 pixels, more than the limit"):
        Image.open(data, limits=Limits(max_pixels=89_999))


def test_a_webp_that_claims_much_is_refused_before_a_decoder_is_made():
    header = b"VP8X" + (10).to_bytes(4, "little") + bytes(4) + b"\xfe\x3f\x00\xfe\x3f\x00"
    data = b"RIFF" + (len(header) + 4).to_bytes(4, "little") + b"WEBP" + header
    assert webp.read_header(data) == webp.Header(16383, 16383, 1)
    with pytest.raises(InputError, match="16383 x 16383"):
        Image.open(data)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 60}])
def test_webp_has_the_pixels_that_pillow_sees(channels, options):
    rng = np.random.default_rng(channels)
    for height, width in ((1, 1), (33, 50), (64, 7)):
        values = rng.integers(0, 256, (height, width, channels)).astype(np.uint8)
        out = io.BytesIO()
        PIL.Image.fromarray(values).save(out, "WEBP", **options)
        with PIL.Image.open(out) as opened:
            seen = np.asarray(opened.convert("RGBA" if channels == 4 else "RGB"))
        expected = on_white(seen) if channels == 4 else seen
        assert np.array_equal(Image.open(out.getvalue()).array, expected)


def test_transparency_is_exact_in_every_block():
    rng = np.random.default_rng(1)
    rgba = rng.integers(0, 256, (3, 2**18 + 5, 4)).astype(np.uint8)
    alpha = rgba[:, :, 3:].astype(np.uint32)
    expected = (rgba[:, :, :3] * alpha + 255 * (255 - alpha) + 127) // 255
    assert np.array_equal(on_white(rgba), expected)
    assert np.array_equal(Image.open(rgba, limits=Limits(max_side=2**19)).array, expected)


@pytest.mark.parametrize("source", ["path", "stream"])
def test_a_file_is_read_as_far_as_it_goes_not_as_far_as_it_may(tmp_path, source):
    """A limit of 8 GiB must not ask for 8 GiB of memory."""
    file = tmp_path / "a.png"
    file.write_bytes(bombs.bomb("png", 16))
    limits = Limits(max_bytes=2**33)
    tracemalloc.start()
    try:
        with file.open("rb") as stream:
            Image.open(file if source == "path" else stream, limits=limits)
        assert tracemalloc.get_traced_memory()[1] < 3 * 2**20
    finally:
        tracemalloc.stop()


def tiled(width: int, height: int) -> bytes:
    """A TIFF of 10 x 10 pixels that claims one tile of another size."""
    tags = {256: 10, 257: 10, 258: 8, 259: 5, 262: 1, 277: 1, 322: width, 323: height, 324: 200,
            325: 20}  # fmt: skip
    data = b"II*\0" + struct.pack("<IH", 8, len(tags))
    for tag, value in tags.items():
        data += struct.pack("<HHII", tag, 4, 1, value)
    return (data + bytes(4)).ljust(300, b"\0")


@pytest.mark.parametrize(
    "size", [(40_000, 40_000), (2**16, 2**15), (2**31 - 1, 1), (16_000, 16_000)]
)
def test_a_tile_is_compared_with_its_picture(size):
    with pytest.raises(InputError, match="claims tiles of"):
        Image.open(tiled(*size))
    with pytest.raises(InputError, match="cannot be decoded"):
        Image.open(tiled(16, 16))


@pytest.mark.parametrize("body", ["%41" * 300_000, "ab cd " * 150_000, "a%20b\n" * 150_000])
@pytest.mark.parametrize("head", ["data:,", "data:;base64,"])
def test_an_address_takes_no_more_than_a_few_times_its_length(head, body):
    tracemalloc.start()
    try:
        with pytest.raises(InputError):
            Image.open(head + body)
        assert tracemalloc.get_traced_memory()[1] < 8 * len(body)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("length", [2**16 - 2, 2**16 - 1, 2**16, 2**16 + 1, 3 * 2**16])
def test_percent_codes_are_read_across_pieces(length):
    text = "x" * length + "%41%zz%" + "%C3%A9" * 5 + "é"
    data = read_data("data:," + text, Limits())
    assert data == unquote_to_bytes(text)


def test_decodings_wait_for_one_another_and_the_first_comes_first():
    budget, order, go = PixelBudget(100), [], threading.Event()

    def work(name, pixels):
        with budget.reserved(pixels):
            order.append(name)
            assert budget.reserved_pixels <= 100 or order[-1] == "larger than the budget"
            go.wait(10)

    threads = []
    for name, pixels in (("a", 60), ("b", 40), ("larger than the budget", 500), ("c", 1)):
        threads.append(threading.Thread(target=work, args=(name, pixels)))
        threads[-1].start()
        while name not in order and not budget.waiting:
            pass
        while len(order) + budget.waiting < len(threads):
            pass
    assert order == ["a", "b"]  # "c" would fit, but it came last
    go.set()
    for thread in threads:
        thread.join(10)
    assert order == ["a", "b", "larger than the budget", "c"]
    assert (budget.reserved_pixels, budget.waiting) == (0, 0)


def test_a_failed_decoding_gives_its_pixels_back():
    budget = PixelBudget(10)
    with pytest.raises(ZeroDivisionError), budget.reserved(10):
        raise ZeroDivisionError
    assert budget.reserved_pixels == 0
    with pytest.raises(InputError):
        Image.open(bombs.bomb("png", 64)[:60])
    from segue.values.image.budget import PIXELS

    assert PIXELS.reserved_pixels == 0
