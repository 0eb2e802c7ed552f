"""From messages to the text and pictures that a processor of transformers takes.

What a person typed is text: special tokens spelt in it are broken up before the template sees
them, so a question can neither end its turn nor open a picture. The tags with which some family is
asked to point at things are left whole.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jinja2.exceptions import TemplateError

from segue.chat.transformers.families import Family
from segue.chat.transformers.rendering import TemplateRenderer
from segue.chat.transformers.text import GROUNDING
from segue.dialects.parsing.thoughts import without_thoughts
from segue.errors import InputError, ModelError
from segue.prompting.grounding_prompts import QUESTION_TAGS
from segue.values.image import Image
from segue.values.message import Message, images_of

_BREAK = "\u2060"
"""Word joiner: invisible, and enough to make a special token ordinary text."""


@dataclass(frozen=True, slots=True)
class RenderedPrompt:
    """One question with all that came before it."""

    text: str
    """As the processor takes it: one mark for each picture."""
    images: tuple[Image, ...]


class PromptWriter:
    """Writes prompts for one processor."""

    def __init__(self, processor: Any, family: Family, name: str) -> None:
        self._processor = processor
        self._family = family
        self._name = name
        tokens = getattr(processor.tokenizer, "special_tokens_map", {})
        self._renderer = TemplateRenderer(tokens)
        tokens = [token.content for token in processor.tokenizer.added_tokens_decoder.values()]
        marks = [getattr(processor, f"{kind}_token", None) for kind in ("image", "video", "audio")]
        texts = [str(mark) for mark in (*tokens, *marks) if mark]  # some are tokens, with options
        spellings = {text for text in texts if text.strip()}
        self._special = _pattern(spellings - QUESTION_TAGS)
        self._forbidden = _pattern({text for text in spellings if not GROUNDING.fullmatch(text)})

    def write(self, messages: Sequence[Message]) -> RenderedPrompt:
        """Write the prompt whose continuation is the reply.

        Raises:
            InputError: the last message is not the user's.
            ModelError: the model has no chat template, or its template refuses the messages.
        """
        if not messages or messages[-1].role != "user":
            raise InputError("The last message must be the user's. Add the question.")
        if not self._family.turns:
            return self._question(messages)
        if self._processor.chat_template is None:
            raise ModelError(
                f"{self._name} has no chat template: it is a base model, which does not answer "
                "questions. Use the variant of it that is tuned for chat (often '…-Instruct')."
            )
        try:
            text = self._render(messages)
        except TemplateError:  # some templates know no system turn
            text = self._render(_without_system(messages))
        return RenderedPrompt(text, images_of(messages))

    def _question(self, messages: Sequence[Message]) -> RenderedPrompt:
        """Return the newest question and the newest picture; these models see no more."""
        images = images_of(messages)[-1:]
        return RenderedPrompt(self._family.mark * len(images) + self._text(messages[-1]), images)

    def _render(self, messages: Sequence[Message]) -> str:
        turns = []
        for message in messages:
            parts: list[dict[str, str]] = [{"type": "image"} for _ in message.images]
            turns.append(
                {
                    "role": message.role,
                    "content": [*parts, {"type": "text", "text": self._text(message)}],
                }
            )
        try:
            return self._renderer.render(self._processor.chat_template, turns)
        except TemplateError as error:
            if messages[0].role == "system":
                raise
            raise ModelError(f"The chat template of {self._name} failed: {error}.") from error

    def _text(self, message: Message) -> str:
        from_model = message.role == "assistant"
        live = self._forbidden if from_model else self._special
        text = without_thoughts(message.text) if from_model else message.text
        return live.sub(lambda match: match[0][0] + _BREAK + match[0][1:], text)


def _pattern(tokens: set[str]) -> re.Pattern[str]:
    longest_first = sorted((t for t in tokens if len(t) > 1), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or "(?!)")


def _without_system(messages: Sequence[Message]) -> list[Message]:
    """Return the system message put before the first question."""
    system = "\n\n".join(m.text for m in messages if m.role == "system")
    dialogue = [message for message in messages if message.role != "system"]
    first = dialogue[0]
    return [Message(first.role, f"{system}\n\n{first.text}", first.images), *dialogue[1:]]
