"""Sprites: the sheet that is shipped, and the file that fetched drawings are kept in."""

import numpy as np
from PIL import Image

from lab.scenes.sprites import (
    HELD_OUT_STYLES,
    SHEET_SIDE,
    SHEET_STYLES,
    Sprite,
    SpriteBank,
    fit,
    read_bank,
    shipped_bank,
    write_bank,
)
from lab.scenes.vocabulary import nouns


def test_the_shipped_sheet_shows_every_noun_in_both_styles_and_none_of_the_held_out_ones() -> None:
    bank = shipped_bank()
    assert bank.styles == SHEET_STYLES
    assert not set(HELD_OUT_STYLES) & set(bank.styles)
    for noun in nouns():
        for style in SHEET_STYLES:
            drawings = bank.of(noun.index, style)
            assert drawings, (noun.english, style)
            assert max(drawings[0].pixels.shape[:2]) == SHEET_SIDE


def test_a_bank_comes_back_from_its_file_as_it_was(tmp_path) -> None:
    bank = SpriteBank(shipped_bank().sprites[:5])
    write_bank(tmp_path / "sprites.npz", bank)
    restored = read_bank(tmp_path / "sprites.npz")
    assert [s.noun for s in restored.sprites] == [s.noun for s in bank.sprites]
    assert all(
        np.array_equal(a.pixels, b.pixels)
        for a, b in zip(restored.sprites, bank.sprites, strict=True)
    )


def test_only_and_without_split_a_bank_by_style() -> None:
    bank = shipped_bank()
    first, second = SHEET_STYLES
    assert bank.only(first).styles == (first,)
    assert bank.without(first).styles == (second,)


def test_no_held_out_style_may_be_trained_on() -> None:
    pixels = shipped_bank().sprites[0].pixels
    styles = ("noto", *HELD_OUT_STYLES)
    bank = SpriteBank(tuple(Sprite(0, style, pixels) for style in styles))
    assert bank.trainable().styles == ("noto",)


def test_fit_crops_the_margin_and_scales_the_longest_side() -> None:
    picture = Image.new("RGBA", (100, 100))
    picture.paste((255, 0, 0, 255), (10, 20, 70, 50))
    fitted = fit(picture, 40)
    assert fitted is not None
    assert fitted.shape == (20, 40, 4)
    assert fitted[..., 3].min() > 200


def test_fit_of_an_empty_picture_is_none() -> None:
    assert fit(Image.new("RGBA", (50, 50))) is None


def test_levels_halve_the_drawing_and_keep_four_channels() -> None:
    sprite = Sprite(0, "x", np.full((40, 80, 4), 255, np.uint8))
    assert [level.size for level in sprite.levels] == [(80, 40), (40, 20), (20, 10), (10, 5)]
