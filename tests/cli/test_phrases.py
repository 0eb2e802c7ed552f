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
