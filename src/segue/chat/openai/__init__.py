"""Any endpoint that speaks OpenAI's chat completions: vLLM, Ollama, llama.cpp, cloud services.

Pictures are made, before they are sent, as large as the model would make them, so that no server
changes them and the frame of the boxes is known. What differs from server to server beyond that is
found out by `segue doctor` and kept in a profile.
"""

import re
from collections.abc import Generator, Sequence
from contextlib import closing
from typing import Any
from weakref import finalize

import openai

from segue import profile as profiles
from segue.box import Frame, SeenPixels, Size
from segue.chat.openai.address import Address
from segue.chat.openai.replies import ENDS, pieces, told
from segue.chat.openai.requests import body
from segue.chat.resizing import Patches
from segue.dialects.recognize import dialect_of
from segue.errors import InputError
from segue.message import Message, Sampling
from segue.profile import Profile
from segue.reply import ReplyText

CONNECT_S = 10.0
READ_S = 300.0
"""The longest wait for the next piece of a reply; large pictures take their time on a CPU."""
TRIES = 4
"""So many times more is a request made that met a full, restarting or unreachable server."""

PATCHES = {
    "qwen2_vl": Patches(side=28, least=4 * 28 * 28),
    "qwen2_5_vl": Patches(side=28, least=4 * 28 * 28),
    "qwen3_vl": Patches(side=32, least=65536, most=32 * 32 * 1280),
    "glm_v": Patches(side=28, least=112 * 112),
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
        self.name = name or f"openai:{address.model}@{address.url}"
        self.profile = profile or Profile(name=self.name)
        by_name = dialect_of(name=address.model).dialect
        self.dialect = self.profile.dialect or by_name
        self.frame: Frame | SeenPixels | None = self.profile.frame
        self._patches = patches or PATCHES.get(by_name)
        self.refused: set[str] = set()
        """Fields that this server does not know."""
        self.repeated = 0
        """Requests that had to be made again."""
        self._client = client or _client_of(address)
        if client is None:  # its connections end with this object, not whenever they are collected
            finalize(self, self._client.close)

    def with_profile(self, profile: Profile) -> "OpenAIChat":
        """The same endpoint, used as another profile says."""
        return OpenAIChat(
            self.address, self.name, profile=profile, patches=self._patches, client=self._client
        )

    def seen_size(self, size: Size) -> Size:
        """The size at which a picture of `size` is sent. See `Resizing`."""
        most = self.profile.most_pixels
        if self._patches is not None:
            limit = min(self._patches.most, most or self._patches.most)
            least = min(self._patches.least, limit)
            return Patches(side=self._patches.side, least=least, most=limit).settled(size)
        scale = min(LONGEST / max(size), 1.0)
        if most:
            scale = min(scale, (most / (size.width * size.height)) ** 0.5)
        return Size(*(max(int(side * scale), 1) for side in size)) if scale < 1 else size

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> Generator[str, None, str]:
        """Answer the last message. See `ChatModel.stream`."""
        if not messages or messages[-1].role != "user":
            raise InputError("The last message must be the user's. Add the question.")
        request = body(
            self.address.model, messages, sampling, self.seen_size,
            pictures=self.profile.pictures, official=self.address.official,
        )  # fmt: skip
        return self._reply(request, sampling)

    def _reply(self, request: dict[str, Any], sampling: Sampling) -> Generator[str, None, str]:
        reply, finish = ReplyText((*sampling.stop, *ENDS)), "stop"
        try:
            with self._sent(request) as response, closing(pieces(response)) as chunks:
                while not reply.stopped:
                    try:
                        shown = reply.push(next(chunks))
                    except StopIteration as end:
                        finish = end.value
                        break
                    if shown:
                        yield shown
        except openai.OpenAIError as error:
            raise told(error, self.address, self._models(error)) from error
        if rest := reply.finish():
            yield rest
        return "stop" if reply.stopped else finish

    def _sent(self, request: dict[str, Any]) -> closing[Any]:
        """The head of the response; the request goes without fields that the server refuses."""
        while True:
            fields = {k: v for k, v in request.items() if k not in self.refused}
            extra = {k: fields.pop(k) for k in ("skip_special_tokens",) if k in fields}
            create = self._client.chat.completions.with_streaming_response.create
            try:
                response = create(**fields, extra_body=extra or None).__enter__()
                self.repeated += response.retries_taken
                return closing(response)
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                named = _field_of(error, request, self.refused)
                if named is None:
                    raise
                self.refused.add(named)

    def _models(self, error: Exception) -> list[str]:
        """What the endpoint has, where it says that it has not what was asked for."""
        if not isinstance(error, openai.NotFoundError):
            return []
        try:
            return [model.id for model in self._client.models.list()]
        except openai.OpenAIError:
            return []


def _client_of(address: Address) -> openai.OpenAI:
    return openai.OpenAI(
        base_url=address.url,
        api_key=address.key or "none",
        timeout=openai.Timeout(READ_S, connect=CONNECT_S),
        max_retries=TRIES,
    )


_OPTIONAL = ("skip_special_tokens", "seed", "top_p", "temperature", "max_tokens")


def _field_of(error: openai.APIStatusError, request: dict[str, Any], gone: set[str]) -> str | None:
    """The optional field that a server complains about."""
    text = f"{getattr(error, 'param', '')} {error.message} {error.body}"
    left = [field for field in _OPTIONAL if field in request and field not in gone]
    return next((field for field in left if re.search(rf"\b{field}\b", text)), None)


def load(source: str, *, name: str = "") -> OpenAIChat:
    """Describe a model behind an endpoint; nothing is sent before the first question.

    Args:
        source: "MODEL@http://host:port/v1".
        name: what it is called in reports, and the name of its profile.

    Raises:
        InputError: it is no such address, or the profile is damaged.
    """
    address = Address.parse(source)
    name = name or f"openai:{address.model}@{address.url}"
    return OpenAIChat(address, name, profile=profiles.load(name))
