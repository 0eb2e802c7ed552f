"""The stand-in detector."""

import json

import numpy as np
import pytest

from segue.detect import Detection
from segue.detect.fixed import Fixed
from segue.errors import InputError
from segue.values.box import Box
from segue.values.image import Image

IMAGE = Image.open(np.zeros((20, 30, 3), np.uint8))


def test_it_finds_what_its_table_says():
    detector = Fixed({"Cat": [Box(1, 2, 8, 9), (5, 5, 40, 40, 0.4)]})
    assert detector.find(IMAGE, ["cat.", "dog"]) == [
        Detection("cat.", Box(1, 2, 8, 9), 1.0),
        Detection("cat.", Box(5, 5, 30, 20), 0.4),
    ]
    assert len(detector.find(IMAGE, ["cat"], box_threshold=0.5)) == 1


def test_the_table_may_be_a_file(tmp_path):
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps({"cat": [[1, 2, 8, 9]]}))
    assert Fixed(path).find(IMAGE, ["cat"])[0].box == Box(1, 2, 8, 9)
    assert Fixed("").find(IMAGE, ["cat"]) == []


def test_tables_that_make_no_sense_are_refused(tmp_path):
    with pytest.raises(InputError, match="x0 y0 x1 y1"):
        Fixed({"cat": [(1, 2, 3)]})
    with pytest.raises(InputError, match="must be a JSON file"):
        Fixed(tmp_path / "none.json")
