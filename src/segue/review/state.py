"""The state of a picture: its original, and the changes since, one after the other."""

from typing import Any, Literal

from segue.review.changes import Decision, PictureChange
from segue.review.originals import OriginalPicture
from segue.values.region import Region
from segue.values.serialize import region_from_json

ReviewState = Literal["todo", "accepted", "corrected", "rejected"]
"""corrected: accepted, and something was changed."""


class PictureReview:
    """What became of one picture. The same changes in the same order give the same state."""

    def __init__(self, original: OriginalPicture) -> None:
        self.original = original
        self.version = 0
        """How many changes were applied; a new one must be based on this number."""
        self.regions: dict[str, dict[str, Any]] = dict(original.regions)
        """As they are now, by id."""
        self.conflicts: list[PictureChange] = []
        """Changes that were based on an older version, and are not settled yet. None of them was
        applied, and all are kept."""
        self.reviewer = ""
        """Who made the last change that was applied."""
        self.time = ""
        """When."""
        self._decision: Decision = "reopen"

    @property
    def state(self) -> ReviewState:
        """How far the review of the picture is."""
        if self._decision == "reopen":
            return "todo"
        if self._decision == "reject":
            return "rejected"
        return "corrected" if self.is_changed else "accepted"

    @property
    def is_changed(self) -> bool:
        """Whether any region differs from the original."""
        return self.regions != self.original.regions

    def take(self, change: PictureChange) -> bool:
        """Apply a change; one that is based on another version is kept as a conflict.

        Returns:
            Whether it was applied.
        """
        if change.base != self.version:
            self.conflicts.append(change)
            return False
        regions = {id: one for id, one in self.regions.items() if id not in change.deleted}
        regions |= {str(region["id"]): dict(region) for region in change.regions}
        self.regions = regions  # never changed in place: others may be reading it
        if change.decision is not None:
            self._decision = change.decision
        resolved_ids = set(change.resolves)
        self.conflicts = [one for one in self.conflicts if one.id not in resolved_ids]
        self.version += 1
        self.reviewer, self.time = change.reviewer, change.time
        return True

    def region_values(self) -> tuple[Region, ...]:
        """Return the regions as values."""
        return tuple(region_from_json(region) for region in self.regions.values())

    @property
    def labels(self) -> list[str]:
        """What the regions are called, each name once, in their order."""
        return list(dict.fromkeys(str(region["phrase"]) for region in self.regions.values()))
