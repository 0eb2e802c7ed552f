"""Sequences of ids with pictures in them: parts, ChatML conversations, base-model prompts.

Text is always text here. A picture, a grounding tag or the end of a turn comes into a sequence
only as a value of its own (`PictureAt`, `Markup`, the builder itself), never out of what somebody
typed.

Source: the chat format published with Qwen-VL-Chat in 2023.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from segue.errors import InputError
from segue.models.qwen_vl.pictures import Picture
from segue.models.qwen_vl.tokenizer import GROUNDING, QwenVLTokenizer
from segue.values.message import Message

DEFAULT_SYSTEM = "You are a helpful assistant."


@dataclass(frozen=True, slots=True)
class Prompt:
    """Ids and the pictures that belong into their slots."""

    ids: list[int]
    pictures: tuple[Picture, ...] = ()
    """In the order of their slots."""


@dataclass(frozen=True, slots=True)
class Markup:
    """Text whose `<ref>`, `<box>` and `<quad>` tags are live."""

    text: str


@dataclass(frozen=True, slots=True)
class PictureAt:
    """A picture in the sequence."""

    image: Picture
    name: str = ""
    """Written into the slots as the original did; has no effect on the network."""


Part = str | Markup | PictureAt
"""A piece of a sequence; a plain string is text in which no tag is live."""


class PromptBuilder:
    """Makes sequences for one tokenizer and one number of slots per picture."""

    def __init__(
        self,
        tokenizer: QwenVLTokenizer,
        n_slots: int,
        *,
        window: int = 6144,
        system: str = DEFAULT_SYSTEM,
    ) -> None:
        """Prepare.

        Args:
            tokenizer: makes the ids.
            n_slots: slots per picture.
            window: system, history and markup together stay below this many ids.
            system: what stands in the system turn when a conversation does not say.
        """
        self.tokenizer = tokenizer
        self.n_slots = n_slots
        self.window = window
        self.system = system
        self._newline = tokenizer.encode("\n")

    def sequence(self, *parts: Part, live: Collection[str] = ()) -> Prompt:
        """Put parts one behind another; neighbouring texts are encoded as one.

        Example: `sequence(PictureAt(image), "Describe the image in English:")`.

        Args:
            parts: what the sequence is made of.
            live: special tokens that are read from the texts all the same.
        """
        ids: list[int] = []
        pictures: list[Picture] = []
        tokenizer = self.tokenizer
        for part in _merged(parts):
            if isinstance(part, str):
                ids += tokenizer.encode(part, live=live)
            elif isinstance(part, Markup):
                ids += tokenizer.encode(part.text, live=(*GROUNDING, *live))
            else:
                slots = tokenizer.name_to_slots(part.name, self.n_slots)
                ids += [tokenizer.picture_start_id, *slots, tokenizer.picture_end_id]
                pictures.append(part.image)
        return Prompt(ids, tuple(pictures))

    def chat(self, messages: Sequence[Message]) -> Prompt:
        """Return a conversation, ready for the assistant's next reply, in ChatML.

        Old turns that do not fit into the window are left out, oldest first, each with its
        pictures; the last message is never cut.

        Args:
            messages: system messages anywhere (joined in front), then turns; the last is the
                user's.

        Raises:
            InputError: the last message is not the user's.
        """
        turns = [message for message in messages if message.role != "system"]
        if not turns or turns[-1].role != "user":
            raise InputError(
                "The last message must be the user's, got "
                f"{turns[-1].role if turns else 'no message'}. Add the question."
            )
        rounds = self._rounds(turns)
        head = self.turn("system", self._system_text(messages))
        recent_turns: list[Prompt] = []
        size = len(head.ids)
        for past in reversed(rounds[:-1]):
            size += len(past.ids)
            if size >= self.window:
                break
            recent_turns.append(past)
        opening = Prompt([*self._newline, *self._opening("assistant")])
        return join([head, *reversed(recent_turns), rounds[-1], opening])

    def _system_text(self, messages: Sequence[Message]) -> str:
        texts = [message.text for message in messages if message.role == "system"]
        return "\n".join(texts) if texts else self.system

    def _rounds(self, turns: Sequence[Message]) -> list[Prompt]:
        """Each user turn with what was answered; pictures are counted through."""
        rounds: list[list[Prompt]] = []
        n_pictures = 0
        for index, turn in enumerate(turns):
            newline = Prompt(self._newline)
            if turn.role == "assistant":
                part = self.turn("assistant", Markup(turn.text))
            else:
                part = self.turn("user", *question(turn, n_pictures))
                n_pictures += len(turn.images)
            if turn.role == "user" or not rounds:
                rounds.append([])
            rounds[-1] += [newline, part]
            unanswered = turn.role == "user" and index + 1 < len(turns)
            if unanswered and turns[index + 1].role == "user":
                rounds[-1].append(newline)
        return [join(parts) for parts in rounds]

    def turn(self, role: str, *parts: Part, live: Collection[str] = ()) -> Prompt:
        """One whole turn, from `<|im_start|>` to `<|im_end|>`; `live` as in `sequence`."""
        content = self.sequence(*parts, live=live)
        ids = [*self._opening(role), *content.ids, self.tokenizer.turn_end_id]
        return Prompt(ids, content.pictures)

    def _opening(self, role: str) -> list[int]:
        tokenizer = self.tokenizer
        return [tokenizer.turn_start_id, *tokenizer.encode(role), *self._newline]


def question(message: Message, n_before: int = 0) -> list[Part]:
    """Return a user's turn as parts: each picture on its own line, then the text.

    Args:
        message: the turn.
        n_before: pictures shown in earlier turns; numbers go on from there.
    """
    parts: list[Part] = []
    for number, image in enumerate(message.images, start=n_before + 1):
        parts += [f"Picture {number}: ", PictureAt(image), "\n"]
    return [*parts, message.text]


def _merged(parts: Sequence[Part]) -> list[Part]:
    merged: list[Part] = []
    for part in parts:
        if isinstance(part, str) and merged and isinstance(merged[-1], str):
            merged[-1] += part
        else:
            merged.append(part)
    return merged


def join(prompts: Sequence[Prompt]) -> Prompt:
    """Put sequences one behind another."""
    ids = [token_id for prompt in prompts for token_id in prompt.ids]
    return Prompt(ids, tuple(image for prompt in prompts for image in prompt.pictures))
