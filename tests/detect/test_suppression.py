"""Overlaps, clipping, grouping, and the checks that all detectors share."""

import numpy as np
import pytest

from segue.detect import Detection
from segue.detect.suppression import (
    detections_of,
    group_by_phrase,
    nms,
    read_phrases,
    read_threshold,
    score_floor,
)
from segue.errors import InputError
from segue.values.box import Box, Size


def test_the_best_of_overlapping_boxes_stays():
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 9], [20, 20, 30, 30], [0, 0, 10, 5]])
    scores = np.array([0.5, 0.9, 0.7, 0.8])
    assert nms(boxes, scores, 0.6).tolist() == [1, 3, 2]
    assert nms(boxes, scores, 0.5).tolist() == [1, 2]
    assert nms(boxes, scores, 1.0).tolist() == [1, 3, 2, 0]


def test_what_stays_agrees_with_the_definition_pair_by_pair():
    generator = np.random.default_rng(0)
    corners = generator.uniform(0, 50, (60, 2))
    boxes = np.concatenate([corners, corners + generator.uniform(1, 40, (60, 2))], 1)
    scores = generator.uniform(size=60)
    kept = nms(boxes, scores, 0.4).tolist()
    as_box = [Box(*map(float, row)) for row in boxes]
    for row in range(60):
        better = [k for k in kept if scores[k] > scores[row]]
        suppressed = any(as_box[k].iou(as_box[row]) > 0.4 for k in better)
        assert (row in kept) != suppressed


def test_no_boxes_and_empty_boxes_are_fine():
    assert nms(np.zeros((0, 4)), np.zeros(0), 0.5).tolist() == []
    assert nms(np.zeros((2, 4)), np.array([0.1, 0.2]), 0.5).tolist() == [1, 0]


def test_objects_are_clipped_and_those_outside_are_dropped():
    corners = np.array([[-5, -5, 30, 8], [25, 0, 40, 9], [3, 9, 2, 12]])
    found = detections_of("dog", corners, np.array([0.9, 0.8, 0.7]), Size(10, 20), 0.5)
    assert found == [Detection("dog", Box(0, 0, 20, 8), 0.9)]


def test_answers_come_in_the_order_of_the_questions():
    cat, dog = Detection("cat", Box(0, 0, 1, 1), 0.4), Detection("dog", Box(0, 0, 1, 1), 0.9)
    answers = {"dog": [dog], "cat": [cat]}
    assert group_by_phrase(["cat", "cow", "dog", "cat"], answers) == [cat, dog]


@pytest.mark.parametrize("given", ["dog", [3], [None]])
def test_phrases_must_be_a_list_of_texts(given):
    with pytest.raises(InputError, match="must be"):
        read_phrases(given)


def test_a_threshold_is_a_fraction():
    assert read_threshold(None, 0.3, "box_threshold") == 0.3
    assert read_threshold(0, 0.3, "box_threshold") == 0.0
    for wrong in (-0.1, 1.5, float("nan"), 30):
        with pytest.raises(InputError, match=r"box_threshold must be in \[0, 1\]"):
            read_threshold(wrong, 0.3, "box_threshold")


@pytest.mark.parametrize(
    ("box", "text", "floor"),
    [(None, None, 0.51), (0.1, None, 0.1), (0.7, None, 0.7), (0.1, 0.4, 0.4), (None, 0.8, 0.8)],
)
def test_a_box_threshold_lowered_alone_has_its_effect(box, text, floor):
    assert score_floor(box, text, 0.51, 0.51) == floor
