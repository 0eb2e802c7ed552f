"""Chat models that see: a conversation with pictures in, a stream of reply text out.

A backend gets the whole conversation each time and keeps no conversation of its own; what it
remembers between calls (key-value caches, picture features) changes speed, never words.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

from segue.runtime.catalog import Catalog, Entry
from segue.values.box import Size
from segue.values.frames import AnyFrame
from segue.values.message import Message, Sampling


@runtime_checkable
class ChatModel(Protocol):
    """What every chat backend promises; tests/contracts/test_chat_contract.py holds them to it."""

    @property
    def name(self) -> str:
        """Nickname, hub id or folder it was loaded from, for reports and session files."""

    @property
    def dialect(self) -> str:
        """The name of the dialect its replies are written in; "auto": find out from the reply."""

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> Iterator[str]:
        """Answer the last message, which is the user's.

        Yields:
            Pieces of the reply in order, markup included, never cutting a character. Joined they
            are the reply, free of end-of-turn tokens. Thoughts are part of it, between one of the
            pairs of marks in `segue.dialects.parsing.thoughts`. The generator's return value says
            why the reply ended, "stop" or "length", or a `message.Finish` with a word about it.
            Closing it early stops the model and leaves it usable.

        Raises:
            InputError: there is no user message to answer.
            ModelError: the model failed.
        """


@runtime_checkable
class SupportsResizing(Protocol):
    """A chat model that knows how large it sees a picture. Optional, beside `ChatModel`.

    Needed where the dialect states boxes in pixels of the resized picture (`box.SEEN_PIXELS`).
    """

    def seen_size(self, size: Size) -> Size:
        """Return the size at which a picture reaches the network: a pure function of `size`."""


@runtime_checkable
class SupportsFrame(Protocol):
    """A chat model known to use another frame than its dialect says. Optional."""

    @property
    def frame(self) -> AnyFrame | None:
        """Replaces the frame of every box and point of its replies; None: as the dialect says."""


@runtime_checkable
class SupportsThinking(Protocol):
    """A chat model whose replies may begin inside a thought that its prompt opened. Optional."""

    @property
    def thinks(self) -> bool:
        """Nothing of a reply is shown before its thought, or the reply itself, has ended."""


@runtime_checkable
class SupportsPictureLimit(Protocol):
    """A chat model that cannot tell many pictures of a conversation apart. Optional."""

    @property
    def max_pictures(self) -> int | None:
        """How many pictures a prompt may hold; None: it tells any number apart."""


def max_pictures(chat: object) -> int | None:
    """How many pictures `chat` tells apart; None: any number."""
    return chat.max_pictures if isinstance(chat, SupportsPictureLimit) else None


@runtime_checkable
class SupportsContextLimit(Protocol):
    """A chat model that knows how long a conversation it can follow. Optional."""

    @property
    def context_limit(self) -> int | None:
        """Tokens of prompt and reply together, pictures included; None: it does not know."""


def context_limit(chat: object) -> int | None:
    """How many tokens `chat` can follow; None: it does not say."""
    return chat.context_limit if isinstance(chat, SupportsContextLimit) else None


def token_counts(chat: object, messages: Sequence[Message], reply: str) -> tuple[int, int] | None:
    """Tokens of a prompt and of a reply; None when the model does not count."""
    return chat.count_tokens(messages, reply) if isinstance(chat, SupportsTokenCount) else None


def seen_size(chat: object, size: Size) -> Size:
    """How large `chat` sees a picture of `size`; a model that does not say does not resize."""
    return chat.seen_size(size) if isinstance(chat, SupportsResizing) else size


def thinks(chat: object) -> bool:
    """Whether replies of `chat` may begin inside a thought."""
    return chat.thinks if isinstance(chat, SupportsThinking) else False


@runtime_checkable
class SupportsPublicErrors(Protocol):
    """A chat model whose errors hold words of others, such as an endpoint's. Optional."""

    is_public: bool
    """Strangers read its errors: they get neutral sentences, and the log has the rest."""


def serve_publicly(chat: object) -> None:
    """Strangers will read the errors of `chat`."""
    if isinstance(chat, SupportsPublicErrors):
        chat.is_public = True


def frame_of(chat: object) -> AnyFrame | None:
    """Return the frame that `chat` insists on; None: the one of its dialect."""
    return chat.frame if isinstance(chat, SupportsFrame) else None


@runtime_checkable
class SupportsTokenCount(Protocol):
    """What a chat backend may offer besides: how long questions and replies are, in tokens."""

    def count_tokens(self, messages: Sequence[Message], reply: str) -> tuple[int, int]:
        """Tokens of the prompt that `messages` make, picture slots included, and of a reply."""


_OF_EVERY_NETWORK = ("device", "dtype", "context", "check_memory")
"""Options of all chat models that run here; the last is read by what loads the stages."""

CHATS = Catalog(
    "chat model",
    {
        "qwen_vl": Entry(
            "segue.chat.qwen_vl:load",
            "native Qwen-VL / Qwen-VL-Chat",
            extra="models",
            options=_OF_EVERY_NETWORK,
        ),
        "transformers": Entry(
            "segue.chat.transformers:load",
            "any image-text-to-text model of transformers",
            extra="models",
            options=(
                "quantize",
                "device_map",
                "max_memory",
                "offload_folder",
                "attn_implementation",
                "dialect",
                *_OF_EVERY_NETWORK,
            ),
            takes_profile=True,
        ),
        "openai": Entry(
            "segue.chat.openai:load",
            "any endpoint with OpenAI's chat completions: MODEL@http://host:port/v1",
            extra="openai",
            remote=True,
            takes_profile=True,
        ),
        "scripted": Entry(
            "segue.chat.scripted:Scripted", "replies from a script, for tests", stand_in=True
        ),
    },
)
