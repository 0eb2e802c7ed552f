"""Good and bad answers of the embedded chat model, as one picture.

Nothing is chosen by hand: of each kind of question it is the first right answer and the first wrong
one on held-out scenes, each kind beginning at a scene of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import PIL.Image
from PIL import ImageDraw

from segue.draw.lettering import font_for
from segue.embedded.chat_evaluation import (
    Asked,
    boxes_in,
    held_out_scenes,
    query_of,
    questions_about,
    right,
)
from segue.embedded.chat_replies import replies
from segue.embedded.scenes import Scene
from segue.embedded.sprites import HELD_OUT_STYLE, best_bank
from segue.models.qwen_vl import load

SEED = 950_001
"""Scenes of the gallery; neither trained on nor measured with."""

_KINDS = (
    *("describe", "caption", "ground", "absent", "exist", "count", "where", "side", "colour"),
    *("biggest", "beside", "background", "segment", "segment_held_out", "segment_two"),
    *("ground_again", "segment_again", "talk_held_out", "second picture: frame"),
    "picture before, trained wordings",
)
_ACROSS, _LINES, _SIZE = 4, 5, 12


def gallery(
    weights: str | Path, *, scenes: int = 40, seed: int = SEED, side: int = 220
) -> PIL.Image.Image:
    """Draw the first right and the first wrong answer of each kind, two kinds a row.

    Args:
        weights: a folder of weights.
        scenes: held-out scenes to ask about, half of them in the held-out style where it has been
            fetched.
        seed: of the scenes and questions.
        side: of each picture, in pixels.
    """
    bank = best_bank()
    styled = scenes // 2 if HELD_OUT_STYLE in bank.styles else 0
    drawn = held_out_scenes(bank.without(HELD_OUT_STYLE), scenes - styled, seed)
    if styled:
        drawn += held_out_scenes(bank.only(HELD_OUT_STYLE), styled, seed + 1)
    model, processor = load(Path(weights), dtype="float32", device="cpu")
    asked = questions_about(drawn, seed)
    images = [scene.image for scene in drawn]
    said = replies(model, processor, images, [query_of(one) for one in asked])
    answered = list(zip(asked, said, strict=True))
    cells = []
    for number, kind in enumerate(_KINDS):
        begin = number * len(drawn) // len(_KINDS)
        answered.sort(key=lambda pair: (pair[0].scene - begin) % len(drawn))
        for good in (True, False):
            fitting = (
                (one, reply)
                for one, reply in answered
                if _kind(one) == kind and right(one, reply) is good
            )
            found = next(fitting, None)
            cells.append(_cell(drawn, *found, good, side) if found else _empty(kind, good, side))
    width, height = cells[0].size
    sheet = PIL.Image.new("RGB", (_ACROSS * width, -(-len(cells) // _ACROSS) * height), "white")
    for number, cell in enumerate(cells):
        sheet.paste(cell, (number % _ACROSS * width, number // _ACROSS * height))
    return sheet


def _kind(one: Asked) -> str:
    denied = one.turn.kind == "ground" and not one.turn.present
    return "absent" if denied else one.turn.kind


def _blank(side: int) -> PIL.Image.Image:
    return PIL.Image.new("RGB", (side + 8, side + 12 + (_SIZE + 4) * _LINES), "white")


def _empty(kind: str, good: bool, side: int) -> PIL.Image.Image:
    cell, text = _blank(side), f"{kind}: no {'right' if good else 'wrong'} answer here"
    ImageDraw.Draw(cell).text((6, side // 2), text, "gray", font_for(text, _SIZE))
    return cell


def _cell(scenes: Sequence[Scene], one: Asked, said: str, good: bool, side: int) -> PIL.Image.Image:
    """The scene with the boxes of the reply, above the question and the reply."""
    back = one.turn.kind.startswith("picture before")
    scene = scenes[one.scene - back]
    colour = "#0a7d2c" if good else "#c01f1f"
    picture = PIL.Image.fromarray(np.asarray(scene.image)).resize((side, side))
    draw = ImageDraw.Draw(picture)
    for box in boxes_in(said):
        x0, y0, x1, y1 = (value * side / 1000 for value in box)
        draw.rectangle((min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)), None, colour, 3)
    cell = _blank(side)
    cell.paste(picture, (4, 4))
    draw = ImageDraw.Draw(cell)
    reply = re.sub(r"(<box>.*?</box>)+", " □", re.sub(r"</?ref>", "", said))
    lead = "" if one.before is None else "… "
    lines = [(lead + one.turn.question, "black"), (("√ " if good else "× ") + reply, colour)]
    top = side + 7
    for text, ink in lines:
        for line in _wrapped(draw, text, side, 2 if ink == "black" else 3):
            draw.text((5, top), line, ink, font_for(line, _SIZE))
            top += _SIZE + 4
    return cell


def _wrapped(draw: ImageDraw.ImageDraw, text: str, width: int, most: int) -> list[str]:
    """The text as at most `most` lines of `width` pixels; the rest is left out."""
    lines, line = [], ""
    for piece in re.findall(r"[\x21-\x7e]+ ?|.", text):
        if line and draw.textlength(line + piece.rstrip(), font_for(text, _SIZE)) > width:
            lines.append(line)
            line = ""
        line += piece
    lines.append(line)
    return lines if len(lines) <= most else [*lines[: most - 1], lines[most - 1][:-1] + "…"]
