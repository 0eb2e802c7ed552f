"""A review in progress: pictures, their queue, and the journal, shared by several reviewers."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from threading import Lock

from segue.errors import InputError
from segue.review.changes import PictureChange
from segue.review.journal import ReviewJournal
from segue.review.originals import OriginalPicture
from segue.review.queue import ReviewQueue
from segue.review.state import PictureReview, ReviewState

STATES: Sequence[ReviewState] = ("todo", "accepted", "corrected", "rejected")


@dataclass(frozen=True, slots=True)
class ChangeReceipt:
    """What became of a change that somebody handed in."""

    is_applied: bool
    """False: the picture had another version; the change is kept as a conflict."""
    review: PictureReview


class Review:
    """Pictures under review, shared by threads. A change is in the journal before it counts."""

    def __init__(
        self,
        pictures: Iterable[OriginalPicture],
        journal: ReviewJournal,
        classes: Iterable[str] = (),
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Take up a review where its journal ends.

        Args:
            pictures: what is reviewed, as it was annotated.
            journal: open for writing.
            classes: names that come first in the list of classes, whether they occur or not.
            clock: gives the time of changes.
        """
        originals = list(pictures)
        self.reviews = [PictureReview(original) for original in originals]
        """By index, in the order of their file."""
        self.queue = ReviewQueue.of(originals)
        self.n_outdated = 0
        """Changes that do not count: their picture was annotated anew, or is gone."""
        self.history: list[int] = []
        """For each change since the start, conflicts included, the index of its picture."""
        self._journal, self._clock = journal, clock
        self._lock = Lock()
        self._index = {original.name: index for index, original in enumerate(originals)}
        self._change_ids: set[str] = set()
        self._class_numbers: dict[str, int] = {}
        labels = (label for review in self.reviews for label in review.labels)
        self._add_classes([*classes, *labels])
        for change in journal.changes:
            self._replay(change)

    @property
    def classes(self) -> list[str]:
        """Names of the classes. One that was given a number keeps it: colours depend on it."""
        return list(self._class_numbers)

    def class_number(self, label: str) -> int:
        """Return the number of a class, from 0."""
        return self._class_numbers[label]

    def counts(self) -> dict[ReviewState, int]:
        """Return how many pictures there are of each state."""
        counts = Counter(review.state for review in self.reviews)
        return {state: counts[state] for state in STATES}

    def select(self, state: ReviewState | None = None, label: str | None = None) -> list[int]:
        """Return the indexes of pictures in the order of the queue.

        Args:
            state: only these; None: all.
            label: only pictures with a region of this class; None: all.
        """
        return [
            index
            for index in self.queue.order
            if (state is None or self.reviews[index].state == state)
            and (label is None or label in self.reviews[index].labels)
        ]

    def submit(self, index: int, change: PictureChange) -> ChangeReceipt:
        """Write a change to the journal, then apply it.

        Args:
            index: of the picture.
            change: `picture`, `origin` and `time` are filled in here.

        Returns:
            Whether it was applied. One that was submitted before is not applied again.

        Raises:
            InputError: it names no reviewer or a version that is not there, or the disk refuses;
                nothing has changed.
        """
        review = self.reviews[index]
        if not change.reviewer.strip():
            raise InputError("A change needs the name of its reviewer, got none. Give yours.")
        change = replace(
            change,
            picture=review.original.name,
            origin=review.original.origin,
            time=self._clock().isoformat(timespec="seconds"),
        )
        with self._lock:
            if change.id in self._change_ids:
                is_conflict = any(one.id == change.id for one in review.conflicts)
                return ChangeReceipt(not is_conflict, review)
            if change.base > review.version:
                raise InputError(
                    f"The picture has version {review.version}, got a change based on "
                    f"{change.base}. Read the picture again."
                )
            self._journal.append(change)
            return ChangeReceipt(self._apply(review, change), review)

    def changed_since(self, number: int) -> tuple[int, list[int]]:
        """Return how many changes there were, and the pictures of those after a number."""
        history = self.history
        return len(history), list(dict.fromkeys(history[number:]))

    def _replay(self, change: PictureChange) -> None:
        index = self._index.get(change.picture)
        if index is None or self.reviews[index].original.origin != change.origin:
            self.n_outdated += 1
        elif change.id not in self._change_ids:
            self._apply(self.reviews[index], change)

    def _apply(self, review: PictureReview, change: PictureChange) -> bool:
        self._change_ids.add(change.id)
        is_applied = review.take(change)
        if is_applied:
            self._add_classes(str(region["phrase"]) for region in change.regions)
        self.history.append(self._index[review.original.name])
        return is_applied

    def _add_classes(self, labels: Iterable[str]) -> None:
        for label in labels:
            self._class_numbers.setdefault(label, len(self._class_numbers))
