"""Finding pictures."""

from pathlib import Path

import pytest
from PIL import Image

from segue.convert.image_files import (
    ImageFiles,
    LocatedImage,
    MissingImage,
    image_key,
    parse_image_roots,
)
from segue.errors import InputError
from segue.values.box import Size


@pytest.mark.parametrize(
    ("there", "name", "source"),
    [
        ("000000000012.jpg", "COCO_train2014_000000000012.jpg", "coco"),
        ("COCO_val2014_000000000012.jpg", "000000000012.jpg", "coco"),
        ("train2017/000000000012.jpg", "000000000012.jpg", "coco"),
        ("coco/val2017/000000000012.jpg", "000000000012.jpg", "coco"),
        ("VG_100K_2/2373367.jpg", "2373367.jpg", "vg"),
        ("0001/file_0.jpg", "0001/file_0.jpg", "instruct-pix2pix"),
        ("file_0.jpg", "0001\\file_0.jpg", "instruct-pix2pix"),
        ("5b0f.png", "5b0f.png", "journeydb"),
    ],
)
def test_pictures_are_found_by_every_name_they_go_by(folder, there, name, source):
    root = folder([there])
    found = ImageFiles({"": [root]}).find(name, source)
    assert isinstance(found, LocatedImage)
    assert found.path == root / there


def test_the_roots_of_a_source_come_first(folder, tmp_path):
    root = folder(["coco/a.jpg", "vg/a.jpg", "a.jpg"])
    files = ImageFiles({"coco": [root / "coco"], "vg": [root / "vg"], "": [root]})
    assert files.find("a.jpg", "vg").path == root / "vg/a.jpg"
    assert files.find("a.jpg", "other").path == root / "a.jpg"


@pytest.mark.parametrize(
    "name", ["../secret.jpg", "/etc/passwd", "a/../../b.jpg", "", "..", "a\0b"]
)
def test_names_never_lead_out_of_the_roots(files, name):
    assert files.find(name).reason == "picture name leads outside its folder"


def test_missing_and_broken_pictures_are_told_apart(folder):
    root = folder(["a.jpg"])
    (root / "b.jpg").write_text("words")
    files = ImageFiles({"": [root]})
    assert files.find("b.jpg").reason == "picture does not open"
    assert files.find("c.jpg") == MissingImage("c.jpg", "picture not found")


def test_a_picture_that_was_cut_off_is_found_when_pixels_are_checked(folder):
    root = folder(["a.jpg"], size=(256, 256))
    whole = (root / "a.jpg").read_bytes()
    (root / "a.jpg").write_bytes(whole[: len(whole) // 2])
    assert isinstance(ImageFiles({"": [root]}).find("a.jpg"), LocatedImage)
    assert isinstance(ImageFiles({"": [root]}, check_pixels=True).find("a.jpg"), MissingImage)


def test_sizes_are_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (64, 48)).save(tmp_path / "lying.jpg", exif=exif)
    assert ImageFiles({"": [tmp_path]}).find("lying.jpg").size == Size(height=64, width=48)


def test_a_picture_has_one_key_whatever_its_file_is_called():
    keys = {image_key(name, "coco") for name in ("COCO_val2014_000000000012.jpg",)}
    keys |= {image_key("000000000012.jpg", "coco"), image_key("x/000000000012.jpg", "vg")}
    assert keys == {"coco/000000000012"}
    assert image_key("1.jpg", "vg") != image_key("1.jpg", "journeydb")


def test_roots_are_read_as_they_are_typed():
    roots = parse_image_roots(["COCO=/data", "/plain", "/with=sign/x"])
    assert roots == {"coco": [Path("/data")], "": [Path("/plain"), Path("/with=sign/x")]}


def test_a_root_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="does not exist"):
        ImageFiles({"": [Path("/nowhere/at/all")]})


@pytest.mark.parametrize("name", ["x" * 5000 + ".jpg", "a/" * 3000 + "b.jpg"])
def test_endless_names_are_a_reason_and_not_an_exception(files, name):
    found = files.find(name)
    assert (type(found), found.reason) == (MissingImage, "picture name is too long")
    assert len(found.name) < 200


@pytest.mark.parametrize("name", ["x" * 300 + ".jpg", "\ud83d.jpg", "caf\udce9.jpg"])
def test_names_that_no_file_system_holds_are_not_found(files, name):
    assert files.find(name).reason == "picture not found"


def test_a_picture_of_another_folder_is_taken_with_a_note(folder):
    root = folder(["1.png", "sub/2.png"])
    files = ImageFiles({"": [root]})
    assert files.find("sub/1.png").notes == ("picture found under another folder than named",)
    assert files.find("sub/2.png").notes == files.find("1.png").notes == ()
