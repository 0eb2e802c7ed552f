"""Regions as the detections of another library, and back."""

from types import SimpleNamespace

import numpy as np
import pytest

from segue.errors import InputError, MissingExtra
from segue.export.detections import from_supervision, to_supervision
from segue.values.box import Box
from segue.values.mask import Mask
from segue.values.region import Region


def regions() -> tuple[Region, ...]:
    rng = np.random.default_rng(0)
    return tuple(
        Region(
            f"r{number + 1}", phrase, Box(number, 1, 9, 7), "detector",
            mask=Mask(rng.random((8, 12)) > 0.5), score=0.25 + number / 4,
        )
        for number, phrase in enumerate(["dog", "cat", "dog"])
    )  # fmt: skip


def test_without_the_library_the_way_to_install_it_is_said():
    try:
        import supervision  # noqa: F401
    except ImportError:
        with pytest.raises(MissingExtra, match="pip install supervision"):
            to_supervision(regions())


def test_regions_survive_the_way_there_and_back():
    pytest.importorskip("supervision")
    detections = to_supervision(regions(), ["cat", "dog"])
    assert detections.class_id.tolist() == [1, 0, 1]
    assert [region.phrase for region in from_supervision(detections)] == ["dog", "cat", "dog"]
    assert from_supervision(detections) == regions()
    assert len(to_supervision([])) == 0
    with pytest.raises(InputError, match="'dog' is missing"):
        to_supervision(regions(), ["cat"])


def test_detections_of_another_program_become_regions():
    detections = SimpleNamespace(
        xyxy=np.array([[1.0, 2, 5, 6], [5, 6, 1, 2]], np.float32), mask=None, confidence=None,
        class_id=np.array([1, 0]), data={},
    )  # fmt: skip
    named = from_supervision(detections, ["cat", "dog"])
    assert [(r.id, r.phrase, r.box.corners) for r in named] == [
        ("r1", "dog", (1, 2, 5, 6)),
        ("r2", "cat", (1, 2, 5, 6)),
    ]
    assert [r.phrase for r in from_supervision(detections)] == ["", ""]
    with pytest.raises(InputError, match="below 1, got 1"):
        from_supervision(detections, ["cat"])


@pytest.mark.parametrize("wrong", [None, [], {"xyxy": []}])
def test_what_is_no_detections_is_refused(wrong):
    with pytest.raises(InputError, match="Expected supervision.Detections, got"):
        from_supervision(wrong)
