"""Any endpoint that speaks OpenAI's chat completions: vLLM, Ollama, llama.cpp, cloud services.

Pictures are made, before they are sent, as large as the model would make them, so that no server
changes them and the frame of the boxes is known. What differs from server to server beyond that is
found out by `segue doctor` and kept in a profile.
"""

import logging
import re
from collections.abc import Generator, Sequence
from contextlib import closing
from time import sleep
from typing import Any
from weakref import finalize

import openai

from segue.chat.openai.address import Address
from segue.chat.openai.end_tokens import COMMON_ENDS, END_TOKENS, ENDS
from segue.chat.openai.problems import failure_of
from segue.chat.openai.replies import EndpointReply, NoReplyError
from segue.chat.openai.requests import request_body
from segue.chat.openai.retries import pause_before_retry
from segue.chat.openai.secrets import KeyFilter, redact
from segue.chat.resizing import Patches
from segue.dialects.parsing.thoughts import thinks_by_name
from segue.dialects.recognition.recognize import dialect_of
from segue.errors import InputError, ModelError
from segue.runtime.profile import Profile
from segue.runtime.text_stream import StopStringFilter
from segue.values.box import Size
from segue.values.frames import Frame, SeenPixels
from segue.values.message import Finish, Message, Sampling

log = logging.getLogger(__name__)

CONNECT_S = 10.0
READ_S = 300.0
"""The longest wait for the next piece of a reply; large pictures take their time on a CPU."""
RETRIES = 4
"""So many times more is a request made that met a full, restarting or unreachable server."""

PATCHES = {
    "qwen2_vl": Patches(side=28, min_pixels=4 * 28 * 28),
    "qwen2_5_vl": Patches(side=28, min_pixels=4 * 28 * 28),
    "qwen3_vl": Patches(side=32, min_pixels=65536, max_pixels=32 * 32 * 1280),
    "glm_v": Patches(side=28, min_pixels=112 * 112),
}
"""How large the models of a dialect want their pictures.

Source: the makers' preprocessor files; `most` is kept low enough for every server.
"""
LONGEST = 2048
"""Pictures of other models are sent no longer than this."""


class OpenAIChat:
    """A model behind an endpoint as a chat model."""

    def __init__(
        self,
        address: Address,
        name: str = "",
        *,
        profile: Profile | None = None,
        patches: Patches | None = None,
        client: openai.OpenAI | None = None,
    ) -> None:
        """Describe an endpoint; nothing is sent yet.

        Args:
            address: model and address.
            name: for reports and session files.
            profile: what the doctor found out about it.
            patches: how large it wants its pictures; None: as its name says.
            client: how to connect; None: with the key of the environment.
        """
        self.address = address
        self.name = name or address.name
        self.profile = profile or Profile(name=self.name)
        by_name = dialect_of(name=address.model).dialect
        self.dialect = self.profile.dialect or by_name
        self.frame: Frame | SeenPixels | None = self.profile.frame
        self._patches = patches or PATCHES.get(by_name)
        self.refused: set[str] = set()
        """Fields that this server does not know."""
        self.repeated = 0
        """Requests that had to be made again."""
        self.retries = RETRIES
        """So many times more is a request made that met a full or unreachable server."""
        self.is_public = False
        """Strangers read its errors: they get neutral sentences, and the log has the rest."""
        self._ends = END_TOKENS.get(self.dialect, COMMON_ENDS)
        self._tries = 0  # of the request at hand
        self._client = client or _client_of(address)
        if client is None:  # its connections end with this object, not whenever they are collected
            finalize(self, self._client.close)

    @property
    def thinks(self) -> bool:
        """Whether replies may begin inside a thought. See `SupportsThinking`."""
        by_name = thinks_by_name(self.address.model)
        return by_name if self.profile.thinks is None else self.profile.thinks

    def with_profile(self, profile: Profile) -> "OpenAIChat":
        """Return the same endpoint, used as another profile says."""
        return OpenAIChat(
            self.address, self.name, profile=profile, patches=self._patches, client=self._client
        )

    def seen_size(self, size: Size) -> Size:
        """Return the size at which a picture of `size` is sent. See `SupportsResizing`."""
        max_pixels = self.profile.most_pixels
        if self._patches is not None:
            limit = min(self._patches.max_pixels, max_pixels or self._patches.max_pixels)
            min_pixels = min(self._patches.min_pixels, limit)
            return Patches(
                side=self._patches.side, min_pixels=min_pixels, max_pixels=limit
            ).stable_size(size)
        scale = min(LONGEST / max(size), 1.0)
        if max_pixels:
            scale = min(scale, (max_pixels / (size.width * size.height)) ** 0.5)
        return Size(*(max(int(side * scale), 1) for side in size)) if scale < 1 else size

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> Generator[str, None, str]:
        """Answer the last message. See `ChatModel.stream`."""
        if not messages or messages[-1].role != "user":
            raise InputError("The last message must be the user's. Add the question.")
        request = request_body(
            self.address.model, messages, sampling, self.seen_size,
            pictures=self.profile.pictures, official=self.address.official,
        )  # fmt: skip
        return self._reply(request, sampling)

    def _reply(self, request: dict[str, Any], sampling: Sampling) -> Generator[str, None, str]:
        reply = StopStringFilter((*sampling.stop, *self._ends), trailing=ENDS)
        keys = KeyFilter(*self.address.secrets)
        finish: str = "stop"
        try:
            with self._send(request) as response:
                incoming = EndpointReply(response, READ_S)
                with closing(incoming.pieces()) as chunks:
                    while not reply.stopped:
                        try:
                            visible_text = keys.push(reply.push(next(chunks)))
                        except StopIteration as end:
                            finish = end.value
                            break
                        if visible_text:
                            yield visible_text
        except (openai.OpenAIError, NoReplyError) as error:
            raise self._failure(error) from None
        if last_piece := keys.push(reply.finish()) + keys.finish():
            yield last_piece
        if keys.count:
            log.warning("the endpoint wrote the key that was sent to it %d times", keys.count)
        if reply.stopped:
            return "stop"
        return self._finish(finish)

    def _failure(self, error: Exception) -> ModelError:
        model_names = [redact(model, *self.address.secrets) for model in self._models(error)]
        failure = failure_of(error, self.address, tries=self._tries, model_names=model_names)
        if self.is_public:
            log.error("%s: %s", self.name, failure.sentence)
        return failure.error(is_public=self.is_public)

    def _finish(self, finish: str) -> Finish:
        """Why the reply ended; strangers are not told the endpoint's own words."""
        notice = redact(getattr(finish, "notice", ""), *self.address.secrets)
        if finish == "error" and self.is_public:
            log.error("%s: %s", self.name, notice)
            notice = "the chat model's endpoint failed in the middle of its reply"
        return Finish(str(finish), notice)

    def _send(self, request: dict[str, Any]) -> closing[Any]:
        """Return the head of the response; the request goes without fields that the server refuses.

        A server that is full, restarting or not to be reached is asked again, with growing pauses.
        One that took the question and does not answer is not: it may be at work on it.
        """
        self._tries = 0
        while True:
            fields = {k: v for k, v in request.items() if k not in self.refused}
            extra = {k: fields.pop(k) for k in ("skip_special_tokens",) if k in fields}
            create = self._client.chat.completions.with_streaming_response.create
            self._tries += 1
            try:
                return closing(create(**fields, extra_body=extra or None).__enter__())
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                refused_field = _refused_field_of(error, request, self.refused)
                if refused_field is None:
                    raise
                self.refused.add(refused_field)
                self._tries -= 1
            except openai.OpenAIError as error:
                pause = pause_before_retry(error, self._tries)
                if pause is None or self._tries > self.retries:
                    raise
                self.repeated += 1
                sleep(pause)

    def _models(self, error: Exception) -> list[str]:
        """Return what the endpoint has, where it says that it has not what was asked for."""
        if not isinstance(error, openai.NotFoundError):
            return []
        try:
            return [model.id for model in self._client.models.list()]
        except openai.OpenAIError:
            return []


def _client_of(address: Address) -> openai.OpenAI:
    return openai.OpenAI(
        base_url=address.url,
        default_query=dict(address.query),
        api_key=address.key or "none",
        timeout=openai.Timeout(READ_S, connect=CONNECT_S),
        max_retries=0,  # see OpenAIChat._send
    )


_OPTIONAL = ("skip_special_tokens", "seed", "top_p", "temperature", "max_tokens")


def _refused_field_of(
    error: openai.APIStatusError, request: dict[str, Any], already_refused: set[str]
) -> str | None:
    """Return the optional field that a server complains about."""
    text = f"{getattr(error, 'param', '')} {error.message} {error.body}"
    candidates = [field for field in _OPTIONAL if field in request and field not in already_refused]
    return next((field for field in candidates if re.search(rf"\b{field}\b", text)), None)


def load(source: str, *, name: str = "", profile: Profile | None = None) -> OpenAIChat:
    """Describe a model behind an endpoint; nothing is sent before the first question.

    Args:
        source: "MODEL@http://host:port/v1".
        name: what it is called in reports.
        profile: what the doctor found out about it.

    Raises:
        InputError: it is no such address.
    """
    address = Address.parse(source)
    name = name or address.name
    return OpenAIChat(address, name, profile=profile)
