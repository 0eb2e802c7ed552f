"""RefCOCO and gRefCOCO -> questions."""

import json
import os
import pickle

import pytest

from segue.convert.image_files import ImageFiles
from segue.convert.refer import ReferOptions, convert_refer, read_references
from segue.convert.wording import Wording
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
    picture = {"id": 7, "file_name": "COCO_train2014_000000000007.jpg", "height": 48, "width": 64}
    value = {
        "images": [picture],
        "categories": [{"id": 1, "name": "man"}],
        "annotations": annotations,
    }
    (tmp_path / "instances.json").write_text(json.dumps(value))
    files = ImageFiles({"": [folder(["000000000007.jpg"])]})

    def convert(*references: dict, pickled: bool = True, **options):
        file = tmp_path / ("refs(unc).p" if pickled else "grefs(unc).json")
        if pickled:
            file.write_bytes(pickle.dumps(list(references), protocol=2))
        else:
            file.write_text(json.dumps(references))
        wording = Wording(chinese=0, typos=0, route=options.pop("route", "box"))
        chosen = ReferOptions(wording=wording, **options)
        return list(convert_refer(file, tmp_path / "instances.json", files, chosen))

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
