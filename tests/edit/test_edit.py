import json

import numpy as np
import pytest

from builders import SIZE, a_box, a_mask, a_region, an_image
from segue.edit import Edit, apply
from segue.edit.operations import OPERATIONS
from segue.errors import InputError, UnknownName
from segue.values.box import Box, Size
from segue.values.image import Image
from segue.values.mask import Mask

IMAGE = an_image()
BOX = Box(20, 10, 44, 38)
REGION = a_region("r1", box=BOX, mask=a_mask(BOX))
DEEP = a_mask(Box(24, 14, 40, 34)).array
"""Well inside the object."""
FAR = ~a_mask(Box(12, 2, 52, 46)).array
"""Well outside."""


def result(*edits: Edit, image: Image = IMAGE, regions=(REGION,), **options) -> np.ndarray:
    return np.asarray(apply(image, regions, edits, **options)).astype(int)


def test_no_edits_give_the_picture_itself():
    assert (result() == IMAGE.array).all()


def test_a_cut_out_is_transparent_outside_and_whole_inside():
    cut = result(Edit("cut_out", ["r1"]))
    assert cut.shape == (48, 64, 4)
    assert (cut[DEEP][:, 3] == 255).all()
    assert (cut[DEEP][:, :3] == IMAGE.array[DEEP]).all()
    assert not cut[FAR].any()
    assert set(np.unique(cut[:, :, 3])) - {0, 255}


def test_feather_zero_gives_a_hard_edge_and_more_is_softer():
    def soft(**parameters):
        alpha = result(Edit("cut_out", ["r1"], parameters))[:, :, 3]
        return ((alpha > 0) & (alpha < 255)).sum()

    assert soft(feather=0) == 0 < soft() < soft(feather=8)


def test_a_cut_out_can_be_cropped_and_the_crop_comes_last():
    crop = Edit("cut_out", ["r1"], {"crop": True, "feather": 0})
    assert apply(IMAGE, [REGION], [crop]).size == (24, 28)
    green = Edit("background", ["r1"], {"colour": "#00ff00"})
    both = apply(IMAGE, [REGION], [crop, green])
    whole = apply(IMAGE, [REGION], [crop, green], skip_crops=True)
    assert whole.size == (IMAGE.size.width, IMAGE.size.height)
    x0, y0, x1, y1 = map(int, REGION.mask.box.corners)
    assert both == whole.crop((x0, y0, x1, y1))


def test_a_soft_edge_takes_no_colour_from_what_was_behind():
    array = np.full((*SIZE, 3), (0, 255, 0), np.uint8)
    array[REGION.mask.array] = (200, 0, 0)
    cut = result(Edit("cut_out", ["r1"], {"feather": 4}), image=Image(array))
    seen = cut[:, :, 3] > 8
    assert cut[seen][:, 1].max() < 60


@pytest.mark.parametrize(
    ("where", "kept", "changed"),
    [
        ("object", FAR, DEEP),
        ("rest", DEEP, FAR),
    ],
)
@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("blur", {"strength": 5}),
        ("recolour", {"colour": "crimson"}),
        ("recolour", {}),
    ],
)
def test_an_effect_stays_on_its_side(operation, parameters, where, kept, changed):
    after = result(Edit(operation, ["r1"], {**parameters, "where": where}))
    assert (after[kept] == IMAGE.array[kept]).all()
    assert np.abs(after - IMAGE.array)[changed].mean() > 1


def test_a_blur_smooths_and_mixes_no_colours_across_the_edge():
    array = an_image().array.copy()
    array[~REGION.mask.array] = 255
    array[REGION.mask.array] //= 4
    after = result(Edit("blur", ["r1"], {"strength": 6}), image=Image(array))
    assert after[DEEP].std() < array[DEEP].std()
    assert after[DEEP].max() < 90


def test_a_strong_blur_of_a_small_or_thin_picture_works():
    for size in (Size(48, 64), Size(2, 300), Size(1, 1)):
        region = a_region(mask=Mask(np.ones(size, bool)))
        edit = Edit("blur", ["r1"], {"strength": 500})
        assert apply(an_image(size), [region], [edit]).size == (size.width, size.height)


def test_recolouring_brings_the_hue_and_keeps_the_shading():
    after = result(Edit("recolour", ["r1"], {"colour": "#d01010"}))[DEEP]
    assert (after[:, 0] > after[:, 1] + 40).all()
    before = IMAGE.array[DEEP].mean(1)
    assert np.corrcoef(before, after.mean(1))[0, 1] > 0.6
    grey = result(Edit("recolour", ["r1"]))[DEEP]
    assert np.ptp(grey, axis=1).max() <= 3
    assert (result(Edit("recolour", ["r1"], {"colour": "red", "amount": 0})) == IMAGE.array).all()


def test_erasing_brings_a_plain_background_back():
    array = np.full((*SIZE, 3), (90, 140, 200), np.uint8)
    array[REGION.mask.array] = (250, 20, 20)
    after = result(Edit("erase", ["r1"]), image=Image(array))
    assert np.abs(after - (90, 140, 200)).max() <= 3


def test_a_background_is_a_colour_or_a_picture():
    plain = result(Edit("background", ["r1"], {"colour": "teal"}))
    assert (plain[FAR] == (0, 128, 128)).all()
    assert (plain[DEEP] == IMAGE.array[DEEP]).all()
    beach = Image(np.full((10, 90, 3), 77, np.uint8))
    edit = Edit("background", ["r1"], {"picture": "beach"})
    assert (result(edit, pictures={"beach": beach})[FAR] == 77).all()


def test_a_background_fills_what_was_cut_out_before():
    both = result(Edit("cut_out", ["r1"]), Edit("background", ["r1"], {"colour": "white"}))
    assert both.shape == (48, 64, 3)
    assert (both[FAR] == 255).all()


def test_several_regions_are_one_object_and_edits_add_up():
    other = a_region("r2", mask=a_mask(Box(2, 2, 12, 12)))
    edits = [Edit("cut_out", ["r1", "r2"]), Edit("recolour", ["r2"], {"colour": "blue"})]
    after = result(*edits, regions=[REGION, other])
    assert after[7, 7, 3] == after[24, 32, 3] == 255
    assert after[7, 7, 2] > after[7, 7, 0] + 40


def test_an_empty_mask_changes_nothing():
    region = a_region(mask=Mask.empty(SIZE))
    for name in ("blur", "recolour", "erase"):
        assert (result(Edit(name, ["r1"]), regions=[region]) == IMAGE.array).all()
    with pytest.raises(InputError, match="nothing to crop"):
        result(Edit("cut_out", ["r1"], {"crop": True}), regions=[region])


def test_edits_are_plain_data_that_come_back():
    edits = [
        Edit("erase", ["r1"]),
        Edit("blur", ("r1", "r2"), {"strength": 3, "where": "rest"}),
        Edit("background", ["r1"], {"colour": "#fff"}),
    ]
    text = json.dumps([edit.to_json() for edit in edits])
    assert [Edit.from_json(value) for value in json.loads(text)] == edits


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: Edit("blurr", ["r1"]), "Did you mean 'blur'"),
        (lambda: Edit("blur", []), "at least one region"),
        (lambda: Edit("blur", "r1"), "list"),
        (lambda: Edit("blur", ["r1"], {"size": 3}), "no parameter 'size'. It has: strength"),
        (lambda: Edit("blur", ["r1"], {"mask": 3}), "no parameter 'mask'"),
        (lambda: Edit.from_json([1]), "JSON object"),
        (lambda: Edit.from_json({"operation": "blur"}), "'regions'"),
        (
            lambda: result(Edit("blur", ["r9"])),
            r"Edit 1 \(blur\): There is no region 'r9'. Known: r1",
        ),
        (lambda: result(Edit("blur", ["r1"], {"strength": "much"})), "'strength' must be a number"),
        (lambda: result(Edit("blur", ["r1"], {"strength": float("nan")})), "'strength'"),
        (lambda: result(Edit("blur", ["r1"], {"feather": -1})), "'feather'"),
        (lambda: result(Edit("blur", ["r1"], {"where": "sky"})), "'object' or 'rest'"),
        (lambda: result(Edit("recolour", ["r1"], {"colour": "reddish"})), "not a colour"),
        (lambda: result(Edit("background", ["r1"])), "either a 'colour' or a 'picture'"),
        (lambda: result(Edit("background", ["r1"], {"picture": "/etc/passwd"})), "Given: none"),
        (lambda: result(Edit("blur", ["r1"]), regions=[a_region(masked=False)]), "has no mask"),
        (lambda: result(Edit("blur", ["r1"]), image=an_image(Size(9, 9))), "same picture size"),
    ],
)
def test_mistakes_are_explained(make, complaint):
    with pytest.raises((InputError, UnknownName), match=complaint):
        make()


def test_the_picture_and_the_regions_stay_as_they_were():
    before = IMAGE.array.copy()
    for name in OPERATIONS:
        parameters = {"colour": "red"} if name == "background" else {}
        apply(IMAGE, [REGION, a_region("r2", box=a_box())], [Edit(name, ["r1"], parameters)])
    assert (IMAGE.array == before).all()
    assert REGION.mask == a_mask(BOX)
