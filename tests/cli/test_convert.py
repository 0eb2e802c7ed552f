"""`segue convert`."""

import json

import pytest
from PIL import Image

from builders import an_image
from llava_plus_records import a_record, asked, said


@pytest.fixture
def records(tmp_path):
    """Three records and their picture."""
    Image.new("RGB", (64, 48)).save(tmp_path / "a.jpg")
    made = [
        a_record(asked("Cut out the dog.", "dog")),
        a_record(asked("Where is it?", "dog", tool="grounding_dino"), unique_id="2"),
        a_record(said("What is it?", "A dog."), unique_id="3"),
    ]
    file = tmp_path / "records.json"
    file.write_text(json.dumps(made))
    return file


def test_records_become_files_and_a_report(run, records, tmp_path):
    out = tmp_path / "out"
    outcome = run("convert", "llava-plus", records, "--images", tmp_path, "--out", out,
                  "-f", "qwen-vl,trl", "-f", "questions", "--val", "0")  # fmt: skip
    assert (outcome.code, outcome.err) == (0, "")
    assert "3 records read, 2 dialogues kept, 1 dropped." in outcome.out
    assert {file.name for file in out.iterdir()} == {
        "train.qwen-vl.json", "train.trl.jsonl", "train.questions.jsonl", "report.json",
        "records.jsonl",
    }  # fmt: skip
    settings = json.loads((out / "report.json").read_text())["settings"]
    assert settings["mode"] == "tag"
    answers = [c["conversations"][1]["value"]
               for c in json.loads((out / "train.qwen-vl.json").read_text())]  # fmt: skip
    assert answers == ["<gsam>dog</gsam>", "<ref>dog</ref><box>(100,200),(500,800)</box>"]


@pytest.mark.parametrize(
    ("options", "kinds"),
    [
        (["--mode", "mixed"], {"tag": 1, "box": 1, "plain": 1}),
        (["--mode", "mixed", "--tool-free-ratio", "0"], {"tag": 1, "box": 1}),
        (["--mode", "tag+answer", "--detections", "tag"], {"tag": 2}),
        (["--detections", "cut"], {"tag": 1}),
    ],
)
def test_modes(run, records, tmp_path, options, kinds):
    outcome = run("convert", "llava-plus", records, "-i", tmp_path, "-o", tmp_path / "o", *options)
    assert outcome.code == 0
    assert json.loads((tmp_path / "o/report.json").read_text())["kinds"] == kinds


def test_check_draws_and_finds_fault(run, records, tmp_path):
    run("convert", "llava-plus", records, "-i", tmp_path, "-o", tmp_path / "o", "--val", "0")
    file = tmp_path / "o/train.qwen-vl.json"
    outcome = run("convert", "check", file, "--draw", tmp_path / "drawn")
    assert outcome.code == 0
    assert "no problems" in outcome.out
    assert (tmp_path / "drawn/index.html").is_file()
    (tmp_path / "a.jpg").unlink()
    outcome = run("convert", "check", file)
    assert outcome.code == 2
    assert "picture not found 2" in outcome.err


def test_mistakes_are_told_without_a_traceback(run, records, tmp_path):
    for options, words in (
        (["-f", "qwen_vl", "-i", tmp_path], "Did you mean 'qwen-vl'"),
        (["-i", tmp_path / "none"], "does not exist"),
    ):
        outcome = run("convert", "llava-plus", records, "-o", tmp_path / "o", *options)
        assert outcome.code == 2
        assert words in outcome.err
        assert "Traceback" not in outcome.err


def test_coco_and_refcoco(run, tmp_path):
    Image.new("RGB", (64, 48)).save(tmp_path / "COCO_train2014_000000000007.jpg")
    instances = {
        "images": [{"id": 7, "file_name": "000000000007.jpg", "height": 48, "width": 64}],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [
            {"id": 5, "image_id": 7, "category_id": 1, "bbox": [8, 8, 16, 16], "iscrowd": 0}
        ],
    }
    (tmp_path / "instances.json").write_text(json.dumps(instances))
    reference = {
        "ref_id": 1, "ann_id": [5], "image_id": 7, "split": "testA",
        "sentences": [{"sent": "left cat"}],
    }  # fmt: skip
    (tmp_path / "grefs.json").write_text(json.dumps([reference]))
    outcome = run("convert", "coco", tmp_path / "instances.json", "-i", tmp_path,
                  "-o", tmp_path / "coco", "--val", "0", "--negatives", "0")  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert (tmp_path / "coco/train.qwen-vl.json").is_file()
    outcome = run("convert", "refcoco", tmp_path / "grefs.json", tmp_path / "instances.json",
                  "-i", tmp_path, "-o", tmp_path / "ref", "-f", "questions")  # fmt: skip
    assert outcome.code == 0, outcome.err
    (line,) = (tmp_path / "ref/testA.questions.jsonl").read_text().splitlines()
    assert json.loads(line)["boxes"] == [[8, 8, 24, 24]]


def test_a_run_becomes_conversations_and_what_is_left_out_is_said(run, tmp_path):
    (tmp_path / "in").mkdir()
    for number in range(3):
        file = tmp_path / "in" / f"{number}.png"
        file.write_bytes(an_image(seed=number).to_png_bytes())
    (tmp_path / "in" / "broken.png").write_text("no picture")
    (tmp_path / "places.json").write_text(json.dumps({"dog": [[8, 6, 24, 18, 0.9]]}))
    annotated = run("annotate", tmp_path / "in", "-c", "dog, unicorn", "-o", tmp_path / "run",
                    "--detect", f"fixed:{tmp_path / 'places.json'}",
                    "--segment", "box_fill:")  # fmt: skip
    assert annotated.code == 0, annotated.err
    for route, answer in (("box", "<ref>dog</ref><box>"), ("tag", "<gsam>dog</gsam>")):
        out = tmp_path / route
        outcome = run("convert", "run", tmp_path / "run", "--out", out, "--route", route,
                      "--negatives", "1", "--chinese", "0", "--val", "0")  # fmt: skip
        assert outcome.code == 0, outcome.err
        assert "4 records read, 3 dialogues kept, 1 dropped." in outcome.out
        assert "dropped: picture was not annotated 1" in outcome.out
        assert "annotations: 3 read, 3 used, 0 not" in outcome.out
        text = (out / "train.qwen-vl.json").read_text()
        assert answer in text
        assert "unicorn" in text
    outcome = run("convert", "run", tmp_path / "in", "--out", tmp_path / "none")
    assert outcome.code == 2
    assert "is no run" in outcome.err
