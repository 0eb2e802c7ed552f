"""In which order pictures are reviewed: what the models doubt comes first.

Four kinds of doubt, in this order: an unsure verdict, routes that disagree, a mask of which the
segmenter itself thinks little, and a low score. A picture stands where its worst region does.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from segue.review.originals import OriginalPicture

DoubtKind = Literal["unsure", "disagreement", "unstable", "low_score"]
KINDS: Sequence[DoubtKind] = ("unsure", "disagreement", "unstable", "low_score")
"""The gravest first."""
LOW_AGREEMENT = 0.5
"""Below it (IoU) the routes disagree."""
LOW_MASK_SCORE = 0.8
"""Below it (the segmenter's own estimate of its IoU) a mask is unstable."""
LOW_SCORE = 0.4
"""Below it the score of a detector is low."""


@dataclass(frozen=True, slots=True)
class PictureDoubt:
    """Why a picture should be looked at, and where it stands in the queue."""

    kinds: tuple[DoubtKind, ...] = ()
    """All that were found on it, the gravest first."""
    amounts: tuple[float, ...] = (0.0,) * len(KINDS)
    """For each of `KINDS` how grave it is, in [0, 1]; 0: not at all."""
    uncertainty: float | None = None
    """1 minus the lowest score of its regions; None: nothing on it has a score."""

    @property
    def is_known(self) -> bool:
        """Whether the models said anything of how sure they are."""
        return self.uncertainty is not None or any(self.amounts)

    @property
    def rank(self) -> tuple[float, ...]:
        """What pictures are ordered by, the largest first."""
        return (*self.amounts[:3], self.uncertainty if self.uncertainty is not None else -1.0)


def region_doubt(region: Mapping[str, Any]) -> dict[DoubtKind, float]:
    """Return how grave each kind of doubt about a region is, in (0, 1].

    >>> region_doubt({"agreement": 0.2, "score": 0.9})
    {'disagreement': 0.8}
    """
    doubt: dict[DoubtKind, float] = {}
    verdict = region.get("verdict")
    if verdict is not None and verdict["presence"] != "present":
        doubt["unsure"] = 1 - abs(2 * float(verdict["probability"]) - 1) / 2
    agreement = region.get("agreement")
    if agreement is not None and agreement < LOW_AGREEMENT:
        doubt["disagreement"] = 1 - float(agreement)
    mask_score = region.get("mask_score")
    if mask_score is not None and mask_score < LOW_MASK_SCORE:
        doubt["unstable"] = 1 - max(0.0, float(mask_score))
    score = region.get("score")
    if score is not None and score < LOW_SCORE:
        doubt["low_score"] = 1 - float(score)
    return doubt


def picture_doubt(regions: Iterable[Mapping[str, Any]]) -> PictureDoubt:
    """Return the doubt about a picture: of each kind that of its worst region."""
    worst: dict[DoubtKind, float] = {}
    uncertainties = []
    for region in regions:
        for kind, amount in region_doubt(region).items():
            worst[kind] = max(amount, worst.get(kind, 0.0))
        marks = [region.get(name) for name in ("score", "mask_score", "agreement")]
        if region.get("verdict") is not None:
            marks.append(region["verdict"]["probability"])
        uncertainties += [1 - float(mark) for mark in marks if mark is not None]
    return PictureDoubt(
        kinds=tuple(kind for kind in KINDS if kind in worst),
        amounts=tuple(worst.get(kind, 0.0) for kind in KINDS),
        uncertainty=max(uncertainties, default=None),
    )


@dataclass(frozen=True, slots=True)
class ReviewQueue:
    """The pictures in the order in which they are looked at. It does not change while they are."""

    order: Sequence[int]
    """Indexes of the pictures."""
    doubts: Sequence[PictureDoubt]
    """By the index of the picture."""
    is_by_doubt: bool
    """False: nothing has a score, and pictures come in the order of their file."""

    @classmethod
    def of(cls, pictures: Sequence[OriginalPicture]) -> "ReviewQueue":
        """Order pictures by doubt; equal ones stay in the order of their file."""
        doubts = [picture_doubt(picture.regions.values()) for picture in pictures]
        is_by_doubt = any(doubt.is_known for doubt in doubts)
        order = list(range(len(pictures)))
        if is_by_doubt:
            order.sort(key=lambda index: doubts[index].rank, reverse=True)
        return cls(order, doubts, is_by_doubt)
