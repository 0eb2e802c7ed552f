"""A record of LLaVA-Plus as rounds: a question, the tools that were called, the final answer.

Tolerant on purpose: every irregularity of the released data is handled by name, and nothing that a
record may hold raises an exception.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from segue.convert.datasets.tool_outputs import ToolOutput, read_tool_output, read_unknown_report
from segue.convert.dialogue import strip_markup

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One action of an assistant's turn."""

    tool: str
    parameters: Mapping[str, Any]

    @property
    def caption(self) -> str:
        """What a detector was asked to find; "" when nothing."""
        for key in ("caption", "prompt", "text"):
            value = self.parameters.get(key)
            if isinstance(value, Mapping):
                value = value.get("caption")
            if isinstance(value, list | tuple) and all(isinstance(v, str) for v in value):
                value = " . ".join(value)
            if isinstance(value, str) and value.strip():
                return value
        return ""


@dataclass(slots=True)
class ToolRound:
    """A question and all that followed until the next one."""

    question: str
    """Plain text, all its lines."""
    calls: list[ToolCall] = field(default_factory=list)
    outputs: list[ToolOutput] = field(default_factory=list)
    answer: str = ""
    """The last words of the assistant; "" when it only called tools."""


def read_image_name(record: Mapping[str, Any]) -> str:
    """Return the picture's name: `image`, else `file_name`, else an `id` that is one; or ""."""
    for key in ("image", "file_name"):
        value = record.get(key)
        if isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, str) and value.strip():
            return value.strip()
    value = record.get("id")
    if isinstance(value, str) and value.lower().endswith(SUFFIXES):
        return value
    return ""


def read_record_id(record: Mapping[str, Any]) -> str:
    """Return `unique_id`, else `id`, as text; "" without either. A float keeps its digits."""
    for key in ("unique_id", "id"):
        value = record.get(key)
        if isinstance(value, str | int | float) and str(value).strip():
            return str(value).strip()
    return ""


def split_rounds(record: Mapping[str, Any]) -> tuple[list[ToolRound], list[str]]:
    """Split the turns of a record into rounds.

    Returns:
        (rounds, notes on what was repaired).
    """
    rounds: list[ToolRound] = []
    notes: list[str] = []
    has_open_call = False  # a tool was called and has not answered yet
    for speaker, turn in _read_turns(record, notes):
        text = _read_text(turn)
        if speaker == "gpt":
            if not rounds:
                notes.append("answer before the first question left out")
                continue
            calls = _read_calls(turn, notes)
            rounds[-1].calls += calls
            rounds[-1].answer = "" if calls else strip_markup(text)
            has_open_call = bool(calls)
            continue
        output = read_tool_output(text)
        if output is None and has_open_call:
            output = read_unknown_report(text)
        if output is not None and rounds:
            if not output.readable:
                notes.append("tool output unreadable")
            rounds[-1].outputs.append(output)
            rounds[-1].answer = ""
        elif output is None:
            _add_question(rounds, strip_markup(text), notes)
        has_open_call = False
    return rounds, notes


def _add_question(rounds: list[ToolRound], question: str, notes: list[str]) -> None:
    is_unanswered = rounds and not (rounds[-1].calls or rounds[-1].answer or rounds[-1].outputs)
    if is_unanswered:
        notes.append("questions in a row joined")
        rounds[-1].question = "\n".join(filter(None, (rounds[-1].question, question)))
    else:
        rounds.append(ToolRound(question))


_SPEAKERS = {"human": "human", "user": "human", "gpt": "gpt", "assistant": "gpt"}


def _read_turns(
    record: Mapping[str, Any], notes: list[str]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    turns = record.get("conversations")
    for turn in turns if isinstance(turns, list) else ():
        speaker = _SPEAKERS.get(str(turn.get("from")).lower()) if isinstance(turn, dict) else None
        if speaker is None:
            notes.append("turn of an unknown speaker left out")
        else:
            yield speaker, turn


def _read_text(turn: Mapping[str, Any]) -> str:
    value = turn.get("value")
    return value if isinstance(value, str) else ""


def _read_calls(turn: Mapping[str, Any], notes: list[str]) -> list[ToolCall]:
    actions = _decode_json(turn.get("actions"))
    if isinstance(actions, Mapping):
        actions = [actions]
    calls = []
    for action in actions if isinstance(actions, list) else ():
        tool_name = action.get("API_name") if isinstance(action, Mapping) else None
        if not isinstance(tool_name, str) or not tool_name.strip():
            notes.append("action without a tool name")
            tool_name = "?"
        parameters = _decode_json(action.get("API_params")) if isinstance(action, Mapping) else None
        calls.append(
            ToolCall(tool_name.strip(), parameters if isinstance(parameters, Mapping) else {})
        )
    return calls


def _decode_json(value: Any) -> Any:
    """Decode parameters that Arrow turned into JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None
