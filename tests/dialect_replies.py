"""Replies of dialects for tests: the recorded ones, and how their events are written down."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from segue.dialects import (
    DIALECTS,
    Absence,
    BoxMention,
    DetectRequest,
    Dialect,
    MalformedMarkup,
    PlainText,
    PointMention,
    Remark,
    ReplyEvent,
    Thought,
)

FOLDER = Path(__file__).parent / "dialects" / "cases"


def cases(dialect: str) -> dict[str, dict[str, Any]]:
    """The recorded replies of a dialect by name: "remark", "reply", "events", "grounded"."""
    document = json.loads((FOLDER / f"{dialect}.json").read_text(encoding="utf-8"))
    return {case["name"]: case for case in document}


def read(
    dialect: str, chunks: Iterable[str], *, thinks: bool = False, grounded: bool = False
) -> list[ReplyEvent]:
    """All events of a reply, neighbouring words joined."""
    reader: Dialect = DIALECTS.load(dialect)
    joined: list[ReplyEvent] = []
    for event in reader.read(chunks, thinks=thinks, grounded=grounded):
        if isinstance(event, PlainText) and joined and isinstance(joined[-1], PlainText):
            joined[-1] = PlainText(joined[-1].text + event.text)
        else:
            joined.append(event)
    return joined


def as_json(event: ReplyEvent) -> dict[str, Any]:
    """The shape in which cases/*.json write an event. The frame stands in no case."""
    if isinstance(event, PlainText):
        return {"text": event.text}
    if isinstance(event, MalformedMarkup):
        more = {"cut": True} if event.cut else {}
        return {
            "malformed": event.text,
            **more,
            **({"reason": event.reason} if event.reason else {}),
        }
    written: dict[str, Any]
    if isinstance(event, Remark):
        return {"remark": event.text}
    if isinstance(event, Thought):
        retracts = {"retracts": True} if event.retracts else {}
        return {"thought": event.length, **retracts, **({"cut": True} if event.cut else {})}
    if isinstance(event, DetectRequest):
        written = {"wanted": event.phrase}
    elif isinstance(event, Absence):
        written = {"absent": event.phrase}
    elif isinstance(event, PointMention):
        written = {"spotted": event.phrase, "point": [event.point.x, event.point.y]}
    else:
        assert isinstance(event, BoxMention)
        box = event.box
        written = {"pointed": event.phrase, "box": [box.xa, box.ya, box.xb, box.yb]}
        if event.quad:
            written["quad"] = [list(corner) for corner in event.quad]
    if event.span:
        written["span"] = list(event.span)
    if event.image:
        written["image"] = event.image
    return written
