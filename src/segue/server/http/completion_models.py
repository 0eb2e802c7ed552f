"""OpenAI's chat completion, whole and in chunks, with regions; and its list of models."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from segue.server.http import examples
from segue.server.http.response_models import CompletionRegion


class CompletionMessage(BaseModel):
    """The assistant's message, with what this server adds to OpenAI's."""

    role: Literal["assistant"]
    content: str
    refusal: str | None
    raw: str
    """The reply as the model wrote it, markup included."""
    regions: list[CompletionRegion]
    not_found: list[str]
    broken: list[str]
    """Markup that could not be read."""
    thought: int
    """Characters of `raw` that were thoughts."""
    notices: list[str]
    """Sentences for the user about how the answer came about."""


class CompletionChoice(BaseModel):
    """The reply; there is always one."""

    index: int
    message: CompletionMessage
    finish_reason: str
    """"stop", "length", "content_filter", or "error" where the chat model failed in the middle."""
    logprobs: None


class CompletionUsage(BaseModel):
    """How many tokens were read and written."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class _CompletionHead(BaseModel):
    """What every chunk and every completion begins with."""

    id: str
    created: int
    model: str
    system_fingerprint: str | None


class CompletionResponse(_CompletionHead):
    """A chat completion in one piece."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.COMPLETION]})
    object: Literal["chat.completion"]
    choices: list[CompletionChoice]
    usage: CompletionUsage | None


class Withdrawal(BaseModel):
    """What was sent and turned out to be a thought, and does not count."""

    characters: int
    """Code points of `content`: all of it so far."""
    regions: list[str]
    """Ids."""


class CompletionDelta(BaseModel):
    """What a chunk adds; only what it adds is in it."""

    role: Literal["assistant"] = "assistant"
    content: str = ""
    regions: list[CompletionRegion] = []
    withdrawn: Withdrawal | None = None
    raw: str = ""
    not_found: list[str] = []
    broken: list[str] = []
    thought: int = 0
    notices: list[str] = []


class CompletionChunkChoice(BaseModel):
    """One step of the reply."""

    index: int
    delta: CompletionDelta
    finish_reason: str | None
    logprobs: None


class CompletionChunk(_CompletionHead):
    """A piece of a chat completion, data of a server-sent event."""

    object: Literal["chat.completion.chunk"]
    choices: list[CompletionChunkChoice]
    usage: CompletionUsage | None = None


class ChatModelResponse(BaseModel):
    """A model, in OpenAI's shape."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str

    @classmethod
    def of(cls, name: str) -> "ChatModelResponse":
        """Return a model of this server."""
        return cls(id=name, object="model", created=0, owned_by="segue")


class ChatModelListResponse(BaseModel):
    """OpenAI's list of models."""

    object: Literal["list"]
    data: list[ChatModelResponse]
