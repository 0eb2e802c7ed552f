"""`segue evaluate`, with scripted models."""

import json

import pytest


@pytest.fixture
def questions(tmp_path, picture):
    """The scripted chat model answers the first question of a conversation with its first reply."""
    line = {"image": picture.name, "question": "框出飞机", "expect": "box", "bbox": [8, 6, 24, 18]}
    other = {**line, "sent": "飞机", "id": "second"}
    del other["question"]
    file = tmp_path / "questions.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in (line, other)))
    return file


def test_questions_are_asked_once_and_scored_again_and_again(run, questions, stages, tmp_path):
    out = tmp_path / "predictions.jsonl"
    outcome = run("evaluate", "boxes", questions, "--out", out, *stages)
    assert outcome.code == 0, outcome.err
    assert "Acc@0.5" in outcome.out
    assert "100.0" in outcome.out
    assert "thresholds: box the detector's own" in outcome.out
    assert "prompt: 'Where is the {sent}?'" in outcome.out
    before = out.read_bytes()
    again = run("evaluate", "predict", questions, "--out", out, *stages)
    assert again.code == 0
    assert "2 of 2 already answered" in again.err
    assert out.read_bytes() == before
    scored = run("evaluate", "all", out, "--json", "-")
    result = json.loads(scored.out)
    assert result["boxes"]["all"]["Acc@0.5"] == 1.0
    assert result["tags"]["all"]["box-valid rate"] == 1.0
    assert result["manifest"]["sampling"]["temperature"] == 0


def test_questions_need_a_place_for_the_answers(run, questions):
    outcome = run("evaluate", "tags", questions)
    assert outcome.code == 2
    assert "--out FILE" in outcome.err


def test_an_empty_file_is_called_so(run, tmp_path):
    (tmp_path / "none.jsonl").touch()
    outcome = run("evaluate", "masks", tmp_path / "none.jsonl")
    assert (outcome.code, "none.jsonl is empty" in outcome.err) == (2, True)


def test_synonyms_and_limits(run, questions, stages, tmp_path):
    (tmp_path / "words.json").write_text('[["tram", "streetcar"]]')
    out = tmp_path / "p.jsonl"
    outcome = run("evaluate", "tags", questions, "-o", out, "--limit", 1, *stages,
                  "--synonyms", tmp_path / "words.json")  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert len(out.read_text().splitlines()) == 2


def test_average_precision_of_a_results_file(run, tmp_path):
    pytest.importorskip("faster_coco_eval")
    truth = {
        "images": [{"id": 1, "height": 50, "width": 50}],
        "categories": [{"id": 1, "name": "dog"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "bbox": [5, 5, 20, 20], "area": 400,
             "iscrowd": 0}
        ],
    }  # fmt: skip
    results = [{"image_id": 1, "category_id": 1, "bbox": [5, 5, 20, 20], "score": 1.0}]
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    (tmp_path / "results.json").write_text(json.dumps(results))
    outcome = run("evaluate", "detections", tmp_path / "truth.json", tmp_path / "results.json",
                  "--json", "-")  # fmt: skip
    assert json.loads(outcome.out)["AP"] == pytest.approx(1.0)
    bad = run("evaluate", "detections", tmp_path / "none.json", tmp_path / "results.json")
    assert bad.code == 2
