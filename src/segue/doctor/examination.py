"""Asks a chat model about drawn shapes, one property at a time, and draws the conclusions."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

from segue.chat import ChatModel, seen_size, thinks
from segue.dialects import (
    DIALECTS,
    BoxMention,
    Dialect,
    PlainText,
    PointMention,
    Thought,
    drop_retracted,
)
from segue.dialects.parsing.thoughts import split_thoughts
from segue.doctor.drawings import Drawing, crowd, grounding_drawings, pair
from segue.doctor.readings import Asked, Reading, best_reading
from segue.doctor.verdict import Verdict, shown
from segue.errors import ModelError
from segue.prompting.grounding_prompts import grounding_prompt
from segue.runtime.profile import Profile
from segue.values.box import Size
from segue.values.frames import SEEN_PIXELS, Frame, SeenPixels
from segue.values.image import Image
from segue.values.message import Message, Sampling

COUNT_TO = 60
_ASKED_LIKE = ("qwen3_vl", "qwen_vl", "gemini", "paligemma", "florence2", "kosmos2", "molmo")
"""Dialects whose questions are tried, after those of the model's own."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, and how."""

    text: str
    finish: str
    pieces: int
    seconds: float


def examine(
    chat: ChatModel, drawings: Sequence[Drawing] = (), tell: Tell = lambda step: None
) -> Verdict:
    """Find out how a chat model behaves.

    Args:
        chat: the model or endpoint.
        drawings: more pictures with known boxes, for a model that does not know plain shapes.
        tell: called with each step before it is taken.

    Returns:
        Findings, pictures, and a profile for later calls.

    Raises:
        ModelError: the model does not answer at all.
    """
    today = datetime.now(UTC).date().isoformat()
    verdict = Verdict(Profile(name=chat.name, checked=today))
    tell("a first question")
    _speaking(chat, verdict)
    tell("several pictures")
    _several_pictures(chat, verdict)
    tell("counting")
    _counting(chat, verdict)
    tell("boxes")
    _boxes(chat, verdict, drawings)
    _connection(chat, verdict)
    found = tuple(finding.text for finding in verdict.defects)
    verdict.profile = replace(verdict.profile, found=found)
    return verdict


def ask(chat: ChatModel, text: str, *images: Image, limit: int = 400) -> Reply:
    """Put one question, greedily."""
    started, parts, finish = perf_counter(), [], "stop"
    stream = iter(chat.stream([Message("user", text, images)], Sampling(limit, temperature=0)))
    while True:
        try:
            parts.append(next(stream))
        except StopIteration as end:
            finish = end.value or "stop"
            break
    return Reply("".join(parts), finish, len(parts), perf_counter() - started)


def _speaking(chat: ChatModel, verdict: Verdict) -> None:
    """Streaming and truncation, by a long reply that is known."""
    question = f"Count from 1 to {COUNT_TO}. Write the numbers, separated by spaces, nothing else."
    reply = ask(chat, question, crowd().image)
    words, _ = _read(chat, reply.text)
    numbers = [int(text) for text in re.findall(r"\d+", words)]
    reached = next((n for n, value in enumerate(numbers) if value != n + 1), len(numbers))
    _thoughts(chat, verdict, reply)
    if reply.finish in ("error", "refused"):
        why = getattr(reply.finish, "notice", "") or reply.finish
        verdict.add("errors", False, f"Its replies end in an error: {why}.")
    if reply.pieces == 1 and len(reply.text) > 40:
        verdict.profile = replace(verdict.profile, streams=False)
        verdict.add("streaming", False, "Replies come all at once: it does not stream.")
    else:
        verdict.add("streaming", True, f"{reply.pieces} pieces in {reply.seconds:.1f} s.")
    if reached >= COUNT_TO:
        verdict.add("length", True, f"A reply of {len(reply.text)} characters came whole.")
    elif reply.finish in ("length", "error") and reached:
        verdict.add(
            "length", False,
            f"Replies are cut off: {len(reply.text)} characters came, up to the number {reached} "
            f"of {COUNT_TO}. Raise the server's limit of tokens, or look for what breaks the "
            "stream.",
        )  # fmt: skip
    else:
        verdict.add(
            "length", None,
            f"It does not count to {COUNT_TO}, so a cut cannot be told from its own end.",
        )  # fmt: skip


def _thoughts(chat: ChatModel, verdict: Verdict, reply: Reply) -> None:
    """Whether it thinks, and whether it says where a thought begins."""
    parts = list(split_thoughts(reply.text))
    found = [part for part in parts if isinstance(part, Thought)]
    if any(thought.retracts for thought in found):
        verdict.profile = replace(verdict.profile, thinks=True)
        verdict.add(
            "thoughts", False,
            "It thinks aloud: its replies begin inside a thought, and only its end is marked. From "
            "now on nothing is shown before the thought has ended. Better: switch the server's "
            "reasoning parser on.",
        )  # fmt: skip
    elif any(thought.cut for thought in found) or (found and not _words(parts)):
        verdict.add(
            "thoughts", False,
            f"It only thinks: {sum(thought.length for thought in found)} characters, and no answer "
            "within the limit. Raise --max-new-tokens, or switch its thinking off.",
        )  # fmt: skip
    elif found:
        verdict.profile = replace(verdict.profile, thinks=False)
        verdict.add("thoughts", True, "It thinks, and marks its thoughts: they stay out.")
    else:
        if thinks(chat):
            verdict.profile = replace(verdict.profile, thinks=False)
        verdict.add("thoughts", True, "It answers without thinking aloud.")


def _words(parts: Sequence[str | Thought]) -> str:
    return "".join(part for part in parts if isinstance(part, str)).strip()


def _several_pictures(chat: ChatModel, verdict: Verdict) -> None:
    first, second = pair()
    question = "Which colour has the shape in each of the two pictures? Answer with the colours."
    try:
        reply = ask(chat, question, first.image, second.image)
    except ModelError as error:
        verdict.profile = replace(verdict.profile, pictures=1)
        verdict.add("several pictures", False, f"Two pictures at once are refused. {error}")
        return
    text = _read(chat, reply.text)[0].lower()
    sees = [any(word in text for word in words) for words in (("red", "红"), ("blue", "蓝"))]
    if all(sees):
        verdict.add("several pictures", True, "It sees both of two pictures.")
    elif any(sees):
        which = "first" if sees[0] else "second"
        verdict.profile = replace(verdict.profile, pictures=1)
        verdict.add(
            "several pictures", False,
            f"Of two pictures only the {which} one reaches the model. From now on only the newest "
            "picture is sent.",
        )  # fmt: skip
    else:
        verdict.add("several pictures", None, "It names the colour of neither shape.")


def _counting(chat: ChatModel, verdict: Verdict) -> None:
    drawing = crowd()
    truth = len(drawing.shapes)
    question = "How many circles are in the picture? Answer with a number."
    words, marks = _read(chat, ask(chat, question, drawing.image).text)
    number = re.search(r"\d+", words)
    if number is None and not marks:
        verdict.add("counting", None, "It answers without a number.")
        return
    told = f"counts {number[0]}" if number else f"points at {marks}"
    if (int(number[0]) if number else marks) == truth:
        verdict.add("counting", True, f"It {told} circles.")
    else:
        verdict.add(
            "counting", False,
            f"It {told} circles where there are {truth}: do not trust its numbers; let the "
            "detector find all of a kind.",
        )  # fmt: skip


def _read(chat: ChatModel, reply: str) -> tuple[str, int]:
    """The words of a reply, and how many boxes and points it holds."""
    dialect: Dialect = DIALECTS.load(chat.dialect)
    events = drop_retracted(dialect.read([reply], thinks=thinks(chat)))
    words = "".join(event.text for event in events if isinstance(event, PlainText))
    return words, sum(isinstance(event, BoxMention | PointMention) for event in events)


def _boxes(chat: ChatModel, verdict: Verdict, more: Sequence[Drawing]) -> None:
    asked, reading = _grounded(chat, grounding_drawings())
    if (reading is None or not reading.fits) and more:
        verdict.add("shapes", None, "It does not find plain shapes; drawings of things follow.")
        other, found = _grounded(chat, more)
        if found is not None and (reading is None or found.score > reading.score):
            asked, reading = other, found
    _show(verdict, asked, reading)
    if reading is None:
        verdict.add(
            "boxes", False,
            "It answers without boxes or points in any known dialect. Its words can be used, and a "
            f"detector can find what they name. One reply: {_short(asked[0].reply)}",
        )  # fmt: skip
        return
    if not reading.fits:
        verdict.add(
            "boxes", None,
            f"Boxes in the dialect {reading.dialect}, which are not where the shapes are (mean IoU "
            f"{reading.score:.2f}): its frame cannot be told. One reply: {_short(asked[0].reply)}",
        )  # fmt: skip
        return
    _conclude(chat, verdict, asked, reading)


def _grounded(chat: ChatModel, drawings: Sequence[Drawing]) -> tuple[list[Asked], Reading | None]:
    """Ask for every shape, in one family's way after another until one is understood."""
    ways: dict[str, str] = {}  # question -> the first dialect that asks so
    for name in (chat.dialect, *_ASKED_LIKE):
        ways.setdefault(grounding_prompt(name, ["it"]), name)
    best: tuple[list[Asked], Reading | None] = ([], None)
    for name in ways.values():
        asked = _ask_for_all(chat, drawings, name)
        reading = best_reading(asked, chat.dialect)
        if not best[0] or (reading and (best[1] is None or reading.score > best[1].score)):
            best = asked, reading
        if reading is not None and reading.fits:
            break
    return best


def _ask_for_all(chat: ChatModel, drawings: Sequence[Drawing], like: str) -> list[Asked]:
    asked = []
    for drawing in drawings:
        seen = seen_size(chat, drawing.image.size)
        for shape in drawing.shapes:
            text = ask(chat, grounding_prompt(like, [shape.phrase]), drawing.image).text
            asked.append(Asked(drawing, shape, seen, text))
    return asked


def _conclude(chat: ChatModel, verdict: Verdict, asked: Sequence[Asked], reading: Reading) -> None:
    """Dialect, frame and size, from a reading that fits."""
    verdict.profile = replace(verdict.profile, dialect=reading.dialect)
    verdict.add("dialect", True, f"Its boxes are written as {reading.dialect} does.")
    if reading.dialect == "qwen2_vl_stripped":
        verdict.profile = replace(verdict.profile, keeps_tokens=False)
        verdict.add(
            "tokens", False,
            "The tags around its boxes are gone: the server takes special tokens out of replies. "
            "Switch that off (skip_special_tokens); until then the bare coordinates are read.",
        )  # fmt: skip
    elif "<" in "".join(one.reply for one in asked):
        verdict.add("tokens", True, "The tags of its boxes arrive.")
    if reading.resized:
        _resized(chat, verdict, asked, reading)
        return
    frame = reading.frame
    assert isinstance(frame, Frame | SeenPixels)
    verdict.profile = replace(verdict.profile, frame=None if reading.own_frame else frame)
    verdict.add("frame", True, f"Coordinates are {frame}; mean IoU {reading.score:.2f}.")
    if isinstance(frame, SeenPixels):
        verdict.add("size", True, "Pictures arrive at the size at which they are sent.")
    else:
        verdict.add("size", True, "Its coordinates do not depend on the size of the picture.")


def _resized(chat: ChatModel, verdict: Verdict, asked: Sequence[Asked], reading: Reading) -> None:
    sent = list(dict.fromkeys(one.seen for one in asked))
    became = "; ".join(f"{_wxh(a)} became {_wxh(b)}" for a, b in zip(sent, reading.resized))
    text = f"Pictures are resized on the way: {became}."
    smaller = min(size.height * size.width for size in reading.resized)
    profile = replace(verdict.profile, frame=SEEN_PIXELS, most_pixels=smaller)
    remake: Any = getattr(chat, "with_profile", None)
    if remake is not None:
        fitting = remake(profile)
        again, better = _grounded(fitting, grounding_drawings())
        if better is not None and better.fits and isinstance(better.frame, SeenPixels):
            verdict.profile = profile
            _show(verdict, again, better)
            verdict.add(
                "size", False,
                f"{text} From now on they are sent with at most {smaller} pixels, which stay as "
                f"they are: mean IoU {better.score:.2f}.",
            )  # fmt: skip
            return
    verdict.add("size", False, f"{text} Its boxes cannot be trusted: change the server's limit.")


def _connection(chat: ChatModel, verdict: Verdict) -> None:
    """What an endpoint's client has met on the way."""
    repeated, refused = getattr(chat, "repeated", 0), sorted(getattr(chat, "refused", ()))
    if repeated:
        verdict.add(
            "load", False, f"{repeated} requests had to be repeated: it was full or failed."
        )
    if refused:
        verdict.add("fields", None, f"It does not know {', '.join(refused)}; left out from now on.")


def _show(verdict: Verdict, asked: Sequence[Asked], reading: Reading | None) -> None:
    boxes = reading.boxes if reading is not None else (None,) * len(asked)
    for drawing in {one.drawing.name: one.drawing for one in asked}.values():
        mine = [
            (one.shape.phrase, box)
            for one, box in zip(asked, boxes, strict=True)
            if one.drawing is drawing
        ]
        verdict.pictures[drawing.name] = shown(drawing, mine)


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return repr(flat if len(flat) <= 120 else f"{flat[:117]}…")


def _wxh(size: Size) -> str:
    return f"{size.width} x {size.height}"
