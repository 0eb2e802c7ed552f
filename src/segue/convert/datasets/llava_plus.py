"""LLaVA-Plus tool-use records -> dialogues in which the assistant answers with the tag.

What becomes of a round, by the tool that was called:

    grounding_dino+sam, grounded_sam            <gsam>phrase</gsam>, one tag a phrase
    grounding_dino, ram+… and blip2+…           <ref>phrase</ref><box>…</box> of the reported boxes
    none                                        the answer as it is
    anything else                               the dialogue ends before this round

A detector that reported no box makes the round one of the kind "absent".

Source: the data of LLaVA-Plus, arXiv:2311.05437.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from segue.convert.datasets.captions import phrases_of
from segue.convert.datasets.llava_plus_record import Round, image_name, record_id, rounds_of
from segue.convert.dialogue import Dialogue, Dropped, Turn, plain, pointing, tags
from segue.convert.exif import TURNED, UPRIGHT, Exif, turned_box
from segue.convert.image_files import ImageFiles, Missing
from segue.convert.json_records import Damage, readings
from segue.errors import InputError
from segue.values.box import Box, Size
from segue.values.frames import FramedBox

Mode = Literal["tag", "tag+answer", "tool", "mixed"]
Absent = Literal["say", "tag"]
Detections = Literal["box", "tag", "cut"]

TOOL_FREE: Mapping[str, float] = {"tag": 0.0, "tag+answer": 0.0, "tool": 0.0, "mixed": 0.5}
"""Dialogues without tag and box for each one with, where nothing else is asked for."""
SEGMENTING = frozenset({"grounding_dino+sam", "grounded_sam", "grounding_dino_sam"})
DETECTING = frozenset({"grounding_dino", "ram+grounding_dino", "blip2+grounding_dino"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How records are turned into dialogues."""

    mode: Mode = "tag"
    """tag: the tag alone. tag+answer: the tag, then the words of the answer. tool: the tag, the
    tool's report as a turn of its own, the answer. mixed: as tag, with tool-free dialogues."""
    absent: Absent = "say"
    """When the tool found nothing: say: the answer's words, without a tag; tag: the tag."""
    detections: Detections = "box"
    """What a call of a detector alone becomes: boxes, a tag, or the end of the dialogue."""
    normalise: bool = True
    """Phrases in lower case and without an article."""
    exif: Exif | None = None
    """What reported boxes lie on where a picture is turned by its EXIF data; None: nothing tells,
    so dialogues with boxes of such pictures are dropped."""

    def __post_init__(self) -> None:
        for name, choices in (("mode", Mode), ("absent", Absent), ("detections", Detections)):
            if getattr(self, name) not in get_args(choices):
                raise InputError(
                    f"{name} must be one of {', '.join(get_args(choices))}, "
                    f"got {getattr(self, name)!r}."
                )


def convert_file(
    path: str | Path, files: ImageFiles, options: Options | None = None
) -> Iterator[Dialogue | Dropped]:
    """Convert the records of a file in order, one at a time.

    Raises:
        InputError: the file cannot be read, or is not JSON.
    """
    for item in readings(path):
        if not isinstance(item, Damage):
            yield convert(item, files, options)
        elif item.final:
            raise InputError(item.message)
        else:
            yield Dropped(f"Record {item.number}", "record cannot be read", item.message)


def convert(
    record: Mapping[str, Any], files: ImageFiles, options: Options | None = None
) -> Dialogue | Dropped:
    """Convert one record. Nothing that a record may hold raises an exception."""
    options = options or Options()
    name = record_id(record) or "content-" + _digest(record)
    rounds, notes = rounds_of(record)
    if not rounds:
        return Dropped(name, "no question in it")
    image, source = image_name(record), str(record.get("data_source") or "")
    found = files.find(image, source) if image else Missing("", "names no picture")
    orientation = UPRIGHT if isinstance(found, Missing) else found.orientation
    turned = orientation if options.exif == "stored" else UPRIGHT
    turns: list[Turn] = []
    end = ""
    for one in rounds:
        made = _turns(one, options, notes, turned)
        if isinstance(made, str):
            end = made
            break
        turns += made
    if not turns:
        reason, _, detail = end.partition(": ")
        return Dropped(name, reason, detail)
    if end:
        notes.append(f"cut short: {end}")
    if isinstance(found, Missing):
        return Dropped(name, found.reason, found.name)
    has_boxes = any(turn.kind == "box" for turn in turns)
    if orientation != UPRIGHT and has_boxes and options.exif is None:
        return Dropped(name, TURNED, "say --exif stored or --exif upright")
    return Dialogue(
        id=name,
        images=(str(found.path),),
        turns=tuple(turns),
        source=source or "llava-plus",
        image_key=found.key,
        size=found.size,
        notes=(*notes, *found.notes),
    )


def _turns(one: Round, options: Options, notes: list[str], orientation: int) -> list[Turn] | str:
    """The turns of one round, or the reason why the dialogue ends before it."""
    if not one.question:
        return "question without words"
    asked = Turn("user", one.question)
    if not one.calls:
        if one.outputs:
            return "tool output without a call"
        if not one.answer:
            return "question without an answer"
        return [asked, Turn("assistant", one.answer)]
    tools = {call.tool.lower() for call in one.calls}
    foreign = tools - SEGMENTING - DETECTING
    if foreign:
        return f"foreign tool: {', '.join(sorted(foreign))}"
    as_boxes = tools <= DETECTING and options.detections == "box"
    if tools & DETECTING and options.detections == "cut":
        return f"detection only: {', '.join(sorted(tools))}"
    answer = _boxes(one, options, orientation) if as_boxes else _tags(one, options)
    if isinstance(answer, str):
        return answer
    in_words = as_boxes or (options.absent == "say" and options.mode != "tool")
    if _found_nothing(one) and in_words:
        notes.append("nothing found")
        words = one.answer or f"There is no {' and no '.join(answer.phrases)} in the picture."
        return [asked, Turn("assistant", words, "absent", answer.phrases)]
    return [asked, *_with_report(answer, one, options, notes)]


def _tags(one: Round, options: Options) -> Turn | str:
    phrases: list[str] = []
    for call in one.calls:
        phrases += [p for p in phrases_of(call.caption, options.normalise) if p not in phrases]
    if not phrases:
        return "no phrase to look for: " + ", ".join(call.tool for call in one.calls)
    return Turn("assistant", tags(phrases), "tag", tuple(phrases))


def _boxes(one: Round, options: Options, orientation: int) -> Turn | str:
    grouped: dict[str, list[FramedBox]] = {}
    if not one.outputs or any(output.found is None for output in one.outputs):
        return "boxes not reported: " + ", ".join(call.tool for call in one.calls)
    for output in one.outputs:
        for phrase, box in output.found or ():
            named = phrases_of(phrase, options.normalise)
            grouped.setdefault(" ".join(named) or "object", []).append(_upright(box, orientation))
    if not grouped:
        asked_for = [p for call in one.calls for p in phrases_of(call.caption, options.normalise)]
        return Turn("assistant", "", "absent", tuple(asked_for) or ("such thing",))
    parts = {phrase: pointing(phrase, boxes) for phrase, boxes in grouped.items()}
    text = ", ".join(part for part in parts.values() if part)
    if not text:
        return "boxes without area"
    return Turn("assistant", text, "box", tuple(phrase for phrase, part in parts.items() if part))


def _upright(box: FramedBox, orientation: int) -> FramedBox:
    """A box in fractions of the stored picture, in those of the upright one."""
    if orientation == UPRIGHT:
        return box
    whole = Size(1, 1)
    turned = turned_box(Box.spanning(box.xa, box.ya, box.xb, box.yb), orientation, whole)
    return FramedBox(*turned.corners, box.frame)


def _found_nothing(one: Round) -> bool:
    return bool(one.outputs) and all(output.found == () for output in one.outputs)


def _with_report(answer: Turn, one: Round, options: Options, notes: list[str]) -> list[Turn]:
    if options.mode == "tool" and one.outputs:
        report = "\n".join(output.text for output in one.outputs)
        turns = [answer, Turn("tool", plain(report))]
        if one.answer:
            turns.append(Turn("assistant", one.answer))
            return turns
        notes.append("tool output without an answer left out")
        return [answer]
    if options.mode == "tag+answer" and answer.kind == "tag" and one.answer:
        words = without_coordinates(one.answer)
        if words != one.answer:
            notes.append("coordinates taken out of an answer")
        both = f"{answer.text}\n{words}" if words else answer.text
        return [Turn("assistant", both, answer.kind, answer.phrases)]
    return [answer]


_NUMBERS = r"[\[(]\s*\d*\.?\d+(?:\s*,\s*\d*\.?\d+){1,3}\s*[\])]"
_COORDINATES = re.compile(
    r"(?:,?\s*(?:located|positioned|situated|placed|found|seen))?"
    r"(?:\s*\b(?:at|in|within|by|with|around|inside|as|from)\b)?"
    r"(?:\s*\b(?:the|a|its|their)\b)?(?:\s*\b(?:bounding|normali[sz]ed))?"
    r"(?:\s*\b(?:box(?:es)?|coordinates?|positions?|locations?)\b)?\s*:?\s*"
    rf"\[?{_NUMBERS}(?:\s*(?:,|and|,\s*and)\s*{_NUMBERS})*\]?",
    re.IGNORECASE,
)


def without_coordinates(words: str) -> str:
    """An answer without the numbers it took from the tool: the model will not have seen them.

    >>> without_coordinates("I found a tram at [0.12, 0.3, 0.81, 0.77] and outlined it.")
    'I found a tram and outlined it.'
    """
    return re.sub(r"\s+([.,;!?])", r"\1", re.sub(r"[ \t]{2,}", " ", _COORDINATES.sub("", words)))


def _digest(record: Mapping[str, Any]) -> str:
    content = json.dumps(record, ensure_ascii=True, sort_keys=True, default=str)
    return hashlib.sha256(content.encode()).hexdigest()[:16]
