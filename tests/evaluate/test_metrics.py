"""Metrics against cases worked out by hand, and their laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from segue.errors import InputError
from segue.evaluate.metrics import BoxScores, MaskScores, average_precision, mask_scores, percent
from segue.values.box import Box


def rows(first: int, last: int) -> np.ndarray:
    """A 4 x 4 mask of whole rows."""
    mask = np.zeros((4, 4), bool)
    mask[first:last] = True
    return mask


HALF, QUARTER, NONE, ALL = rows(0, 2), rows(0, 1), rows(0, 0), rows(0, 4)


def test_right_and_half_right():
    scores = mask_scores([(HALF, HALF), (QUARTER, HALF)]).to_json()
    assert (scores["gIoU"], scores["cIoU"]) == (0.75, 12 / 16)
    assert [scores[f"P@{t}"] for t in (0.5, 0.6, 0.9)] == [1.0, 0.5, 0.5]
    assert (scores["N-acc"], scores["T-acc"]) == (None, 1.0)


def test_questions_without_a_target():
    scores = mask_scores([(NONE, NONE), (QUARTER, NONE), (NONE, HALF)])
    assert scores.giou == pytest.approx(1 / 3)
    assert (scores.intersection, scores.union) == (0, 4 + 8)
    assert (scores.n_acc, scores.t_acc, scores.ciou) == (0.5, 0.0, 0.0)


def test_no_mask_is_an_empty_mask():
    with_none = mask_scores([(None, None), (None, HALF), (HALF, None)])
    assert with_none == mask_scores([(NONE, NONE), (NONE, HALF), (HALF, NONE)])


def test_ignored_pixels_count_neither_way():
    scores = MaskScores()
    target = rows(0, 2)
    assert scores.add(ALL, target, ignore=rows(3, 4)) == pytest.approx(8 / 12)
    assert (scores.intersection, scores.union) == (8, 12)
    # The same with the ignored rows in the target, as files mark them.
    assert MaskScores().add(ALL, rows(0, 2) | rows(3, 4), rows(3, 4)) == pytest.approx(8 / 12)


def test_the_reference_program_agrees(shared):
    """Its `metrics` function, on random masks with empty ones among them."""
    source = (shared / "golden" / "seg_metrics_reference.py").read_text()
    reference: dict = {}
    exec(source.partition("\na=np.zeros")[0], reference)  # the functions without the examples
    rng = np.random.default_rng(0)
    samples = []
    for _ in range(60):
        p, t = rng.random((2, 6, 5)) < rng.random((2, 1, 1)) * (rng.random((2, 1, 1)) < 0.8)
        samples.append((p, t))
    expected = reference["metrics"](
        [(p.astype(np.uint8), t.astype(np.uint8), not t.any(), not p.any()) for p, t in samples]
    )
    scores = mask_scores(samples)
    assert scores.giou == pytest.approx(expected["gIoU"])
    assert scores.ciou == pytest.approx(expected["cIoU"])
    assert scores.n_acc == pytest.approx(expected["N_acc"])
    assert scores.t_acc == pytest.approx(expected["T_acc"])
    for threshold in (0.5, 0.6, 0.7, 0.8, 0.9):
        assert scores.precision_at(threshold) == pytest.approx(expected[f"P@{threshold}"])


MASKS = st.lists(st.tuples(*[arrays(bool, (3, 4))] * 2), min_size=1, max_size=6)


@given(MASKS, st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_laws(pairs, random):
    whole = mask_scores(pairs)
    assert 0 <= whole.giou <= 1
    assert whole.ciou is None or 0 <= whole.ciou <= 1
    shuffled = random.sample(pairs, len(pairs))
    cut = random.randrange(len(pairs) + 1)
    shards = mask_scores(shuffled[:cut]) + mask_scores(shuffled[cut:])
    assert shards.giou == pytest.approx(whole.giou)
    assert (shards.intersection, shards.union) == (whole.intersection, whole.union)
    assert shards.to_json()["P@0.5"] == whole.to_json()["P@0.5"]
    oracle = mask_scores([(target, target) for _, target in pairs]).to_json()
    assert all(value in (1.0, None) for key, value in oracle.items() if "acc" in key.lower())
    assert oracle["gIoU"] == 1.0


@pytest.mark.parametrize(
    ("predicted", "target", "message"),
    [
        (np.ones((2, 3), bool), np.ones((3, 2), bool), "one shape"),
        (np.ones((2, 3)), np.ones((2, 3), bool), "bool"),
        (np.ones(3, bool), None, "shape"),
    ],
)
def test_arrays_that_cannot_be_compared_are_refused(predicted, target, message):
    with pytest.raises(InputError, match=message):
        MaskScores().add(predicted, target)


def test_boxes_are_right_from_one_half_on():
    scores = BoxScores()
    target = Box(0, 0, 10, 10)
    assert scores.add(Box(0, 0, 10, 5), target) == 0.5  # inclusive
    scores.add(Box(0, 0, 10, 4.9), target)
    scores.add(None, target)
    assert scores.to_json() == {
        "questions": 3,
        "Acc@0.5": pytest.approx(1 / 3),
        "mean IoU": pytest.approx(0.99 / 3),
        "without a box": 1,
    }


def coco_file(*annotations) -> dict:
    return {
        "images": [{"id": 1, "height": 50, "width": 50}],
        "categories": [{"id": 1, "name": "dog"}],
        "annotations": [
            {"id": n, "image_id": 1, "category_id": 1, "bbox": box, "area": box[2] * box[3],
             "iscrowd": 0}
            for n, box in enumerate(annotations, 1)
        ],
    }  # fmt: skip


def test_average_precision_of_detections():
    pytest.importorskip("faster_coco_eval")
    truth = coco_file([5, 5, 20, 20], [30, 30, 10, 10])
    found = [{"image_id": 1, "category_id": 1, "bbox": [5, 5, 20, 18], "score": 0.9}]  # IoU 0.9
    scores = average_precision(truth, found)
    # One of two found: precision 1 up to recall 0.5, that is 51 of the 101 points.
    assert scores["AP50"] == pytest.approx(51 / 101)
    assert scores["AP"] == pytest.approx(0.9 * 51 / 101)
    assert scores["AP_large"] is None
    assert average_precision(truth, [])["AP"] == 0.0


def test_average_precision_of_other_kinds_is_refused():
    with pytest.raises(InputError, match="'bbox' or 'segm'"):
        average_precision({}, [], "keypoints")


def test_percent_is_for_tables():
    assert [percent(value) for value in (1.0, 0.12345, None)] == ["100.0", "12.3", "-"]
