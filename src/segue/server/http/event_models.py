"""Data of the server-sent events of `/ask`, as Pydantic models. docs/http-api.md lists them."""

from pydantic import BaseModel

from segue.server.conversations.store import ConversationRecord
from segue.server.http.response_models import (
    RegionOut,
    Span,
    TurnOut,
    VerdictOut,
    regions_of,
)


class QueueEvent(BaseModel):
    """Data of the event `waiting`."""

    position: int
    """Jobs before this one, itself included."""


class TextEvent(BaseModel):
    """Data of the events `text`, `broken` and `notice`."""

    text: str


class NotFoundEvent(BaseModel):
    """Data of the event `not_found`."""

    phrase: str
    span: Span | None
    image: int
    reason: str
    verdict: VerdictOut | None = None
    """Null where no calibration of the models is known."""


class ThoughtEvent(BaseModel):
    """Data of the event `thought`."""

    characters: int
    retracts: bool
    """All that came before was the thought, and is withdrawn."""
    regions: list[str]
    """Ids of the regions that are withdrawn."""


class DoneEvent(BaseModel):
    """Data of the event `done`: the turn as it is stored."""

    turn: TurnOut
    regions: list[RegionOut]
    revision: int
    can_undo: bool
    can_redo: bool

    @classmethod
    def of(cls, record: ConversationRecord) -> "DoneEvent":
        """Return the last turn of a conversation."""
        index = len(record.snapshot["turns"]) - 1
        turn = TurnOut.of(record.snapshot, index)
        regions = {region.id: region for region in regions_of(record.snapshot)}
        return cls(
            turn=turn,
            regions=[regions[id] for id in turn.regions],
            revision=record.revision,
            can_undo=record.can_undo,
            can_redo=record.can_redo,
        )
