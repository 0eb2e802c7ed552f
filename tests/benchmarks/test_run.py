import json
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

import segue
from segue.benchmarks import BENCHMARKS
from segue.benchmarks.comparison import compare_runs
from segue.benchmarks.demo_pictures import demo_pictures
from segue.benchmarks.distortion import distortion_levels, mistype, rotate, rotate_back
from segue.benchmarks.item import AnsweredRegion
from segue.benchmarks.journal import AnswerIndex, Journal
from segue.benchmarks.page import page
from segue.benchmarks.respondent import ItemRespondent
from segue.benchmarks.rewording import reword
from segue.benchmarks.run import BenchmarkRun, Shard
from segue.benchmarks.scoring import read_scores
from segue.cli.app import main
from segue.detect.fixed import Fixed
from segue.errors import InputError
from segue.segment.box_fill import BoxFill
from segue.values.box import Box
from segue.values.mask import rle

TABLE = {"airplane": [(133, 35, 445, 347, 0.9)], "dog": [(100, 220, 310, 410, 0.8)]}
"""Right for the airplane as it is and darker, nearly right for the dog."""


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("grefcoco")
    BENCHMARKS.load("grefcoco").write_demo(folder)
    return folder


@pytest.fixture
def respondent() -> ItemRespondent:
    assistant = segue.load(chat=None, detect=Fixed(TABLE), segment=BoxFill())
    return ItemRespondent(assistant, "detector", "{sent}")


@pytest.fixture
def run(data, tmp_path) -> BenchmarkRun:
    benchmark = BENCHMARKS.load("grefcoco")
    dataset = benchmark.read(data, "val", None)
    protocol = benchmark.protocol("gres")
    return BenchmarkRun(
        benchmark=benchmark, dataset=dataset, protocol=protocol, folder=tmp_path / "run"
    )


def ask_everything(run: BenchmarkRun, respondent: ItemRespondent, shard: Shard | None = None):
    shard = shard or Shard()
    run.start(respondent)
    return list(run.ask(respondent, run.open_items(shard), shard))


def test_a_run_writes_answers_scores_and_a_report(run, respondent):
    answers = ask_everything(run, respondent)
    report = run.report()
    assert len(answers) == len(run.items) == len(report.table.rows) == 55
    value = json.loads((run.folder / "report.json").read_text())
    assert value["items"]["failed"] == 0
    # Absent nouns are declined, but for those that the table always finds.
    assert 0 < value["figures"]["N-acc"]["value"] < 1
    assert value["figures"]["gIoU"]["low"] < value["figures"]["gIoU"]["value"]
    assert set(value["by size"]) == {"large", "none"}
    assert len(read_scores(run.folder)) == 55


def test_answered_items_are_not_asked_again(run, respondent):
    ask_everything(run, respondent)
    assert run.open_items(Shard()) == []


def test_shards_share_a_folder_and_make_one_report(run, respondent):
    whole = replace(run, folder=run.folder.with_name("whole"))
    ask_everything(whole, respondent)
    sizes = [len(ask_everything(run, respondent, Shard(number, 3))) for number in (3, 1, 2)]
    assert sizes == [18, 19, 18]
    assert len(list(run.folder.glob("answers-*.jsonl"))) == 3
    assert run.report().to_json()["figures"] == whole.report().to_json()["figures"]


def test_a_report_of_one_shard_says_what_is_open(run, respondent):
    ask_everything(run, respondent, Shard(1, 3))
    assert "36 of 55 items are not asked yet." in run.report().sentences()


@pytest.mark.parametrize("text", ["0/2", "3/2", "2", "a/b", "1/0", "-1/2", ""])
def test_a_shard_must_be_one_of_n(text):
    with pytest.raises(InputError, match="--shard must be i/n"):
        Shard.parse(text)


def test_a_run_survives_kill_9(run, respondent, data):
    """The process kills itself while it writes; the next one asks only what is missing."""
    program = f"""
        import os, signal, segue
        from pathlib import Path
        from segue.benchmarks import BENCHMARKS
        from segue.benchmarks.respondent import ItemRespondent
        from segue.benchmarks.run import BenchmarkRun, Shard
        from segue.detect.fixed import Fixed
        from segue.segment.box_fill import BoxFill

        benchmark = BENCHMARKS.load("grefcoco")
        dataset = benchmark.read(Path({str(data)!r}), "val", None)
        run = BenchmarkRun(benchmark=benchmark, dataset=dataset,
                           protocol=benchmark.protocol(None), folder=Path({str(run.folder)!r}))
        assistant = segue.load(chat=None, detect=Fixed({TABLE!r}), segment=BoxFill())
        respondent = ItemRespondent(assistant, "detector", "{{sent}}")
        run.start(respondent)
        for number, _ in enumerate(run.ask(respondent, run.open_items(Shard()), Shard()), 1):
            if number == 7:
                with open(run.folder / "answers.jsonl", "ab") as journal:
                    journal.write(b'{{"id": "half a li')
                os.kill(os.getpid(), signal.SIGKILL)
    """
    process = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=False)
    assert process.returncode == -signal.SIGKILL
    assert len(AnswerIndex.of(run.folder).places) == 7
    assert len(ask_everything(run, respondent)) == 48
    lines = (run.folder / "answers.jsonl").read_text().splitlines()
    assert len({json.loads(line)["id"] for line in lines}) == len(lines) == 55


def test_a_run_of_other_settings_is_refused(run, respondent):
    run.start(respondent)
    with pytest.raises(InputError, match=r"run of other settings: threshold: null there, 0\.5 now"):
        run.start(replace(respondent, threshold=0.5))


def test_a_folder_with_other_files_is_refused(run, respondent):
    run.folder.mkdir()
    (run.folder / "thesis.tex").write_text("")
    with pytest.raises(InputError, match="holds other files"):
        run.start(respondent)


@pytest.mark.skipif(sys.platform == "win32", reason="no flock")
def test_two_processes_never_write_to_one_journal(run, respondent):
    run.start(respondent)
    with (
        Journal(run.folder),
        pytest.raises(InputError, match="Another process is writing"),
        Journal(run.folder),
    ):
        pass


def test_a_damaged_journal_is_named(run, respondent):
    run.start(respondent)
    (run.folder / "answers.jsonl").write_text("nonsense\n")
    with pytest.raises(InputError, match="is damaged at b'nonsense"):
        run.open_items(Shard())


def test_a_missing_picture_fails_and_counts_as_wrong(run, respondent, data, tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    source = data / "images" / "train2014"
    for file in sorted(source.iterdir())[1:]:
        (pictures / file.name).symlink_to(file)
    run.dataset = run.benchmark.read(data, "val", pictures)
    ask_everything(run, respondent)
    report = run.report()
    assert report.table.n_failed == 2
    assert "picture not found" in report.table.first_error
    failed = [row for row in report.table.rows if row.id.startswith(("1-", "2-"))]
    assert [row.quality for row in failed] == [0, 0]


def test_the_limit_may_grow_later(run, respondent):
    few = replace(run, limit=10)
    ask_everything(few, respondent)
    assert "Only the first 10 of 55 items." in few.report().sentences()
    assert len(ask_everything(run, respondent)) == 45


def test_another_protocol_scores_the_same_answers(run, respondent):
    ask_everything(run, respondent)
    boxes = replace(run, protocol=run.benchmark.protocol("grec"))
    assert "Pr@(F1=1, IoU>=0.5)" in boxes.report().figures


def test_a_report_needs_an_answer(run, respondent):
    run.start(respondent)
    with pytest.raises(InputError, match="There is no answer yet"):
        run.report()


def test_the_page_shows_pictures_and_escapes_words(run, respondent):
    item = run.dataset.items[0]
    run.dataset.items = [replace(item, phrases=("<script>alert(1)</script>",)), *run.items[1:8]]
    ask_everything(run, respondent)
    text = page(run.report())
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert text.count("data:image/jpeg;base64,") == 6 * 3
    assert "http" not in text.replace("xmlns", "")


def test_two_runs_are_compared_on_the_items_of_both(run, respondent):
    ask_everything(run, respondent)
    run.report()
    other = replace(run, folder=run.folder.with_name("other"), limit=30)
    worse = replace(
        respondent, threshold=0.85
    )  # no dog is found any more, also where there is none
    ask_everything(other, worse)
    other.report()
    comparison = compare_runs(run.folder, other.folder)
    assert (comparison.n_items, comparison.only_first, comparison.only_second) == (30, 25, 0)
    figure = comparison.figures["T-acc"]
    assert figure.second < figure.first
    assert figure.high <= 0
    assert (comparison.correct.only_first, comparison.correct.only_second) == (0, 1)
    json.dumps(comparison.to_json())


def test_runs_of_different_protocols_are_not_compared(run, respondent):
    ask_everything(run, respondent)
    run.report()
    other = replace(
        run, folder=run.folder.with_name("other"), protocol=run.benchmark.protocol("grec")
    )
    ask_everything(other, respondent)
    other.report()
    with pytest.raises(InputError, match="different protocols: gres and grec"):
        compare_runs(run.folder, other.folder)


def test_what_is_no_run_is_not_compared(tmp_path):
    with pytest.raises(InputError, match="is no benchmark run"):
        compare_runs(tmp_path, tmp_path)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_regions_of_a_turned_picture_are_turned_back(degrees):
    picture = next(demo_pictures())
    (thing,) = picture.objects
    turned = rotate(picture.image, degrees)
    mask = rotate(picture.image, 0).array[..., 0] * 0 + thing.mask.array
    turned_mask = segue.Mask(_turned(mask.astype(bool), degrees))
    box = turned_mask.box
    assert box is not None
    region = rotate_back(AnsweredRegion(0, box, 0.5, turned_mask.rle), turned.size, degrees)
    assert region.box == thing.box
    assert (rle.decode(region.rle) == thing.mask.array).all()


def _turned(array, degrees: int):
    import numpy as np

    return np.ascontiguousarray(np.rot90(array, degrees // 90))


@pytest.mark.parametrize("name", ["jpeg", "scale", "blur"])
def test_a_stronger_distortion_changes_a_picture_more(name):
    import numpy as np

    image = next(demo_pictures()).image
    changes = []
    for level in distortion_levels(name):
        assert level.picture is not None
        changed = level.picture(image)
        assert changed.size == image.size
        changes.append(np.abs(changed.array.astype(int) - image.array).mean())
    assert changes == sorted(changes)
    assert changes[0] > 0


def test_typos_keep_letters_and_words():
    text = "the second red cup from the left"
    assert sorted(mistype(text, 400)) == sorted(text)
    assert mistype(text, 0) == text


@pytest.mark.parametrize("level", [1, 2, 3])
def test_a_paraphrase_is_another_wording_that_is_always_the_same(level):
    phrases = ["the man in red", "left cup", "a big couch that is near the door", "DOG 2"]
    for phrase in phrases:
        assert reword(phrase, level) != phrase
        assert reword(phrase, level) == reword(phrase, level)
    for phrase in ["左边的杯子", "42", ""]:
        assert reword(phrase, level) == phrase
    assert reword("the man that is in red", level).count(" that is ") == 1


def test_a_sweep_says_how_many_phrases_are_worded_differently(tmp_path, capsys):
    command = ["benchmark", "refcoco", "--data", "demo", "--preset", "embedded", "--limit", "2"]
    with pytest.raises(SystemExit) as leaving:
        main([*command, "--distort", "paraphrase", "--out", str(tmp_path / "run")])
    assert not leaving.value.code
    told = capsys.readouterr().err
    assert "paraphrase-3: 2 of 2 phrases are worded differently" in " ".join(told.split())


def test_an_unknown_distortion_is_answered_with_the_nearest():
    with pytest.raises(segue.errors.UnknownName, match="Did you mean 'rotate'"):
        distortion_levels("rotat")


def test_a_missing_stage_is_said_before_anything_is_asked():
    assistant = segue.load(chat=None, detect=Fixed(TABLE), segment=None)
    with pytest.raises(InputError, match="no segmenter"):
        ItemRespondent(assistant, "detector", "{sent}")
    with pytest.raises(InputError, match="no chat model"):
        ItemRespondent(assistant, "chat", "{sent}", with_masks=False)


def test_a_box_outside_the_picture_is_an_answer_not_a_failure(run):
    assistant = segue.load(
        chat=None, detect=Fixed({"airplane": [(600, 400, 900, 900, 0.9)]}), segment=BoxFill()
    )
    respondent = ItemRespondent(assistant, "detector", "{sent}")
    answer = respondent.answer(run.items[0], [run.dataset.locate(run.items[0])])
    assert answer.error is None
    assert answer.regions[0].box == Box(600, 400, 640, 480)
