"""`segue annotate`: the plan, the work, the summary, and going on."""

import json

import pytest

from builders import an_image
from segue.runs.store import RunStore
from tiny_models import tiny_sam3


@pytest.fixture
def stages(tmp_path):
    (tmp_path / "places.json").write_text(
        json.dumps({"dog": [[8, 6, 24, 18, 0.9]], "cab": [[30, 6, 50, 18, 0.7]]})
    )
    detector = f"fixed:{tmp_path / 'places.json'}"
    return ["--chat", "none", "--detect", detector, "--segment", "box_fill:"]


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(10):
        (folder / f"{number}.png").write_bytes(an_image(seed=number).to_png_bytes())
    (folder / "broken.jpg").write_text("no picture")
    return folder


def test_a_folder_is_annotated_and_the_same_command_goes_on(run, stages, pictures, tmp_path):
    arguments = ["annotate", pictures, "-c", "dog, car=taxi|cab:0.5", "-o", tmp_path / "run"]
    outcome = run(*arguments, *stages)
    assert outcome.code == 0, outcome.err
    assert "11 picture(s)" in outcome.out
    assert "class car = taxi | cab: threshold 0.5" in outcome.out
    assert "s a picture; about" in outcome.out
    assert "broken.jpg: " in outcome.err
    lines = [line.split() for line in outcome.out.splitlines()]
    assert ["dog", "10", "10"] in lines
    assert ["car", "10", "10"] in lines
    assert "0 with nothing found, 1 failed" in outcome.out
    again = run(*arguments, *stages)
    assert again.code == 0
    assert "11 of 11 pictures done already" in again.out
    assert len(list(RunStore(tmp_path / "run").results())) == 11


def test_failed_pictures_are_named_each_time_with_what_tries_them_again(
    run, stages, pictures, tmp_path
):
    for number in range(3):
        (pictures / f"bad{number}.png").write_text("no picture")
    arguments = ["annotate", pictures, "-c", "dog", "-o", tmp_path / "run", *stages]
    for _ in range(2):
        outcome = run(*arguments)
        assert "0 with nothing found, 4 failed" in outcome.out
        assert "failed: bad0.png, bad1.png, bad2.png and 1 more; --retry-failed" in outcome.out
    summary = json.loads(run(*arguments, "--json", "-").out)
    names = ["bad0.png", "bad1.png", "bad2.png", "broken.jpg"]
    assert (summary["failed"], sorted(summary["failed_pictures"])) == (4, names)
    for name in names:
        (pictures / name).unlink()
    outcome = run("annotate", pictures, "-c", "dog", "-o", tmp_path / "new", *stages)
    assert "--retry-failed" not in outcome.out


def test_a_model_that_segments_what_it_finds_is_the_only_one_loaded(run, pictures, tmp_path):
    folder = tiny_sam3(tmp_path / "sam3", box_threshold=0.0)
    outcome = run("annotate", pictures, "-c", "cat", "-o", tmp_path / "run", "--max-per-class", "2",
                  "--detect", folder, "--segment", "facebook/sam-vit-base")  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert f"models: {folder}" in outcome.out.replace("\n", "")
    assert ["cat", "20", "10"] in [line.split() for line in outcome.out.splitlines()]
    results = [result for result in RunStore(tmp_path / "run").results() if result.regions]
    assert all(region.mask is not None for result in results for region in result.regions)


def test_a_threshold_of_several_classes_is_said_once(run, stages, pictures, tmp_path):
    for classes, said in (
        ("dog, cab", "  class dog\n  class cab\n  threshold: the detector's own\n"),
        ("dog, cab:0.4", "  class cab: threshold 0.4\n  threshold of the others: the detector's"),
        ("dog:0.5, cab:0.4", "  class cab: threshold 0.4\n"),
    ):
        outcome = run("annotate", pictures, "-c", classes, "-o", tmp_path / "run", "--dry-run")
        assert said in outcome.out
        assert outcome.out.count("own") == said.count("detector")


def test_everything_is_segmented_and_exported_as_one_class(run, pictures, tmp_path):
    outcome = run("annotate", pictures, "--everything", "--points-per-side", "2",
                  "-o", tmp_path / "run", "--segment", "box_fill:")  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert "everything: 4 clicks a picture" in outcome.out
    assert ["object", "40", "10"] in [line.split() for line in outcome.out.splitlines()]
    run("export", tmp_path / "run", "--format", "coco", "--out", tmp_path / "coco")
    document = json.loads((tmp_path / "coco" / "instances.json").read_text())
    assert [category["name"] for category in document["categories"]] == ["object"]


def test_a_run_is_exported_with_its_own_classes_in_their_order(run, stages, pictures, tmp_path):
    run("annotate", pictures, "-c", "zebra, cab, dog", "-o", tmp_path / "run", *stages)
    outcome = run("export", tmp_path / "run", "--format", "coco", "--out", tmp_path / "coco")
    assert outcome.code == 0, outcome.err
    document = json.loads((tmp_path / "coco" / "instances.json").read_text())
    names = {category["id"]: category["name"] for category in document["categories"]}
    assert names == {1: "zebra", 2: "cab", 3: "dog"}
    run("export", tmp_path / "run", "-f", "coco", "-o", tmp_path / "few", "--classes", "dog")
    document = json.loads((tmp_path / "few" / "instances.json").read_text())
    assert [category["name"] for category in document["categories"]] == ["dog"]


def test_each_picture_of_a_table_is_asked_its_own_question(run, pictures, tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("path,ask\nin/0.png,Where is the dog?\nin/1.png,\n")
    reply = "<ref>dog</ref><box>(125,125),(375,375)</box>"
    (tmp_path / "replies.json").write_text(json.dumps([reply]))
    stages = ["--chat", f"scripted:{tmp_path / 'replies.json'}", "--detect", "none",
              "--segment", "box_fill:"]  # fmt: skip
    outcome = run("annotate", table, "--ask-column", "ask", "-o", tmp_path / "run", *stages)
    assert outcome.code == 0, outcome.err
    assert "questions: from ask" in outcome.out
    assert "in/1.png: It has no question in 'ask'." in outcome.err
    first = next(result for result in RunStore(tmp_path / "run").results() if result.regions)
    assert (first.name, first.question) == ("in/0.png", "Where is the dog?")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-o", "s3://bucket/run"], "A run is kept in a folder of this machine"),
        (["--ask", "Where?", "--ask-column", "q"], "Give one question for all"),
        (["--engine", "spark"], "must be 'local' or 'ray', got 'spark'"),
        (["--workers", "2"], "need --engine ray"),
        (["--gpus-per-worker", "0.5"], "need --engine ray"),
    ],
)
def test_options_of_an_engine_that_make_no_sense_are_refused(
    run, pictures, tmp_path, options, said
):
    outcome = run("annotate", pictures, "-c", "dog", "-o", tmp_path / "run", *options)
    assert outcome.code == 2
    assert said in outcome.err


def test_other_settings_are_refused_with_what_changed(run, stages, pictures, tmp_path):
    run("annotate", pictures, "-c", "dog", "-o", tmp_path / "run", *stages)
    outcome = run("annotate", pictures, "-c", "dog", "--min-area", "9", "-o", tmp_path / "run",
                  *stages)  # fmt: skip
    assert outcome.code == 2
    assert "settings.min_area was 0.0, is 9.0" in outcome.err


def test_a_plan_is_printed_without_loading_anything(run, pictures, tmp_path):
    outcome = run(
        "annotate", pictures, "-c", "dog", "-o", tmp_path / "run", "--dry-run",
        "--detect", "fixed:/nowhere.json",
    )  # fmt: skip
    assert outcome.code == 0
    assert "11 picture(s)" in outcome.out
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Nothing to look for"),
        (["-c", "dog:x"], "threshold of 'dog'"),
        (["--from-boxes"], "needs COCO instances"),
        (["-c", "dog", "--images", "nowhere", "missing"], "no file or folder"),
    ],
)
def test_what_cannot_be_done_is_said_before_models_are_loaded(
    run, pictures, tmp_path, arguments, said
):
    outcome = run("annotate", pictures, *arguments, "-o", tmp_path / "run")
    assert outcome.code == 2
    assert said in outcome.err


def test_a_run_in_which_everything_failed_is_an_error(run, stages, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "broken.jpg").write_text("no picture")
    outcome = run("annotate", folder, "-c", "dog", "-o", tmp_path / "run", *stages)
    assert outcome.code == 2
    assert "No picture could be annotated" in outcome.err


def test_a_run_is_exported_with_its_pictures_and_what_failed_is_said(
    run, stages, pictures, tmp_path
):
    pytest.importorskip("pyarrow")
    run("annotate", pictures, "-c", "dog, car=cab", "-o", tmp_path / "run", *stages)
    outcome = run("export", tmp_path / "run", "--format", "coco", "--out", tmp_path / "coco",
                  "--classes", "car,dog")  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert "read 10 picture(s) with 20 region(s) from a run" in outcome.out
    assert "broken.jpg: it was not annotated" in outcome.out
    (file,) = (tmp_path / "coco").glob("*.json")
    document = json.loads(file.read_text())
    assert [category["name"] for category in document["categories"]] == ["car", "dog"]
    assert (len(document["images"]), len(document["annotations"])) == (10, 20)
    assert "copied 10 picture(s)" in outcome.out
