"""Good and bad answers of the embedded chat model, as one picture.

Nothing is chosen by hand: of each kind of question it is the first right answer and the first wrong
one on held-out scenes, each kind beginning at a scene of its own.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import PIL.Image
from PIL import ImageDraw

from lab.chat.evaluate import (
    ChatQuestion,
    held_out_scenes,
    is_correct,
    query_of,
    questions_about,
    reply_boxes,
)
from lab.chat.replies import generate_replies
from lab.scenes.art import best_bank
from lab.scenes.scene import Scene
from lab.scenes.sprites import HELD_OUT_STYLE
from segue.draw.lettering import font_for
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
    scenes_drawn = held_out_scenes(bank.trainable(), scenes - styled, seed)
    if styled:
        scenes_drawn += held_out_scenes(bank.only(HELD_OUT_STYLE), styled, seed + 1)
    model, processor = load(Path(weights), dtype="float32", device="cpu")
    questions = questions_about(scenes_drawn, seed)
    images = [scene.image for scene in scenes_drawn]
    replies = generate_replies(
        model, processor, images, [query_of(question) for question in questions]
    )
    answered_questions = list(zip(questions, replies, strict=True))
    cells = []
    for number, kind in enumerate(_KINDS):
        begin = number * len(scenes_drawn) // len(_KINDS)
        answered_questions.sort(key=lambda pair: (pair[0].scene - begin) % len(scenes_drawn))
        for good in (True, False):
            fitting = (
                (question, reply)
                for question, reply in answered_questions
                if _kind(question) == kind and is_correct(question, reply) is good
            )
            example = next(fitting, None)
            cells.append(
                _cell(scenes_drawn, *example, good, side) if example else _empty(kind, good, side)
            )
    width, height = cells[0].size
    sheet = PIL.Image.new("RGB", (_ACROSS * width, -(-len(cells) // _ACROSS) * height), "white")
    for number, cell in enumerate(cells):
        sheet.paste(cell, (number % _ACROSS * width, number // _ACROSS * height))
    return sheet


def _kind(question: ChatQuestion) -> str:
    denied = question.turn.kind == "ground" and not question.turn.present
    return "absent" if denied else question.turn.kind


def _blank(side: int) -> PIL.Image.Image:
    return PIL.Image.new("RGB", (side + 8, side + 12 + (_SIZE + 4) * _LINES), "white")


def _empty(kind: str, good: bool, side: int) -> PIL.Image.Image:
    cell, text = _blank(side), f"{kind}: no {'right' if good else 'wrong'} answer here"
    ImageDraw.Draw(cell).text((6, side // 2), text, "gray", font_for(text, _SIZE))
    return cell


def _cell(
    scenes: Sequence[Scene], question: ChatQuestion, reply: str, good: bool, side: int
) -> PIL.Image.Image:
    """Draw the scene with the boxes of the reply, above the question and the reply."""
    back = question.turn.kind.startswith("picture before")
    scene = scenes[question.scene - back]
    colour = "#0a7d2c" if good else "#c01f1f"
    picture = PIL.Image.fromarray(np.asarray(scene.image)).resize((side, side))
    draw = ImageDraw.Draw(picture)
    for box in reply_boxes(reply):
        draw.rectangle([value * side / 1000 for value in box.corners], None, colour, 3)
    cell = _blank(side)
    cell.paste(picture, (4, 4))
    draw = ImageDraw.Draw(cell)
    reply = re.sub(r"(<box>.*?</box>)+", " □", re.sub(r"</?ref>", "", reply))
    lead = "" if question.previous_turn is None else "… "
    lines = [(lead + question.turn.question, "black"), (("√ " if good else "× ") + reply, colour)]
    top = side + 7
    for text, ink in lines:
        for line in _wrapped(draw, text, side, 2 if ink == "black" else 3):
            draw.text((5, top), line, ink, font_for(line, _SIZE))
            top += _SIZE + 4
    return cell


def _wrapped(draw: ImageDraw.ImageDraw, text: str, width: int, max_lines: int) -> list[str]:
    """Break a text into at most `max_lines` lines of `width` pixels; the rest is left out."""
    lines, line = [], ""
    for piece in re.findall(r"[\x21-\x7e]+ ?|.", text):
        if line and draw.textlength(line + piece.rstrip(), font_for(text, _SIZE)) > width:
            lines.append(line)
            line = ""
        line += piece
    lines.append(line)
    return (
        lines
        if len(lines) <= max_lines
        else [*lines[: max_lines - 1], lines[max_lines - 1][:-1] + "…"]
    )
