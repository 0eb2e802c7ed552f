"""One chat completion on its way out: from messages to an answer, whole or in chunks."""

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from segue.chat import token_counts
from segue.conversation import Conversation
from segue.pipeline.answer import (
    Answer,
    Done,
    Event,
    MaskReady,
    RegionFound,
    TextAdded,
    ThoughtEnded,
)
from segue.pipeline.pipeline import Pipeline
from segue.server.http.completion_models import (
    CompletionChoice,
    CompletionChunk,
    CompletionChunkChoice,
    CompletionDelta,
    CompletionMessage,
    CompletionResponse,
    CompletionUsage,
    Withdrawal,
)
from segue.server.http.request_models import ChatMessage, CompletionRequest
from segue.server.http.response_models import CompletionRegion
from segue.server.http.sse import ServerSentEvent
from segue.values.image import Image
from segue.values.message import Sampling
from segue.values.region import Region

FINISH_REASONS: Mapping[str, str] = {"refused": "content_filter", "thought": "length"}
"""Where OpenAI has another word for the end of a reply."""


@dataclass
class QuestionTurn:
    """What a user said, and what came back (nothing to the last)."""

    texts: list[str] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)
    """Of its pictures."""
    replies: list[ChatMessage] = field(default_factory=list)
    images: list[Image] = field(default_factory=list)
    """The pictures themselves, once they are loaded."""

    @property
    def question(self) -> str:
        """All that the user said in this turn."""
        return "\n".join(self.texts)


@dataclass(frozen=True, slots=True)
class RawTextAdded:
    """More of the reply as the model writes it, markup and thoughts included."""

    text: str


class RawTextPipeline(Pipeline):
    """The same models; the raw reply is recorded while it is read."""

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__(
            pipeline.chat,
            dialect=pipeline.dialect,
            teach_tag=pipeline.teach_tag,
            route=pipeline.route,
            policy=pipeline.policy,
            memory=pipeline.memory,
            history=pipeline.history,
        )
        self.grounder = pipeline.grounder
        self._pieces: list[str] = []

    def process_reply(
        self, chunks: Iterable[str], images: Sequence[Image], *args: Any, **options: Any
    ) -> Iterator[Event]:
        """Read a reply, and record its text. See `Pipeline.process_reply`."""
        return super().process_reply(self._record(chunks), images, *args, **options)

    def take_text(self) -> str:
        """Return what was written since the last call."""
        text = "".join(self._pieces)
        self._pieces.clear()
        return text

    def _record(self, chunks: Iterable[str]) -> Iterator[str]:
        for chunk in chunks:
            self._pieces.append(chunk)
            yield chunk


class CompletionWriter:
    """Turns the events of one answer into a chat completion."""

    def __init__(
        self,
        request: CompletionRequest,
        model_name: str,
        pipeline: Pipeline,
        count_answer: Callable[[Mapping[str, float], int], None] = lambda seconds, regions: None,
    ) -> None:
        """
        Args:
            request: what was asked for.
            model_name: of the chat model.
            pipeline: answers the question.
            count_answer: called with the seconds by stage and the number of regions.
        """
        self._request, self._model_name = request, model_name
        self._is_raw = request.segue.content == "raw"
        self._pipeline = RawTextPipeline(pipeline) if self._is_raw else pipeline
        self._count_answer = count_answer
        self._id = f"chatcmpl-{secrets.token_hex(12)}"
        self._created = int(time.time())
        self._answer: Answer | None = None
        self._usage: CompletionUsage | None = None
        self._masks_follow = pipeline.segmenter is not None
        self._region_numbers = count()
        self._has_started = False
        self._sent_characters = 0  # of clean text, as far as it counts
        self._sent_regions: list[str] = []  # their ids, as far as they count

    def answer_events(
        self, system: str | None, turns: Sequence[QuestionTurn], sampling: Sampling
    ) -> Iterator[Event | RawTextAdded]:
        """Answer the last turn, in the worker's thread."""
        *earlier_turns, last_turn = turns
        conversation = Conversation(self._pipeline, system=system)
        for turn in earlier_turns:
            text = "\n".join(reply.text for reply in turn.replies)
            raw = "\n".join(reply.raw or reply.text for reply in turn.replies)
            answer = Answer(turn.question, text, raw)
            conversation.append_turn(turn.question, answer, tuple(turn.images))
        conversation.add_images(*last_turn.images, again=True)  # as the client counts them
        for event in conversation.stream(last_turn.question, sampling, route=self._request.route):
            if isinstance(self._pipeline, RawTextPipeline) and (text := self._pipeline.take_text()):
                yield RawTextAdded(text)
            if isinstance(event, Done):
                self._count(conversation, event.answer)
            yield event

    def _count(self, conversation: Conversation, answer: Answer) -> None:
        self._count_answer(answer.seconds, len(answer.regions))
        chat, messages = conversation.pipeline.chat, conversation.messages[:-1]
        if (counts := token_counts(chat, messages, answer.raw)) is not None:
            n_read, n_written = counts
            self._usage = CompletionUsage(
                prompt_tokens=n_read,
                completion_tokens=n_written,
                total_tokens=n_read + n_written,
            )

    def add(self, event: Any) -> None:
        """Take an event into account."""
        if isinstance(event, Done):
            self._answer = event.answer

    def completion(self) -> CompletionResponse:
        """Return the completion in one piece, once `Done` was added."""
        answer = self._answer
        assert answer is not None
        message = CompletionMessage(
            role="assistant",
            content=answer.raw if self._is_raw else answer.text,
            refusal=None,
            raw=answer.raw,
            regions=[self._region(region, n) for n, region in enumerate(answer.regions)],
            not_found=list(answer.not_found),
            broken=list(answer.broken),
            thought=answer.thought,
            notices=list(answer.notices),
        )
        choice = CompletionChoice(
            index=0, message=message, finish_reason=_finish_reason(answer), logprobs=None
        )
        return CompletionResponse(
            **self._head(), object="chat.completion", choices=[choice], usage=self._usage
        )

    async def chunks(self, event: Event | RawTextAdded) -> list[ServerSentEvent]:
        """Return an event as chunks of a stream."""
        deltas = [] if self._has_started else [CompletionDelta(role="assistant", content="")]
        self._has_started = True
        match event:
            case RawTextAdded(text):
                deltas.append(CompletionDelta(content=text))
            case TextAdded(text) if not self._is_raw:
                self._sent_characters += len(text)
                deltas.append(CompletionDelta(content=text))
            case ThoughtEnded(retracts=True):
                deltas += self._withdraw()
            case MaskReady(region):
                deltas.append(self._region_delta(region))
            case RegionFound(region) if not self._masks_follow and region.mask is None:
                deltas.append(self._region_delta(region))
            case Done(answer):
                return [*map(self._chunk, deltas), *self._final_chunks(answer)]
        return [self._chunk(delta) for delta in deltas]

    def _final_chunks(self, answer: Answer) -> Iterator[ServerSentEvent]:
        fields = {
            "not_found": list(answer.not_found),
            "broken": list(answer.broken),
            "thought": answer.thought,
            "notices": list(answer.notices),
        }
        nonempty_fields: dict[str, Any] = {name: value for name, value in fields.items() if value}
        delta = CompletionDelta(raw=answer.raw, **nonempty_fields)
        yield self._chunk(delta, _finish_reason(answer))
        options = self._request.stream_options
        if options is not None and options.include_usage:
            yield self._sse(choices=[], usage=self._usage)

    def _withdraw(self) -> Iterator[CompletionDelta]:
        """Say that what was sent so far does not count; it cannot be unsent."""
        withdrawal = Withdrawal(characters=self._sent_characters, regions=self._sent_regions)
        self._sent_characters, self._sent_regions = 0, []
        if withdrawal.characters or withdrawal.regions:
            yield CompletionDelta(withdrawn=withdrawal)

    def _region_delta(self, region: Region) -> CompletionDelta:
        self._sent_regions.append(region.id)
        return CompletionDelta(regions=[self._region(region, next(self._region_numbers))])

    def _region(self, region: Region, index: int) -> CompletionRegion:
        return CompletionRegion.of(region, index, with_mask=self._request.segue.masks)

    def _chunk(self, delta: CompletionDelta, finish_reason: str | None = None) -> ServerSentEvent:
        choice = CompletionChunkChoice(
            index=0, delta=delta, finish_reason=finish_reason, logprobs=None
        )
        return self._sse(choices=[choice])

    def _sse(self, **fields: Any) -> ServerSentEvent:
        chunk = CompletionChunk(**self._head(), object="chat.completion.chunk", **fields)
        return ServerSentEvent(chunk)

    def _head(self) -> dict[str, Any]:
        return {
            "id": self._id,
            "created": self._created,
            "model": self._model_name,
            "system_fingerprint": None,
        }


def _finish_reason(answer: Answer) -> str:
    return FINISH_REASONS.get(answer.finish, answer.finish)
