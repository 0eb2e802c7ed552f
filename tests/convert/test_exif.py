"""Boxes and masks of pictures that EXIF data turn."""

import json

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest

from segue.convert.datasets.coco import CocoOptions, convert_coco
from segue.convert.datasets.question_templates import QuestionStyle
from segue.convert.dialogue import Dialogue, DroppedRecord
from segue.convert.exif import EXIF_AMBIGUOUS, array_to_upright, box_to_upright
from segue.convert.image_files import ImageFiles
from segue.values.box import Box, Size
from segue.values.image import Image
from segue.values.mask import rle

STORED = Size(height=40, width=64)
BOX = Box(6, 4, 26, 16)


def red_box(size: Size = STORED) -> PIL.Image.Image:
    array = np.full((*size, 3), 255, np.uint8)
    array[4:16, 6:26] = (200, 0, 0)
    return PIL.Image.fromarray(array)


def saved(folder, orientation: int, size: Size = STORED):
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    red_box(size).save(folder / "a.png", exif=exif)
    entry = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [6, 4, 20, 12],
             "segmentation": [[6, 4, 26, 4, 26, 16, 6, 16]]}  # fmt: skip
    value = {
        "images": [{"id": 1, "file_name": "a.png", "height": size.height, "width": size.width}],
        "categories": [{"id": 1, "name": "box"}],
        "annotations": [entry],
    }
    (folder / "x.json").write_text(json.dumps(value))
    return folder / "x.json"


def convert(file, exif=None):
    options = CocoOptions(
        absent_share=0, masks=True, exif=exif, question_style=QuestionStyle(chinese_share=0)
    )
    (made,) = convert_coco(file, ImageFiles({"": [file.parent]}), options)
    return made


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_and_masks_turn_as_pillow_turns_the_picture(orientation):
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    picture = red_box()
    picture.info["exif"] = exif.tobytes()
    upright = np.asarray(PIL.ImageOps.exif_transpose(picture))
    assert (array_to_upright(np.asarray(red_box()), orientation) == upright).all()
    rows, columns = np.nonzero(upright[:, :, 1] == 0)
    box = box_to_upright(BOX, orientation, STORED)
    assert box.corners == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [STORED, Size(64, 64)])
def test_boxes_on_stored_pixels_land_on_the_thing_in_the_upright_picture(
    tmp_path, orientation, size
):
    made = convert(saved(tmp_path, orientation, size), "stored" if orientation > 1 else None)
    assert isinstance(made, Dialogue)
    upright = Image.open(tmp_path / "a.png").array
    (box,) = made.turns[1].truth.boxes
    x0, y0, x1, y1 = map(int, box.corners)
    assert (upright[y0:y1, x0:x1] == (200, 0, 0)).all()
    mask = rle.decode(made.turns[1].truth.mask)
    assert (mask == (upright[:, :, 1] == 0)).all()


@pytest.mark.parametrize(
    ("orientation", "size", "noticed"),
    [(6, STORED, True), (8, STORED, True), (3, STORED, False), (2, STORED, False),
     (6, Size(64, 64), False)],
)  # fmt: skip
def test_without_a_word_the_size_tells_or_the_picture_is_dropped(
    tmp_path, orientation, size, noticed
):
    made = convert(saved(tmp_path, orientation, size))
    if noticed:
        assert made.notes == ("boxes turned upright as EXIF data say",)
    else:
        assert isinstance(made, DroppedRecord)
        assert made.reason == EXIF_AMBIGUOUS
        assert "--exif stored or --exif upright" in made.detail


def test_boxes_drawn_upright_stay_where_they_are(tmp_path):
    made = convert(saved(tmp_path, 3), "upright")
    assert made.turns[1].truth.boxes == (BOX,)
    assert convert(saved(tmp_path, 6), "upright").reason == "picture has another size"
