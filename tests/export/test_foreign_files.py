"""Files of other programs: read right, or left out with a reason."""

import base64
import io
import json

import numpy as np
import PIL.Image
import pytest

from segue.errors import InputError
from segue.export.coco import read_coco
from segue.export.cvat import read_cvat
from segue.export.geojson import read_geojson
from segue.export.label_studio import read_label_studio
from segue.export.labelme import read_labelme
from segue.export.voc import read_voc
from segue.export.yolo import read_yolo
from segue.values.box import Box, Size

SQUARE = [[1, 1], [5, 1], [5, 5], [1, 5]]


def write(tmp_path, value) -> str:
    file = tmp_path / "x.json"
    file.write_text(value if isinstance(value, str) else json.dumps(value))
    return str(file)


def labelme(kind, points, **fields) -> dict:
    shape = {"label": "cat", "shape_type": kind, "points": points, **fields}
    return {"imagePath": "a.png", "imageHeight": 10, "imageWidth": 10, "shapes": [shape]}


def an_encoded_mask(height: int, width: int) -> str:
    buffer = io.BytesIO()
    PIL.Image.fromarray(np.ones((height, width), bool)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


@pytest.mark.parametrize(
    ("kind", "points", "area"),
    [("polygon", SQUARE, 16), (None, SQUARE, 16), ("circle", [[5, 5], [5, 8]], 32),
     ("oriented_rectangle", SQUARE, 16)],
)  # fmt: skip
def test_labelme_shapes_with_an_area_become_masks(tmp_path, kind, points, area):
    (region,) = read_labelme(write(tmp_path, labelme(kind, points))).regions
    assert region.mask.area == area


@pytest.mark.parametrize("kind", ["point", "line", "linestrip", "points"])
def test_labelme_shapes_without_an_area_are_left_out_with_a_reason(tmp_path, kind):
    skipped: list[str] = []
    file = write(tmp_path, labelme(kind, SQUARE[:2]))
    assert read_labelme(file, skipped=skipped).regions == ()
    assert f"shape 1: a {kind} has no area" in skipped[0]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (labelme("polygon", SQUARE[:2]), "at least three corners"),
        (labelme("polygon", [[1, 1], [1e9, 1], [5, 5]]), "far outside its picture"),
        (labelme("blob", SQUARE), "type 'blob' are not known"),
        (labelme("mask", [[8, 8], [9, 9]], mask=an_encoded_mask(5, 5)), "beyond its picture"),
        (labelme("mask", [[1, 1], [2, 2]], mask="%%"), "shape 1"),
        ({**labelme("polygon", SQUARE), "imageWidth": 2**31}, "more than 100000000 pixels"),
    ],
)
def test_labelme_damage_is_named_by_shape_and_skipped_on_request(tmp_path, value, message):
    with pytest.raises(InputError, match=message):
        read_labelme(write(tmp_path, value))


def rectangle(**fields) -> dict:
    value = {"x": 10, "y": 10, "width": 50, "height": 20, "rectanglelabels": ["cat"]}
    return {"type": "rectanglelabels", "original_width": 20, "original_height": 10,
            "value": {**value, **fields}}  # fmt: skip


def task(*results, **annotation) -> dict:
    return {
        "data": {"image": "/data/local-files/?d=sub/a%20b.png"},
        "annotations": [{"result": list(results), **annotation}],
    }


def test_label_studio_turned_rectangles_turn_about_their_corner(tmp_path):
    (picture,) = read_label_studio(write(tmp_path, [task(rectangle(rotation=90))]))
    (region,) = picture.regions
    assert picture.name == "sub/a b.png"
    assert np.allclose(region.quad, [(2, 1), (2, 11), (0, 11), (0, 1)])
    assert np.allclose(region.box.corners, (0, 1, 2, 11))


def test_label_studio_cancelled_annotations_are_left_out_with_a_reason(tmp_path):
    skipped: list[str] = []
    tasks = [task(rectangle(), was_cancelled=True), task(rectangle()), {"data": {"image": "x"}}]
    pictures = read_label_studio(write(tmp_path, tasks), skipped=skipped)
    assert [len(picture.regions) for picture in pictures] == [1]
    assert "task 1, annotation 1: it was cancelled" in skipped[0]
    assert "task 3: nobody drew on it" in skipped[-1]


@pytest.mark.parametrize(
    ("kind", "value", "area"),
    [
        ("polygonlabels", {"points": [[10, 10], [50, 10], [50, 50], [10, 50]]}, 32),
        ("ellipselabels", {"x": 50, "y": 50, "radiusX": 10, "radiusY": 20, "rotation": 0}, 12),
    ],
)
def test_label_studio_polygons_and_ellipses_become_masks(tmp_path, kind, value, area):
    result = {**rectangle(), "type": kind, "value": {**value, kind: ["cat"]}}
    (picture,) = read_label_studio(write(tmp_path, [task(result)]))
    assert picture.regions[0].mask.area == area


def test_label_studio_damage_keeps_what_is_sound_on_request(tmp_path):
    turned = {**rectangle(), "image_rotation": 90}
    file = write(tmp_path, [task(rectangle(), turned, rectangle(x="far"))])
    with pytest.raises(InputError, match="task 1, result 2: it was drawn on a picture that"):
        read_label_studio(file)
    skipped: list[str] = []
    assert len(read_label_studio(file, skipped=skipped)[0].regions) == 1
    assert len(skipped) == 2


def test_cvat_shapes_with_an_area_are_read_and_others_left_out(tmp_path):
    shapes = (
        '<polygon label="x" points="1,1;5,1;5,5;1,5"/><polyline label="x" points="1,1;2,2"/>'
        '<box label="x" xtl="2" ytl="4" xbr="8" ybr="6" rotation="90"/>'
        '<ellipse label="x" cx="5" cy="5" rx="2" ry="2"/>'
    )
    text = f'<annotations><image name="a" width="10" height="10">{shapes}</image></annotations>'
    skipped: list[str] = []
    (picture,) = read_cvat(write(tmp_path, text), skipped=skipped)
    assert [region.mask and region.mask.area for region in picture.regions] == [16, None, 12]
    assert np.allclose(picture.regions[1].box.corners, (4, 2, 6, 8))
    assert "a polyline has no area" in skipped[0]


def an_object(xmin, ymin, xmax, ymax, *, name="<name>cat</name>", more="") -> str:
    sides = {"xmin": xmin, "ymin": ymin, "xmax": xmax, "ymax": ymax}
    box = "".join(f"<{side}>{value}</{side}>" for side, value in sides.items())
    return f"<object>{more}<bndbox>{box}</bndbox>{name}</object>"


def a_voc_file(*objects: str) -> str:
    size = "<size><width>20</width><height>10</height><depth>3</depth></size>"
    return f"<annotation><filename>a.jpg</filename>{size}{''.join(objects)}</annotation>"


def test_voc_objects_are_read_in_any_order_without_their_parts(tmp_path):
    part = "<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part>"
    text = a_voc_file(an_object(3, 2, 4.5, 10), an_object(0, 0, 5, 5), an_object(1, 1, 2, 2) + part)
    (first, from_zero, third) = read_voc(write(tmp_path, text)).regions
    assert (first.phrase, first.box) == ("cat", Box(2, 1, 4.5, 10))
    assert from_zero.box == Box(0, 0, 5, 5)
    assert third.box == Box(0, 0, 2, 2)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (an_object(9, 2, 4, 10), "ordered"),
        (an_object(1, 2, "nan", 10), "xmax must be a finite number"),
        (an_object(1, 2, 1e9, 10), "far outside"),
        (an_object(25, 2, 30, 10), "outside the picture"),
        (an_object(1, 2, 3, 10, name=""), "<name> is missing"),
        ("<object><name>cat</name></object>", "<bndbox><xmin> is missing"),
    ],
)
def test_voc_damage_is_named_by_object_and_skipped_on_request(tmp_path, entry, message):
    file = write(tmp_path, a_voc_file(entry, an_object(1, 1, 2, 2)))
    with pytest.raises(InputError, match=f"object 1: .*{message}"):
        read_voc(file)
    skipped: list[str] = []
    assert len(read_voc(file, skipped=skipped).regions) == 1
    assert len(skipped) == 1


def test_yolo_rows_may_be_boxes_and_may_have_scores(tmp_path):
    (tmp_path / "labels").mkdir()
    (tmp_path / "data.yaml").write_text("names: [cat, dog]\n")
    rows = "0 0.5 0.5 0.2 0.4\n1 0.5 0.5 0.2 0.4 0.9\n0 0.1 0.1 0.5 0.1 0.5 0.5 0.1 0.5 0.8\n"
    (tmp_path / "labels" / "a.txt").write_text(rows)
    (picture,) = read_yolo(tmp_path, {"a.png": Size(10, 10)})
    boxes = [region.box.corners for region in picture.regions]
    assert np.allclose(boxes, [(4, 3, 6, 7), (4, 3, 6, 7), (1, 1, 5, 5)])
    assert [region.score for region in picture.regions] == [None, 0.9, 0.8]


@pytest.mark.parametrize("row", ["5 0.1 0.1 0.2 0.2", "0 nan 0.1 0.2 0.2", "0 0.1", "cat 1 2 3 4"])
def test_yolo_rows_that_make_no_sense_are_named_by_line(tmp_path, row):
    (tmp_path / "labels").mkdir()
    (tmp_path / "data.yaml").write_text("names: [cat]\n")
    (tmp_path / "labels" / "a.txt").write_text(f"0 0.5 0.5 0.2 0.4\n{row}\n")
    with pytest.raises(InputError, match=r"a\.txt, line 2: "):
        read_yolo(tmp_path, {"a.png": Size(10, 10)})
    skipped: list[str] = []
    (picture,) = read_yolo(tmp_path, {"a.png": Size(10, 10)}, skipped=skipped)
    assert (len(picture.regions), len(skipped)) == (1, 1)


def instances(**fields) -> dict:
    entry = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 2, 2], **fields}
    image = {"id": 1, "file_name": "a.png", "width": 10, "height": 10}
    return {"images": [image], "categories": [{"id": 1, "name": "x"}], "annotations": [entry]}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"segmentation": [[1, 1, float("nan"), 1, 3, 3]]}, "not finite"),
        ({"segmentation": [[1, 1, 1e12, 1, 3, 3]]}, "far outside"),
        ({"segmentation": {"size": [10**5, 10**5], "counts": [10**10]}}, "its picture"),
        ({"bbox": [1, 2, 3]}, r"bbox must be \[x, y, width, height\]"),
        ({"category_id": 5}, "category 5 is not listed"),
        ({"image_id": 5}, "picture 5 is not listed"),
    ],
)
def test_coco_damage_is_named_by_annotation(tmp_path, fields, message):
    value = instances(**fields)
    value["annotations"].append(instances()["annotations"][0])
    file = write(tmp_path, value)
    with pytest.raises(InputError, match=f"annotation 1: .*{message}"):
        read_coco(file)
    skipped: list[str] = []
    assert len(read_coco(file, skipped=skipped)[0].regions) == 1
    assert len(skipped) == 1


def test_a_picture_larger_than_any_is_refused_before_memory_is_taken(tmp_path):
    value = instances()
    value["images"][0].update(width=100_000, height=100_000)
    with pytest.raises(InputError, match="image 1: a picture of 100000 x 100000"):
        read_coco(write(tmp_path, value))
    geojson = {"name": "a", "size": [100_000, 100_000], "features": []}
    with pytest.raises(InputError, match="100000 x 100000"):
        read_geojson(write(tmp_path, geojson))


def test_boxes_of_geojson_with_endless_numbers_are_refused(tmp_path):
    text = '{"name": "a", "size": [9, 9], "features": [{"properties": {"id": "r", "phrase": "x", '
    text += '"found_by": "chat", "box": [1e999, 1, 2, 3]}}]}'
    with pytest.raises(InputError, match="feature 1: The 'box' of a region"):
        read_geojson(write(tmp_path, text))
    huge = text.replace("1e999", str(10**400))
    with pytest.raises(InputError, match="feature 1: "):
        read_geojson(write(tmp_path, huge))
    assert Box(0, 0, 1, 1).area == 1
