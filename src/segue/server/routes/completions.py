"""OpenAI's chat completions, with regions."""

import secrets
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

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
from segue.server.http.dependencies import Owner, Service, TheService
from segue.server.http.errors import Problem
from segue.server.http.request_models import ChatMessage, CompletionRequest
from segue.server.http.response_models import completion_region
from segue.server.http.sse import Alive, ClientGone, events_of, shown, streaming, written
from segue.server.routes.about import check_model
from segue.server.worker import Waiting
from segue.values.image import Image
from segue.values.message import Sampling
from segue.values.region import Region

router = APIRouter(prefix="/v1", tags=["completions"])

FINISH_REASONS: Mapping[str, str] = {"refused": "content_filter", "thought": "length"}
"""Where OpenAI's word for the end of a reply is another one."""

_EXAMPLE = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1790000000,
    "model": "embedded-chat",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "飞机",
                "raw": "<ref>飞机</ref><box>(343,119),(714,261)</box>",
                "regions": [
                    {
                        "index": 0,
                        "id": "r1",
                        "phrase": "飞机",
                        "span": [0, 2],
                        "box": [219.5, 57.1, 457.0, 125.3],
                        "score": None,
                        "image": 0,
                        "mask": {"format": "coco_rle", "size": [480, 640], "counts": "…"},
                    }
                ],
                "not_found": [],
                "broken": [],
                "thought": 0,
                "notices": [],
            },
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 281, "completion_tokens": 17, "total_tokens": 298},
}


@router.post(
    "/chat/completions",
    response_class=Response,
    responses={200: {"content": {"application/json": {"example": _EXAMPLE}}}},
)
async def completions(
    asked: CompletionRequest, request: Request, service: TheService, owner: Owner
) -> Response:
    """Answer the last message; with `stream`, as server-sent events."""
    check_model(service, asked.model)
    service.worker.check_room()
    turns = _turns(asked.messages)
    pictures = await _pictures(request, service, owner, turns)
    most = service.settings.max_new_tokens
    wanted = asked.max_completion_tokens or asked.max_tokens
    sampling = asked.sampling(most, wanted)
    reply = _Reply(asked, service)
    job = service.worker.submit(lambda: reply.steps(turns, pictures, sampling))
    events = events_of(job, request, service.settings.deadline_s)
    if asked.stream:
        return streaming(_done_after(shown(events, reply.chunks, named=False)))
    try:
        async for event in events:
            if not isinstance(event, Alive | Waiting):
                reply.add(event)
    except ClientGone:
        return Response(status_code=499)
    return JSONResponse(reply.whole())


async def _done_after(lines: AsyncIterator[str]) -> AsyncIterator[str]:
    failed = False
    async for line in lines:
        failed = line.startswith('data: {"error"')
        yield line
    if not failed:
        yield "data: [DONE]\n\n"


class _Turn:
    """What a user said, and what came back (nothing to the last)."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.urls: list[str] = []
        self.replies: list[ChatMessage] = []


def _turns(messages: Sequence[ChatMessage]) -> tuple[str | None, list[_Turn]]:
    """Messages as the system's and turns; messages of one side in a row are joined."""
    systems: list[str] = []
    turns: list[_Turn] = []
    for message in messages:
        if message.role in ("system", "developer"):
            systems.append(message.text)
        elif message.role == "assistant":
            turns = turns or [_Turn()]
            turns[-1].replies.append(message)
        else:
            if not turns or turns[-1].replies:
                turns.append(_Turn())
            turns[-1].texts.append(message.text)
            turns[-1].urls += message.images
    last = turns[-1] if turns else None
    if last is None or last.replies or not "\n".join(last.texts).strip():
        raise Problem(
            400, "invalid_value", "The last message must be the user's, and must ask something.",
            param="messages",
        )  # fmt: skip
    return "\n".join(systems) if systems else None, turns


async def _pictures(
    request: Request, service: Service, owner: str, turns: tuple[str | None, list[_Turn]]
) -> list[list[Image]]:
    """The pictures of every turn."""
    total, most = sum(len(turn.urls) for turn in turns[1]), service.settings.max_images
    if total > most:
        raise Problem(
            400, "invalid_value", f"A request may show {most} pictures, got {total}.",
            param="messages",
        )  # fmt: skip
    sources = [(url, "") for turn in turns[1] for url in turn.urls]
    images = iter(await service.pictures(request, owner, sources))
    return [[next(images) for _ in turn.urls] for turn in turns[1]]


class _Reply:
    """One completion on its way out."""

    def __init__(self, asked: CompletionRequest, service: Service) -> None:
        self.asked, self.service = asked, service
        self.id = f"chatcmpl-{secrets.token_hex(12)}"
        self.created = int(time.time())
        self.model = getattr(service.worker.assistant.chat, "name", asked.model)
        self.answer: Answer | None = None
        self.usage: dict[str, int] | None = None
        self._masks_follow = service.worker.assistant.segmenter is not None
        self._numbers = count()
        self._begun = False
        self._sent_characters = 0  # that count
        self._sent_regions: list[str] = []  # their ids, as long as they count

    def steps(
        self,
        turns: tuple[str | None, list[_Turn]],
        pictures: list[list[Image]],
        sampling: Sampling,
    ) -> Iterator[Event]:
        """Answer, in the worker's thread."""
        assistant = self.service.worker.assistant
        conversation = Conversation(assistant, system=turns[0])
        for turn, images in zip(turns[1][:-1], pictures):
            question = "\n".join(turn.texts)
            clean = "\n".join(reply.text for reply in turn.replies)
            raw = "\n".join(reply.raw or reply.text for reply in turn.replies)
            conversation.append_turn(question, Answer(question, clean, raw), tuple(images))
        conversation.add_images(*pictures[-1])
        for event in conversation.stream(
            "\n".join(turns[1][-1].texts), sampling, route=self.asked.route
        ):
            if isinstance(event, Done):
                self._count(conversation, event.answer)
            yield event

    def _count(self, conversation: Conversation, answer: Answer) -> None:
        self.service.metrics.answered(answer.seconds, len(answer.regions))
        chat, asked = conversation.pipeline.chat, conversation.messages[:-1]
        if (counts := token_counts(chat, asked, answer.raw)) is not None:
            read, wrote = counts
            self.usage = {
                "prompt_tokens": read,
                "completion_tokens": wrote,
                "total_tokens": read + wrote,
            }

    def add(self, event: Event) -> None:
        """Take an event into account."""
        if isinstance(event, Done):
            self.answer = event.answer

    def whole(self) -> dict[str, Any]:
        """The completion in one piece."""
        answer = self.answer
        assert answer is not None
        raw = self.asked.segue.content == "raw"
        message = {
            "role": "assistant",
            "content": answer.raw if raw else answer.text,
            "refusal": None,
            "raw": answer.raw,
            "regions": [
                completion_region(region, number, mask=self.asked.segue.masks)
                for number, region in enumerate(answer.regions)
            ],
            "not_found": list(answer.not_found),
            "broken": list(answer.broken),
            "thought": answer.thought,
            "notices": list(answer.notices),
        }
        reason = _finish_reason(answer)
        choice = {"index": 0, "message": message, "finish_reason": reason, "logprobs": None}
        return {**self._head("chat.completion"), "choices": [choice], "usage": self.usage}

    def chunks(self, event: Event) -> Iterator[str]:
        """An event as lines of a stream."""
        if not self._begun:
            self._begun = True
            yield self._chunk({"role": "assistant", "content": ""})
        raw = self.asked.segue.content == "raw"
        match event:
            case TextAdded(text) if not raw:
                self._sent_characters += len(text)
                yield self._chunk({"content": text})
            case ThoughtEnded(retracts=True):
                yield from self._withdrawn()
            case MaskReady(region):
                yield self._region(region)
            case RegionFound(region) if not self._masks_follow:
                yield self._region(region)
            case Done(answer):
                if raw:
                    yield self._chunk({"content": answer.raw})
                rest = {"raw": answer.raw}
                more = {
                    "not_found": list(answer.not_found),
                    "broken": list(answer.broken),
                    "thought": answer.thought,
                    "notices": list(answer.notices),
                }
                last = {**rest, **{k: v for k, v in more.items() if v}}
                yield self._chunk(last, _finish_reason(answer))
                options = self.asked.stream_options
                if options is not None and options.include_usage:
                    head = self._head("chat.completion.chunk")
                    yield written({**head, "choices": [], "usage": self.usage})

    def _withdrawn(self) -> Iterator[str]:
        """What was sent so far cannot be unsent, but it can be said that it does not count."""
        sent = {"characters": self._sent_characters, "regions": self._sent_regions}
        self._sent_characters, self._sent_regions = 0, []
        if sent["characters"] or sent["regions"]:
            yield self._chunk({"withdrawn": sent})

    def _region(self, region: Region) -> str:
        self._sent_regions.append(region.id)
        shape = completion_region(region, next(self._numbers), mask=self.asked.segue.masks)
        return self._chunk({"regions": [shape]})

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return written({**self._head("chat.completion.chunk"), "choices": [choice]})

    def _head(self, kind: str) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": None,
        }


def _finish_reason(answer: Answer) -> str:
    return FINISH_REASONS.get(answer.finish, answer.finish)
