"""Questions about scenes, judged by the pixels that come back."""

import numpy as np
import pytest

from lab.chat.evaluate import held_out_scenes
from lab.evaluate_routes import ask_about, figures, result_sheet, score_routes
from lab.registry import evaluate_part
from lab.scenes.sprites import shipped_bank
from segue.assistant import Assistant
from segue.chat.scripted import Scripted
from segue.detect.fixed import Fixed
from segue.errors import ModelError
from segue.segment.box_fill import BoxFill
from segue.values.box import Box


@pytest.fixture(scope="module")
def scenes():
    return held_out_scenes(shipped_bank(), 3, 5)


def test_whoever_finds_nothing_is_right_about_absent_things_only(scenes):
    mute = Assistant(chat=Scripted(["<gsam>thing</gsam>"] * 99), detector=Fixed({}))
    scores = score_routes(list(ask_about(mute, scenes, 0)))
    for answer in scores.values():
        assert figures(answer) == {
            "mask IoU of what is there": 0.0, "P@0.5": 0.0, "T-acc": 0.0, "N-acc": 1.0,
            "cIoU": 0.0, "questions": 6,
        }  # fmt: skip


def test_masks_are_compared_with_all_objects_of_the_noun(scenes):
    everything = Fixed({"thing": [Box(0, 0, *reversed(scenes[0].image.shape[:2]))]})
    eager = Assistant(
        chat=Scripted(["<gsam>thing</gsam>"] * 99), detector=everything, segmenter=BoxFill()
    )
    answers = list(ask_about(eager, scenes, 0))
    assert [answer.turn.present for answer in answers[:4]] == [True, False, True, False]
    assert {answer.turn.chinese for answer in answers} == {True, False}
    shares = [answer.true_mask.mean() for answer in answers if answer.turn.present]
    tag = figures(score_routes(answers)["tag route"])
    assert tag["mask IoU of what is there"] == pytest.approx(np.mean(shares[::2]), abs=1e-3)
    assert (tag["T-acc"], tag["N-acc"]) == (1.0, 0.0)


def test_the_sheet_has_a_row_for_each_scene():
    mute = Assistant(chat=Scripted(["nothing"] * 99))
    sheet = result_sheet(mute, scenes=1, side=64)
    assert sheet.width == 4 * 72
    assert sheet.height % 108 == 0


def test_a_folder_that_lacks_a_model_is_refused(tmp_path):
    with pytest.raises(ModelError, match="lacks chat, detector, segmenter"):
        evaluate_part("routes", tmp_path, scenes=1)
