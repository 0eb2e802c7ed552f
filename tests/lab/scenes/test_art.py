"""Where drawings come from, without fetching any."""

import pytest

from lab.scenes.art import SOURCES, art_path, coverage, fetch_art, large_drawing
from lab.scenes.sprites import HELD_OUT_STYLE, shipped_bank
from segue.errors import MissingExtra, UnknownName


def test_only_the_held_out_style_is_not_for_training() -> None:
    assert [source.style for source in SOURCES if not source.train] == [HELD_OUT_STYLE]
    assert {source.licence for source in SOURCES} <= {"Apache-2.0", "MIT", "CC-BY-4.0"}


def test_the_cache_is_where_the_user_wants_it(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SEGUE_CACHE", str(tmp_path))
    assert art_path().is_relative_to(tmp_path)


def test_without_npm_the_error_says_what_to_install(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SEGUE_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingExtra, match="Install Node.js"):
        fetch_art()


def test_an_unknown_drawing_is_refused() -> None:
    with pytest.raises(UnknownName, match="no drawing"):
        large_drawing("noto", "unicorn-dancing", 100)


def test_coverage_lists_what_a_style_lacks() -> None:
    assert all(missing == [] for missing in coverage(shipped_bank()).values())
