"""A review: states, versions, conflicts, classes, and the same after it is taken up again."""

from datetime import UTC, datetime

import pytest

from builders import SIZE, a_box, a_region
from segue.errors import InputError
from segue.review import OriginalPicture, PictureChange, Review, ReviewJournal
from segue.values.serialize import region_to_json

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
CAT, DOG = a_region("r1", "cat", score=0.5), a_region("r2", "dog", score=0.9)
PICTURES = [
    OriginalPicture.of("a.png", SIZE, (CAT, DOG)),
    OriginalPicture.of("b.png", SIZE, (DOG,)),
    OriginalPicture.of("c.png", SIZE, ()),
]


@pytest.fixture
def file(tmp_path):
    return tmp_path / "review.jsonl"


@pytest.fixture
def review(file):
    with ReviewJournal(file) as journal:
        yield Review(PICTURES, journal, ["zebra"], clock=lambda: NOON)


def a_change(id="c1", base=0, **fields):
    given = {"picture": "", "origin": "", "time": "", "reviewer": "Ann", **fields}
    return PictureChange(id=id, base=base, **given)


def again(review, file):
    """The same review, taken up from its journal."""
    review._journal.__exit__(None, None, None)
    with ReviewJournal(file) as journal:
        return Review(PICTURES, journal, ["zebra"])


def summary(review):
    return [
        (one.state, one.version, one.regions, [c.id for c in one.conflicts], one.reviewer)
        for one in review.reviews
    ]


def test_states_follow_decisions_and_changes(review):
    picture = review.reviews[0]
    assert picture.state == "todo"
    review.submit(0, a_change("c1", 0, decision="accept"))
    assert (picture.state, picture.reviewer, picture.time) == (
        "accepted", "Ann", "2026-01-02T12:00:00+00:00",
    )  # fmt: skip
    review.submit(0, a_change("c2", 1, deleted=("r1",)))
    assert picture.state == "corrected"
    review.submit(0, a_change("c3", 2, regions=(region_to_json(CAT),)))
    assert picture.state == "accepted"  # it is as it was
    review.submit(0, a_change("c4", 3, decision="reject"))
    review.submit(1, a_change("c5", 0, decision="accept"))
    assert review.counts() == {"todo": 1, "accepted": 1, "corrected": 0, "rejected": 1}
    review.submit(0, a_change("c6", 4, decision="reopen"))
    assert picture.state == "todo"


def test_the_second_of_two_reviewers_does_not_overwrite_the_first(review, file):
    bird = region_to_json(a_region("r1", "bird"))
    fish = region_to_json(a_region("r1", "fish"))
    assert review.submit(0, a_change("c1", 0, regions=(bird,))).is_applied
    late = review.submit(0, a_change("c2", 0, regions=(fish,), reviewer="Ben"))
    assert not late.is_applied
    assert late.review.regions["r1"]["phrase"] == "bird"
    assert [(one.id, one.reviewer) for one in late.review.conflicts] == [("c2", "Ben")]
    assert summary(again(review, file)) == summary(review)  # it is in the journal as well


def test_a_conflict_is_settled_by_a_change_that_names_it(review):
    review.submit(0, a_change("c1", 0, deleted=("r1",)))
    review.submit(0, a_change("c2", 0, deleted=("r2",), reviewer="Ben"))
    review.submit(0, a_change("c3", 1, deleted=("r2",), resolves=("c2",)))
    assert review.reviews[0].conflicts == []
    assert review.reviews[0].regions == {}


def test_a_change_that_comes_twice_counts_once(review, file):
    for _ in range(2):
        assert review.submit(0, a_change("c1", 0, decision="accept")).is_applied
    for _ in range(2):
        assert not review.submit(0, a_change("c2", 0, decision="reject")).is_applied
    assert review.reviews[0].version == 1
    assert len(file.read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("change", "trouble"),
    [
        (a_change(reviewer="  "), "needs the name of its reviewer"),
        (a_change(base=3), "has version 0, got a change based on 3"),
    ],
)
def test_what_makes_no_sense_is_refused_and_not_written(review, file, change, trouble):
    before = file.read_bytes()
    with pytest.raises(InputError, match=trouble):
        review.submit(0, change)
    assert file.read_bytes() == before


def test_a_review_is_taken_up_where_it_ended(review, file):
    review.submit(0, a_change("c1", 0, regions=(region_to_json(a_region("n1", "yak")),)))
    review.submit(2, a_change("c2", 0, decision="accept"))
    fresh = again(review, file)
    assert summary(fresh) == summary(review)
    assert fresh.classes == review.classes == ["zebra", "cat", "dog", "yak"]


def test_a_class_keeps_its_number(review):
    review.submit(0, a_change("c1", 0, regions=(region_to_json(a_region("r1", "yak")),)))
    review.submit(0, a_change("c2", 1, deleted=("r1", "r2")))
    review.submit(1, a_change("c3", 0, deleted=("r2",)))
    assert review.classes == ["zebra", "cat", "dog", "yak"]


def test_filters_keep_the_order_of_the_queue(review):
    review.submit(1, a_change("c1", 0, decision="accept"))
    assert review.select() == [0, 1, 2]
    assert review.select("todo") == [0, 2]
    assert review.select(label="dog") == [0, 1]
    assert review.select("accepted", "cat") == []


def test_what_changed_since_is_told(review):
    review.submit(1, a_change("c1", 0, decision="accept"))
    review.submit(0, a_change("c2", 0, decision="accept"))
    review.submit(1, a_change("c3", 1, decision="reject"))
    assert review.changed_since(0) == (3, [1, 0])
    assert review.changed_since(2) == (3, [1])
    assert review.changed_since(3) == (3, [])


def test_changes_of_an_earlier_annotation_do_not_count(review, file):
    review.submit(0, a_change("c1", 0, decision="accept"))
    review.submit(2, a_change("c2", 0, decision="accept"))
    review._journal.__exit__(None, None, None)
    other = OriginalPicture.of("a.png", SIZE, (a_region("r1", "cat", a_box(0, 0, 9, 9)),))
    with ReviewJournal(file) as journal:
        fresh = Review([other], journal)
    assert fresh.n_outdated == 2  # one was annotated anew, one is gone
    assert fresh.reviews[0].state == "todo"


def test_regions_of_one_id_stay_two():
    picture = OriginalPicture.of("a.png", SIZE, (CAT, DOG, a_region("r1", "bird")))
    assert [region["phrase"] for region in picture.regions.values()] == ["cat", "dog", "bird"]
    assert list(picture.regions) == ["r1", "r2", "r3"]
