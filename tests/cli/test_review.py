"""`segue review`, and what `segue export` and `segue convert coco` give afterwards."""

import json

import pytest

import segue
from builders import an_image
from segue.embedded.samples import samples
from segue.export.reading import read_data_set
from segue.review import OriginalPicture, PictureChange, Review, ReviewJournal


@pytest.fixture(scope="module")
def annotated_run(tmp_path_factory):
    """A run over the sample scenes."""
    folder = tmp_path_factory.mktemp("annotated") / "run"
    files = [scene.file for scene in samples()]
    segue.annotate(files, folder, classes="dog, sheep, airplane, apple, crab")
    return folder


def review_run(folder):
    """Correct the first picture, accept the second, reject the third."""
    data = read_data_set(folder, reviewed="original")
    originals = [OriginalPicture.of(one.name, one.size, one.regions) for one in data.pictures]
    with ReviewJournal(data.journal) as journal:
        review = Review(originals, journal)
        for index, decision in enumerate(["accept", "accept", "reject"]):
            regions = ()
            if index == 0:
                (region, *_) = originals[0].regions.values()
                regions = ({**region, "phrase": "kite"},)
            change = PictureChange(
                id=f"c{index}", picture="", origin="", base=0, reviewer="Ann", time="",
                decision=decision, regions=regions,
            )  # fmt: skip
            review.submit(index, change)
    return [original.name for original in originals]


@pytest.fixture
def reviewed_run(annotated_run):
    yield annotated_run, review_run(annotated_run)
    (annotated_run / "review.jsonl").unlink()


def test_an_export_gives_the_corrected_state(run, reviewed_run, tmp_path) -> None:
    folder, names = reviewed_run
    files = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    outcome = run("export", folder, "-f", "coco", "-o", tmp_path / "all")
    assert outcome.code == 0, outcome.err
    assert "1 accepted, 1 corrected, 1 not reviewed; left out: 1 rejected" in outcome.out
    document = json.loads((tmp_path / "all" / "instances.json").read_text())
    assert {one["file_name"] for one in document["images"]} == {*names} - {names[2]}
    assert "kite" in {one["name"] for one in document["categories"]}

    outcome = run("export", folder, "-f", "coco", "-o", tmp_path / "few", "--reviewed", "accepted")
    assert "left out: 1 rejected, 1 not reviewed" in outcome.out
    document = json.loads((tmp_path / "few" / "instances.json").read_text())
    assert {one["file_name"] for one in document["images"]} == {*names[:2]}
    assert files == {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_dialogues_are_made_of_the_corrected_state(run, reviewed_run, tmp_path) -> None:
    folder, names = reviewed_run
    options = ("-f", "dialogues", "--val", "0", "--negatives", "0", "--typos", "0")
    outcome = run("convert", "coco", folder, "-o", tmp_path / "out", *options, "--chinese", "0",
                  "--reviewed", "accepted")  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert "1 accepted, 1 corrected; left out: 1 rejected, 1 not reviewed" in outcome.out
    text = "".join(file.read_text("utf-8") for file in (tmp_path / "out").glob("*.jsonl"))
    assert "kite" in text
    assert names[1] in text
    assert names[2] not in text


def test_pictures_of_a_plain_file_must_be_named(run, tmp_path) -> None:
    file = tmp_path / "instances.json"
    file.write_text('{"images": [], "annotations": [], "categories": []}')
    outcome = run("convert", "coco", file, "-o", tmp_path / "out")
    assert outcome.code == 2
    assert "--images FOLDER" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "trouble"),
    [
        (("nowhere",), "There is no file or folder"),
        (("empty",), "is an empty folder, which is nothing that can be read"),
        (("talk", "--host", "0.0.0.0", "--no-key"), "A server without keys"),
    ],
)
def test_what_cannot_be_reviewed_is_said(run, tmp_path, monkeypatch, arguments, trouble) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEGUE_DATA", str(tmp_path / "data"))
    (tmp_path / "empty").mkdir()
    segue.load("embedded").open(an_image()).save("talk")
    outcome = run("review", *arguments)
    assert outcome.code == 2
    assert trouble in outcome.err


def test_a_review_that_is_open_elsewhere_is_refused(run, annotated_run, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with ReviewJournal(annotated_run / "review.jsonl"):
        outcome = run("review", annotated_run, "--no-key", "--port", "0")
    assert outcome.code == 2
    assert "Another process has the review" in outcome.err
    (annotated_run / "review.jsonl").unlink()
