"""The example that teaches a tiny model of today to point in its own words: only its path."""

import sys
from pathlib import Path

import pytest

from segue.cli.app import main

FOLDER = Path(__file__).parent.parent / "examples" / "learn_to_point"


@pytest.fixture
def learn(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    import learn

    yield learn
    for name in ("learn", "base", "drawings"):
        sys.modules.pop(name, None)


def test_the_whole_way_from_a_base_to_measured_masks(learn, tmp_path) -> None:
    recipe = learn.prepare(tmp_path, "qwen2_5_vl", drawings=8, steps=2, rate=1e-3)
    with pytest.raises(SystemExit) as leaving:
        main(["finetune", str(recipe)])
    assert not leaving.value.code
    scores = learn.measure(tmp_path / "run" / "model", 1)
    assert 0 <= scores["masks: mean IoU"] <= 1


def test_the_truth_of_a_drawing_is_its_ink(learn) -> None:
    for seed in range(20):
        scene = learn.drawing(seed)
        rows, columns = scene.mask.any(1).nonzero()[0], scene.mask.any(0).nonzero()[0]
        assert scene.box.corners == (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
        assert scene.phrase in scene.question
        assert scene.phrase in scene.answer
