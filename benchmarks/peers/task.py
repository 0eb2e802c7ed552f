"""What each library does, and how it is measured. Needs nothing but Python."""

import ast
import inspect
import json
import resource
import statistics
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Task:
    """Pictures, and the networks to ask about them."""

    questions: tuple[tuple[str, str, str], ...]
    """A picture's file, a phrase, and the phrase that follows."""
    detector: str
    segmenter: str
    threshold: float
    """Of the detector's score. A library whose weights differ sets it so that `n_boxes` remain."""
    n_boxes: int = 5

    @classmethod
    def read(cls, file: str) -> "Task":
        """Read a task that `write` wrote."""
        fields = json.loads(Path(file).read_text("utf-8"))
        return cls(**{**fields, "questions": tuple(map(tuple, fields["questions"]))})

    def write(self, file: Path) -> None:
        """Write the task for another process."""
        file.write_text(json.dumps(asdict(self)), "utf-8")


class Peer(Protocol):
    """A library, with its models loaded."""

    def find(self, file: str, phrase: str) -> int:
        """Make a mask for each thing that the phrase names; give their number."""

    def click(self, file: str, x: int, y: int) -> None:
        """Make the mask of what lies at a pixel."""


@dataclass(frozen=True)
class Measurement:
    """What a library took, in seconds and MiB."""

    start: float
    """From nothing imported to models loaded."""
    phrase: float
    """A phrase about a new picture, to its masks."""
    next_phrase: float
    """Another phrase about the same picture."""
    next_click: float
    """Another click on the same picture."""
    memory: float
    masks: float
    """On a picture, on average, by the first phrase."""
    lines: int
    """That a person writes: statements of the functions that are marked so, docstrings aside."""


def measure(load: Callable[[Task], Peer], written: tuple[Callable[..., object], ...]) -> None:
    """Do the task that the command line names, and print a `Measurement` as JSON.

    The first picture warms up and does not count.
    """
    task = Task.read(sys.argv[1])
    start, peer = _timed(lambda: load(task))
    phrases, next_phrases, next_clicks, masks = [], [], [], []
    for file, phrase, next_phrase in task.questions:
        seconds, n_masks = _timed(partial(peer.find, file, phrase))
        phrases.append(seconds)
        masks.append(n_masks)
        next_phrases.append(_timed(partial(peer.find, file, next_phrase))[0])
        peer.click(file, 200, 150)
        next_clicks.append(_timed(partial(peer.click, file, 260, 170))[0])
    found = Measurement(
        start=start,
        phrase=statistics.median(phrases[1:]),
        next_phrase=statistics.median(next_phrases[1:]),
        next_click=statistics.median(next_clicks[1:]),
        memory=_peak_bytes() / 2**20,
        masks=statistics.mean(masks[1:]),
        lines=sum(_n_lines(function) for function in written),
    )
    print(json.dumps(asdict(found)))


def _timed(run: Callable[[], T]) -> tuple[float, T]:
    started = time.perf_counter()
    result = run()
    return time.perf_counter() - started, result


def _peak_bytes() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _n_lines(function: Callable[..., object]) -> int:
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    assert isinstance(tree, ast.FunctionDef)
    body = tree.body[1:] if ast.get_docstring(tree) else tree.body
    return sum(len(ast.unparse(statement).splitlines()) for statement in body)
