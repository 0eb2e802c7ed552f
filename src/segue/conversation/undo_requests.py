"""Undoing and redoing by a request: "undo that" is a turn of its own, which takes a change back.

What happened since stays: only the objects and edits of that one change become as they were.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from segue.conversation.history import Snapshot, Step
from segue.edit import Edit
from segue.values.region import Region

_BY_USER = frozenset(["add", "change", "delete", "merge", "edit", "drop edit"])


@dataclass(frozen=True, slots=True)
class StateChange:
    """A step that changed regions or edits, with the states around it."""

    step: Step
    before: Snapshot
    after: Snapshot

    def take_back(self, now: Snapshot) -> tuple[tuple[Region, ...], tuple[Edit, ...]]:
        """Return the regions and edits of a later state without this change."""
        regions = self._regions_before(now.regions)
        ids = {region.id for region in regions}
        edits = self._edits_before(now.edits)
        return regions, tuple(edit for edit in edits if ids.issuperset(edit.regions))

    def _edits_before(self, edits: tuple[Edit, ...]) -> tuple[Edit, ...]:
        if edits == self.after.edits:
            return self.before.edits
        added = [edit for edit in self.after.edits if edit not in self.before.edits]
        removed = [edit for edit in self.before.edits if edit not in self.after.edits]
        return (*(edit for edit in edits if edit not in added), *removed)

    def _regions_before(self, regions: tuple[Region, ...]) -> tuple[Region, ...]:
        earlier, later = _by_id(self.before.regions), _by_id(self.after.regions)
        current = _by_id(regions)
        for id, region in earlier.items():
            if id not in later or _differ(region, later[id]):
                current[id] = region
        for id in later.keys() - earlier.keys():
            current.pop(id, None)
        order = [*earlier, *(id for id in current if id not in earlier)]
        return tuple(current[id] for id in order if id in current)


def changes_to_take_back(
    steps: Sequence[tuple[Step | None, Snapshot]], at: int
) -> tuple[list[StateChange], list[tuple[StateChange, Step]]]:
    """Return the changes that "undo that" and "redo that" take back, the next one last.

    Those for "redo that" stand with the steps that come back.

    Args:
        steps: every snapshot with the step that led to it.
        at: index of the present one.
    """
    undoable: list[StateChange] = []
    redoable: list[tuple[StateChange, StateChange]] = []  # (what undid it, the change)
    for (_, before), (step, after) in pairwise(steps[: at + 1]):
        if step is None:
            continue
        change = StateChange(step, before, after)
        if step.what == "undo" and undoable:
            redoable.append((change, undoable.pop()))
        elif step.what == "redo" and redoable:
            undoable.append(redoable.pop()[1])
        elif _counts(change):
            undoable.append(change)
            redoable.clear()
    return undoable, [(undoing, change.step) for undoing, change in redoable]


def _counts(change: StateChange) -> bool:
    """Whether a step changed something that can be seen.

    A mask that a later answer of the chat model replaces is no such change.
    """
    if change.before.edits != change.after.edits or change.step.what in _BY_USER:
        return True
    earlier, later = _by_id(change.before.regions), _by_id(change.after.regions)
    if earlier.keys() != later.keys():
        return True
    is_request = change.step.what == "ask" and change.after.answers[-1].from_register
    return is_request and any(_differ(region, later[id]) for id, region in earlier.items())


def _differ(region: Region, other: Region) -> bool:
    return (region.phrase, region.box, region.mask) != (other.phrase, other.box, other.mask)


def _by_id(regions: Iterable[Region]) -> dict[str, Region]:
    return {region.id: region for region in regions}
