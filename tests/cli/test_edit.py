"""`segue edit` with stand-ins."""

from pathlib import Path

import numpy as np
import pytest

from segue.values.image import Image


def test_an_object_is_recoloured_by_phrase(run, picture: Path, stages: list[str], tmp_path) -> None:
    out = tmp_path / "edited.png"
    options = [*stages[2:], "--phrase", "dog", "--out", out]
    outcome = run("edit", picture, "recolour", "colour=#ff0000", "feather=0", *options)
    assert outcome.code == 0, outcome.err
    before, after = Image.open(picture).array.astype(int), Image.open(out).array.astype(int)
    changed = np.abs(after - before).max(2) > 8
    assert changed[6:24, 11:29].mean() > 0.9
    assert not changed[30:].any()


def test_an_object_is_cut_out_by_box(
    run, picture: Path, stages: list[str], monkeypatch, tmp_path
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = run("edit", picture, "cutout", "crop=true", "--box", "10,5,30,25", *stages[2:])
    assert outcome.code == 0, outcome.err
    assert "wrote scene-cut_out.png" in outcome.out
    height, width = Image.open("scene-cut_out.png").size
    assert 20 <= height <= 26
    assert 20 <= width <= 26


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (["blurr", "-p", "dog"], "Did you mean 'blur'?"),
        (["blur", "colour=red", "-p", "dog"], "'blur' has no parameter 'colour'"),
        (["blur", "12", "-p", "dog"], "Expected a setting like strength=12, got '12'"),
        (["blur"], "give phrases, --box or --point"),
        (["blur", "-p", "unicorn"], "There is no unicorn in the picture to edit"),
        (["background", "picture=none.png", "-p", "dog"], "There is no file none.png"),
    ],
)
def test_what_cannot_be_done_is_refused(
    run, picture: Path, stages: list[str], arguments: list[str], wrong: str
) -> None:
    outcome = run("edit", picture, *arguments, *stages[2:])
    assert outcome.code == 2
    assert wrong in outcome.err
