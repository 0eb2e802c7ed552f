"""Phrases and files as they are typed."""

import shutil

import pytest

from segue.cli.terminal.phrases import parse_phrases
from segue.cli.terminal.screen import make_console
from segue.embedded.samples import sample
from segue.errors import InputError


@pytest.mark.parametrize(
    ("typed", "phrases"),
    [
        (["airplane", "tower"], ["airplane", "tower"]),
        (["airplane, tower"], ["airplane", "tower"]),
        (["airplane . tower"], ["airplane", "tower"]),
        (["飞机、太阳"], ["飞机", "太阳"]),
        (["St. Bernard"], ["St. Bernard"]),
        (["1,000 things"], ["1,000 things"]),
        (['"box, red"'], ["box, red"]),
        (["airplane", "airplane"], ["airplane"]),
        (["plane\udcff"], ["plane\ufffd"]),
    ],
)
def test_several_phrases_in_one_argument_are_looked_for_each(typed, phrases):
    assert parse_phrases(make_console(quiet=True), typed) == phrases


def test_splitting_an_argument_is_said(capsys):
    parse_phrases(make_console(), ["airplane, tower"])
    assert "looking for each of: airplane; tower" in capsys.readouterr().out


@pytest.mark.parametrize("typed", ["", " ", ",", " . "])
def test_a_phrase_without_words_is_refused(typed):
    with pytest.raises(InputError, match="A phrase must contain words"):
        parse_phrases(make_console(quiet=True), [typed])


@pytest.mark.parametrize(
    "command",
    [
        "segment {p} airplane --out {p}",
        "segment {p} airplane --json {p}",
        "edit {p} blur --phrase airplane --out {p}",
        "ask {p} Hello --out ./{p}",
    ],
)
def test_the_picture_that_is_read_is_never_written_over(run, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    shutil.copy(sample("airport").file, "p.png")
    before = (tmp_path / "p.png").read_bytes()
    outcome = run(*command.format(p="p.png").split())
    assert outcome.code == 2
    assert "is an input file and would be overwritten" in outcome.err
    assert (tmp_path / "p.png").read_bytes() == before


def test_a_second_overlay_and_masks_never_take_the_place_of_a_picture(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "o-2.png", "r1-airplane.png"):
        shutil.copy(sample("airport").file, name)
    outcome = run("ask", "a.png", "o-2.png", "Hello", "--out", "o.png")
    assert (outcome.code, "o-2.png is an input file" in outcome.err) == (2, True)
    outcome = run("segment", "r1-airplane.png", "airplane", "--masks", ".")
    assert (outcome.code, "a mask might overwrite it" in outcome.err) == (2, True)


@pytest.mark.parametrize(
    "command",
    [
        "segment p.png beach.png airplane",
        "edit p.png blur --phrase beach.png",
        "edit p.png beach.png blur",
        "ask p.png beach.png",
    ],
)
def test_a_picture_file_is_no_phrase(run, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    for name in ("p.png", "beach.png"):
        shutil.copy(sample("airport").file, name)
    outcome = run(*command.split())
    assert outcome.code == 2
    assert "beach.png" in outcome.err
    assert "segue annotate" in outcome.err


def test_files_that_are_no_pictures_and_pictures_that_are_not_there_are_phrases(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dog").write_text("a note")
    (tmp_path / "cat.txt").write_text("a note")
    typed = ["dog", "cat.txt", "gone.png", "long " * 200 + "one"]
    assert parse_phrases(make_console(quiet=True), typed) == typed


def test_a_question_may_be_longer_than_any_file_name(run, picture, stages):
    assert run("ask", picture, "Where is it? " * 50, *stages).code == 0
