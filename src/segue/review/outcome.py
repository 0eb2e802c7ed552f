"""What a review makes of a data set, for everything that reads the data set afterwards."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from segue.review.changes import PictureChange
from segue.review.originals import OriginalPicture
from segue.review.state import PictureReview
from segue.values.box import Size
from segue.values.region import Region

ReviewSelection = Literal["accepted", "all", "original"]
"""accepted: what was accepted or corrected; all: what was not rejected; original: as annotated."""


@dataclass(slots=True)
class ReviewOutcome:
    """The changes of a journal, ready to be applied to the pictures they are about."""

    selection: ReviewSelection
    states: Counter[str] = field(default_factory=Counter)
    """Pictures by the state of their review."""
    state_by_name: dict[str, str] = field(default_factory=dict)
    """The state of each picture that was asked for."""
    n_conflicts: int = 0
    """Changes that nobody has settled; they are not applied."""
    n_outdated: int = 0
    """Changes of pictures that were annotated anew since; they are not applied."""
    _changes: Mapping[str, Sequence[PictureChange]] = field(default_factory=dict)
    _pending: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, changes: Iterable[PictureChange], selection: ReviewSelection) -> "ReviewOutcome":
        """Sort changes by picture."""
        by_picture: dict[str, list[PictureChange]] = {}
        for change in changes:
            by_picture.setdefault(change.picture, []).append(change)
        return cls(selection, _changes=by_picture, _pending=set(by_picture))

    def regions_of(
        self, name: str, size: Size, regions: tuple[Region, ...]
    ) -> tuple[Region, ...] | None:
        """Return the regions of a picture after its review; None: the picture is left out.

        Each picture is asked for once: it is counted.
        """
        changes = self._changes.get(name, ())
        if not changes:
            self.states["todo"] += 1
            self.state_by_name[name] = "todo"
            return regions if self.selection == "all" else None
        self._pending.discard(name)
        review = PictureReview(OriginalPicture.of(name, size, regions))
        known_ids = set()
        for change in changes:
            if change.origin != review.original.origin:
                self.n_outdated += 1
            elif change.id not in known_ids:
                known_ids.add(change.id)
                review.take(change)
        self.states[review.state] += 1
        self.state_by_name[name] = review.state
        self.n_conflicts += len(review.conflicts)
        if review.state == "rejected" or (review.state == "todo" and self.selection != "all"):
            return None
        return review.region_values() if review.is_changed else regions

    def is_checked(self, name: str) -> bool:
        """Return whether a person accepted a picture, as it was or after correcting it."""
        return self.state_by_name.get(name) in ("accepted", "corrected")

    def sentences(self) -> list[str]:
        """Say what was taken, what was left out, and what could not be applied."""
        kept_counts = [
            f"{self.states['accepted']} accepted",
            f"{self.states['corrected']} corrected",
        ]
        dropped = [f"{self.states['rejected']} rejected"]
        (kept_counts if self.selection == "all" else dropped).append(
            f"{self.states['todo']} not reviewed"
        )
        lines = [f"reviewed pictures: {', '.join(kept_counts)}; left out: {', '.join(dropped)}"]
        if self.n_conflicts:
            lines.append(f"{self.n_conflicts} conflicting change(s) are not settled, not applied")
        if self.n_outdated:
            lines.append(f"{self.n_outdated} change(s) are of an earlier annotation, not applied")
        if self._pending:
            lines.append(f"{len(self._pending)} reviewed picture(s) are not in the data set")
        return lines
