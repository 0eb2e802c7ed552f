"""LLaVA-Plus tool-use records -> dialogues in which the assistant answers with the tag.

How a round is converted, by the tool that was called:

    grounding_dino+sam, grounded_sam            <gsam>phrase</gsam>, one tag a phrase
    grounding_dino, ram+… and blip2+…           <ref>phrase</ref><box>…</box> of the reported boxes
    none                                        the answer as it is
    anything else                               the dialogue ends before this tool_round

A detector that reported no box makes the tool_round one of the kind "absent".

Source: the data of LLaVA-Plus, arXiv:2311.05437.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from segue.convert.datasets.captions import split_caption
from segue.convert.datasets.llava_plus_record import (
    ToolRound,
    read_image_name,
    read_record_id,
    split_rounds,
)
from segue.convert.dialogue import (
    Dialogue,
    DialogueTurn,
    DroppedRecord,
    box_markup,
    strip_markup,
    tag_markup,
)
from segue.convert.exif import EXIF_AMBIGUOUS, UPRIGHT, PixelFrame, box_to_upright
from segue.convert.image_files import ImageFiles, MissingImage
from segue.convert.json_records import DamagedRecord, read_records_or_damage
from segue.errors import InputError
from segue.values.box import Box, Size
from segue.values.frames import FramedBox

AnswerMode = Literal["tag", "tag+answer", "tool", "mixed"]
AbsentMode = Literal["say", "tag"]
DetectionMode = Literal["box", "tag", "cut"]

TOOL_FREE: Mapping[str, float] = {"tag": 0.0, "tag+answer": 0.0, "tool": 0.0, "mixed": 0.5}
"""Default number of dialogues without tag or box for each one with."""
SEGMENTING = frozenset({"grounding_dino+sam", "grounded_sam", "grounding_dino_sam"})
DETECTING = frozenset({"grounding_dino", "ram+grounding_dino", "blip2+grounding_dino"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LlavaPlusOptions:
    """How records are converted to dialogues."""

    mode: AnswerMode = "tag"
    """tag: the tag alone. tag+answer: the tag, then the words of the answer. tool: the tag, the
    tool's report as a turn of its own, the answer. mixed: as tag, with tool-free dialogues."""
    absent: AbsentMode = "say"
    """When the tool found nothing: say: the answer's words, without a tag; tag: the tag."""
    detections: DetectionMode = "box"
    """What a call of a detector alone becomes: boxes, a tag, or the end of the dialogue."""
    normalise: bool = True
    """Phrases in lower case and without an article."""
    exif: PixelFrame | None = None
    """Which pixels reported boxes refer to where EXIF data rotate a picture; None: unknown, so
    dialogues with boxes of such pictures are dropped."""

    def __post_init__(self) -> None:
        for name, choices in (
            ("mode", AnswerMode),
            ("absent", AbsentMode),
            ("detections", DetectionMode),
        ):
            if getattr(self, name) not in get_args(choices):
                raise InputError(
                    f"{name} must be one of {', '.join(get_args(choices))}, "
                    f"got {getattr(self, name)!r}."
                )


def convert_file(
    path: str | Path, files: ImageFiles, options: LlavaPlusOptions | None = None
) -> Iterator[Dialogue | DroppedRecord]:
    """Convert the records of a file in order, one at a time.

    Raises:
        InputError: the file cannot be read, or is not JSON.
    """
    for item in read_records_or_damage(path):
        if not isinstance(item, DamagedRecord):
            yield convert_record(item, files, options)
        elif item.final:
            raise InputError(item.message)
        else:
            yield DroppedRecord(f"Record {item.number}", "record cannot be read", item.message)


def convert_record(
    record: Mapping[str, Any], files: ImageFiles, options: LlavaPlusOptions | None = None
) -> Dialogue | DroppedRecord:
    """Convert one record. Nothing that a record may hold raises an exception."""
    options = options or LlavaPlusOptions()
    name = read_record_id(record) or "content-" + _content_hash(record)
    rounds, notes = split_rounds(record)
    if not rounds:
        return DroppedRecord(name, "no question in it")
    file_name, source = read_image_name(record), str(record.get("data_source") or "")
    image = files.find(file_name, source) if file_name else MissingImage("", "names no picture")
    orientation = UPRIGHT if isinstance(image, MissingImage) else image.orientation
    box_orientation = orientation if options.exif == "stored" else UPRIGHT
    turns: list[DialogueTurn] = []
    end_reason = ""
    for tool_round in rounds:
        round_turns = _turns_of_round(tool_round, options, notes, box_orientation)
        if isinstance(round_turns, str):
            end_reason = round_turns
            break
        turns += round_turns
    if not turns:
        reason, _, detail = end_reason.partition(": ")
        return DroppedRecord(name, reason, detail)
    if end_reason:
        notes.append(f"cut short: {end_reason}")
    if isinstance(image, MissingImage):
        return DroppedRecord(name, image.reason, image.name)
    has_boxes = any(turn.kind == "box" for turn in turns)
    if orientation != UPRIGHT and has_boxes and options.exif is None:
        return DroppedRecord(name, EXIF_AMBIGUOUS, "say --exif stored or --exif upright")
    return Dialogue(
        id=name,
        images=(str(image.path),),
        turns=tuple(turns),
        source=source or "llava-plus",
        image_key=image.key,
        size=image.size,
        notes=(*notes, *image.notes),
    )


def _turns_of_round(
    tool_round: ToolRound, options: LlavaPlusOptions, notes: list[str], orientation: int
) -> list[DialogueTurn] | str:
    """Return the turns of one round, or the reason why the dialogue ends before it."""
    if not tool_round.question:
        return "question without words"
    question = DialogueTurn("user", tool_round.question)
    if not tool_round.calls:
        if tool_round.outputs:
            return "tool output without a call"
        if not tool_round.answer:
            return "question without an answer"
        return [question, DialogueTurn("assistant", tool_round.answer)]
    tools = {call.tool.lower() for call in tool_round.calls}
    unsupported_tools = tools - SEGMENTING - DETECTING
    if unsupported_tools:
        return f"foreign tool: {', '.join(sorted(unsupported_tools))}"
    as_boxes = tools <= DETECTING and options.detections == "box"
    if tools & DETECTING and options.detections == "cut":
        return f"detection only: {', '.join(sorted(tools))}"
    answer = (
        _box_answer(tool_round, options, orientation)
        if as_boxes
        else _tag_answer(tool_round, options)
    )
    if isinstance(answer, str):
        return answer
    answers_in_words = as_boxes or (options.absent == "say" and options.mode != "tool")
    if _detected_nothing(tool_round) and answers_in_words:
        notes.append("nothing found")
        answer_text = (
            tool_round.answer or f"There is no {' and no '.join(answer.phrases)} in the picture."
        )
        return [question, DialogueTurn("assistant", answer_text, "absent", answer.phrases)]
    return [question, *_add_report(answer, tool_round, options, notes)]


def _tag_answer(tool_round: ToolRound, options: LlavaPlusOptions) -> DialogueTurn | str:
    phrases: list[str] = []
    for call in tool_round.calls:
        phrases += [p for p in split_caption(call.caption, options.normalise) if p not in phrases]
    if not phrases:
        return "no phrase to look for: " + ", ".join(call.tool for call in tool_round.calls)
    return DialogueTurn("assistant", tag_markup(phrases), "tag", tuple(phrases))


def _box_answer(
    tool_round: ToolRound, options: LlavaPlusOptions, orientation: int
) -> DialogueTurn | str:
    boxes_by_phrase: dict[str, list[FramedBox]] = {}
    if not tool_round.outputs or any(output.detections is None for output in tool_round.outputs):
        return "boxes not reported: " + ", ".join(call.tool for call in tool_round.calls)
    for output in tool_round.outputs:
        for phrase, box in output.detections or ():
            phrases = split_caption(phrase, options.normalise)
            boxes_by_phrase.setdefault(" ".join(phrases) or "object", []).append(
                _to_upright(box, orientation)
            )
    if not boxes_by_phrase:
        requested_phrases = [
            p for call in tool_round.calls for p in split_caption(call.caption, options.normalise)
        ]
        return DialogueTurn("assistant", "", "absent", tuple(requested_phrases) or ("such thing",))
    markup_by_phrase = {
        phrase: box_markup(phrase, boxes) for phrase, boxes in boxes_by_phrase.items()
    }
    answer_text = ", ".join(part for part in markup_by_phrase.values() if part)
    if not answer_text:
        return "boxes without area"
    return DialogueTurn(
        "assistant",
        answer_text,
        "box",
        tuple(phrase for phrase, part in markup_by_phrase.items() if part),
    )


def _to_upright(box: FramedBox, orientation: int) -> FramedBox:
    """Convert a box from fractions of the stored picture to those of the upright one."""
    if orientation == UPRIGHT:
        return box
    unit_size = Size(1, 1)
    upright_box = box_to_upright(
        Box.spanning(box.xa, box.ya, box.xb, box.yb), orientation, unit_size
    )
    return FramedBox(*upright_box.corners, box.frame)


def _detected_nothing(tool_round: ToolRound) -> bool:
    return bool(tool_round.outputs) and all(
        output.detections == () for output in tool_round.outputs
    )


def _add_report(
    answer: DialogueTurn, tool_round: ToolRound, options: LlavaPlusOptions, notes: list[str]
) -> list[DialogueTurn]:
    if options.mode == "tool" and tool_round.outputs:
        report = "\n".join(output.text for output in tool_round.outputs)
        turns = [answer, DialogueTurn("tool", strip_markup(report))]
        if tool_round.answer:
            turns.append(DialogueTurn("assistant", tool_round.answer))
            return turns
        notes.append("tool output without an answer left out")
        return [answer]
    if options.mode == "tag+answer" and answer.kind == "tag" and tool_round.answer:
        answer_text = remove_coordinates(tool_round.answer)
        if answer_text != tool_round.answer:
            notes.append("coordinates taken out of an answer")
        combined_text = f"{answer.text}\n{answer_text}" if answer_text else answer.text
        return [DialogueTurn("assistant", combined_text, answer.kind, answer.phrases)]
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


def remove_coordinates(words: str) -> str:
    """Remove coordinates from an answer: they came from the tool, and the model will not see them.

    >>> remove_coordinates("I found a tram at [0.12, 0.3, 0.81, 0.77] and outlined it.")
    'I found a tram and outlined it.'
    """
    return re.sub(r"\s+([.,;!?])", r"\1", re.sub(r"[ \t]{2,}", " ", _COORDINATES.sub("", words)))


def _content_hash(record: Mapping[str, Any]) -> str:
    content = json.dumps(record, ensure_ascii=True, sort_keys=True, default=str)
    return hashlib.sha256(content.encode()).hexdigest()[:16]
