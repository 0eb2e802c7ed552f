"""COCO truth and results: sentences for what is damaged, the right numbers for what is odd."""

import copy

import numpy as np
import pytest

from segue.errors import InputError
from segue.evaluate.metrics import average_precision
from segue.values.mask import rle

pytest.importorskip("faster_coco_eval")

RINGS = ([[10, 10, 40, 10, 40, 50, 10, 50]], [[50, 30, 90, 30, 90, 70, 50, 70]])
TRUTH = {
    "images": [{"id": n, "file_name": f"{n}.png", "width": 100, "height": 80} for n in (1, 2)],
    "categories": [{"id": 1, "name": "a"}, {"id": 7, "name": "b"}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 10, 30, 40], "area": 1200,
         "iscrowd": 0, "segmentation": RINGS[0]},
        {"id": 2, "image_id": 2, "category_id": 7, "bbox": [50, 30, 40, 40], "area": 1600,
         "iscrowd": 0, "segmentation": RINGS[1]},
    ],
}  # fmt: skip
RESULTS = [
    {"image_id": 1, "category_id": 1, "bbox": [10, 10, 30, 40], "score": 0.9},
    {"image_id": 2, "category_id": 7, "bbox": [50, 30, 40, 40], "score": 0.8},
]


def changed(value, *path, **fields):
    """A copy in which the entry at a path has other fields; None takes one out."""
    value = copy.deepcopy(value)
    entry = value
    for key in path:
        entry = entry[key]
    for key, replacement in fields.items():
        entry.pop(key, None) if replacement is None else entry.update({key: replacement})
    return value


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"score": None}, "score must be a finite number"),
        ({"score": float("nan")}, "score must be a finite number"),
        ({"score": "high"}, "score must be a finite number"),
        ({"bbox": None}, "it has no 'bbox'"),
        ({"bbox": [1, 2, 3]}, r"bbox must be \[x, y, width, height\]"),
        ({"bbox": [40, 50, -30, -40]}, "bbox has a negative side"),
        ({"category_id": None}, "category_id must be"),
        ({"category_id": 55}, "no category with the id 55"),
        ({"image_id": 99}, "no picture with the id 99"),
        ({"image_id": "x"}, "no picture with the id 'x'"),
    ],
)
def test_a_damaged_detection_is_named(fields, message):
    with pytest.raises(InputError, match=f"Detection 2 of the results: .*{message}"):
        average_precision(TRUTH, changed(RESULTS, 1, **fields))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"image_id": 9}, "the truth has no picture with the id 9"),
        ({"bbox": [1, 2, float("inf"), 4]}, "bbox must be a finite number"),
        ({"iscrowd": "perhaps"}, "iscrowd must be 0 or 1"),
    ],
)
def test_a_damaged_truth_is_named(fields, message):
    truth = changed(TRUTH, "annotations", 0, **fields)
    with pytest.raises(InputError, match=f"Entry 1 of the annotations of the truth: {message}"):
        average_precision(truth, RESULTS)


@pytest.mark.parametrize("key", ["images", "categories", "annotations"])
def test_a_truth_without_a_list_is_refused(key):
    with pytest.raises(InputError, match=f"The truth lacks the list '{key}'"):
        average_precision(changed(TRUTH, **{key: None}), RESULTS)


@pytest.mark.parametrize("results", [{"annotations": RESULTS}, "words", 3, None])
def test_results_that_are_no_list_are_refused(results):
    with pytest.raises(InputError, match="COCO results must be a list"):
        average_precision(TRUTH, results)


@pytest.mark.parametrize(
    "fields", [{"id": None}, {"id": 0}, {"id": 2}, {"area": None}, {"iscrowd": None},
               {"iscrowd": "0"}, {"image_id": "1"}],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["bbox", "segm"])
def test_odd_but_sound_truths_give_the_right_number(fields, kind):
    truth = changed(TRUTH, "annotations", 0, **fields)
    results = [{**one, "segmentation": ring} for one, ring in zip(RESULTS, RINGS)]
    assert average_precision(truth, results, kind)["AP"] == 1.0


def test_boxes_are_no_masks():
    with pytest.raises(InputError, match="it has no 'segmentation', which is needed"):
        average_precision(TRUTH, RESULTS, "segm")


def test_masks_are_compared_as_masks():
    half = np.zeros((80, 100), bool)
    half[10:50, 10:25] = True
    results = [{**RESULTS[0], "segmentation": rle.encode(half)}]
    scores = average_precision(TRUTH, results, "segm")
    assert scores["AP50"] < 1.0
    assert average_precision(TRUTH, results, "bbox")["AP50"] == 0.5
    wrong = [{**RESULTS[0], "segmentation": rle.encode(half.T)}]
    with pytest.raises(InputError, match="Detection 1 of the results: an RLE is of"):
        average_precision(TRUTH, wrong, "segm")
