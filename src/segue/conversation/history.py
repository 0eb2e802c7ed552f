"""What a conversation has come to, step by step, so that each change can be taken back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from segue.edit import Edit
from segue.pipeline.answer import Answer
from segue.values.image import Image
from segue.values.message import Message
from segue.values.region import Region

KEPT = 100
"""How many steps can be taken back."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All of a conversation that changes and can be taken back. Pictures only ever get more."""

    turns: tuple[tuple[Message, Message], ...] = ()
    """(user, assistant) messages, one pair an answer."""
    answers: tuple[Answer, ...] = ()
    """As they were given; what a person corrected later is in `regions`."""
    regions: tuple[Region, ...] = ()
    """All that exist now, those of the answers first made by them."""
    edits: tuple[Edit, ...] = ()
    backgrounds: Mapping[str, Image] = field(default_factory=dict)

    def without_turns_from(self, first: int) -> "Snapshot":
        """As if the questions from index `first` on had not been asked."""
        gone = {region.id for answer in self.answers[first:] for region in answer.regions}
        return replace(
            self,
            turns=self.turns[:first],
            answers=self.answers[:first],
            regions=tuple(region for region in self.regions if region.id not in gone),
            edits=tuple(edit for edit in self.edits if gone.isdisjoint(edit.regions)),
        )


@dataclass(frozen=True, slots=True)
class Step:
    """One change of a conversation.

    >>> str(Step("ask", "这是什么?")), str(Step("delete", "r2"))
    ('这是什么?', 'delete r2')
    """

    what: str
    """ "ask", "add", "change", "delete", "merge", "edit" or "drop edit"."""
    name: str
    """The question, the ids of regions, or the operation."""

    def __str__(self) -> str:
        return self.name if self.what == "ask" else f"{self.what} {self.name}"


class History:
    """Snapshots in order, and where we are among them."""

    def __init__(self) -> None:
        self._past: list[tuple[Snapshot, Step]] = []  # (before the step, the step)
        self._future: list[tuple[Step, Snapshot]] = []  # (the step, after it), the next one last
        self.now = Snapshot()

    @property
    def can_undo(self) -> bool:
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        return bool(self._future)

    @property
    def last(self) -> Step | None:
        """The step that led here; None at the beginning."""
        return self._past[-1][1] if self._past else None

    def take(self, step: Step, **changes: Any) -> None:
        """Go one step on; what was taken back before is forgotten."""
        self._past = [*self._past[1 - KEPT :], (self.now, step)]
        self._future = []
        self.now = replace(self.now, **changes)

    def undo(self) -> Step | None:
        """Go one step back; None at the beginning."""
        if not self._past:
            return None
        before, step = self._past.pop()
        self._future.append((step, self.now))
        self.now = before
        return step

    def redo(self) -> Step | None:
        """Go the step that was taken back last; None when there is none."""
        if not self._future:
            return None
        step, after = self._future.pop()
        self._past.append((self.now, step))
        self.now = after
        return step

    def steps(self) -> tuple[list[tuple[Step | None, Snapshot]], int]:
        """Every snapshot with the step that led to it, and the index of the present one."""
        befores = [before for before, _ in self._past]
        led = [None, *(step for _, step in self._past)]
        past = list(zip(led, [*befores, self.now]))
        return [*past, *reversed(self._future)], len(befores)

    def restore(self, steps: Sequence[tuple[Step | None, Snapshot]], at: int) -> None:
        """Take over what `steps` gave."""
        shots = [snapshot for _, snapshot in steps]
        known = [step or Step("change", "") for step, _ in steps]
        self._past = list(zip(shots[:at], known[1 : at + 1]))
        self.now = shots[at]
        self._future = list(reversed(list(zip(known[at + 1 :], shots[at + 1 :]))))
