"""What a document of an endpoint says: words, thoughts, why the reply ended, or an error.

Nothing is trusted to have the type that OpenAI documents: content may be text or a list of parts,
a choice may have no message, an error may stand in a document that was sent as a success.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

TEXT_PARTS = ("text", "output_text")
THOUGHT_PARTS = ("thinking", "reasoning", "reasoning_text", "redacted_thinking")
THOUGHT_FIELDS = ("reasoning_content", "reasoning", "thinking")
STOP = ("stop", "eos", "end_turn", "stop_sequence", "eos_token", "completed", "complete", "done")
LENGTH = ("length", "max_tokens", "max_output_tokens", "max_length", "model_length")
FILTERS = ("content_filter", "safety", "recitation", "prohibited_content", "blocklist", "sensitive")
TOOLS = ("tool_calls", "function_call", "tool_use")


@dataclass(frozen=True, slots=True)
class TextDelta:
    """Text of the reply."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """Text of a thought that came in a field of its own."""

    text: str


Spoken = TextDelta | ReasoningDelta


class UpstreamError(Exception):
    """The endpoint reports an error; the message is its own reason."""


@dataclass(slots=True)
class ReplyMetadata:
    """What is known of a reply besides its words."""

    reason: str | None = None
    """Why it ended, in lower case; None: not said."""
    tools: list[str] = field(default_factory=list)
    """Names of tools that the model asked for."""
    refusal: str = ""
    """The model's own words, where it refused in a field of its own."""
    other_choices: set[int] = field(default_factory=set)
    """Other choices that came along and are left out."""
    parts: set[str] = field(default_factory=set)
    """Kinds of parts that are no text and are left out."""
    had_choices: bool = False
    """A choice came."""

    def read(self, value: Any) -> Iterator[Spoken]:
        """Take one document into account.

        Raises:
            UpstreamError: it reports an error.
        """
        for document in value if isinstance(value, list) else [value]:
            if (reason := error_of(document)) is not None:
                raise UpstreamError(reason)
            if not isinstance(document, dict):
                continue
            choices = document.get("choices")
            if not isinstance(choices, list):
                choices = [document] if "message" in document or "delta" in document else []
            for number, choice in enumerate(choices):
                if isinstance(choice, dict):
                    yield from self._choice(choice, number)

    def _choice(self, choice: dict[str, Any], number: int) -> Iterator[Spoken]:
        index = choice.get("index")
        index = index if isinstance(index, int) else number
        if index != 0:
            self.other_choices.add(index)
            return
        self.had_choices = True
        for name in ("delta", "message"):
            if isinstance(message := choice.get(name), dict):
                yield from self._message(message)
        if isinstance(text := choice.get("text"), str) and text:
            yield TextDelta(text)
        reason = (
            choice.get("finish_reason") or choice.get("finishReason") or choice.get("done_reason")
        )
        if isinstance(reason, str) and reason.strip():
            self.reason = reason.strip().lower()
        if error := choice.get("error"):
            raise UpstreamError(reason_of(error) or "an error without a reason")

    def _message(self, message: dict[str, Any]) -> Iterator[Spoken]:
        for field_name in THOUGHT_FIELDS:
            if thought := text_of(message.get(field_name)):
                yield ReasoningDelta(thought)
                break
        yield from self._content(message.get("content"))
        if isinstance(refusal := message.get("refusal"), str):
            self.refusal += refusal
        calls = message.get("tool_calls") or message.get("function_call") or ()
        for call in calls if isinstance(calls, list) else [calls]:
            called = call.get("function", call) if isinstance(call, dict) else None
            if isinstance(called, dict) and isinstance(name := called.get("name"), str):
                self.tools.append(name)
            elif isinstance(call, dict) and not self.tools:
                self.tools.append("")

    def _content(self, content: Any) -> Iterator[Spoken]:
        for part in content if isinstance(content, list) else [content]:
            if isinstance(part, str) and part:
                yield TextDelta(part)
            elif isinstance(part, dict):
                kind = str(part.get("type") or ("text" if "text" in part else "unknown"))
                text = text_of(part)
                if kind in THOUGHT_PARTS and text:
                    yield ReasoningDelta(text)
                elif kind in TEXT_PARTS and text:
                    yield TextDelta(text)
                elif kind == "refusal":
                    self.refusal += text
                elif kind not in (*THOUGHT_PARTS, *TEXT_PARTS):
                    self.parts.add(kind)


def text_of(value: Any) -> str:
    """Return the text of a field, whatever it is wrapped in; "" where there is none.

    >>> text_of([{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}])
    'hm'
    """
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(map(text_of, value))
    if isinstance(value, dict):
        for name in ("text", "value", *THOUGHT_FIELDS, "content", "summary", "refusal"):
            if text := text_of(value.get(name)):
                return text
    return ""


def error_of(document: Any) -> str | None:
    """Return the reason of an error, where a document reports one.

    >>> error_of({"error": {"message": "model is loading", "code": 503}})
    'model is loading'
    >>> error_of({"choices": []}) is None
    True
    """
    if not isinstance(document, dict):
        return None
    error = document.get("error") or document.get("errors")
    feedback = document.get("promptFeedback") or document.get("prompt_feedback")
    if isinstance(feedback, dict) and (blocked := feedback.get("blockReason")):
        return f"the prompt was blocked ({blocked})"
    if error:
        return reason_of(error) or "an error without a reason"
    has_reply = any(name in document for name in ("choices", "delta"))
    is_error_document = document.get("object") == "error" or document.get("type") == "error"
    if is_error_document or (
        not has_reply and any(name in document for name in ("detail", "msg", "error_msg"))
    ):
        return reason_of(document) or "an error without a reason"
    message = document.get("message")
    if not has_reply and isinstance(message, str) and message:
        return message
    return None


def reason_of(error: Any) -> str:
    """Return the sentence in an error, whatever it is wrapped in."""
    if isinstance(error, str):
        return " ".join(error.split())[:500]
    if isinstance(error, list):
        return "; ".join(filter(None, map(reason_of, error[:5])))
    if isinstance(error, dict):
        for name in ("message", "detail", "msg", "error_msg", "error", "reason", "title", "code"):
            value = error.get(name)
            if value and (
                text := reason_of(value if isinstance(value, str | list | dict) else str(value))
            ):
                return text
    return ""
