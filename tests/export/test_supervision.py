"""What is written for supervision: run lengths where it reads them exactly."""

import json

import numpy as np

from builders import SIZE, a_donut_and_two_islands, a_mask, a_region
from segue.export import EXPORT_FORMATS, AnnotatedImage
from segue.export.supervision import write_supervision


def written(tmp_path, regions, **options):
    picture = AnnotatedImage("a.png", SIZE, regions)
    (file,) = write_supervision([picture], tmp_path / "annotations.json", **options)
    return json.loads(file.read_text())


def decoded(segmentation):
    """Counts of a column-wise run-length encoding, as supervision reads them."""
    height, width = segmentation["size"]
    values = np.arange(len(segmentation["counts"])) % 2
    return np.repeat(values, segmentation["counts"]).reshape((height, width), order="F") > 0


def test_masks_come_back_exactly_and_classes_keep_their_order(tmp_path):
    donut = a_donut_and_two_islands()
    document = written(
        tmp_path,
        (a_region("r1", "dog", mask=donut), a_region("r2", "cat, big")),
        categories=["cat, big", "dog"],
    )
    first, second = document["annotations"]
    assert (first["iscrowd"], first["category_id"], first["bbox"]) == (1, 1, [8, 6, 16, 12])
    assert np.array_equal(decoded(first["segmentation"]), donut.array)
    assert np.array_equal(decoded(second["segmentation"]), a_mask().array)
    assert [(c["id"], c["name"]) for c in document["categories"]] == [(0, "cat, big"), (1, "dog")]
    assert all(category["supercategory"] != "none" for category in document["categories"])


def test_a_box_beside_masks_is_its_outline_and_boxes_alone_have_none(tmp_path):
    box = a_region("r2", masked=False)
    document = written(tmp_path, (a_region("r1"), box))
    assert document["annotations"][1]["segmentation"] == [[8, 6, 24, 6, 24, 18, 8, 18]]
    assert document["annotations"][1]["iscrowd"] == 0
    assert written(tmp_path, (box,))["annotations"][0]["segmentation"] == []


def test_the_catalogue_has_it_and_a_picture_without_regions_stays(tmp_path):
    EXPORT_FORMATS.load("supervision", [AnnotatedImage("b.png", SIZE)], tmp_path / "x.json")
    document = json.loads((tmp_path / "x.json").read_text())
    assert [image["file_name"] for image in document["images"]] == ["b.png"]
    assert document["annotations"] == []
