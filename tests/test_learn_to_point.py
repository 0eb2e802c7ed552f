"""The example that teaches tiny models of today to point: its path, and what was learned."""

import sys
from pathlib import Path

import PIL.Image
import pytest

from segue.cli.app import main

LEARNED = Path(__file__).parent / "reference" / "pointing"
FOLDER = Path(__file__).parent.parent / "examples" / "learn_to_point"


@pytest.fixture
def learn(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    import learn

    yield learn
    for name in ("learn", "base", "drawings", "sheet"):
        sys.modules.pop(name, None)


def test_the_whole_way_from_a_base_to_measured_masks(learn, tmp_path) -> None:
    recipe = learn.prepare(tmp_path, "qwen2_5_vl", drawings=8, steps=2, rate=1e-3)
    with pytest.raises(SystemExit) as leaving:
        main(["finetune", str(recipe)])
    assert not leaving.value.code
    scores = learn.measure(tmp_path / "run" / "model", 1, tmp_path / "answers.png")
    assert 0 <= scores["masks: mean IoU"] <= 1
    with PIL.Image.open(tmp_path / "answers.png") as sheet:
        assert sheet.width > sheet.height


def test_the_truth_of_a_drawing_is_its_ink(learn) -> None:
    for seed in range(20):
        scene = learn.drawing(seed)
        rows, columns = scene.mask.any(1).nonzero()[0], scene.mask.any(0).nonzero()[0]
        assert scene.box.corners == (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
        assert scene.phrase in scene.question
        assert scene.phrase in scene.answer


@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen3_vl"])
def test_replies_of_a_trained_model_become_masks_of_what_was_asked_for(learn, family) -> None:
    scores = learn.measure(LEARNED / family, 10)
    assert scores["boxes: mean IoU"] > 0.9
    assert scores["masks: mean IoU"] > 0.8
