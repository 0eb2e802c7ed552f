"""A record of LLaVA-Plus as rounds: a question, the tools that were called, the final answer.

Tolerant on purpose: every oddity that the released data has is known here by name, and nothing
that a record may hold raises an exception.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from segue.convert.datasets.tool_outputs import ToolOutput, read_loosely, read_tool_output
from segue.convert.dialogue import plain

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


@dataclass(frozen=True, slots=True)
class Call:
    """One action of an assistant's turn."""

    tool: str
    parameters: Mapping[str, Any]

    @property
    def caption(self) -> str:
        """What a detector was asked to find; "" when nothing was said."""
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
class Round:
    """A question and all that followed until the next one."""

    question: str
    """Plain text, all its lines."""
    calls: list[Call] = field(default_factory=list)
    outputs: list[ToolOutput] = field(default_factory=list)
    answer: str = ""
    """The last words of the assistant; "" when it only called tools."""


def image_name(record: Mapping[str, Any]) -> str:
    """The file name of the picture: `image`, else `file_name`, else an `id` that is one; or ""."""
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


def record_id(record: Mapping[str, Any]) -> str:
    """`unique_id`, else `id`, as text; "" when there is neither. A float keeps its digits."""
    for key in ("unique_id", "id"):
        value = record.get(key)
        if isinstance(value, str | int | float) and str(value).strip():
            return str(value).strip()
    return ""


def rounds_of(record: Mapping[str, Any]) -> tuple[list[Round], list[str]]:
    """Cut the turns of a record into rounds.

    Returns:
        (rounds, notes on what was repaired).
    """
    rounds: list[Round] = []
    notes: list[str] = []
    open_call = False  # a tool was called and has not reported yet
    for speaker, turn in _turns(record, notes):
        text = _text(turn)
        if speaker == "gpt":
            if not rounds:
                notes.append("answer before the first question left out")
                continue
            calls = _calls(turn, notes)
            rounds[-1].calls += calls
            rounds[-1].answer = "" if calls else plain(text)
            open_call = bool(calls)
            continue
        output = read_tool_output(text)
        if output is None and open_call:
            output = read_loosely(text)
        if output is not None and rounds:
            if not output.readable:
                notes.append("tool output unreadable")
            rounds[-1].outputs.append(output)
            rounds[-1].answer = ""
        elif output is None:
            _ask(rounds, plain(text), notes)
        open_call = False
    return rounds, notes


def _ask(rounds: list[Round], question: str, notes: list[str]) -> None:
    waiting = rounds and not (rounds[-1].calls or rounds[-1].answer or rounds[-1].outputs)
    if waiting:
        notes.append("questions in a row joined")
        rounds[-1].question = "\n".join(filter(None, (rounds[-1].question, question)))
    else:
        rounds.append(Round(question))


_SPEAKERS = {"human": "human", "user": "human", "gpt": "gpt", "assistant": "gpt"}


def _turns(record: Mapping[str, Any], notes: list[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    turns = record.get("conversations")
    for turn in turns if isinstance(turns, list) else ():
        speaker = _SPEAKERS.get(str(turn.get("from")).lower()) if isinstance(turn, dict) else None
        if speaker is None:
            notes.append("turn of an unknown speaker left out")
        else:
            yield speaker, turn


def _text(turn: Mapping[str, Any]) -> str:
    value = turn.get("value")
    return value if isinstance(value, str) else ""


def _calls(turn: Mapping[str, Any], notes: list[str]) -> list[Call]:
    actions = _decoded(turn.get("actions"))
    if isinstance(actions, Mapping):
        actions = [actions]
    calls = []
    for action in actions if isinstance(actions, list) else ():
        name = action.get("API_name") if isinstance(action, Mapping) else None
        if not isinstance(name, str) or not name.strip():
            notes.append("action without a tool name")
            name = "?"
        parameters = _decoded(action.get("API_params")) if isinstance(action, Mapping) else None
        calls.append(Call(name.strip(), parameters if isinstance(parameters, Mapping) else {}))
    return calls


def _decoded(value: Any) -> Any:
    """Parameters that went through Arrow come as JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None
