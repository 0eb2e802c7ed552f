"""The HTTP API of a review: the queue, changes by two reviewers, pictures, the segmenter."""

import io
import os
from contextlib import contextmanager
from pathlib import Path

import PIL.Image
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from builders import SIZE, a_box, a_mask, a_region, an_image
from segue.assistant import Assistant
from segue.export import AnnotatedImage
from segue.export.coco import write_coco
from segue.export.reading import read_data_set, read_pictures
from segue.review import ReviewJournal
from segue.segment.box_fill import BoxFill
from segue.server.review.service import ReviewService
from server.conftest import KEY, running

NAMES = ["sure.png", "doubtful.jpg", "gone.png", "turned.jpg"]
REGIONS = {
    "sure.png": (a_region("r1", "cat", score=0.95), a_region("r2", "dog", score=0.9)),
    "doubtful.jpg": (a_region("r1", "dog", score=0.2),),
    "gone.png": (),
    "turned.jpg": (a_region("r1", "cat", score=0.9, masked=False),),
}


def write_source(folder: Path) -> Path:
    """A COCO file and its pictures: a PNG, a JPEG, a missing one, one that EXIF turns."""
    write_coco(
        [AnnotatedImage(name, SIZE, REGIONS[name]) for name in NAMES], folder / "instances.json"
    )
    picture = an_image().to_pil()
    picture.save(folder / "sure.png")
    picture.save(folder / "doubtful.jpg")
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    picture.rotate(90, expand=True).save(folder / "turned.jpg", exif=exif)
    return folder / "instances.json"


@contextmanager
def reviewing(folder: Path):
    """A server with a review of the source."""
    source = folder / "instances.json"
    data = read_data_set(source, reviewed="original")
    with ReviewJournal(data.journal) as journal:
        service = ReviewService.of(data, journal, source.name)
        assistant = Assistant(segmenter=BoxFill())
        options = {"requests_per_minute": 0, "review": service}
        with running(assistant, folder / "data", **options) as server:
            yield server


@pytest.fixture
def server(tmp_path):
    write_source(tmp_path)
    with reviewing(tmp_path) as one:
        yield one


@pytest.fixture
def client(server):
    with server.client() as one:
        yield one


def change(client, index=0, **body):
    given = {"id": f"c{os.urandom(4).hex()}", "base": 0, "reviewer": "Ann", **body}
    return client.post(f"/v1/review/pictures/{index}/changes", json=given)


def test_the_queue_begins_with_doubt(client):
    overview = client.get("/v1/review").json()
    assert overview["order"] == "doubt"
    assert overview["classes"] == ["cat", "dog"]
    assert overview["counts"] == {"todo": 4, "accepted": 0, "corrected": 0, "rejected": 0}
    assert overview["can_segment"]
    answer = client.get("/v1/review/queue").json()
    assert answer["total"] == 4
    entries = answer["entries"]
    assert [entry["name"] for entry in entries] == ["doubtful.jpg", "sure.png", "turned.jpg",
                                                    "gone.png"]  # fmt: skip
    assert entries[0]["doubts"] == ["low_score"]
    assert [entry["has_file"] for entry in entries] == [True, True, True, False]
    page = client.get("/v1/review/queue", params={"offset": 1, "limit": 1}).json()
    assert page == {"entries": [entries[1]], "total": 4}
    dogs = client.get("/v1/review/queue", params={"label": "dog"}).json()
    assert [entry["name"] for entry in dogs["entries"]] == ["doubtful.jpg", "sure.png"]


def test_a_change_is_kept_and_told_to_others(client, tmp_path):
    mask = a_mask(a_box(30, 20, 50, 40))
    regions = [
        {"id": "r1", "label": "tiger", "mask": REGIONS["sure.png"][0].mask.rle},
        {"id": "n1", "label": " a  bird ", "mask": mask.rle},
    ]
    answer = change(client, regions=regions, deleted=["r2"], decision="accept")
    assert answer.status_code == 200, answer.text
    assert answer.json()["entry"]["state"] == "corrected"
    assert answer.json()["classes"] == ["cat", "dog", "tiger", "a bird"]
    picture = client.get("/v1/review/pictures/0").json()
    tiger, bird = picture["regions"]
    assert (tiger["label"], tiger["score"], tiger["found_by"]) == ("tiger", None, "chat")
    assert (bird["label"], bird["score"], bird["found_by"]) == ("a bird", None, "user")
    assert bird["box"] == list(mask.box.corners)
    assert bird["class_number"] == 3
    news = client.get("/v1/review/updates", params={"since": 0}).json()
    assert news["n_changes"] == 1
    assert [entry["version"] for entry in news["entries"]] == [1]
    assert client.get("/v1/review/updates", params={"since": 1}).json()["entries"] == []
    (sure, *_) = read_pictures(tmp_path / "instances.json")
    assert [region.phrase for region in sure.regions] == ["tiger", "a bird"]
    assert sure.regions[1].mask == mask


def test_the_slower_of_two_reviewers_is_told_and_nothing_is_lost(client, tmp_path):
    assert change(client, deleted=["r1"]).status_code == 200
    late = change(client, deleted=["r2"], reviewer="Ben", id="late")
    assert late.status_code == 409
    assert late.json()["error"]["code"] == "conflict"
    assert "Ann changed this picture meanwhile" in late.json()["error"]["message"]
    picture = client.get("/v1/review/pictures/0").json()
    assert [region["id"] for region in picture["regions"]] == ["r2"]
    assert [(one["reviewer"], one["deleted"]) for one in picture["conflicts"]] == [("Ben", ["r2"])]
    settled = change(client, base=1, deleted=["r2"], resolves=["late"], reviewer="Ben")
    assert settled.status_code == 200
    picture = client.get("/v1/review/pictures/0").json()
    assert (picture["regions"], picture["conflicts"]) == ([], [])
    assert len((tmp_path / "instances.review.jsonl").read_text().splitlines()) == 4


def test_a_review_goes_on_after_a_restart(tmp_path):
    write_source(tmp_path)
    with reviewing(tmp_path) as server, server.client() as client:
        change(client, decision="accept", id="c1")
        before = client.get("/v1/review/pictures/0").json()
    with reviewing(tmp_path) as server, server.client() as client:
        assert client.get("/v1/review/pictures/0").json() == before
        again = change(client, decision="accept", id="c1")  # the answer was lost: sent again
        assert again.json()["entry"]["version"] == 1


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"regions": [{"id": "n1", "label": "x"}]}, "needs a 'mask' or a 'box'"),
        ({"regions": [{"id": "n1", "label": "x", "box": [900, 900, 950, 950]}]}, "no pixel"),
        ({"regions": [{"id": "n", "label": "x", "mask": {"size": [48, 64], "counts": "m"}}]}, ""),
        ({"regions": [{"id": "n", "label": "x", "mask": {"size": [4, 6], "counts": "h0"}}]}, ""),
        (
            {"regions": [{"id": "r1", "label": "x", "box": [1, 1, 5, 5]}], "deleted": ["r1"]},
            "twice",
        ),
        ({"base": 7}, "has version 0"),
        ({"reviewer": "  "}, "needs the name"),
        ({"reviewer": ""}, "reviewer"),
        ({"id": "../x"}, "id"),
        ({"decision": "maybe"}, "decision"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused(client, tmp_path, body, message):
    answer = change(client, **body)
    assert answer.status_code == 400, answer.text
    assert message in answer.json()["error"]["message"]
    assert len((tmp_path / "instances.review.jsonl").read_text().splitlines()) == 1


def test_pictures_come_upright_and_small_where_they_are_asked_for(client):
    whole = client.get("/v1/review/pictures/0/image")
    assert whole.headers["content-type"] == "image/png"
    assert PIL.Image.open(io.BytesIO(whole.content)).size == (64, 48)
    assert client.get("/v1/review/pictures/3/image").headers["content-type"] == "image/jpeg"
    for index in (0, 1, 3):
        small = client.get(f"/v1/review/pictures/{index}/thumbnail", params={"size": 32})
        assert PIL.Image.open(io.BytesIO(small.content)).size == (32, 24)
    for path in ("2/image", "2/thumbnail"):
        missing = client.get(f"/v1/review/pictures/{path}")
        assert missing.status_code == 400
        assert "was not found" in missing.json()["error"]["message"]
    assert client.get("/v1/review/pictures/99").json()["error"]["code"] == "picture_not_found"


def test_the_segmenter_answers_clicks_and_boxes(client):
    answer = client.post("/v1/review/pictures/1/segment", json={"box": [4, 4, 20, 12]}).json()
    assert answer["mask"] == a_mask_of_box(4, 4, 20, 12)
    for body in ({}, {"points": [[1, 1]], "labels": [1, 0]}):
        assert client.post("/v1/review/pictures/1/segment", json=body).status_code == 400


def a_mask_of_box(*corners):
    from segue.values.mask import Mask

    return Mask.from_box(a_box(*corners), SIZE).rle


def test_a_picture_of_another_size_is_not_segmented(tmp_path):
    write_source(tmp_path)
    an_image().to_pil().resize((32, 24)).save(tmp_path / "sure.png")
    with reviewing(tmp_path) as server, server.client() as client:
        answer = client.post("/v1/review/pictures/0/segment", json={"box": [4, 4, 20, 12]})
    assert answer.status_code == 400
    assert "has 32 x 24 pixels, its annotation says 64 x 48" in answer.json()["error"]["message"]


def test_nobody_without_a_key_sees_or_changes_anything(server):
    with server.client(key=None) as client:
        assert client.get("/v1/review").status_code == 401
        assert client.get("/v1/review/pictures/0/image").status_code == 401
        assert change(client).status_code == 401
        assert "review" in client.get("/").text


def test_nothing_that_the_document_allows_is_a_5xx(server):
    schema = schemathesis.openapi.from_dict(server.app.openapi())
    operations = [result.ok() for result in schema.get_all_operations()]
    reviews = [one for one in operations if one.path.startswith("/v1/review")]
    assert len(reviews) == 8
    for operation in reviews:
        assert operation.definition.raw["summary"]

        @settings(max_examples=4, deadline=None, database=None, derandomize=True,
                  phases=[Phase.generate], suppress_health_check=list(HealthCheck))  # fmt: skip
        @given(case=operation.as_strategy())
        def check(case):
            if "index" in (case.path_parameters or {}):
                case.path_parameters["index"] = 1
            headers = {"Authorization": f"Bearer {KEY}"}
            answer = case.call(base_url=server.url, headers=headers)
            assert answer.status_code < 500, (case, answer.text)

        check()
