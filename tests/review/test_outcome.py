"""What a review makes of a data set: corrected, left out, counted."""

import json

import pytest

from builders import SIZE, a_region, an_image
from segue.errors import InputError
from segue.export import FORMATS, AnnotatedImage
from segue.export.coco import write_coco
from segue.export.layout import LAYOUTS
from segue.export.reading import read_data_set, read_pictures
from segue.review import OriginalPicture, PictureChange, Review, ReviewJournal
from segue.values.serialize import region_to_json

CAT, DOG = a_region("r1", "cat", score=0.5), a_region("r2", "dog", score=0.9)


@pytest.fixture
def source(tmp_path):
    """A COCO file with four pictures: accepted, corrected, rejected, not reviewed."""
    names = ["accepted.png", "corrected.png", "rejected.png", "todo.png"]
    pictures = [AnnotatedImage(name, SIZE, (CAT, DOG)) for name in names]
    write_coco(pictures, tmp_path / "instances.json")
    for name in names:
        (tmp_path / name).write_bytes(an_image().to_png_bytes())
    review_it(tmp_path / "instances.json")
    return tmp_path / "instances.json"


def a_change(id, **fields):
    given = {"base": 0, "picture": "", "origin": "", "time": "", "reviewer": "Ann", **fields}
    return PictureChange(id=id, **given)


def review_it(source):
    data = read_data_set(source, reviewed="original")
    originals = [OriginalPicture.of(one.name, one.size, one.regions) for one in data.pictures]
    bird = {**originals[1].regions["r1"], "phrase": "bird"}
    with ReviewJournal(data.journal) as journal:
        review = Review(originals, journal)
        review.submit(0, a_change("c1", decision="accept"))
        review.submit(1, a_change("c2", decision="accept", regions=(bird,), deleted=("r2",)))
        review.submit(2, a_change("c3", decision="reject"))
        review.submit(2, a_change("c4", decision="accept", reviewer="Ben"))  # a conflict


def phrases(pictures):
    return {picture.name: [region.phrase for region in picture.regions] for picture in pictures}


def test_rejected_pictures_are_left_out_and_the_others_are_corrected(source):
    data = read_data_set(source)
    assert phrases(data.pictures) == {
        "accepted.png": ["cat", "dog"], "corrected.png": ["bird"], "todo.png": ["cat", "dog"],
    }  # fmt: skip
    assert set(data.files) == set(phrases(data.pictures))
    assert data.review.sentences() == [
        "reviewed pictures: 1 accepted, 1 corrected, 1 not reviewed; left out: 1 rejected",
        "1 conflicting change(s) are not settled, not applied",
    ]


def test_only_accepted_and_corrected_ones_are_taken_where_that_is_asked_for(source):
    data = read_data_set(source, reviewed="accepted")
    assert set(phrases(data.pictures)) == {"accepted.png", "corrected.png"}
    assert data.review.sentences()[0] == (
        "reviewed pictures: 1 accepted, 1 corrected; left out: 1 rejected, 1 not reviewed"
    )


def test_the_original_can_be_read(source):
    data = read_data_set(source, reviewed="original")
    assert len(data.pictures) == 4
    assert all(names == ["cat", "dog"] for names in phrases(data.pictures).values())
    assert data.review is None


def test_the_folder_of_a_file_has_the_same_review(source):
    assert read_data_set(source.parent).journal == source.with_name("instances.review.jsonl")
    assert read_pictures(source.parent) == read_pictures(source)


def test_unchanged_regions_are_as_they_were_annotated(source):
    original = read_data_set(source, reviewed="original").pictures
    accepted = next(one for one in read_pictures(source) if one.name == "accepted.png")
    assert accepted == original[0]


def test_a_source_that_nobody_reviewed_has_no_accepted_pictures(tmp_path):
    write_coco([AnnotatedImage("a.png", SIZE, (CAT,))], tmp_path / "instances.json")
    assert read_data_set(tmp_path).review is None
    with pytest.raises(InputError, match="was not reviewed.*segue review"):
        read_data_set(tmp_path, reviewed="accepted")


def test_a_picture_that_was_annotated_anew_is_not_reviewed(source):
    document = json.loads(source.read_text())
    for entry in document["annotations"]:
        entry["bbox"][2] += 1
    document["images"] = [one for one in document["images"] if one["file_name"] != "rejected.png"]
    document["annotations"] = [one for one in document["annotations"] if one["image_id"] != 3]
    source.write_text(json.dumps(document))
    data = read_data_set(source)
    assert len(data.pictures) == 3
    assert data.review.sentences() == [
        "reviewed pictures: 0 accepted, 0 corrected, 3 not reviewed; left out: 0 rejected",
        "2 change(s) are of an earlier annotation, not applied",
        "1 reviewed picture(s) are not in the data set",
    ]


def test_a_damaged_journal_is_said(source):
    with source.with_name("instances.review.jsonl").open("a") as out:
        out.write(json.dumps(region_to_json(CAT)) + "\n")
    with pytest.raises(InputError, match=r"Line 6 of .*instances.review.jsonl is damaged"):
        read_data_set(source)


@pytest.mark.parametrize("name", ["coco", "yolo", "labelme", "cvat", "voc"])
def test_data_sets_of_every_kind_are_reviewed(tmp_path, name):
    layout = LAYOUTS[name]
    pictures = [AnnotatedImage(f"{letter}.png", SIZE, (CAT, DOG)) for letter in "abc"]
    FORMATS.load(name, pictures, layout.target_in(tmp_path))
    (tmp_path / layout.picture_folder).mkdir(exist_ok=True)
    for picture in pictures:
        (tmp_path / layout.picture_folder / picture.name).write_bytes(an_image().to_png_bytes())
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    review_it(tmp_path)
    assert phrases(read_pictures(tmp_path)) == {"a.png": ["cat", "dog"], "b.png": ["bird"]}
    assert {file: file.read_bytes() for file in before} == before
