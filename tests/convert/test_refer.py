"""RefCOCO and gRefCOCO -> questions."""

import json
import os
import pickle

import pytest

from segue.convert.datasets.question_templates import QuestionStyle
from segue.convert.datasets.refer import ReferOptions, convert_refer, read_references
from segue.convert.dialogue import DroppedRecord
from segue.convert.entry_tally import EntryTally
from segue.convert.image_files import ImageFiles
from segue.errors import InputError


def reference(id: int, ann_id, split: str, *sentences: str) -> dict:
    return {
        "ref_id": id, "ann_id": ann_id, "category_id": 1, "image_id": 7, "split": split,
        "file_name": f"COCO_train2014_000000000007_{id}.jpg",
        "sent_ids": list(range(len(sentences))),
        "sentences": [{"sent": s, "raw": s.upper(), "sent_id": 0, "tokens": []} for s in sentences],
    }  # fmt: skip


@pytest.fixture
def refer(tmp_path, folder):
    """Write the two files; convert."""
    square = [8, 8, 24, 8, 24, 24, 8, 24]
    annotations = [
        {"id": n, "image_id": 7, "category_id": 1, "bbox": [8 * n, 8, 16, 16], "iscrowd": 0,
         "segmentation": [square]}
        for n in (1, 2)
    ]  # fmt: skip
    annotations.append({**annotations[0], "id": 3, "image_id": 8})
    picture = {"id": 7, "file_name": "COCO_train2014_000000000007.jpg", "height": 48, "width": 64}
    value = {
        "images": [picture, {**picture, "id": 8, "file_name": "other.jpg"}],
        "categories": [{"id": 1, "name": "man"}],
        "annotations": annotations,
    }
    (tmp_path / "instances.json").write_text(json.dumps(value))
    files = ImageFiles({"": [folder(["000000000007.jpg"])]})

    def convert(*references: dict, pickled: bool = True, tally=None, **options):
        file = tmp_path / ("refs(unc).p" if pickled else "grefs(unc).json")
        if pickled:
            file.write_bytes(pickle.dumps(list(references), protocol=2))
        else:
            file.write_text(json.dumps(references))
        wording = QuestionStyle(chinese_share=0, typo_share=0, route=options.pop("route", "box"))
        chosen = ReferOptions(question_style=wording, **options)
        return list(convert_refer(file, tmp_path / "instances.json", files, chosen, tally))

    return convert


def test_references_become_questions_of_their_split(refer):
    made = refer(
        reference(1, 1, "train", "man in red", "left man"),
        reference(2, 2, "testA", "the man on the right"),
    )
    assert [(d.split, d.image_key) for d in made] == [
        ("testA", "coco/000000000007"),
        ("train", "coco/000000000007"),
    ]
    answer = made[0].turns[1]
    assert answer.text == "<ref>the man on the right</ref><box>(250,167),(500,500)</box>"
    assert answer.truth.boxes[0].corners == (16, 8, 32, 24)
    assert "the the" not in made[0].turns[0].text


def test_only_the_splits_asked_for(refer):
    references = reference(1, 1, "train", "a"), reference(2, 2, "testB", "b")
    (dialogue,) = refer(*references, splits=("testB",))
    assert dialogue.split == "testB"


def test_all_sentences_may_be_used_in_dialogues_of_bounded_length(refer):
    made = refer(reference(1, 1, "val", *"abcde"), sentences=9, turns=2)
    assert [len(d.turns) // 2 for d in made] == [2, 2, 1]
    assert len({d.id for d in made}) == 3


def test_a_reference_may_mean_several_things_or_nothing(refer):
    both, none = reference(1, [1, 2], "val", "two men"), reference(2, [-1], "val", "a yeti")
    (dialogue,) = refer(both, none, pickled=False, masks=True)
    assert [turn.kind for turn in dialogue.turns if turn.role == "assistant"] == ["box", "absent"]
    assert len(dialogue.turns[1].truth.boxes) == 2
    assert dialogue.turns[1].truth.mask["size"] == [48, 64]


def test_the_tag_holds_the_whole_sentence_as_one_phrase(refer):
    (dialogue,) = refer(reference(1, 1, "val", "man, in red"), route="tag")
    assert dialogue.turns[1].text == "<gsam>man in red</gsam>"


def test_damaged_references_are_dropped_with_a_reason(refer):
    good, lost = reference(1, 1, "val", "man"), reference(2, 99, "val", "ghost")
    made = refer(good, lost, {"ref_id": 3})
    assert [getattr(item, "reason", "kept") for item in made] == [
        "reference damaged", "annotation not in the instances file", "kept",
    ]  # fmt: skip


class Evil:
    def __reduce__(self):
        return os.system, ("touch /tmp/evil",)


@pytest.mark.parametrize("value", [[Evil()], [{"a": Evil()}], {1, 2}, os.sep])
def test_a_pickle_that_is_more_than_plain_values_is_refused(tmp_path, value):
    file = tmp_path / "refs.p"
    file.write_bytes(pickle.dumps(value))
    with pytest.raises(InputError):
        read_references(file)


def test_pickles_of_python_2_are_read(tmp_path):
    # {"sent": "caf\xe9"} as Python 2 wrote it, protocol 0.
    (tmp_path / "refs.p").write_bytes(b"(lp0\n(dp1\nS'sent'\np2\nS'caf\\xe9'\np3\nsa.")
    assert read_references(tmp_path / "refs.p") == [{"sent": "café"}]


@pytest.mark.parametrize(
    "split", ["../../evil", "/abs/dir/pwned", "a/b", "", "..", "x" * 300, "a\0b"]
)
def test_a_split_never_chooses_a_place(refer, split):
    (dropped,) = refer(reference(1, 1, split, "man"))
    assert dropped.reason == "split is no file name"


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (reference(1, 3, "val", "a"), "annotation belongs to another picture"),
        ({**reference(1, 1, "val", "a"), "image_id": 99}, "picture not in the instances file"),
        (reference(1, 1, "val"), "reference without a sentence"),
        (reference(1, 1, "val", " . "), "reference without a sentence"),
        (reference(1, 1, "val", "x" * 500), "none of its sentences can be used"),
        (reference(1, [1, -1], "val", "a"), "reference damaged"),
        (reference(1, [-1], "val", "the man"), "said to be absent, another entry says it is there"),
    ],
)
def test_every_reference_that_is_not_used_has_its_reason(refer, entry, reason):
    tally = EntryTally()
    good = reference(2, 2, "val", "man on the right")
    made = refer(entry, good, tally=tally)
    assert [item.reason for item in made if isinstance(item, DroppedRecord)] == [reason]
    counts = tally.counts_of("reference")
    assert (counts.n_read, counts.n_used, counts.reasons) == (2, 1, {reason: 1})
    sentences = tally.counts_of("sentence")
    assert sentences.n_read == sentences.n_used + sentences.n_dropped


def test_what_another_sentence_points_at_is_not_taught_as_absent(refer):
    made = refer(reference(1, 1, "val", "left man"), reference(2, [-1], "val", "The left man"))
    assert [getattr(item, "reason", "kept") for item in made] == [
        "said to be absent, another entry says it is there", "kept",
    ]  # fmt: skip


def test_pickles_of_python_2_hold_utf_8_or_latin_1_text_by_text(tmp_path):
    (tmp_path / "refs.p").write_bytes(
        b"(lp0\n(dp1\nS'sent'\np2\nS'caf\\xc3\\xa9'\np3\nsS'raw'\nS'caf\\xe9'\nsa."
    )
    assert read_references(tmp_path / "refs.p") == [{"sent": "café", "raw": "café"}]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_references_with_a_mark_are_read(tmp_path, encoding):
    (tmp_path / "grefs.json").write_text('[{"a": "é"}]', encoding=encoding)
    assert read_references(tmp_path / "grefs.json") == [{"a": "é"}]


def test_a_pickle_that_holds_itself_is_refused(tmp_path):
    value: list = [{}]
    value[0]["again"] = value
    (tmp_path / "refs.p").write_bytes(pickle.dumps(value))
    with pytest.raises(InputError, match="not a plain file of references"):
        read_references(tmp_path / "refs.p")
