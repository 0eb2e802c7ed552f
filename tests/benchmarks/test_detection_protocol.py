from dataclasses import replace

import numpy as np
import pytest

from segue.benchmarks.detection_protocol import ApProtocol
from segue.benchmarks.item import AnsweredRegion, BenchmarkAnswer, BenchmarkItem
from segue.evaluate.metrics import average_precision
from segue.values.box import Box, Size
from segue.values.mask import rle

SIZE = Size(100, 100)
A, B, C = Box(0, 0, 20, 20), Box(40, 40, 60, 60), Box(70, 70, 90, 90)
CUP, DOG, TREE = 1, 2, 3


def a_document(**image_fields) -> dict:
    """A cup at A and a dog at B on one picture."""
    annotations = [
        {
            "id": number,
            "image_id": 7,
            "category_id": category,
            "bbox": [box.x0, box.y0, box.width, box.height],
            "area": box.area,
            "iscrowd": 0,
        }
        for number, (category, box) in enumerate([(CUP, A), (DOG, B)], 1)
    ]
    return {
        "images": [{"id": 7, "height": 100, "width": 100, **image_fields}],
        "annotations": annotations,
        "categories": [
            {"id": CUP, "name": "cup", "frequency": "r"},
            {"id": DOG, "name": "dog", "frequency": "c"},
            {"id": TREE, "name": "tree", "frequency": "f"},
        ],
    }


def answered(*detections: tuple[int, Box, float]):
    categories = (CUP, DOG, TREE)
    item = BenchmarkItem(
        id="7",
        image_name="a.png",
        phrases=("cup", "dog", "tree"),
        image_id=7,
        category_ids=categories,
        boxes=(A, B),
        box_category_ids=(CUP, DOG),
    )
    regions = tuple(
        AnsweredRegion(categories.index(category), box, score)
        for category, box, score in detections
    )
    return item, BenchmarkAnswer(id="7", size=SIZE, regions=regions)


COCO = ApProtocol("coco-box", "")
LVIS = ApProtocol("lvis-box", "", style="lvis")


def test_coco_ap_by_hand():
    pair = answered((CUP, A, 0.9), (DOG, C, 0.8), (DOG, B, 0.7))
    figures = COCO.average_precision(a_document(), [pair])
    assert figures["AP"] == pytest.approx((1 + 0.5) / 2, abs=1e-3)
    assert figures["AP small"] is not None
    assert figures["AP large"] is None


def test_ap_is_that_of_the_evaluation_of_result_files():
    pair = answered((CUP, Box(1, 1, 20, 22), 0.9), (DOG, C, 0.8), (DOG, B, 0.7), (CUP, B, 0.95))
    results = [
        {
            "image_id": 7,
            "category_id": pair[0].category_ids[region.phrase],
            "bbox": [region.box.x0, region.box.y0, region.box.width, region.box.height],
            "score": region.score,
        }
        for region in pair[1].regions
    ]
    figures = COCO.average_precision(a_document(), [pair])
    expected = average_precision(a_document(), results)
    assert [figures[name] for name in ("AP", "AP50", "AP75")] == pytest.approx(
        [expected[name] for name in ("AP", "AP50", "AP75")]
    )


def test_lvis_drops_detections_of_categories_that_were_not_checked():
    """The false dog counts; a tree was never looked for, so it is neither right nor wrong."""
    document = a_document(neg_category_ids=[], not_exhaustive_category_ids=[])
    plain = LVIS.average_precision(document, [answered((CUP, A, 0.9), (DOG, B, 0.7))])
    with_tree = LVIS.average_precision(
        document, [answered((CUP, A, 0.9), (TREE, C, 0.99), (DOG, B, 0.7))]
    )
    assert plain["AP"] == with_tree["AP"] == pytest.approx(1)
    assert with_tree["AP frequent"] is None


def test_lvis_counts_a_false_detection_of_a_category_known_to_be_absent():
    """With trees elsewhere, a tree where there is none lowers the AP of trees."""
    document = a_document(neg_category_ids=[TREE], not_exhaustive_category_ids=[])
    document["images"].append(
        {"id": 8, "height": 100, "width": 100, "neg_category_ids": [],
         "not_exhaustive_category_ids": []}
    )  # fmt: skip
    document["annotations"].append(
        {"id": 3, "image_id": 8, "category_id": TREE, "bbox": [70, 70, 20, 20], "area": 400,
         "iscrowd": 0}
    )  # fmt: skip
    item = BenchmarkItem(
        id="8", image_name="b.png", phrases=("tree",), image_id=8, category_ids=(TREE,)
    )
    right = item, BenchmarkAnswer(id="8", size=SIZE, regions=(AnsweredRegion(0, C, 0.5),))
    good = LVIS.average_precision(document, [answered(), right])
    bad = LVIS.average_precision(document, [answered((TREE, C, 0.99)), right])
    assert good["AP frequent"] == pytest.approx(1)
    assert bad["AP frequent"] == pytest.approx(0.5, abs=0.01)


def test_lvis_forgives_extra_objects_of_a_category_that_is_not_annotated_exhaustively():
    pair = answered((CUP, A, 0.8), (CUP, C, 0.9))
    strict = a_document(neg_category_ids=[], not_exhaustive_category_ids=[])
    lenient = a_document(neg_category_ids=[], not_exhaustive_category_ids=[CUP])
    assert LVIS.average_precision(strict, [pair])["AP rare"] == pytest.approx(0.5, abs=0.01)
    assert LVIS.average_precision(lenient, [pair])["AP rare"] == pytest.approx(1)


def test_lvis_takes_the_300_best_of_a_picture():
    many = [(DOG, C, 0.9)] * 300
    document = a_document(neg_category_ids=[], not_exhaustive_category_ids=[])
    assert LVIS.average_precision(document, [answered(*many, (CUP, A, 0.5))])["AP rare"] == 0
    first = LVIS.average_precision(document, [answered(*many[1:], (CUP, A, 0.5))])
    assert first["AP rare"] == pytest.approx(1)


def test_pictures_that_were_not_asked_do_not_count():
    document = a_document()
    document["images"].append({"id": 8, "height": 100, "width": 100})
    document["annotations"].append({**document["annotations"][0], "id": 3, "image_id": 8})
    figures = COCO.average_precision(document, [answered((CUP, A, 0.9), (DOG, B, 0.9))])
    assert figures["AP"] == pytest.approx(1)


def test_nothing_found_has_ap_zero():
    assert COCO.average_precision(a_document(), [answered()])["AP"] == 0


def test_the_f1_of_a_picture_needs_category_and_place():
    item, answer = answered((CUP, A, 0.9), (CUP, B, 0.9), (DOG, B, 0.1))
    assert COCO.score(item, answer).quality == pytest.approx(2 * 1 / (2 + 2))


def test_ids_may_be_texts_or_zero():
    """Libraries take 0 for "no match", and cannot sort texts among numbers."""
    document = a_document()
    document["images"][0]["id"] = 0
    document["categories"][0]["id"] = "cup"
    for entry in document["annotations"]:
        entry["image_id"] = 0
        entry["category_id"] = "cup" if entry["category_id"] == CUP else entry["category_id"]
    item, answer = answered((CUP, A, 0.9), (DOG, B, 0.9))
    item = replace(item, image_id=0, category_ids=("cup", DOG, TREE))
    assert COCO.average_precision(document, [(item, answer)])["AP"] == pytest.approx(1)


def test_lvis_masks_on_a_picture_without_annotations_are_dropped_in_peace():
    document = a_document(neg_category_ids=[], not_exhaustive_category_ids=[])
    document["annotations"] = []
    mask = rle.encode(np.ones(SIZE, bool))
    item, answer = answered((TREE, C, 0.9))
    region = replace(answer.regions[0], rle=mask)
    protocol = ApProtocol("lvis-mask", "", kind="segm", style="lvis")
    figures = protocol.average_precision(document, [(item, replace(answer, regions=(region,)))])
    assert figures["AP"] is None
