import json

import pytest

from segue.benchmarks import BENCHMARKS


@pytest.fixture
def no_models(tmp_path, monkeypatch) -> list[str]:
    """Options for stand-ins that always find a dog, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "boxes.json").write_text(json.dumps({"dog": [[100, 220, 310, 410, 0.8]]}))
    (tmp_path / "replies.json").write_text(json.dumps(["Nothing to see."]))
    return [
        *("--chat", f"scripted:{tmp_path / 'replies.json'}"),
        *("--detect", f"fixed:{tmp_path / 'boxes.json'}"),
        *("--segment", "box_fill:"),
        *("--ask", "detector"),
    ]


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_runs_on_its_stand_in_from_one_command(run, no_models, tmp_path, name):
    outcome = run("benchmark", name, "--data", "demo", "--out", tmp_path / "run", *no_models)
    assert outcome.code == 0, outcome.err
    assert "not comparable with any published figure" in outcome.out
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    n_scored = report["items"]["scored"]
    assert n_scored >= 8 if BENCHMARKS.load(name).is_video else n_scored >= 20
    assert (tmp_path / "run" / "index.html").is_file()


def test_a_run_prints_itself_among_published_rows(run, no_models):
    pytest.importorskip("pyarrow")
    outcome = run("benchmark", "refcoco", "--data", "demo", "--protocol", "qwen-vl", *no_models)
    lines = [line for line in outcome.out.splitlines() if "README" in line or "this run" in line]
    assert [line.split()[0] for line in lines] == ["Qwen-VL", "Qwen-VL-Chat", "this"]
    assert "2023" in lines[1]
    assert "88.5" in lines[1]


def test_it_resumes_and_reports_again_without_models(run, no_models):
    command = ("benchmark", "phrasecut", "--data", "demo", "--limit", "5")
    assert run(*command, *no_models).code == 0
    again = run("benchmark", "phrasecut", "--data", "demo", "--limit", "8", *no_models)
    assert "5 items answered already" in again.err
    report = run(*command, "--only-report", "--json", "-")
    assert json.loads(report.out)["items"]["scored"] == 5


def test_options_of_ray_need_ray(run, no_models):
    outcome = run("benchmark", "refcoco", "--data", "demo", "--workers", "2", *no_models)
    assert outcome.code == 2
    assert "--workers and --gpus-per-worker need --engine ray" in outcome.err


def test_two_runs_are_compared(run, no_models):
    for folder in ("a", "b"):
        run("benchmark", "refsegrs", "--data", "demo", "--limit", "6", "--out", folder, *no_models)
    outcome = run("benchmark", "compare", "a", "b")
    assert outcome.code == 0
    assert "6 items in both runs" in outcome.out
    assert "McNemar p = 1.000" in outcome.out


def test_a_sweep_prints_and_draws_a_curve(run, no_models, tmp_path):
    outcome = run(
        "benchmark", "refcoco", "--data", "demo", "--limit", "8", "--distort", "rotate",
        "--out", "sweep", *no_models,
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert [word for word in outcome.out.split() if word.startswith("rotate-")] == [
        "rotate-90", "rotate-180", "rotate-270",
    ]  # fmt: skip
    assert "<svg" in (tmp_path / "sweep" / "robustness.html").read_text()


def test_list_says_where_data_are_to_be_had(run):
    outcome = run("benchmark", "list")
    assert outcome.code == 0
    assert "FudanCVL/gRefCOCO" in outcome.out
    assert "lisa, seg-zero" in outcome.out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--data", "nowhere"], "The folder nowhere does not exist. Expected refcoco/refs(unc).p"),
        (["--data", "demo", "--protocol", "lis"], "Did you mean 'lisa'?"),
        (["--data", "demo", "--split", "testA"], "The stand-in has the split 'val' only"),
        (["--data", "demo", "--ask", "oracle"], "--ask must be 'chat' or 'detector'"),
        (["--data", "demo", "--prompt", "Where is it?"], "The prompt must have {sent}"),
        (["--data", "demo", "--min-score", "0.4"], "has no score that regions must reach"),
        (["--data", "demo", "--shard", "5/4"], "--shard must be i/n"),
        (["--data", "demo", "--only-report"], "There is no answer yet"),
    ],
)
def test_a_mistake_is_one_sentence(run, no_models, options, message):
    outcome = run("benchmark", "refcoco", *options)
    assert outcome.code == 2
    assert message in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize("name", ["grefcoco", "saco-gold"])
def test_the_embedded_models_solve_the_first_items(run, tmp_path, name):
    """Chat and tag route, and the detector alone, with trained weights."""
    outcome = run("benchmark", name, "--data", "demo", "--limit", "2", "--out", tmp_path / "run")
    assert outcome.code == 0, outcome.err
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["items"]["failed"] == 0
    assert report["figures"][report["headline"]]["value"] > 0.8
