"""A run becomes dialogues: what is asked, what is absent, and what is left out."""

import io
import json
import tarfile

import pytest

import segue
from builders import an_image
from segue.chat.scripted import Scripted
from segue.convert.check import check_dataset
from segue.convert.dataset import OutputPlan, read_dialogues, write_dataset
from segue.convert.datasets import annotation_run
from segue.convert.datasets.annotation_run import convert_run
from segue.convert.datasets.coco import CocoOptions
from segue.convert.datasets.question_templates import QuestionStyle
from segue.convert.entry_tally import EntryTally
from segue.detect.fixed import Fixed
from segue.errors import InputError
from segue.export.reading import read_data_set
from segue.review import OriginalPicture, PictureChange, Review, ReviewJournal
from segue.review.journal import journal_path
from segue.runs.annotate import annotate
from segue.runs.results import PictureResult
from segue.runs.store import RunStore
from segue.segment.box_fill import BoxFill
from segue.segment.everything import EverythingOptions
from segue.values.presence import PresenceVerdict

PLACES = {
    "dog": [[8, 6, 24, 18, 0.9], [40, 20, 60, 40, 0.4]],
    "cat": [[30, 2, 38, 12, 0.8]],
    "wolf": [[40, 20, 60, 40, 0.5]],
}
CLASSES = "dog, cat, unicorn"


@pytest.fixture
def pictures(tmp_path):
    (tmp_path / "in").mkdir()
    for number in range(6):
        file = tmp_path / "in" / f"{number}.png"
        file.write_bytes(an_image(seed=number).to_png_bytes())
    (tmp_path / "in" / "broken.png").write_text("no picture")
    return tmp_path / "in"


def a_run(source, folder, **rules):
    assistant = segue.Assistant(None, Fixed(PLACES), BoxFill())
    annotate(source, folder, **{"classes": CLASSES, **rules}, assistant=assistant)
    return folder


def convert(run, out, route="box", absent_share=0.0, reviewed="all", own_question=False, **options):
    style = QuestionStyle(route=route, chinese_share=0.0, typo_share=0.0)
    tally = EntryTally()
    coco_options = CocoOptions(
        question_style=style, absent_share=absent_share, exif="upright", source="run", **options
    )
    plan = OutputPlan(formats=("dialogues",), validation_share=0.0)
    records = convert_run(run, out, coco_options, tally, reviewed, own_question=own_question)
    report = write_dataset(records, out, plan, {}, tally)
    assert report.n_read == report.n_kept + report.n_dropped
    for counts in tally.kinds.values():
        assert counts.n_read == counts.n_used + counts.n_dropped
    return report, list(read_dialogues(out / "train.dialogues.jsonl"))


def test_each_picture_asks_for_its_classes_with_their_boxes(pictures, tmp_path):
    report, dialogues = convert(a_run(pictures, tmp_path / "run"), tmp_path / "out")
    assert (report.n_kept, dict(report.reasons)) == (6, {"picture was not annotated": 1})
    answers = {turn.phrases[0]: turn for turn in dialogues[0].turns if turn.role == "assistant"}
    assert answers.keys() == {"dog", "cat"}
    assert answers["dog"].text == (
        "<ref>dog</ref><box>(125,125),(375,375)</box><box>(625,417),(938,833)</box>"
    )
    assert {turn.source for turn in dialogues} == {"run"}
    assert check_dataset(tmp_path / "out" / "train.dialogues.jsonl").is_fine


def test_the_tag_route_asks_for_masks_and_keeps_the_true_ones(pictures, tmp_path):
    pytest.importorskip("faster_coco_eval", reason="faster-coco-eval is not installed")
    run = a_run(pictures, tmp_path / "run")
    _, dialogues = convert(run, tmp_path / "out", route="tag", masks=True)
    answers = {turn.text: turn for turn in dialogues[0].turns if turn.role == "assistant"}
    assert answers.keys() == {"<gsam>dog</gsam>", "<gsam>cat</gsam>"}
    assert all(turn.truth.mask for turn in answers.values())


def test_what_was_not_found_is_asked_for_as_absent(pictures, tmp_path):
    run = a_run(pictures, tmp_path / "run")
    _, dialogues = convert(run, tmp_path / "out", absent_share=1.0)
    absent = [turn for d in dialogues for turn in d.turns if turn.kind == "absent"]
    assert absent
    assert {turn.phrases for turn in absent} == {("unicorn",)}


def test_pictures_of_which_the_rules_left_something_out_are_not_used(pictures, tmp_path):
    run = a_run(pictures, tmp_path / "run", max_per_class=1)
    with pytest.raises(InputError, match="the rules of the run left out objects that are there 6"):
        convert(run, tmp_path / "out")
    run = a_run(pictures, tmp_path / "other", negatives=("wolf",))
    report, dialogues = convert(run, tmp_path / "second", absent_share=1.0)
    assert report.n_kept == 6
    assert all(turn.kind != "absent" for d in dialogues for turn in d.turns)


def rewrite(run, change):
    """Change each result of a run, as a later version of the models might."""
    journal = run / "journal.jsonl"
    rows = [json.loads(line) for line in journal.read_text().splitlines()]
    for row in rows:
        change(row)
        PictureResult.from_json(row)
    journal.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_a_class_with_an_unsure_verdict_is_neither_asked_for_nor_absent(pictures, tmp_path):
    def change(row):
        for region in row["regions"][:1]:
            region["verdict"] = PresenceVerdict(0.4, "unsure").to_json()

    run = a_run(pictures, tmp_path / "run")
    rewrite(run, change)
    report, dialogues = convert(run, tmp_path / "out", absent_share=1.0)
    phrases = {phrase for d in dialogues for turn in d.turns for phrase in turn.phrases}
    assert phrases == {"cat", "unicorn"}
    assert report.tally.kinds["annotation"].reasons[annotation_run.UNSURE] == 12


def test_pictures_in_shards_are_written_beside_the_dialogues(pictures, tmp_path):
    with tarfile.open(tmp_path / "shard.tar", "w") as archive:
        for number in range(2):
            content = (pictures / f"{number}.png").read_bytes()
            info = tarfile.TarInfo(f"../deep/{number}.png")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    run = a_run(tmp_path / "shard.tar", tmp_path / "run")
    report, dialogues = convert(run, tmp_path / "out")
    expected = [tmp_path / "out" / "images" / "deep" / f"{number}.png" for number in range(2)]
    assert [d.images for d in dialogues] == [(str(file),) for file in expected]
    assert expected[1].read_bytes() == (pictures / "1.png").read_bytes()
    notes = report.tally.kinds["annotation"].notes
    assert notes["on a picture that was written to images/"] == 2


def test_a_picture_that_is_gone_is_dropped_and_counted(pictures, tmp_path):
    run = a_run(pictures, tmp_path / "run")
    (pictures / "0.png").unlink()
    report, _ = convert(run, tmp_path / "out")
    assert report.reasons["picture not found"] == 1


def test_a_run_without_names_and_a_folder_that_is_no_run_are_refused(pictures, tmp_path):
    rules = {"classes": "", "everything": EverythingOptions(points_per_side=2)}
    run = a_run(pictures, tmp_path / "run", **rules)
    assert RunStore(run).settings.everything is not None
    with pytest.raises(InputError, match="masks without names"):
        convert(run, tmp_path / "out")
    with pytest.raises(InputError, match="is no run"):
        convert(pictures, tmp_path / "out")


def review_run(run, **changes):
    """Review the pictures "0.png", …, given as `_0`, …: a decision, and what is deleted."""
    pictures = read_data_set(run, reviewed="original", skipped=[]).pictures
    originals = [OriginalPicture.of(one.name, one.size, one.regions) for one in pictures]
    with ReviewJournal(journal_path(run)) as journal:
        review = Review(originals, journal)
        for index, original in enumerate(originals):
            if (key := f"_{original.name.removesuffix('.png')}") in changes:
                decision, *deleted_phrases = changes[key]
                deleted = [
                    id for id, region in original.regions.items()
                    if region["phrase"] in deleted_phrases
                ]  # fmt: skip
                change = PictureChange(
                    id=key, picture="", origin="", base=0, reviewer="Ann", time="",
                    decision=decision, deleted=deleted,
                )  # fmt: skip
                assert review.submit(index, change).is_applied


def test_an_accepted_picture_is_the_whole_truth_and_others_are_left_out(pictures, tmp_path):
    run = a_run(pictures, tmp_path / "run", max_per_class=1)  # leaves out a second dog
    review_run(run, _0=("accept",), _1=("accept", "cat"), _2=("reject",), _3=("reopen",))
    absent: dict[str, set[str]] = {}
    for seed in range(8):
        report, dialogues = convert(
            run, tmp_path / f"out{seed}", absent_share=1.0, reviewed="accepted", seed=seed
        )
        assert (report.n_kept, dict(report.reasons)) == (2, {
            "picture was not annotated": 1,
            "picture was rejected in its review": 1,
            "picture was not reviewed": 3,
        })  # fmt: skip
        for dialogue in dialogues:
            phrases = {p for turn in dialogue.turns if turn.kind == "absent" for p in turn.phrases}
            absent.setdefault(dialogue.image_key, set()).update(phrases)
    assert absent == {"run/0.png": {"unicorn"}, "run/1.png": {"cat", "unicorn"}}


def test_accepted_pictures_of_a_run_that_nobody_reviewed_are_an_error(pictures, tmp_path):
    run = a_run(pictures, tmp_path / "run")
    with pytest.raises(InputError, match="was not reviewed"):
        convert(run, tmp_path / "out", reviewed="accepted")


def test_the_question_of_the_run_is_answered_with_all_that_was_accepted(pictures, tmp_path):
    chat = Scripted({"What is there?": "<ref>a wolf</ref><box>(100,100),(200,200)</box>"})
    assistant = segue.Assistant(chat, Fixed(PLACES), BoxFill())
    run = tmp_path / "run"
    annotate(pictures, run, classes=CLASSES, question="What is there?", assistant=assistant)
    review_run(run, _0=("accept",), _1=("accept", "dog"), _2=("accept", "dog", "cat"))
    _, dialogues = convert(run, tmp_path / "out", own_question=True, questions=1)
    turns = {dialogue.image_key.removeprefix("run/"): dialogue.turns for dialogue in dialogues}
    assert turns["0.png"][0].text == turns["1.png"][0].text == "What is there?"
    assert turns["0.png"][1].text == (
        "<ref>dog</ref><box>(125,125),(375,375)</box><box>(625,417),(938,833)</box>, "
        "<ref>cat</ref><box>(469,42),(594,250)</box>"
    )
    assert turns["1.png"][1].phrases == ("cat",)
    assert "2.png" not in turns  # nothing is on it, and nobody said in which words
    assert turns["3.png"][0].text != "What is there?"  # nobody accepted what was found
    report, _ = convert(
        run, tmp_path / "accepted", own_question=True, questions=1, reviewed="accepted"
    )
    assert report.tally.kinds["annotation"].n_used == 4  # none is beyond the questions


def test_a_question_that_the_run_did_not_ask_or_that_the_tag_answers_is_refused(pictures, tmp_path):
    run = a_run(pictures, tmp_path / "run")
    with pytest.raises(InputError, match="Leave out --own-question"):
        convert(run, tmp_path / "out", own_question=True)
    with pytest.raises(InputError, match="use route 'box'"):
        convert(run, tmp_path / "out", route="tag", list_question="What is there?")
