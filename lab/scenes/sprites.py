"""Sprites: small RGBA drawings of a noun in a style, and the two places they are read from.

The package carries a sheet of two styles (`sheet.webp` with `sheet.json`), enough to draw
scenes anywhere. `python -m lab fetch-art` downloads all styles into the cache (see `art.py`).
"""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from importlib.resources.abc import Traversable
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 160
"""Longest side of a rasterised drawing, in pixels."""

SHEET_SIDE = 88
"""Longest side of a drawing on the sheet inside the package, in pixels."""

SHEET_STYLES = ("noto", "fluent-flat")

HELD_OUT_STYLE = "twemoji"
"""The style of the second kind of held-out scenes, which are drawn like those of training."""

THIRD_WORLD_STYLE = "openmoji"
"""The style of the third kind, in which everything is held out; see `third_world.py`."""

HELD_OUT_STYLES = (HELD_OUT_STYLE, THIRD_WORLD_STYLE)
"""Nothing is ever trained on these drawing styles; they are only measured with."""


@dataclass(frozen=True)
class Sprite:
    """A drawing of noun number `noun`: `pixels` is (h, w, 4) uint8, RGBA, alpha not premultiplied.

    The transparent margin is cropped, so the drawing touches all four sides.
    """

    noun: int
    style: str
    pixels: NDArray[np.uint8]

    @cached_property
    def levels(self) -> tuple[Image.Image, ...]:
        """The drawing at full, half, quarter and eighth size, colours premultiplied by alpha.

        They are stored as four plain channels (mode CMYK is Pillow's name for that), because
        Pillow converts RGBA back and forth at every transform.
        """
        rgba = Image.fromarray(self.pixels, "RGBA").convert("RGBa")
        sizes = [(max(1, rgba.width >> k), max(1, rgba.height >> k)) for k in range(4)]
        shrunk = [
            rgba if k == 0 else rgba.resize(size, Image.Resampling.BOX)
            for k, size in enumerate(sizes)
        ]
        return tuple(Image.frombytes("CMYK", level.size, level.tobytes()) for level in shrunk)


@dataclass(frozen=True)
class SpriteBank:
    """All sprites at hand, found by noun and style."""

    sprites: tuple[Sprite, ...]

    @cached_property
    def styles(self) -> tuple[str, ...]:
        """The styles present, in order of first appearance."""
        return tuple(dict.fromkeys(sprite.style for sprite in self.sprites))

    @cached_property
    def _table(self) -> dict[tuple[int, str], tuple[Sprite, ...]]:
        table: dict[tuple[int, str], tuple[Sprite, ...]] = {}
        for sprite in self.sprites:
            key = (sprite.noun, sprite.style)
            table[key] = (*table.get(key, ()), sprite)
        return table

    def of(self, noun: int, style: str) -> tuple[Sprite, ...]:
        """Return the drawings of a noun in a style; empty where that style lacks the noun."""
        return self._table.get((noun, style), ())

    def trainable(self) -> "SpriteBank":
        """Return the sprites that may be trained on: those of no held-out style."""
        return self.without(*HELD_OUT_STYLES)

    def only(self, *styles: str) -> "SpriteBank":
        """Return the sprites of these styles alone."""
        return SpriteBank(tuple(s for s in self.sprites if s.style in styles))

    def without(self, *styles: str) -> "SpriteBank":
        """Return the sprites of all other styles."""
        return SpriteBank(tuple(s for s in self.sprites if s.style not in styles))


def fit(picture: Image.Image, side: int = SIDE) -> NDArray[np.uint8] | None:
    """Crop away the transparent margin and scale the longest side to `side`.

    Returns (h, w, 4) uint8, or None for a picture that is all but empty.
    """
    alpha = np.asarray(picture.convert("RGBA"))[..., 3] > 16
    if alpha.sum() < 50:
        return None
    rows, columns = np.flatnonzero(alpha.any(1)), np.flatnonzero(alpha.any(0))
    box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    cropped = picture.convert("RGBA").crop(box)
    scale = side / max(cropped.size)
    size = (max(1, round(cropped.width * scale)), max(1, round(cropped.height * scale)))
    return np.array(cropped.resize(size, Image.Resampling.LANCZOS))


def write_bank(path: Path, bank: SpriteBank) -> None:
    """Write all sprites to one `.npz` file, replacing it in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fields: dict[str, Any] = {
        "nouns": np.array([s.noun for s in bank.sprites], np.int16),
        "styles": np.array([s.style for s in bank.sprites]),
        "shapes": np.array([s.pixels.shape[:2] for s in bank.sprites], np.int16),
        "pixels": np.concatenate([s.pixels.reshape(-1, 4) for s in bank.sprites]),
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **fields)
    part = path.with_suffix(".part")
    part.write_bytes(buffer.getvalue())
    part.replace(path)


def read_bank(path: Path) -> SpriteBank:
    """Read what `write_bank` wrote."""
    with np.load(path) as fields:
        names, styles, shapes = fields["nouns"], fields["styles"], fields["shapes"]
        pixels = fields["pixels"]
    ends = np.cumsum(shapes[:, 0].astype(int) * shapes[:, 1])
    parts = np.split(pixels, ends[:-1])
    return SpriteBank(
        tuple(
            Sprite(int(noun), str(style), part.reshape(int(height), int(width), 4))
            for noun, style, (height, width), part in zip(names, styles, shapes, parts, strict=True)
        )
    )


def write_sheet(
    bank: SpriteBank, folder: Path, styles: Sequence[str] = SHEET_STYLES, side: int = SHEET_SIDE
) -> None:
    """Write a sheet of some styles: `sheet.webp` and its index `sheet.json`.

    Args:
        bank: the sprites.
        folder: where to.
        styles: those to write.
        side: the longest side of a sprite, in pixels.
    """
    sheet_sprites = [s for style in styles for s in bank.sprites if s.style == style]
    columns = max(18, ceil(len(sheet_sprites) ** 0.5))  # WebP has at most 16,383 pixels a side
    rows = -(-len(sheet_sprites) // columns)
    sheet = Image.new("RGBA", (columns * side, rows * side))
    index = []
    for number, sprite in enumerate(sheet_sprites):
        small = fit(Image.fromarray(sprite.pixels, "RGBA"), side)
        assert small is not None, "a sprite that was fitted once is not empty"
        x, y = number % columns * side, number // columns * side
        sheet.paste(Image.fromarray(small, "RGBA"), (x, y))
        height, width = small.shape[:2]
        index.append([sprite.noun, sprite.style, x, y, width, height])
    folder.mkdir(parents=True, exist_ok=True)
    sheet.save(folder / "sheet.webp", lossless=False, quality=92, alpha_quality=100, method=6)
    (folder / "sheet.json").write_text(json.dumps(index, separators=(",", ":")) + "\n")


def read_sheet(folder: Traversable) -> SpriteBank:
    """Read what `write_sheet` wrote."""
    index = json.loads(folder.joinpath("sheet.json").read_text("utf-8"))
    with folder.joinpath("sheet.webp").open("rb") as file:
        sheet = np.array(Image.open(file).convert("RGBA"))
    return SpriteBank(
        tuple(
            Sprite(noun, style, sheet[y : y + height, x : x + width].copy())
            for noun, style, x, y, width, height in index
        )
    )


def shipped_bank() -> SpriteBank:
    """Read the sheet of two styles that lies beside this file."""
    return read_sheet(resources.files("lab.scenes"))
