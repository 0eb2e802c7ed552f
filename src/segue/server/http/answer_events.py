"""Events of an answer as they go out while it is being written."""

from segue.pipeline.answer import (
    Event,
    MarkupBroken,
    MaskReady,
    NotFound,
    Notice,
    RegionFound,
    TextAdded,
    ThoughtEnded,
)
from segue.server.http.event_models import NotFoundEvent, TextEvent, ThoughtEvent
from segue.server.http.response_models import RegionOut, VerdictOut
from segue.server.http.sse import ServerSentEvent


def to_answer_event(event: Event) -> ServerSentEvent:
    """Return an event of an answer, but its last, as it goes out."""
    match event:
        case TextAdded(text):
            return ServerSentEvent(TextEvent(text=text), "text")
        case RegionFound(region):
            return ServerSentEvent(RegionOut.of(region), "region")
        case MaskReady(region):
            return ServerSentEvent(RegionOut.of(region), "mask")
        case NotFound(phrase, span, image, reason, verdict):
            data = NotFoundEvent(
                phrase=phrase,
                span=None if span is None else list(span),
                image=image,
                reason=reason,
                verdict=None if verdict is None else VerdictOut(**verdict.to_json()),
            )
            return ServerSentEvent(data, "not_found")
        case MarkupBroken(text):
            return ServerSentEvent(TextEvent(text=text), "broken")
        case ThoughtEnded(characters, retracts, region_ids):
            thought = ThoughtEvent(
                characters=characters, retracts=retracts, regions=list(region_ids)
            )
            return ServerSentEvent(thought, "thought")
        case Notice(text):
            return ServerSentEvent(TextEvent(text=text), "notice")
    raise AssertionError(f"{event!r} has no form as a server-sent event")
