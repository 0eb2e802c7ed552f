"""`python -m lab`."""

from pathlib import Path

from segue.values.image import Image


def test_a_scene_is_drawn_and_described(run, tmp_path: Path) -> None:
    first_file, second_file = tmp_path / "one.png", tmp_path / "two.png"
    outcome = run("scene", first_file, "--seed", "3", "--side", "128")
    assert outcome.code == 0, outcome.err
    assert len(outcome.out.splitlines()) >= 2
    assert Image.open(first_file).size == (128, 128)
    run("scene", second_file, "--seed", "3", "--side", "128")
    assert Image.open(first_file) == Image.open(second_file)


def test_an_unknown_background_is_refused(run, tmp_path: Path) -> None:
    outcome = run("scene", tmp_path / "x.png", "--background", "bech")
    assert outcome.code == 2
    assert "beach" in outcome.err


def test_an_unknown_part_is_refused(run) -> None:
    outcome = run("train", "nose")
    assert outcome.code == 2
    assert "nose" in outcome.err


def test_weights_to_start_from_belong_to_one_model_and_must_be_there(run, tmp_path: Path) -> None:
    outcome = run("train", "--start", "embedded/chat", "--out", tmp_path)
    assert outcome.code == 2
    assert "must be one of chat, detector, segmenter" in outcome.err
    outcome = run("train", "chat", "--start", tmp_path / "no", "--out", tmp_path)
    assert outcome.code == 4
    assert "There is no file or folder" in outcome.err


def test_missing_weights_are_said(run, tmp_path: Path) -> None:
    outcome = run("evaluate", "segmenter", "--weights", tmp_path / "none")
    assert outcome.code == 4
    assert "There is no file or folder" in outcome.err


def test_a_sheet_is_refused_where_there_is_none(run, tmp_path: Path) -> None:
    outcome = run("evaluate", "segmenter", "--sheet", tmp_path / "sheet.png")
    assert outcome.code == 2
    assert "--sheet draws chat or routes" in outcome.err
