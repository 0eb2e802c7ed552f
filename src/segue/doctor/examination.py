"""Examine a chat model with questions about drawn shapes, one property at a time."""

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
from segue.doctor.drawings import (
    Drawing,
    counting_drawing,
    grounding_drawings,
    two_pictures,
)
from segue.doctor.interpretation import GroundingProbe, Interpretation, best_interpretation
from segue.doctor.verdict import Verdict, draw_boxes
from segue.errors import ModelError
from segue.prompting.grounding_prompts import grounding_prompt
from segue.runtime.profile import Profile
from segue.values.box import Size
from segue.values.frames import SEEN_PIXELS, Frame, SeenPixels
from segue.values.image import Image
from segue.values.message import Message, Sampling

COUNT_TO = 60
_PROMPT_DIALECTS = ("qwen3_vl", "qwen_vl", "gemini", "paligemma", "florence2", "kosmos2", "molmo")
"""Dialects whose grounding prompts are tried, after the model's own."""

ReportStep = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ProbeReply:
    """A reply, and how it arrived."""

    text: str
    finish: str
    n_chunks: int
    seconds: float


def examine(
    chat: ChatModel, drawings: Sequence[Drawing] = (), report_step: ReportStep = lambda step: None
) -> Verdict:
    """Examine how a chat model behaves.

    Args:
        chat: the model or endpoint.
        drawings: more pictures with known boxes, for models that do not know plain shapes.
        report_step: called with the name of each step before it starts.

    Returns:
        Findings, pictures, and a profile for later calls.

    Raises:
        ModelError: the model does not answer at all.
    """
    today = datetime.now(UTC).date().isoformat()
    verdict = Verdict(Profile(name=chat.name, checked=today))
    report_step("a first question")
    _check_streaming(chat, verdict)
    report_step("several pictures")
    _check_several_pictures(chat, verdict)
    report_step("counting")
    _check_counting(chat, verdict)
    report_step("boxes")
    _check_boxes(chat, verdict, drawings)
    _check_connection(chat, verdict)
    defects = tuple(finding.text for finding in verdict.defects)
    verdict.profile = replace(verdict.profile, found=defects)
    return verdict


def ask(chat: ChatModel, text: str, *images: Image, limit: int = 400) -> ProbeReply:
    """Ask one question, with greedy sampling."""
    start_s, chunks, finish = perf_counter(), [], "stop"
    stream = iter(chat.stream([Message("user", text, images)], Sampling(limit, temperature=0)))
    while True:
        try:
            chunks.append(next(stream))
        except StopIteration as end:
            finish = end.value or "stop"
            break
    return ProbeReply("".join(chunks), finish, len(chunks), perf_counter() - start_s)


def _check_streaming(chat: ChatModel, verdict: Verdict) -> None:
    """Check streaming and truncation, with a long reply that is known."""
    question = f"Count from 1 to {COUNT_TO}. Write the numbers, separated by spaces, nothing else."
    reply = ask(chat, question, counting_drawing().image)
    text, _ = _read_reply(chat, reply.text)
    numbers = [int(digits) for digits in re.findall(r"\d+", text)]
    last_number = next((n for n, value in enumerate(numbers) if value != n + 1), len(numbers))
    _check_thoughts(chat, verdict, reply)
    if reply.finish in ("error", "refused"):
        reason = getattr(reply.finish, "notice", "") or reply.finish
        verdict.add_finding("errors", False, f"Its replies end with an error: {reason}.")
    if reply.n_chunks == 1 and len(reply.text) > 40:
        verdict.add_finding("streaming", False, "Replies arrive all at once: it does not stream.")
    else:
        verdict.add_finding("streaming", True, f"{reply.n_chunks} chunks in {reply.seconds:.1f} s.")
    if last_number >= COUNT_TO:
        verdict.add_finding(
            "length", True, f"A reply of {len(reply.text)} characters arrived complete."
        )
    elif reply.finish in ("length", "error") and last_number:
        verdict.add_finding(
            "length", False,
            f"Replies are truncated: {len(reply.text)} characters arrived, up to the number "
            f"{last_number} of {COUNT_TO}. Raise the server's token limit, or look for what "
            "interrupts the stream.",
        )  # fmt: skip
    else:
        verdict.add_finding(
            "length", None,
            f"It does not count to {COUNT_TO}, so truncation cannot be detected.",
        )  # fmt: skip


def _check_thoughts(chat: ChatModel, verdict: Verdict, reply: ProbeReply) -> None:
    """Check whether it thinks, and marks its thoughts."""
    parts = list(split_thoughts(reply.text))
    thoughts = [part for part in parts if isinstance(part, Thought)]
    if any(thought.retracts for thought in thoughts):
        verdict.profile = replace(verdict.profile, thinks=True)
        verdict.add_finding(
            "thoughts", False,
            "It thinks aloud: its replies start inside a thought, and only the end is marked. From "
            "now on nothing is shown before the thought has ended. Better: turn on the server's "
            "reasoning parser.",
        )  # fmt: skip
    elif any(thought.cut for thought in thoughts) or (thoughts and not _text_outside(parts)):
        verdict.add_finding(
            "thoughts", False,
            f"It only thinks: {sum(thought.length for thought in thoughts)} characters, and no "
            "answer within the limit. Raise --max-new-tokens, or turn its thinking off.",
        )  # fmt: skip
    elif thoughts:
        verdict.profile = replace(verdict.profile, thinks=False)
        verdict.add_finding(
            "thoughts", True, "It thinks, and marks its thoughts, which are not shown."
        )
    else:
        if thinks(chat):
            verdict.profile = replace(verdict.profile, thinks=False)
        verdict.add_finding("thoughts", True, "It answers without thinking aloud.")


def _text_outside(parts: Sequence[str | Thought]) -> str:
    return "".join(part for part in parts if isinstance(part, str)).strip()


def _check_several_pictures(chat: ChatModel, verdict: Verdict) -> None:
    first, second = two_pictures()
    question = "Which colour has the shape in each of the two pictures? Answer with the colours."
    try:
        reply = ask(chat, question, first.image, second.image)
    except ModelError as error:
        verdict.profile = replace(verdict.profile, pictures=1)
        verdict.add_finding("several pictures", False, f"It refuses two pictures at once. {error}")
        return
    text = _read_reply(chat, reply.text)[0].lower()
    saw_colours = [any(word in text for word in words) for words in (("red", "红"), ("blue", "蓝"))]
    if all(saw_colours):
        verdict.add_finding("several pictures", True, "It sees both of two pictures.")
    elif any(saw_colours):
        ordinal = "first" if saw_colours[0] else "second"
        verdict.profile = replace(verdict.profile, pictures=1)
        verdict.add_finding(
            "several pictures", False,
            f"Of two pictures only the {ordinal} one reaches the model. From now on only the "
            "newest picture is sent.",
        )  # fmt: skip
    else:
        verdict.add_finding("several pictures", None, "It names the colour of neither shape.")


def _check_counting(chat: ChatModel, verdict: Verdict) -> None:
    drawing = counting_drawing()
    true_count = len(drawing.shapes)
    question = "How many circles are in the picture? Answer with a number."
    text, n_marks = _read_reply(chat, ask(chat, question, drawing.image).text)
    number = re.search(r"\d+", text)
    if number is None and not n_marks:
        verdict.add_finding("counting", None, "It answers without a number.")
        return
    counting = f"counts {number[0]}" if number else f"points at {n_marks}"
    if (int(number[0]) if number else n_marks) == true_count:
        verdict.add_finding("counting", True, f"It {counting} circles.")
    else:
        verdict.add_finding(
            "counting", False,
            f"It {counting} circles where there are {true_count}: do not trust its counts; let the "
            "detector find all objects of a category.",
        )  # fmt: skip


def _read_reply(chat: ChatModel, reply: str) -> tuple[str, int]:
    """Return the text of a reply, and its number of boxes and points."""
    dialect: Dialect = DIALECTS.load(chat.dialect)
    events = drop_retracted(dialect.read([reply], thinks=thinks(chat)))
    text = "".join(event.text for event in events if isinstance(event, PlainText))
    return text, sum(isinstance(event, BoxMention | PointMention) for event in events)


def _check_boxes(chat: ChatModel, verdict: Verdict, drawings: Sequence[Drawing]) -> None:
    probes, interpretation = _probe_boxes(chat, grounding_drawings())
    if (interpretation is None or not interpretation.is_accepted) and drawings:
        verdict.add_finding(
            "shapes", None, "It does not find plain shapes; trying drawings of objects."
        )
        new_probes, new_interpretation = _probe_boxes(chat, drawings)
        if new_interpretation is not None and (
            interpretation is None or new_interpretation.score > interpretation.score
        ):
            probes, interpretation = new_probes, new_interpretation
    _draw_probes(verdict, probes, interpretation)
    if interpretation is None:
        verdict.add_finding(
            "boxes", False,
            "It answers without boxes or points in any known dialect. Its text can be used, and a "
            f"detector can find what it names. An example: {_shorten(probes[0].reply)}",
        )  # fmt: skip
        return
    if not interpretation.is_accepted:
        verdict.add_finding(
            "boxes", None,
            f"Its boxes, in the dialect {interpretation.dialect}, are not where the shapes are "
            f"(mean IoU {interpretation.score:.2f}): the coordinate frame is unknown. An example: "
            f"{_shorten(probes[0].reply)}",
        )  # fmt: skip
        return
    _record_interpretation(chat, verdict, probes, interpretation)


def _probe_boxes(
    chat: ChatModel, drawings: Sequence[Drawing]
) -> tuple[list[GroundingProbe], Interpretation | None]:
    """Ask for every shape with one grounding prompt after another until replies are understood."""
    dialect_of_prompt: dict[str, str] = {}  # prompt -> the first dialect that has it
    for dialect in (chat.dialect, *_PROMPT_DIALECTS):
        dialect_of_prompt.setdefault(grounding_prompt(dialect, ["it"]), dialect)
    best_probes: list[GroundingProbe] = []
    best: Interpretation | None = None
    for dialect in dialect_of_prompt.values():
        probes = _ask_for_shapes(chat, drawings, dialect)
        interpretation = best_interpretation(probes, chat.dialect)
        if not best_probes or (
            interpretation and (best is None or interpretation.score > best.score)
        ):
            best_probes, best = probes, interpretation
        if interpretation is not None and interpretation.is_accepted:
            break
    return best_probes, best


def _ask_for_shapes(
    chat: ChatModel, drawings: Sequence[Drawing], prompt_dialect: str
) -> list[GroundingProbe]:
    probes = []
    for drawing in drawings:
        sent_size = seen_size(chat, drawing.image.size)
        for shape in drawing.shapes:
            prompt = grounding_prompt(prompt_dialect, [shape.phrase])
            reply = ask(chat, prompt, drawing.image).text
            probes.append(GroundingProbe(drawing, shape, sent_size, reply))
    return probes


def _record_interpretation(
    chat: ChatModel,
    verdict: Verdict,
    probes: Sequence[GroundingProbe],
    interpretation: Interpretation,
) -> None:
    """Record dialect, frame and size of an accepted interpretation."""
    dialect = interpretation.dialect
    verdict.profile = replace(verdict.profile, dialect=dialect)
    verdict.add_finding("dialect", True, f"Its boxes are written in the dialect {dialect}.")
    if dialect == "qwen2_vl_stripped":
        verdict.add_finding(
            "tokens", False,
            "The tags around its boxes are missing: the server strips special tokens from replies. "
            "Turn that off (skip_special_tokens); until then the bare coordinates are read.",
        )  # fmt: skip
    elif "<" in "".join(probe.reply for probe in probes):
        verdict.add_finding("tokens", True, "The tags around its boxes arrive.")
    if interpretation.fitted_sizes:
        _record_resizing(chat, verdict, probes, interpretation)
        return
    frame = interpretation.frame
    assert isinstance(frame, Frame | SeenPixels)
    verdict.profile = replace(
        verdict.profile, frame=None if interpretation.is_dialect_frame else frame
    )
    verdict.add_finding(
        "frame", True, f"Coordinates are {frame}; mean IoU {interpretation.score:.2f}."
    )
    if isinstance(frame, SeenPixels):
        verdict.add_finding("size", True, "Pictures arrive at the size at which they are sent.")
    else:
        verdict.add_finding("size", True, "Its coordinates do not depend on the picture's size.")


def _record_resizing(
    chat: ChatModel,
    verdict: Verdict,
    probes: Sequence[GroundingProbe],
    interpretation: Interpretation,
) -> None:
    """Record that pictures are resized on the way, and whether sending smaller ones helps."""
    sent_sizes = list(dict.fromkeys(probe.sent_size for probe in probes))
    changes = "; ".join(
        f"{_width_by_height(sent)} became {_width_by_height(received)}"
        for sent, received in zip(sent_sizes, interpretation.fitted_sizes)
    )
    text = f"Pictures are resized on the way: {changes}."
    max_pixels = min(size.height * size.width for size in interpretation.fitted_sizes)
    profile = replace(verdict.profile, frame=SEEN_PIXELS, most_pixels=max_pixels)
    with_profile: Any = getattr(chat, "with_profile", None)
    if with_profile is not None:
        probes, interpretation_after = _probe_boxes(with_profile(profile), grounding_drawings())
        if (
            interpretation_after is not None
            and interpretation_after.is_accepted
            and isinstance(interpretation_after.frame, SeenPixels)
        ):
            verdict.profile = profile
            _draw_probes(verdict, probes, interpretation_after)
            verdict.add_finding(
                "size", False,
                f"{text} From now on they are sent with at most {max_pixels} pixels, which are not "
                f"resized: mean IoU {interpretation_after.score:.2f}.",
            )  # fmt: skip
            return
    verdict.add_finding(
        "size", False, f"{text} Its boxes cannot be trusted: change the server's limit."
    )


def _check_connection(chat: ChatModel, verdict: Verdict) -> None:
    """Report retries and refused fields, as the client of an endpoint counted them."""
    retries, refused_fields = getattr(chat, "repeated", 0), sorted(getattr(chat, "refused", ()))
    if retries:
        verdict.add_finding(
            "load", False, f"{retries} requests had to be repeated: it was overloaded or failed."
        )
    if refused_fields:
        verdict.add_finding(
            "fields", None, f"It does not accept {', '.join(refused_fields)}; no longer sent."
        )


def _draw_probes(
    verdict: Verdict, probes: Sequence[GroundingProbe], interpretation: Interpretation | None
) -> None:
    boxes = interpretation.boxes if interpretation is not None else (None,) * len(probes)
    for drawing in {probe.drawing.name: probe.drawing for probe in probes}.values():
        drawing_boxes = [
            (probe.shape.phrase, box)
            for probe, box in zip(probes, boxes, strict=True)
            if probe.drawing is drawing
        ]
        verdict.pictures[drawing.name] = draw_boxes(drawing, drawing_boxes)


def _shorten(text: str) -> str:
    one_line = " ".join(text.split())
    return repr(one_line if len(one_line) <= 120 else f"{one_line[:117]}…")


def _width_by_height(size: Size) -> str:
    return f"{size.width} x {size.height}"
