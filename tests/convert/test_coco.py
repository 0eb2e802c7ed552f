"""COCO instances -> questions."""

import json

import numpy as np
import pytest

from segue.convert.datasets.coco import CocoOptions, convert_coco
from segue.convert.datasets.coco_instances import CocoInstance, union_rle
from segue.convert.datasets.question_templates import QuestionStyle
from segue.convert.dialogue import Dialogue, DroppedRecord
from segue.convert.image_files import ImageFiles
from segue.dialects import DIALECTS, BoxMention
from segue.errors import InputError
from segue.values.box import Box, Size
from segue.values.mask import rle

SQUARE = [8, 8, 24, 8, 24, 24, 8, 24]


def annotation(id: int, category: int, bbox, image: int = 1, **fields) -> dict:
    given = {"area": 100, "iscrowd": 0, "segmentation": [SQUARE]}
    own = {"id": id, "image_id": image, "category_id": category, "bbox": bbox}
    return {**given, **own, **fields}


@pytest.fixture
def instances(tmp_path):
    def write(*annotations, size=(48, 64)):
        value = {
            "images": [
                {"id": 1, "file_name": "000000000001.jpg", "height": size[0], "width": size[1]}
            ],
            "categories": [
                {"id": 3, "name": "dog"}, {"id": 7, "name": "cup"}, {"id": 9, "name": "widget"},
            ],
            "annotations": list(annotations),
        }  # fmt: skip
        file = tmp_path / "instances.json"
        file.write_text(json.dumps(value))
        return file

    return write


@pytest.fixture
def coco_files(folder) -> ImageFiles:
    return ImageFiles({"": [folder(["train2017/000000000001.jpg"])]})


def options(**fields) -> CocoOptions:
    wording = QuestionStyle(
        chinese_share=fields.pop("chinese", 0.0), route=fields.pop("route", "box")
    )
    return CocoOptions(question_style=wording, **{"absent_share": 0.0, **fields})


def test_boxes_come_back_within_a_grid_step(instances, coco_files):
    dogs = annotation(1, 3, [30, 5, 20, 10]), annotation(2, 3, [2, 20, 12, 12])
    (dialogue,) = convert_coco(instances(*dogs), coco_files, options())
    question, answer = dialogue.turns
    assert "dog" in question.text
    events = [e for e in DIALECTS.load("qwen_vl").read([answer.text]) if isinstance(e, BoxMention)]
    boxes = [event.box.to_box(Size(48, 64)) for event in events]
    true = [Box(2, 20, 14, 32), Box(30, 5, 50, 15)]  # left to right
    assert [one.iou(other) > 0.98 for one, other in zip(boxes, true, strict=True)] == [True, True]
    assert answer.truth.boxes == tuple(true)
    assert (dialogue.kind, dialogue.image_key) == ("box", "coco/000000000001")


def test_chinese_questions_point_in_chinese_and_tag_in_english(instances, coco_files):
    file = instances(annotation(1, 7, [2, 2, 20, 20]))
    (boxes,) = convert_coco(file, coco_files, options(chinese=1.0))
    assert "杯子" in boxes.turns[0].text
    assert boxes.turns[1].text.startswith("<ref>杯子</ref><box>")
    (tag,) = convert_coco(file, coco_files, options(chinese=1.0, route="tag"))
    assert "杯子" in tag.turns[0].text
    assert tag.turns[1].text == "<gsam>cup</gsam>"


def test_crowds_specks_and_multitudes_are_not_asked_for(instances, coco_files):
    annotations = [
        annotation(1, 3, [2, 2, 20, 20], iscrowd=1, segmentation=None),
        annotation(2, 7, [2, 2, 1, 1]),
        *(annotation(10 + n, 9, [n, 2, 9, 9]) for n in range(20)),
    ]
    (result,) = convert_coco(instances(*annotations), coco_files, options())
    assert result == DroppedRecord("coco-1", "nothing in it to ask for")


def test_absent_categories_are_asked_for_and_denied(instances, coco_files):
    file = instances(annotation(1, 3, [2, 2, 20, 20]))
    (dialogue,) = convert_coco(file, coco_files, options(absent_share=1.0, questions=2))
    denied = [turn for turn in dialogue.turns if turn.kind == "absent"]
    assert len(denied) == 1
    assert denied[0].phrases[0] in ("cup", "widget")


def test_the_same_seed_gives_the_same_dialogues(instances, coco_files):
    file = instances(annotation(1, 3, [2, 2, 20, 20]), annotation(2, 7, [20, 20, 20, 20]))
    first, second = (list(convert_coco(file, coco_files)) for _ in range(2))
    assert first == second
    other = list(convert_coco(file, coco_files, CocoOptions(seed=1)))
    assert [d.turns for d in other if isinstance(d, Dialogue)] != [d.turns for d in first]


def test_pictures_that_do_not_fit_their_annotations_are_dropped(instances, coco_files, tmp_path):
    dog = annotation(1, 3, [2, 2, 20, 20])
    (turned,) = convert_coco(instances(dog, size=(64, 48)), coco_files, options())
    assert turned.reason == "picture has another size"
    (missing,) = convert_coco(instances(dog), ImageFiles({}), options())
    assert missing.reason == "picture not found"


def instance(segmentation) -> CocoInstance:
    return CocoInstance(1, 1, "dog", Box(0, 0, 9, 9), False, segmentation)


def test_overlapping_polygons_are_one_region_not_a_sum():
    size = Size(48, 64)
    shifted = [value + 4 for value in SQUARE]
    both = union_rle([instance([SQUARE, shifted])], size)
    apart = [rle.decode(union_rle([instance([s])], size)) for s in (SQUARE, shifted)]
    assert np.array_equal(rle.decode(both), apart[0] | apart[1])


def test_rle_and_polygons_may_be_mixed():
    size = Size(48, 64)
    array = np.zeros(size, bool)
    array[40:, 60:] = True
    runs = {"size": [48, 64], "counts": rle.counts_of(array).tolist()}
    both = rle.decode(union_rle([instance([SQUARE]), instance(runs)], size))
    assert both[44, 62]
    assert both[10, 10]
    assert not both[30, 30]


def test_a_mask_of_another_size_is_refused():
    runs = rle.encode(np.ones((4, 4), bool))
    with pytest.raises(InputError, match="annotation 1"):
        union_rle([instance(runs)], Size(48, 64))


def test_without_a_mask_there_is_no_truth_to_invent():
    assert union_rle([instance(None)], Size(48, 64)) is None


@pytest.mark.parametrize("text", ["{}", "[]", "words", '{"categories": [], "images": 3}'])
def test_other_files_are_refused(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(InputError, match="not (a COCO instances file|JSON)|must hold an object"):
        list(convert_coco(tmp_path / "x.json", ImageFiles({})))
