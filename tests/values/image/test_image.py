import base64
import contextlib
import io
import struct
import zlib

import numpy as np
import PIL.Image
import PIL.ImageDraw
import pytest

from builders import an_image
from segue.errors import InputError
from segue.values.image import Image
from segue.values.image.pixels import Limits

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def corners() -> PIL.Image.Image:
    """24 x 16, each quarter in its own colour: red, green, blue, white."""
    quarters = np.array([[RED, GREEN], [BLUE, WHITE]], np.uint8)
    return PIL.Image.fromarray(quarters.repeat(8, 0).repeat(12, 1))


def as_file(picture: PIL.Image.Image, format: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def black_png(width: int, height: int, rows: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    pixels = zlib.compress(bytes((width + 7) // 8 + 1) * rows, 9)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def test_every_kind_of_source_gives_the_same_picture(tmp_path):
    path = tmp_path / "四角.png"
    corners().save(path)
    data = path.read_bytes()
    expected = np.asarray(corners())
    sources = [
        path,
        str(path),
        data,
        bytearray(data),
        io.BytesIO(data),
        path.open("rb"),
        corners(),
        PIL.Image.open(path),
        expected,
        "data:image/png;base64," + base64.b64encode(data).decode(),
        "data:image/png," + "".join(f"%{byte:02x}" for byte in data),
    ]
    for source in sources:
        image = Image.open(source)
        assert (image.array == expected).all()
        assert image == Image(expected)
        if hasattr(source, "close"):
            source.close()


def test_names_are_for_people(tmp_path):
    path = tmp_path / "四角.png"
    corners().save(path)
    with path.open("rb") as file, PIL.Image.open(path) as picture:
        names = [Image.open(source).name for source in (path, str(path), file, picture)]
    assert names == ["四角.png"] * 4
    assert Image.open(corners()).name == ""


def test_an_image_passes_through_unchanged():
    image = an_image()
    assert Image.open(image) is image


def test_equality_and_hash_follow_the_pixels():
    one, two = an_image(name="a"), an_image(name="b")
    assert one == two
    assert len({one, two, an_image(seed=1)}) == 2
    assert one.digest == two.digest != Image(one.array.reshape(64, 48, 3)).digest
    assert len(one.digest) == 64
    assert one != 3


def test_pixels_are_read_only_and_copies_are_not():
    array = np.zeros((4, 5, 3), np.uint8)
    image = Image(array)
    array[:] = 9
    assert image.array.max() == 0
    with pytest.raises(ValueError, match="read-only"):
        image.array[0] = 1
    drawn = image.to_pil()
    drawn.putpixel((0, 0), RED)
    assert image.array.max() == 0
    assert image.size == (4, 5)


def test_png_bytes_open_as_the_same_image():
    assert Image.open(an_image().to_png_bytes()) == an_image()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_exif_orientation_is_applied_once(orientation, format):
    stored = {
        1: None,
        2: "FLIP_LEFT_RIGHT",
        3: "ROTATE_180",
        4: "FLIP_TOP_BOTTOM",
        5: "TRANSPOSE",
        6: "ROTATE_90",
        7: "TRANSVERSE",
        8: "ROTATE_270",
    }[orientation]  # what undoes the turn that a viewer makes
    picture = corners().transpose(PIL.Image.Transpose[stored]) if stored else corners()
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    data = as_file(picture, format, exif=exif)
    image = Image.open(data)
    assert image.size == (16, 24)
    assert np.abs(image.array.astype(int) - np.asarray(corners())).mean() < 12
    with PIL.Image.open(io.BytesIO(data)) as opened:
        assert Image.open(opened) == image


def test_damaged_exif_is_ignored():
    exif = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\xff\xff"
    assert Image.open(as_file(corners(), "JPEG", exif=exif)).size == (16, 24)


def test_transparency_becomes_white():
    rgba = np.zeros((1, 3, 4), np.uint8)
    rgba[0, :, 3] = [0, 128, 255]
    expected = [[255] * 3, [127] * 3, [0] * 3]
    assert Image.open(rgba).array[0].tolist() == expected
    assert Image.open(as_file(PIL.Image.fromarray(rgba))).array[0].tolist() == expected


def test_a_transparent_palette_entry_and_a_transparent_grey_become_white():
    palette = PIL.Image.new("P", (2, 1))
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.putpixel((1, 0), 1)
    assert Image.open(as_file(palette)).array[0].tolist() == [[255, 0, 0], [0, 0, 255]]
    data = as_file(palette, transparency=0)
    assert Image.open(data).array[0].tolist() == [[255] * 3, [0, 0, 255]]
    grey = PIL.Image.new("L", (2, 1), 7)
    grey.putpixel((1, 0), 9)
    assert Image.open(as_file(grey, transparency=7)).array[0].tolist() == [[255] * 3, [9] * 3]


@pytest.mark.parametrize(
    ("mode", "value", "expected"),
    [
        ("1", 1, (255, 255, 255)),
        ("L", 77, (77, 77, 77)),
        ("LA", (77, 255), (77, 77, 77)),
        ("RGB", (1, 2, 3), (1, 2, 3)),
        ("CMYK", (0, 255, 255, 0), (255, 0, 0)),
        ("I;16", 65535, (255, 255, 255)),
        ("I;16", 257 * 10, (10, 10, 10)),
        ("I", 257 * 10, (10, 10, 10)),
        ("HSV", (0, 255, 255), (255, 0, 0)),
    ],
)
def test_every_mode_becomes_eight_bit_rgb(mode, value, expected):
    assert Image.open(PIL.Image.new(mode, (3, 2), value)).array[1, 2].tolist() == list(expected)


def test_sixteen_bit_grey_files_are_scaled_not_cut():
    ramp = np.linspace(0, 65535, 256).round().astype(np.uint16)[None]
    for format in ("PNG", "TIFF"):
        image = Image.open(as_file(PIL.Image.fromarray(ramp), format))
        assert image.array[0, :, 0].tolist() == list(range(256))


def test_a_cmyk_jpeg_keeps_its_colours():
    image = Image.open(as_file(corners().convert("CMYK"), "JPEG", quality=95))
    assert np.abs(image.array.astype(int) - np.asarray(corners())).mean() < 12


def test_the_first_frame_of_an_animation_counts():
    frames = [PIL.Image.new("RGB", (4, 4), colour) for colour in (RED, GREEN, BLUE)]
    for format in ("GIF", "WEBP", "PNG"):
        data = as_file(frames[0], format, save_all=True, append_images=frames[1:], lossless=True)
        assert Image.open(data).array[0, 0].tolist() == list(RED), format


@pytest.mark.parametrize(
    ("array", "pixel"),
    [
        (np.full((2, 3), 7, np.uint8), [7, 7, 7]),
        (np.full((2, 3, 1), 7, np.uint8), [7, 7, 7]),
        (np.full((2, 3, 3), 7, np.uint8), [7, 7, 7]),
        (np.full((2, 3), True), [255, 255, 255]),
        (np.full((2, 3), 514, np.uint16), [2, 2, 2]),
        (np.full((2, 3, 3), 0.5, np.float32), [128, 128, 128]),
        (np.full((2, 3, 4), 1.0), [255, 255, 255]),
    ],
)
def test_arrays_are_converted_by_clear_rules(array, pixel):
    assert Image.open(array).array[1, 2].tolist() == pixel


@pytest.mark.parametrize(
    ("array", "complaint"),
    [
        (np.full((2, 3), 1.5), r"\[0, 1\], got 1.5"),
        (np.full((2, 3), np.nan), r"\[0, 1\]"),
        (np.zeros((2, 3), np.int64), r"astype\(np.uint8\)"),
        (np.zeros((3, 20, 20), np.uint8), "channels come first"),
        (np.zeros((1, 3, 4, 3), np.uint8), "batch"),
        (np.zeros((5,), np.uint8), r"\(H, W\)"),
        (np.zeros((0, 3), np.uint8), "at least one pixel"),
        (np.zeros((2, 0, 3), np.uint8), "at least one pixel"),
    ],
)
def test_other_arrays_are_refused(array, complaint):
    with pytest.raises(InputError, match=complaint):
        Image.open(array)


def test_a_small_file_that_claims_a_huge_picture_is_refused_before_decoding():
    bomb = black_png(13300, 13300, rows=13300)
    assert len(bomb) < 30_000
    with pytest.raises(InputError, match="13300 x 13300 = 176890000 pixels"):
        Image.open(bomb)
    with pytest.raises(InputError, match=r"limit of 100000000|than Pillow accepts"):
        Image.open(black_png(40000, 40000, rows=1))


def test_limits_can_be_set():
    with pytest.raises(InputError, match=r"24 x 16 = 384 pixels.*Limits\(max_pixels"):
        Image.open(corners(), limits=Limits(max_pixels=383))
    assert Image.open(corners(), limits=Limits(max_pixels=384)).size == (16, 24)
    with pytest.raises(InputError, match=r"side of 24 pixels, more than the limit of 23"):
        Image.open(corners(), limits=Limits(max_side=23))
    with pytest.raises(InputError, match="side of 200001 pixels"):
        Image.open(np.zeros((1, 200_001), np.uint8))
    with pytest.raises(InputError, match="more than 50 bytes"):
        Image.open(as_file(corners()), limits=Limits(max_bytes=50))


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"])
def test_cut_off_files_are_refused(format):
    data = as_file(PIL.Image.fromarray(an_image().array), format)
    for part in (len(data) * 2 // 3, 40):
        with pytest.raises(InputError, match=r"damaged|not a picture"):
            Image.open(data[:part])


def test_damaged_files_never_fail_otherwise():
    rng = np.random.default_rng(0)
    for format in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "MPO"):
        data = as_file(corners(), format)
        for _ in range(60):
            bad = bytearray(data)
            for place in rng.integers(0, len(bad), 4):
                bad[place] = rng.integers(256)
            with contextlib.suppress(InputError):
                Image.open(bytes(bad), limits=Limits(max_pixels=10**6))


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "is empty"),
        (b"hello", "not a picture we can read. Expected one of PNG"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"%PDF-1.7", "PDF"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture"),
    ],
)
def test_files_that_are_no_pictures_are_refused(data, complaint):
    with pytest.raises(InputError, match=complaint):
        Image.open(data)


def test_paths_that_do_not_lead_to_a_picture_are_refused(tmp_path):
    empty = tmp_path / "empty.png"
    empty.write_bytes(b"")
    for source, complaint in [
        (tmp_path / "nowhere.png", "There is no file"),
        (tmp_path, "is a folder"),
        (empty, "is empty"),
        ("", "name a file"),
        ("a\0b", "name a file"),
        ("x" * 5000, "Cannot read"),
        ("file:///etc/passwd", "file: URLs"),
    ]:
        with pytest.raises(InputError, match=complaint):
            Image.open(source)


@pytest.mark.parametrize("source", [None, 3, ["a.png"], object()])
def test_other_things_are_refused(source):
    with pytest.raises(InputError, match=type(source).__name__):
        Image.open(source)


def test_a_text_file_object_is_refused():
    with pytest.raises(InputError, match="binary mode"):
        Image.open(io.StringIO("hello"))


def test_urls_are_off_unless_allowed():
    with pytest.raises(InputError, match="allow_urls=True"):
        Image.open("https://example.org/a.png?secret=1")


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("data:image/png;base64", "comma"),
        ("data:image/png;base64,@@@", "base64"),
        ("data:image/png,", "empty"),
    ],
)
def test_broken_data_urls_are_refused(source, complaint):
    with pytest.raises(InputError, match=complaint):
        Image.open(source)


def test_only_finished_arrays_make_an_image():
    with pytest.raises(InputError, match="float64"):
        Image(np.zeros((2, 2, 3)))
    with pytest.raises(InputError, match=r"\(2, 2\)"):
        Image(np.zeros((2, 2), np.uint8))
