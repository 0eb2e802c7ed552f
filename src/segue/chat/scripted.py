"""A chat model whose replies stand in a script: for tests, demonstrations of the flow, teaching.

It sees nothing and knows nothing. Like every chat model it keeps no conversation of its own: which
reply it gives follows from the messages alone, so undoing a turn takes its reply back too.
"""

import json
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from segue.errors import InputError, ModelError
from segue.values.message import Message, Sampling


class Scripted:
    """Gives prepared replies, in pieces of a few characters as a real model would."""

    dialect = "qwen_vl"

    def __init__(
        self,
        replies: str | Path | Sequence[str] | Mapping[str, str],
        delay: float | None = None,
        piece: int = 4,
    ) -> None:
        """
        Args:
            replies: the replies of turn 1, 2, …; or a mapping from question to reply; or the path
                of a JSON file that holds one of these.
            delay: seconds to wait before each piece; None: no waiting.
            piece: characters in a piece; it counts as one token of `Sampling.max_new_tokens`.

        Raises:
            InputError: the script cannot be read or is of another form.
        """
        self.name = f"scripted:{replies}" if isinstance(replies, str | Path) else "scripted"
        self.delay = delay
        if piece < 1:
            raise InputError(f"A piece must have at least one character, got {piece}.")
        self.piece = piece
        script = _read_script(Path(replies)) if isinstance(replies, str | Path) else replies
        self.replies = _check_script(script)

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> Iterator[str]:
        """Give the reply that the script holds for this turn. See `ChatModel.stream`."""
        if not messages or messages[-1].role != "user":
            raise InputError("There is no user message to answer: the last message must be one.")
        return self._pieces(self._reply(messages), sampling)

    def count_tokens(self, messages: Sequence[Message], reply: str) -> tuple[int, int]:
        """Length of questions and reply, in pieces. See `SupportsTokenCount`."""
        n_prompt = sum(-(-len(message.text) // self.piece) for message in messages)
        return n_prompt, -(-len(reply) // self.piece)

    def _reply(self, messages: Sequence[Message]) -> str:
        question = messages[-1].text.strip()
        if isinstance(self.replies, Mapping):
            if question in self.replies:
                return self.replies[question]
            questions = ", ".join(map(repr, self.replies)) or "none"
            raise ModelError(f"The script has no reply to {question!r}. It knows: {questions}.")
        turn = sum(message.role == "user" for message in messages)
        if turn > len(self.replies):
            raise ModelError(
                f"The script has {len(self.replies)} replies, and this is turn {turn}."
            )
        return self.replies[turn - 1]

    def _pieces(
        self, reply: str, sampling: Sampling
    ) -> Generator[str, None, Literal["stop", "length"]]:
        ends = [at for stop in sampling.stop if stop and (at := reply.find(stop)) >= 0]
        reply = reply[: min(ends)] if ends else reply
        for number, at in enumerate(range(0, len(reply), self.piece)):
            if number == sampling.max_new_tokens:
                return "length"
            if self.delay:
                time.sleep(self.delay)
            yield reply[at : at + self.piece]
        return "stop"


def _read_script(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"The script {path} cannot be read ({error.strerror}). Give a JSON file of replies."
        ) from error
    except ValueError as error:
        raise InputError(f"The script {path} is not JSON: {error}.") from error


def _check_script(script: Any) -> Sequence[str] | Mapping[str, str]:
    if isinstance(script, Mapping) and _are_texts(script.values()):
        return {str(question).strip(): reply for question, reply in script.items()}
    if isinstance(script, list | tuple) and _are_texts(script):
        return list(script)
    raise InputError(
        "A script must be a list of replies or map questions to replies, all of them strings, "
        f"got {script!r}."
    )


def _are_texts(values: Iterable[Any]) -> bool:
    return all(isinstance(value, str) for value in values)
