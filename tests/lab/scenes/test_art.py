"""Where drawings come from, without fetching any."""

from pathlib import Path

import pytest

from lab.scenes.art import (
    SOURCES,
    art_path,
    best_bank,
    coverage,
    fetch_art,
    large_drawing,
    pack_art,
    third_world_bank,
    third_world_path,
    unpack_art,
)
from lab.scenes.sprites import (
    HELD_OUT_STYLE,
    HELD_OUT_STYLES,
    THIRD_WORLD_STYLE,
    Sprite,
    SpriteBank,
    shipped_bank,
    write_bank,
)
from segue.errors import MissingExtra, ModelError, UnknownName

LICENCES = Path(__file__).parents[3] / "src" / "segue" / "embedded" / "LICENSES.md"


def test_the_held_out_styles_and_no_others_are_not_for_training() -> None:
    assert tuple(source.style for source in SOURCES if not source.train) == HELD_OUT_STYLES


def test_every_style_is_under_an_open_licence_that_the_package_lists() -> None:
    listed = LICENCES.read_text("utf-8")
    for source in SOURCES:
        assert f"| {source.style} | {source.package} {source.version} |" in listed
        assert source.licence in {"Apache-2.0", "MIT", "CC-BY-4.0", "CC-BY-SA-4.0"}


def test_only_what_is_measured_with_must_be_shared_alike() -> None:
    assert all(not source.train for source in SOURCES if "SA" in source.licence)


def test_drawings_of_the_third_world_are_in_no_other_bank(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SEGUE_CACHE", str(tmp_path))
    assert third_world_bank().sprites == ()
    pixels = shipped_bank().sprites[0].pixels
    write_bank(third_world_path(), SpriteBank((Sprite(0, THIRD_WORLD_STYLE, pixels),)))
    assert third_world_bank().styles == (THIRD_WORLD_STYLE,)
    assert THIRD_WORLD_STYLE not in best_bank().styles


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


def test_packed_drawings_are_unpacked_where_the_bank_is_looked_for(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SEGUE_CACHE", str(tmp_path / "cache"))
    style = next(name for name in shipped_bank().styles if name != HELD_OUT_STYLE)
    bank = SpriteBank(shipped_bank().only(style).sprites[:12])
    assert pack_art(tmp_path / "packed", bank) > 1_000
    unpack_art(tmp_path / "packed")
    assert art_path().is_file()
    assert best_bank().styles == bank.styles
    assert [s.noun for s in best_bank().sprites] == [s.noun for s in bank.sprites]
    with pytest.raises(ModelError, match="pack-art"):
        unpack_art(tmp_path / "nothing")
