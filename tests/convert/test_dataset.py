"""From many records to files: doubles, splits, ratios, the report."""

import json
import tracemalloc
from collections import Counter
from dataclasses import replace

import pytest

from llava_plus_records import a_record, asked, said
from segue.convert.dataset import (
    OutputPlan,
    read_dialogues,
    split_format_names,
    split_of,
    write_dataset,
)
from segue.convert.datasets.llava_plus import convert_record
from segue.convert.dialogue import Dialogue, DialogueTurn, DroppedRecord
from segue.convert.formats import FORMATS
from segue.convert.image_files import ImageFiles
from segue.errors import InputError, UnknownName


def dialogues(count: int, *, strip_markup: int = 0, per_image: int = 1):
    """`count` dialogues with a tag, then `strip_markup` without."""
    for number in range(count + strip_markup):
        tagged = number < count
        answer = "<gsam>dog</gsam>" if tagged else "A dog."
        kind = "tag" if tagged else "plain"
        turns = (
            DialogueTurn("user", f"Question {number}?"),
            DialogueTurn("assistant", answer, kind),
        )
        image = f"{number // per_image}.jpg"
        yield Dialogue(f"d{number}", (image,), turns, "coco", f"coco/{image}")


def kept(folder, split="train"):
    return list(read_dialogues(folder / f"{split}.dialogues.jsonl"))


PLAN = OutputPlan(formats=("dialogues",), validation_share=0)


def test_files_report_and_records_agree(tmp_path, files):
    made = [
        a_record(asked("Cut out the dog.", "dog")),
        a_record(asked("Cut out the cat.", "cat")),  # the same id
        a_record(asked("Cut out the dog.", "dog"), unique_id="7"),  # the same content
        a_record(said("What is it?", "A dog."), unique_id="8"),
        a_record(asked("Paint it.", None, tool="inpainting"), unique_id="9"),
    ]
    plan = OutputPlan(formats=("dialogues", "qwen-vl"), validation_share=0, tool_free_ratio=0)
    report = write_dataset(
        (convert_record(r, files) for r in made), tmp_path / "out", plan, {"mode": "tag"}
    )
    assert (report.n_read, report.n_kept, report.n_dropped) == (5, 2, 3)
    assert [d.id for d in kept(tmp_path / "out")] == ["1699545382.42", "1699545382.42-2"]
    lines = (tmp_path / "out" / "records.jsonl").read_text().splitlines()
    told = {v["record"]: v.get("reason", v["became"]) for v in map(json.loads, lines)}
    assert told == {
        1: "tag",
        2: "tag",
        3: "double of an earlier record",
        4: "no tool used",
        5: "foreign tool",
    }
    saved = json.loads((tmp_path / "out" / "report.json").read_text())
    assert saved["read"] == saved["kept"] + sum(r["count"] for r in saved["dropped"].values())
    assert saved["settings"] == {"mode": "tag", "seed": 0, "val": 0}
    assert "foreign tool 1" in report.summary()
    left = {file.name for file in (tmp_path / "out").iterdir()}
    assert left == {"train.dialogues.jsonl", "train.qwen-vl.json", "report.json", "records.jsonl"}


def test_a_picture_is_never_in_two_splits(tmp_path):
    write_dataset(
        dialogues(300, per_image=5),
        tmp_path,
        OutputPlan(formats=("dialogues",), validation_share=0.3),
    )
    train = {d.image_key for d in kept(tmp_path)}
    val = {d.image_key for d in kept(tmp_path, "val")}
    assert not train & val
    assert 8 <= len(val) <= 28  # of 60


def test_the_split_does_not_depend_on_the_other_records():
    before = {f"coco/{n}": split_of(f"coco/{n}", 0, 0.5) for n in range(50)}
    assert before == {f"coco/{n}": split_of(f"coco/{n}", 0, 0.5) for n in reversed(range(50))}
    assert before != {key: split_of(key, 1, 0.5) for key in before}


def test_the_same_input_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_dataset(
            dialogues(40, strip_markup=40),
            tmp_path / name,
            OutputPlan(formats=("qwen-vl",), tool_free_ratio=0.5),
        )
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


@pytest.mark.parametrize(
    ("ratio", "expected"), [(None, 30), (0.0, 0), (0.5, 5), (1.0, 10), (9.0, 30)]
)
def test_tool_free_dialogues_are_kept_at_the_ratio(tmp_path, ratio, expected):
    plan = OutputPlan(formats=("dialogues",), validation_share=0, tool_free_ratio=ratio)
    report = write_dataset(dialogues(10, strip_markup=30), tmp_path, plan)
    assert (report.kinds["tag"], report.kinds["plain"]) == (10, expected)
    assert Counter(d.kind for d in kept(tmp_path)) == report.kinds


def test_a_split_that_the_source_decides_is_kept(tmp_path):
    made = [d.with_split("testA") for d in dialogues(3)]
    report = write_dataset(made, tmp_path, PLAN)
    assert report.splits == {"testA": 3}
    assert (tmp_path / "testA.dialogues.jsonl").is_file()


def test_when_nothing_is_kept_the_reasons_are_told(tmp_path):
    with pytest.raises(InputError, match=r"(?s)None of 2 records.*picture not found 2"):
        write_dataset(
            [DroppedRecord(str(n), "picture not found") for n in range(2)], tmp_path, PLAN
        )


def test_a_reader_that_fails_leaves_earlier_files_alone(tmp_path):
    write_dataset(dialogues(3), tmp_path, PLAN)
    before = (tmp_path / "train.dialogues.jsonl").read_bytes()

    def failing():
        yield from dialogues(2)
        raise InputError("the file ends")

    with pytest.raises(InputError, match="the file ends"):
        write_dataset(failing(), tmp_path, PLAN)
    assert (tmp_path / "train.dialogues.jsonl").read_bytes() == before
    assert not list(tmp_path.glob(".*"))


def test_unknown_formats_are_refused_with_a_hint():
    with pytest.raises(UnknownName, match="Did you mean 'qwen-vl'"):
        OutputPlan(formats=("qwen_vl",))
    assert split_format_names(["trl,swift", " llava "]) == ("trl", "swift", "llava")


def test_thousands_of_records_need_little_memory(tmp_path, folder):
    root = folder([f"{n:012d}.jpg" for n in range(20)])
    files = ImageFiles({"": [root]})

    def many():
        for number in range(1000):
            rounds = asked(f"Cut out the dog of house {number}.", "dog", summary="x" * 2000)
            image = f"{number % 20:012d}.jpg"
            yield convert_record(a_record(rounds, unique_id=str(number), image=image), files)

    tracemalloc.start()
    report = write_dataset(many(), tmp_path / "out", PLAN)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert report.n_kept == 1000
    assert peak < 1_500_000  # the records have 3 MB


@pytest.mark.parametrize("split", ["../../evil", "/abs/pwned", "a/b", "", "a.b", "x" * 99])
def test_a_split_that_leads_elsewhere_is_dropped_and_nothing_lands_outside(tmp_path, split):
    (bad,), good = dialogues(1), list(dialogues(3))[1:]
    report = write_dataset([bad.with_split(split), *good], tmp_path / "a" / "out", PLAN)
    assert report.reasons == {"split is no file name": 1}
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {
        "train.dialogues.jsonl", "report.json", "records.jsonl",
    }  # fmt: skip


def test_half_characters_are_replaced_counted_and_written_in_every_format(tmp_path):
    made = [
        replace(d, id=f"{d.id}\ud83d", turns=(replace(d.turns[0], text="\ud83d?"), *d.turns[1:]))
        for d in dialogues(2, per_image=2)
    ]
    plan = OutputPlan(formats=tuple(FORMATS), validation_share=0)
    report = write_dataset(made[:1], tmp_path, plan)
    assert report.notes == {"half a character became U+FFFD": 1}
    assert kept(tmp_path)[0].turns[0].text == "\ufffd?"
    assert len(report.files) == len(FORMATS)


def test_the_file_that_is_read_is_never_written_over(tmp_path):
    source = tmp_path / "train.dialogues.jsonl"
    source.write_text("precious")
    with pytest.raises(InputError, match="is an input and would be overwritten"):
        write_dataset(dialogues(2), tmp_path, PLAN, sources=(source,))
    assert source.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [source]


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="Cannot write"):
        write_dataset(dialogues(2), tmp_path / "file" / "out", PLAN)
