"""The flywheel turns once at a tiny size, and its reviewer and measures are right."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from builders import a_region
from examples.flywheel import turn
from examples.flywheel.measure import COLUMNS, count_picture, difference
from examples.flywheel.reviewer import plan_actions
from examples.flywheel.scenes import TrueObject
from lab.scenes.sprites import shipped_bank
from segue.cli.app import main
from segue.errors import ModelError
from segue.finetune.recipe import read_recipe
from segue.review import read_changes
from segue.review.journal import journal_path
from segue.values.mask import Mask

HERE = Path(__file__).parents[2] / "examples" / "flywheel"


def a_mask(x0: int, x1: int) -> Mask:
    pixels = np.zeros((20, 40), bool)
    pixels[5:15, x0:x1] = True
    return Mask(pixels)


def a_finding(id: str, phrase: str, x0: int, x1: int):
    mask = a_mask(x0, x1)
    return replace(a_region(id, phrase), box=mask.box, mask=mask)


DOG, CAT = TrueObject("dog", a_mask(0, 10)), TrueObject("cat", a_mask(20, 30))


def test_the_reviewer_corrects_what_is_wrong_and_accepts_what_is_right():
    right = [a_finding("r1", "dog", 0, 10), a_finding("r2", "cat", 20, 30)]
    assert [action.kind for action in plan_actions(right, [DOG, CAT])] == ["accept"]
    wrong = [a_finding("r1", "cat", 0, 10), a_finding("r2", "dog", 0, 9)]
    actions = plan_actions(wrong, [DOG, CAT])
    assert [action.kind for action in actions] == [
        "other class", "delete", "new region", "accept",
    ]  # fmt: skip
    assert [action.region.phrase for action in actions[:3]] == ["dog", "dog", "cat"]
    (loose, _) = plan_actions([a_finding("r1", "dog", 0, 15)], [DOG])
    assert (loose.kind, loose.region.mask) == ("correct mask", DOG.mask)


def test_figures_are_counted_by_picture():
    regions = [a_finding("r1", "dog", 0, 10), a_finding("r2", "dog", 20, 30)]
    regions.append(a_finding("r3", "owl", 35, 40))
    counts = dict(zip(COLUMNS, count_picture(regions, [DOG, CAT], ("dog", "cat", "owl", "fox"))))
    assert counts == {
        "objects": 2, "found": 1, "regions": 3, "right": 1, "iou_sum": 1.0, "misnamed": 1,
        "absent": 2, "fired": 1,
    }  # fmt: skip
    nothing = count_picture([], [DOG], ("dog", "cat"))
    assert nothing == [1, 0, 0, 0, 0.0, 0, 1, 0]
    better = difference(np.array([nothing] * 4), np.array([[1, 1, 1, 1, 0.8, 0, 1, 0]] * 4))
    assert better["recall"].value == better["recall"].low == 1.0


def run_here(*words: object) -> None:
    """Run a command of segue in this process."""
    with pytest.raises(SystemExit) as leaving:
        main([str(word) for word in words])
    assert leaving.value.code in (0, None)


@pytest.mark.filterwarnings("ignore::segue.pipeline.photographs.PhotographWarning")
def test_the_wheel_turns_once(tmp_path):
    pytest.importorskip("peft")
    plan = turn.Plan(out=tmp_path / "wheel", scenes=2, actions=8, style="noto", steps=1)
    measured = turn.turn(plan, shipped_bank(), run_here)
    actions = measured["review"]
    changes = read_changes(journal_path(plan.out / "run"))
    assert len(changes) == sum(actions.values()) - actions["pictures"] <= 8
    assert (plan.out / "adapter" / "adapter").is_dir()
    assert len(measured["sets"]) == 3
    for sides in measured["sets"].values():
        for figure, (after, _, _) in sides["after"].items():
            assert sides["difference"][figure][0] == pytest.approx(
                after - sides["before"][figure][0], abs=2e-4
            )
    assert (plan.out / "table.md").read_text() == turn.table(measured)


def test_a_style_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ModelError, match="fetch-art"):
        turn.turn(turn.Plan(out=tmp_path, style="twemoji"), shipped_bank())


def test_its_recipe_can_be_read_and_the_readme_tells_what_was_measured():
    assert read_recipe(HERE / "recipe.toml").base == turn.BASE
    readme = (HERE / "README.md").read_text(encoding="utf-8")
    measured = json.loads((HERE / "table.json").read_text(encoding="utf-8"))
    for line in turn.table(measured).splitlines():
        assert line in readme
