"""Review: people accept, correct or reject annotated pictures; an append-only journal keeps it all.

original ─► queue ─► change ─► journal ─► outcome
as it was   by       names its  one line   what exports give
annotated   doubt    version    each, kept

What was annotated is never changed. The state of a picture is its original and the changes since.
"""

from segue.review.changes import PictureChange
from segue.review.journal import ReviewJournal, read_changes
from segue.review.originals import OriginalPicture
from segue.review.outcome import ReviewOutcome, ReviewSelection
from segue.review.review import Review
from segue.review.state import PictureReview, ReviewState

__all__ = [
    "OriginalPicture",
    "PictureChange",
    "PictureReview",
    "Review",
    "ReviewJournal",
    "ReviewOutcome",
    "ReviewSelection",
    "ReviewState",
    "read_changes",
]
