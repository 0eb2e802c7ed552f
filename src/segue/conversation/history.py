"""The steps of a conversation, so that each change can be undone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from segue.edit import Edit
from segue.pipeline.answer import Answer
from segue.values.image import Image
from segue.values.message import Message
from segue.values.region import Region

MAX_STEPS = 100
"""How many steps can be undone."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All of a conversation that changes and can be undone. Pictures only ever get more."""

    turns: tuple[tuple[Message, Message], ...] = ()
    """(user, assistant) messages, one pair an answer."""
    answers: tuple[Answer, ...] = ()
    """As they were given; what the user changed later is in `regions`."""
    regions: tuple[Region, ...] = ()
    """All that exist now, those of the answers first made by them."""
    edits: tuple[Edit, ...] = ()
    backgrounds: Mapping[str, Image] = field(default_factory=dict)
    history_start: int = 0
    """Index of the first turn that the chat model is still sent."""

    def without_turns_from(self, first: int) -> "Snapshot":
        """Return the snapshot as if the questions from index `first` on had not been asked."""
        earlier = regions_by_id(self.answers[:first])
        later = regions_by_id(reversed(self.answers[first:]))
        removed = {
            id for id, region in later.items() if id not in earlier and region.found_by != "user"
        }
        return replace(
            self,
            turns=self.turns[:first],
            answers=self.answers[:first],
            regions=tuple(
                _as_before(region, first, earlier.get(region.id)) if region.id in later else region
                for region in self.regions
                if region.id not in removed
            ),
            edits=tuple(edit for edit in self.edits if removed.isdisjoint(edit.regions)),
            history_start=min(self.history_start, first),
        )


def regions_by_id(answers: Iterable[Answer]) -> dict[str, Region]:
    """Return the regions of answers by their ids; of several the last."""
    return {region.id: region for answer in answers for region in answer.regions}


def _as_before(region: Region, first: int, answered: Region | None) -> Region:
    """Return a region without what the turns from index `first` on said of it.

    Args:
        region: as it is now.
        first: index of the first turn that goes.
        answered: the same as an earlier turn gave it; None: the user made it before.
    """
    turns = tuple(turn for turn in region.turns if turn < first)
    if answered is None:
        own_name = (region.phrase,) if region.phrase else ()
        return replace(region, turns=turns, names=own_name)
    names = tuple(dict.fromkeys((region.phrase, *answered.names)))
    is_corrected = region.found_by == "user" or region.clicks
    base = region if is_corrected else answered
    return replace(base, phrase=region.phrase, names=names, turns=turns)


@dataclass(frozen=True, slots=True)
class Step:
    """One change of a conversation.

    >>> str(Step("ask", "这是什么?")), str(Step("delete", "r2"))
    ('这是什么?', 'delete r2')
    """

    what: str
    """ "ask", "undo", "redo" (by a question), "mark", "forget", "add", "change", "delete", "merge",
    "edit" or "drop edit"."""
    name: str
    """The question, the ids of regions, or the operation."""

    def __str__(self) -> str:
        return self.name if self.what in ("ask", "undo", "redo") else f"{self.what} {self.name}"


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

    def push(self, step: Step, **changes: Any) -> None:
        """Add a step; what was undone before can no longer be redone."""
        self._past = [*self._past[1 - MAX_STEPS :], (self.now, step)]
        self._future = []
        self.now = replace(self.now, **changes)

    def undo(self) -> Step | None:
        """Undo the last step and return it; None at the beginning."""
        if not self._past:
            return None
        previous, step = self._past.pop()
        self._future.append((step, self.now))
        self.now = previous
        return step

    def redo(self) -> Step | None:
        """Redo the step that was undone last and return it; None when there is none."""
        if not self._future:
            return None
        step, next_snapshot = self._future.pop()
        self._past.append((self.now, step))
        self.now = next_snapshot
        return step

    def steps(self) -> tuple[list[tuple[Step | None, Snapshot]], int]:
        """Return every snapshot with the step that led to it, and the index of the present one."""
        snapshots = [snapshot for snapshot, _ in self._past]
        steps = [None, *(step for _, step in self._past)]
        past = list(zip(steps, [*snapshots, self.now]))
        return [*past, *reversed(self._future)], len(snapshots)

    def restore(self, steps: Sequence[tuple[Step | None, Snapshot]], at: int) -> None:
        """Restore what `steps` returned."""
        snapshots = [snapshot for _, snapshot in steps]
        names = [step or Step("change", "") for step, _ in steps]
        self._past = list(zip(snapshots[:at], names[1 : at + 1]))
        self.now = snapshots[at]
        self._future = list(reversed(list(zip(names[at + 1 :], snapshots[at + 1 :]))))
