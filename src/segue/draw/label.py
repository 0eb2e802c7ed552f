"""Labels: text on chips, inside the picture, out of one another's way."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt

import PIL.Image
from PIL import ImageDraw, ImageFont

from segue.draw.lettering import font_for
from segue.draw.palette import Colour, contrast_colour
from segue.values.box import Box

_SMALLEST_LETTERS = 9
_SAMPLE = "Ag国"
"""Decides the height of a line, whatever the text."""


@dataclass(frozen=True, slots=True)
class Label:
    """What to write, and about which place."""

    text: str
    """Cut short when it is too long."""
    number: str
    """Written after the text and never cut; may be empty."""
    box: Box
    colour: Colour


def draw_labels(picture: PIL.Image.Image, labels: Sequence[Label]) -> list[Box]:
    """Write each text on a chip of its colour beside its box, on the picture itself.

    Text too long for the picture ends in an ellipsis. Where no place is free, chips overlap as
    little as possible. A picture too small for a letter is left as it is.

    Returns:
        Where the chips are, in pixels, in the order of the labels; empty when there was no room.
    """
    letters = letter_size(picture)
    if picture.height < letters * 1.5 or picture.width < letters * 2:
        return []
    draw = ImageDraw.Draw(picture)
    chips: list[Box] = []
    pad = max(2, round(letters * 0.28))
    room = min(picture.width - 2 * pad - 2, letters * 22)
    for label in labels:
        printable = "".join(c if c.isprintable() else " " for c in label.text)
        printable = " ".join(printable.split())[:200] or "?"
        font = font_for(printable, letters)
        text = _shorten(printable, label.number, font, room)
        top, bottom = font.getbbox(_SAMPLE, anchor="ls")[1::2]
        width, height = font.getlength(text) + 2 * pad, bottom - top + 2 * max(1, pad * 0.6)
        other_boxes = [neighbour.box for neighbour in labels if neighbour is not label]
        chip = _place_chip(
            width, height, label.box, picture.width, picture.height, chips, other_boxes
        )
        chips.append(chip)
        _draw_chip(draw, chip, label.colour, letters)
        baseline = chip.centre[1] - (top + bottom) / 2
        draw.text((chip.x0 + pad, baseline), text, contrast_colour(label.colour), font, anchor="ls")
    return chips


def letter_size(picture: PIL.Image.Image) -> int:
    """Size of letters for a picture, in pixels."""
    return max(_SMALLEST_LETTERS + 1, round(sqrt(picture.height * picture.width) / 30))


def _shorten(text: str, number: str, font: ImageFont.FreeTypeFont, room: float) -> str:
    if font.getlength(text + number) <= room:
        return text + number
    low, high = 0, len(text)  # the longest beginning that fits, by halving
    while low < high:
        middle = (low + high + 1) // 2
        if font.getlength(text[:middle].rstrip() + "..." + number) <= room:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "..." + number


def _draw_chip(draw: ImageDraw.ImageDraw, chip: Box, colour: Colour, letters: int) -> None:
    corners = (round(chip.x0), round(chip.y0), round(chip.x1) - 1, round(chip.y1) - 1)
    draw.rounded_rectangle(
        corners,
        radius=max(2, letters // 4),
        fill=colour,
        outline=contrast_colour(colour),
        width=max(1, round(letters / 22)),
    )


def _place_chip(
    width: float,
    height: float,
    box: Box,
    across: int,
    down: int,
    placed_chips: list[Box],
    other_boxes: list[Box],
) -> Box:
    """Choose the place of a chip: off other chips first, then off other objects, then near."""

    def cost(chip: Box) -> float:
        on_chips = sum(_overlap(chip, neighbour) for neighbour in placed_chips)
        on_others = sum(_overlap(chip, neighbour) for neighbour in other_boxes)
        distance = abs(chip.x0 - box.x0) + min(abs(chip.y1 - box.y0), abs(chip.y0 - box.y1))
        return (
            100 * on_chips / chip.area
            + 2 * on_others / chip.area
            + 0.6 * _overlap(chip, box) / chip.area
            + 3 * distance / (across + down)
        )

    candidates = [
        Box(x, y, x + width, y + height) for x, y in _corners(width, height, box, across, down)
    ]
    return min(candidates, key=cost)


def _corners(
    width: float, height: float, box: Box, across: int, down: int
) -> Iterator[tuple[float, float]]:
    """Top left corners to try, all inside the picture: around the box, then further off."""
    columns = [box.x0, box.x1 - width, box.centre[0] - width / 2, box.x1, box.x0 - width]
    rows = [box.y0 - height, box.y1, box.y0, box.y1 - height, box.centre[1] - height / 2]
    rows += [box.y0 + step * height for step in (-3, -2, 1, 2, 3)]
    rows += [box.y1 + step * height for step in (1, 2)]
    for y in rows:
        for x in columns:
            yield (
                min(max(x, 0), max(across - width, 0)),
                min(max(y, 0), max(down - height, 0)),
            )


def _overlap(first: Box, second: Box) -> float:
    across = min(first.x1, second.x1) - max(first.x0, second.x0)
    down = min(first.y1, second.y1) - max(first.y0, second.y0)
    return max(across, 0.0) * max(down, 0.0)
