"""What the models doubt comes first; without scores the order is that of the file."""

from builders import SIZE, a_mask, a_region
from segue.review.originals import OriginalPicture
from segue.review.queue import ReviewQueue
from segue.values.presence import PresenceVerdict


def a_picture(name, *regions):
    return OriginalPicture.of(name, SIZE, regions)


def scored(score=0.9, mask_score=0.95, **fields):
    return a_region(score=score, mask=a_mask(score=mask_score), **fields)


def order(*pictures):
    queue = ReviewQueue.of(pictures)
    return [pictures[index].name for index in queue.order]


def test_the_gravest_kind_of_doubt_comes_first():
    pictures = [
        a_picture("nothing found"),
        a_picture("sure", scored()),
        a_picture("low score", scored(score=0.1)),
        a_picture("unstable", scored(mask_score=0.6)),
        a_picture("disagreement", scored(agreement=0.3)),
        a_picture("unsure", scored(verdict=PresenceVerdict(0.9, "unsure"))),
    ]
    assert order(*pictures) == [
        "unsure", "disagreement", "unstable", "low score", "sure", "nothing found",
    ]  # fmt: skip
    kinds = [doubt.kinds for doubt in ReviewQueue.of(pictures).doubts]
    assert kinds == [(), (), ("low_score",), ("unstable",), ("disagreement",), ("unsure",)]


def test_within_a_kind_the_graver_case_comes_first():
    assert order(
        a_picture("a", scored(verdict=PresenceVerdict(0.8, "unsure"))),
        a_picture("b", scored(verdict=PresenceVerdict(0.5, "unsure"))),
    ) == ["b", "a"]
    assert order(a_picture("a", scored(agreement=0.4)), a_picture("b", scored(agreement=0.0))) == [
        "b",
        "a",
    ]
    assert order(a_picture("a", scored(0.8)), a_picture("b", scored(0.5))) == ["b", "a"]


def test_the_worst_region_of_a_picture_counts():
    sure, doubtful = scored(), scored(0.2, id="r2")
    assert order(a_picture("a", sure), a_picture("b", sure, doubtful)) == ["b", "a"]


def test_without_scores_the_order_is_that_of_the_file():
    bare = a_region(mask=a_mask(score=None))
    pictures = [a_picture(name, bare) for name in ("c", "a", "b")]
    assert order(*pictures) == ["c", "a", "b"]
    assert not ReviewQueue.of(pictures).is_by_doubt
    assert ReviewQueue.of([*pictures, a_picture("d", scored())]).is_by_doubt
