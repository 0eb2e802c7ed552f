import json

import pytest

from builders import a_donut_and_two_islands, a_region, an_answer, an_image
from segue.errors import InputError
from segue.values.serialize import region_from_json, region_to_json


def test_an_answer_has_the_promised_shape():
    value = json.loads(json.dumps(an_answer(not_found=("zebra",), broken=("<box>(1",)).to_json()))
    assert value["image"] == "scene.png"
    assert value["text"] == "The airplane is here."
    assert value["raw"].startswith("The <ref>airplane")
    assert (value["not_found"], value["broken"]) == (["zebra"], ["<box>(1"])
    assert value["images"] == [{"name": "scene.png", "size": [48, 64], "digest": an_image().digest}]
    region = value["regions"][0]
    mask = region.pop("mask")
    assert region == {
        "id": "r1",
        "phrase": "airplane",
        "box": [8.0, 6.0, 24.0, 18.0],
        "score": None,
        "found_by": "chat",
        "span": [4, 12],
        "image": 0,
        "mask_score": 0.9,
    }
    assert (mask["size"], type(mask["counts"])) == ([48, 64], str)


def test_an_answer_without_regions_or_pictures_is_fine():
    assert an_answer(regions=[]).to_json()["image"] == "scene.png"
    assert an_answer(regions=[], images=[]).to_json()["image"] is None


@pytest.mark.parametrize(
    "region",
    [
        a_region(),
        a_region(mask=a_donut_and_two_islands(), score=0.25, span=(0, 3), image=2, phrase="飞机"),
        a_region(point=(3.5, 4.0), agreement=0.75),
        a_region(masked=False, found_by="user", quad=((0, 0), (1, 0.5), (2, 2), (0, 2))),
    ],
)
def test_a_region_comes_back_equal(region):
    again = region_from_json(json.loads(json.dumps(region_to_json(region))))
    assert again == region
    assert (again.mask and again.mask.score) == (region.mask and region.mask.score)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"id": 3}, "'id'"),
        ({"phrase": None}, "'phrase'"),
        ({"box": [1, 2, 3]}, "'box'"),
        ({"box": [1, 2, 3, "4"]}, "'box'"),
        ({"box": [3, 0, 1, 1]}, "x0 <= x1"),
        ({"score": "high"}, "'score'"),
        ({"found_by": "magic"}, "'found_by'.*chat, detector, user"),
        ({"span": [3, 1]}, "'span'"),
        ({"image": -1}, "'image'"),
        ({"mask": {"size": [1, 1], "counts": "9"}}, "RLE"),
        ({"quad": [[1]]}, "'quad'"),
        ({"quad": 7}, "'quad'"),
        ({"point": [1]}, "'point'"),
    ],
)
def test_a_bad_field_is_named(change, complaint):
    with pytest.raises(InputError, match=complaint):
        region_from_json({**region_to_json(a_region()), **change})


def test_something_else_is_refused():
    with pytest.raises(InputError, match="list"):
        region_from_json([])
