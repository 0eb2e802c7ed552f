"""`segue evaluate calibrate`, and the verdicts that follow."""

import json

import pytest

from builders import an_image

CATEGORIES = [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}]
POINTING = "<ref>dog</ref><box>(125,125),(375,375)</box>"


@pytest.fixture
def stages(tmp_path, monkeypatch):
    monkeypatch.setenv("SEGUE_HOME", str(tmp_path / "home"))
    (tmp_path / "places.json").write_text(json.dumps({"dog": [[8, 6, 24, 18, 0.7]]}))
    (tmp_path / "replies.json").write_text(json.dumps([POINTING, "No."] * 40))
    return {
        "chat": ["--chat", f"scripted:{tmp_path / 'replies.json'}"],
        "others": ["--detect", f"fixed:{tmp_path / 'places.json'}", "--segment", "box_fill:"],
    }


@pytest.fixture
def data(tmp_path):
    """Dogs on all pictures; the cats that are asked for are on none."""
    for number in range(30):
        (tmp_path / f"{number}.png").write_bytes(an_image(seed=number).to_png_bytes())
    content = {
        "images": [{"id": n, "file_name": f"{n}.png"} for n in range(30)],
        "categories": CATEGORIES,
        "annotations": [{"image_id": n, "category_id": 1} for n in range(30)],
    }
    (tmp_path / "coco.json").write_text(json.dumps(content))
    return tmp_path / "coco.json"


def test_what_is_fitted_gives_verdicts_from_then_on(run, stages, data, tmp_path):
    detector_only = ["--chat", "none", *stages["others"]]
    diagram = tmp_path / "diagram.png"
    outcome = run("evaluate", "calibrate", data, *detector_only, "--diagram", diagram)
    assert outcome.code == 0, outcome.err
    assert "decided right" in outcome.out
    assert diagram.is_file()
    outcome = run("segment", tmp_path / "0.png", "dog", "cat", *stages["others"])
    assert outcome.code == 0, outcome.err
    assert "present (" in outcome.out
    assert "not in the picture" in outcome.out + outcome.err


def test_an_interrupted_run_is_resumed_from_its_evidence(run, stages, data, tmp_path):
    arguments = [data, "--out", tmp_path / "c.json", *stages["chat"], *stages["others"]]
    assert run("evaluate", "calibrate", *arguments, "--limit", "50").code == 0
    outcome = run("evaluate", "calibrate", *arguments)
    assert outcome.code == 0, outcome.err
    assert "50 phrases are known" in outcome.err
    calibration = json.loads((tmp_path / "c.json").read_text())
    assert set(calibration["models"]) == {"detector", "chat", "both"}
    assert calibration["fitted_on"]["pictures"] == 30


def test_unlawful_settings_are_refused(run, stages, data, tmp_path):
    outcome = run("evaluate", "calibrate", data, "--absent-below", "0.9", *stages["others"])
    assert outcome.code == 2
    assert "must not be above" in outcome.err
    outcome = run("evaluate", "calibrate", data, "--out", data, *stages["others"])
    assert outcome.code == 2
    outcome = run(
        "evaluate", "calibrate", data, "--limit", "10", "--chat", "none", *stages["others"]
    )
    assert outcome.code == 2
    assert "at least 20 phrases" in outcome.err


def test_pictures_that_cannot_be_opened_are_counted(run, stages, data, tmp_path):
    for number in range(3):
        (tmp_path / f"{number}.png").unlink()
    outcome = run("evaluate", "calibrate", data, "--chat", "none", *stages["others"])
    assert outcome.code == 0, outcome.err
    assert "6 phrases have no evidence" in outcome.err


def test_the_calibration_and_its_evidence_are_two_files(run, stages, data, tmp_path):
    file = tmp_path / "one.json"
    outcome = run("evaluate", "calibrate", data, "--out", file, "--evidence", file)
    assert outcome.code == 2
    assert "a file each" in outcome.err
    assert not file.exists()


def test_models_that_say_nothing_of_presence_are_refused(run, stages, data, tmp_path):
    nothing = ["--chat", "none", "--detect", "none", "--segment", "box_fill:"]
    outcome = run("evaluate", "calibrate", data, *nothing, "--out", tmp_path / "c.json")
    assert outcome.code == 2
    assert "no evidence" in outcome.err
    assert not (tmp_path / "c.json").exists()
