"""What a model thinks, told apart from what it says; the same in every dialect.

    <think>…</think>                        neither shown nor acted on
    …</think>                               the prompt had opened it: what came before is withdrawn
    <answer>…</answer>                      these marks do not show, what stands between them does

Other families write other marks (`THOUGHTS`). A mark right behind a backtick is quoted and stays
words. White space between a thought and the answer does not show.

Sources: chat templates and model cards of the families that `THOUGHTS` names.
"""

import re
from collections.abc import Iterator

from segue.dialects import Thought

THOUGHTS = (
    ("<think>", "</think>"),  # Qwen3, GLM-V, InternVL3.5, MiniCPM-V, Kimi K2, DeepSeek-R1 …
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),  # LLaVA-CoT
    ("<seed:think>", "</seed:think>"),  # Seed-OSS
    ("<mm:think>", "</mm:think>"),  # MiniMax
    ("◁think▷", "◁/think▷"),  # Kimi-VL
    ("[think]", "[/think]"),  # Magistral
    ("<|start_thinking|>", "<|end_thinking|>"),  # Cohere
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|channel>thought", "<channel|>"),  # Gemma 4
    ("<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),  # Harmony
    ("<|channel|>commentary<|message|>", "<|start|>assistant<|channel|>final<|message|>"),
    ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
)
"""Pairs of marks around a thought, in lower case. Any closing mark ends any thought."""
SILENT = (
    *("<answer>", "</answer>", "<conclusion>", "</conclusion>"),
    *("<|begin_of_solution|>", "<|end_of_solution|>"),
    *("<|start_response|>", "<|end_response|>", "<|start_text|>", "<|end_text|>"),
)
"""Marks around an answer: they do not show."""

_OPENING = frozenset(opening for opening, _ in THOUGHTS)
_CLOSING = frozenset(closing for _, closing in THOUGHTS)
_PARTS = frozenset(("<|channel>", "<|channel|>", "<|message|>", "<|start|>", "<|end|>"))
"""Tokens of which marks of several tokens are made."""
_MARKS = sorted({*_OPENING, *_CLOSING, *SILENT}, key=len, reverse=True)
_ANY_MARK = re.compile("|".join(map(re.escape, _MARKS)), re.IGNORECASE)
_BEGINNINGS = frozenset(mark[:n] for mark in _MARKS for n in range(1, len(mark)))
_STARTS = re.compile("[" + re.escape("".join({mark[0] for mark in _MARKS})) + "]")
_LONGEST = max(map(len, _MARKS))

Part = str | Thought
"""Words of the answer, or a thought that has ended."""


class ThoughtSplitter:
    """Takes one reply apart. How it was cut into chunks does not matter."""

    def __init__(self, thinks: bool = False) -> None:
        """
        Args:
            thinks: the reply may begin inside a thought: keep it until that is known.
        """
        self._waiting: list[str] | None = [] if thinks else None
        """Words that may be a thought; None: they are none."""
        self._unread = ""  # the beginning of what may become a mark
        self._before = ""  # the character before it
        self._thinking = False
        self._length = 0  # of the thought that is being read
        self._spoken = 0  # characters handed out since the beginning, or the last withdrawal
        self._parts: list[Part] = []

    def feed(self, chunk: str) -> list[Part]:
        """Read on; returns what became certain."""
        text, at = self._unread + chunk, 0
        n_held_back = self._partial_length(text)
        for match in _ANY_MARK.finditer(text, 0, n_held_back):
            character_before = text[match.start() - 1] if match.start() else self._before
            if character_before == "`":
                continue
            self._words(text[at : match.start()])
            self._mark(match.group().lower())
            at = match.end()
        end = max(n_held_back, at)
        self._words(text[at:end])
        self._before = text[end - 1] if end else self._before
        self._unread = text[end:]
        return self._certain()

    def end(self, finish: str = "stop") -> list[Part]:
        """End the reply.

        Args:
            finish: why; a reply cut off ("length") while a thought was expected is a thought.
        """
        unread, self._unread = self._unread, ""
        self._words(unread)
        if self._waiting is not None:
            waiting, self._waiting = "".join(self._waiting), None
            if finish == "length" and waiting.strip():
                self._parts.append(Thought(len(waiting), cut=True))
            else:
                self._words(waiting)
        if self._thinking:
            self._parts.append(Thought(self._length, cut=True))
            self._thinking = False
        return self._certain()

    @staticmethod
    def _partial_length(text: str) -> int:
        """Where the end of `text` begins that may become a mark."""
        for match in _STARTS.finditer(text, max(len(text) - _LONGEST, 0)):
            if text[match.start() :].lower() in _BEGINNINGS:
                return match.start()
        return len(text)

    def _words(self, text: str) -> None:
        if self._thinking:
            self._length += len(text)
        elif self._waiting is not None:
            self._waiting.append(text)
        else:
            if not self._spoken and self._length:
                text = text.lstrip()  # between a thought and the answer
            if text:
                self._spoken += len(text)
                self._parts.append(text)

    def _mark(self, mark: str) -> None:
        if mark in _CLOSING:
            self._close()
        elif mark in _OPENING and not self._thinking:
            self._release()
            self._thinking, self._length = True, 0

    def _close(self) -> None:
        if self._thinking:
            self._parts.append(Thought(self._length))
            self._length = max(self._length, 1)
        elif self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            self._length = max(sum(map(len, waiting)), 1)
            self._parts.append(Thought(self._length))
        else:
            self._length = max(self._spoken, 1)
            self._parts.append(Thought(self._spoken, retracts=True))
            self._spoken = 0
        self._thinking = False

    def _release(self) -> None:
        """Release what waited: it was no thought."""
        if self._waiting is not None:
            waiting, self._waiting = "".join(self._waiting), None
            self._words(waiting if waiting.strip() else "")

    def _certain(self) -> list[Part]:
        parts, self._parts = self._parts, []
        return parts


def split_thoughts(reply: str, thinks: bool = False) -> Iterator[Part]:
    """Yield the parts of a whole reply.

    >>> list(split_thoughts("<think>a cat?</think> A dog."))
    [Thought(length=6, retracts=False, cut=False), 'A dog.']
    """
    splitter = ThoughtSplitter(thinks)
    yield from splitter.feed(reply)
    yield from splitter.end()


def without_thoughts(reply: str) -> str:
    """Return the words of a whole reply.

    >>> without_thoughts("A cat? </think> A dog.")
    'A dog.'
    """
    words: list[str] = []
    for part in split_thoughts(reply):
        if isinstance(part, str):
            words.append(part)
        elif part.retracts:
            words.clear()
    return "".join(words)


def is_mark(token: str) -> bool:
    """Whether a token is, or is part of, a mark of a thought or around an answer.

    >>> is_mark("◁think▷"), is_mark("<|channel>"), is_mark("<|im_end|>")
    (True, True, False)
    """
    text = token.lower().strip()
    return text in _OPENING | _CLOSING or text in SILENT or text in _PARTS


def open_thought(prompt: str) -> str:
    """Return the mark with which a prompt ends, where it opens a thought for the model; else "".

    >>> open_thought("<|im_start|>assistant\\n<think>\\n"), open_thought("assistant:")
    ('<think>', '')
    """
    text = prompt.rstrip()
    return next((mark for mark in _OPENING if text.lower().endswith(mark)), "")


_THINKER = re.compile(
    r"thinking|reasoner|reasoning|qvq|magistral|(?<![a-z0-9])r1(?![0-9a-z])"
    r"|qwen-?3\.[5-9](?!.*(?:instruct|nothink))|glm-?4\.1v",
    re.IGNORECASE,
)


def thinks_by_name(name: str) -> bool:
    """Whether a model of this name may answer with a thought that its prompt has opened.

    >>> thinks_by_name("Qwen/Qwen3-VL-8B-Thinking"), thinks_by_name("Qwen3-VL-8B-Instruct")
    (True, False)
    """
    return _THINKER.search(name) is not None
