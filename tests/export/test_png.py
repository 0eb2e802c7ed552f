import numpy as np
import PIL.Image
import pytest

from builders import SIZE, a_box, a_donut_and_two_islands, a_mask, a_region, an_image
from segue.errors import InputError
from segue.export.names import safe_name
from segue.export.png import (
    label_map,
    mask_file_names,
    read_mask,
    write_label_map,
    write_masks,
    write_overlay,
)
from segue.values.box import Box, Size


@pytest.mark.parametrize(
    ("phrase", "name"),
    [
        ("airplane", "r1-airplane.png"),
        ("飞机", "r1-飞机.png"),
        ("the red cup", "r1-the-red-cup.png"),
        ("../../etc/passwd", "r1-etc-passwd.png"),
        ('..\\..\\x:y|z*?"<>', "r1-x-y-z.png"),
        ("\0\n\u202e", "r1.png"),
        ("", "r1.png"),
        ("con.", "r1-con.png"),
        ("长" * 200, "r1-" + "长" * 26 + ".png"),
    ],
)
def test_phrases_become_safe_readable_names(phrase, name):
    assert mask_file_names([a_region(phrase=phrase)]) == [name]


def test_names_of_one_call_never_collide():
    regions = [a_region(phrase="a/b"), a_region(phrase="a b"), a_region(phrase="A b")]
    assert mask_file_names(regions) == ["r1-a-b.png", "r1-a-b-2.png", "r1-A-b-3.png"]
    assert safe_name("e\u0301") == "é"


def test_masks_come_back_from_their_files(tmp_path):
    regions = [
        a_region("r1", mask=a_donut_and_two_islands()),
        a_region("r2", masked=False),
        a_region("../r3", "x"),
    ]
    files = write_masks(regions, tmp_path / "new" / "masks")
    assert [file.name for file in files] == ["r1-airplane.png", "r3-x.png"]
    assert [read_mask(file) for file in files] == [regions[0].mask, regions[2].mask]


def test_a_label_map_gives_overlaps_to_the_smaller_and_has_colours(tmp_path):
    small, large = a_mask(Box(10, 10, 20, 20)), a_mask(Box(4, 4, 40, 40))
    regions = [a_region("r1", "cup", mask=small), a_region("r2", "table", mask=large)]
    numbers = label_map(regions, SIZE)
    assert (numbers == 1).sum() == small.area
    assert (numbers == 2).sum() == (large - small).area
    with PIL.Image.open(write_label_map(regions, SIZE, tmp_path / "map.png")) as picture:
        assert picture.mode == "P"
        assert (np.asarray(picture) == numbers).all()
        assert picture.convert("RGB").getpixel((15, 15)) == (230, 159, 0)


def test_many_regions_need_sixteen_bits(tmp_path):
    regions = [
        a_region(f"r{n}", mask=a_mask(Box(n % 60, n // 60, n % 60 + 1, n // 60 + 1)))
        for n in range(300)
    ]
    with PIL.Image.open(write_label_map(regions, SIZE, tmp_path / "map.png")) as picture:
        assert np.asarray(picture).max() == 300


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(InputError, match="r1"):
        label_map([a_region()], Size(5, 5))


def test_an_overlay_is_written_and_a_bad_place_is_reported(tmp_path):
    file = write_overlay(an_image(), [a_region(box=a_box())], tmp_path / "a" / "overlay.png")
    with PIL.Image.open(file) as picture:
        assert picture.size == (64, 48)
    with pytest.raises(InputError, match="Cannot write"):
        write_overlay(an_image(), [], file / "below-a-file.png")
