"""Whatever lies there is read, or it is said what was expected."""

import json
import shutil
from pathlib import Path

import PIL.Image
import pytest

from builders import SIZE, a_region, an_image
from segue.assistant import Assistant
from segue.errors import InputError
from segue.export import FORMATS, AnnotatedImage
from segue.export.coco import coco
from segue.export.layout import LAYOUTS
from segue.export.picture_files import find_picture, upright_size
from segue.export.reading import SOURCES, read_data_set, read_pictures
from segue.segment.box_fill import BoxFill
from segue.values.box import Box, Size

PICTURES = [
    AnnotatedImage("street/a.png", SIZE, (a_region("r1", "cat"), a_region("r2", "dog"))),
    AnnotatedImage("b.png", SIZE, ()),
]
NAMES = {picture.name for picture in PICTURES}


def a_session(folder):
    """Two pictures, one of which has two regions."""
    conversation = Assistant(segmenter=BoxFill()).open(
        an_image(name="a.jpg"), an_image(seed=1, name="b.png")
    )
    for phrase, x in (("cat", 2), ("dog", 30)):
        conversation.add_region(box=Box(x, 4, x + 9, 20), phrase=phrase, image=0)
    return conversation.save(folder)


def export_with_pictures(folder, name):
    """Write a format into a folder, with its pictures."""
    layout = LAYOUTS[name]
    FORMATS.load(name, PICTURES, layout.target_in(folder))
    for picture in PICTURES:
        file = folder / layout.picture_folder / picture.name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(an_image().to_png_bytes())
    return folder


@pytest.mark.parametrize("name", list(FORMATS))
def test_every_format_is_found_out_and_read_back_with_its_pictures(tmp_path, name):
    folder = export_with_pictures(tmp_path / "out", name)
    data = read_data_set(folder)
    by_name = {picture.name: picture for picture in data.pictures}
    assert set(by_name) == ({"street/a.png"} if name == "label-studio" else NAMES)
    assert [r.phrase for r in by_name["street/a.png"].regions] == ["cat", "dog"]
    assert all(picture.size == SIZE for picture in data.pictures)
    assert set(data.files) == set(by_name)
    file_name = LAYOUTS[name].file_name
    if file_name is not None:
        assert read_pictures(folder / file_name) == data.pictures


def test_a_session_is_read_as_it_is_now(tmp_path):
    folder = a_session(tmp_path / "talk")
    for source in (folder, folder / "session.json"):
        data = read_data_set(source)
        assert data.kind == "a session"
        assert [(p.name, [r.phrase for r in p.regions]) for p in data.pictures] == [
            ("a.jpg", ["cat", "dog"]),
            ("b.png", []),
        ]
        assert data.files["b.png"] == an_image(seed=1, name="b.png")


@pytest.mark.parametrize("content", [None, "[1", '{"x": 1}', "<x/>", "names: [a]"])
def test_it_is_said_what_was_expected(tmp_path, content):
    if content is not None:
        for name in ("a.txt", "other.json", "other.xml"):
            (tmp_path / name).write_text(content.replace("[1", "x"))
    with pytest.raises(InputError) as caught:
        read_pictures(tmp_path)
    message = str(caught.value)
    assert all(kind.expected in message for kind in SOURCES)
    assert "an empty folder" in message if content is None else "with a.txt, other.json" in message
    with pytest.raises(InputError, match="There is no file or folder"):
        read_pictures(tmp_path / "missing")
    with pytest.raises(InputError, match="is no folder"):
        read_data_set(tmp_path, picture_folder=tmp_path / "missing")


def test_damage_is_left_out_with_a_reason_where_a_list_is_given(tmp_path):
    folder = export_with_pictures(tmp_path, "coco")
    document = json.loads((folder / "instances.json").read_text())
    document["annotations"][0]["category_id"] = 9
    (folder / "instances.json").write_text(json.dumps(document))
    with pytest.raises(InputError, match="annotation 1"):
        read_pictures(folder)
    skipped: list[str] = []
    pictures = read_pictures(folder, skipped=skipped)
    assert [len(picture.regions) for picture in pictures] == [1, 0]
    assert "annotation 1" in skipped[0]


def test_yolo_tells_what_has_no_counterpart(tmp_path):
    folder = export_with_pictures(tmp_path, "yolo")
    (folder / "labels" / "b.txt").unlink()
    (folder / "labels" / "lonely.txt").write_text("")
    (folder / "images" / "notes.txt").write_text("no picture")
    with pytest.raises(InputError, match="does not open as a picture"):
        read_pictures(folder)
    skipped: list[str] = []
    assert len(read_pictures(folder, skipped=skipped)) == 2
    assert ["notes.txt" in skipped[0], "lonely.txt" in skipped[1]] == [True, True]
    shutil.rmtree(folder / "images")
    with pytest.raises(InputError, match="holds no picture"):
        read_pictures(folder)


def test_other_json_beside_labelme_files_is_named(tmp_path):
    folder = export_with_pictures(tmp_path, "labelme")
    (folder / "settings.json").write_text("{}")
    skipped: list[str] = []
    assert len(read_pictures(folder, skipped=skipped)) == 2
    assert "settings.json: it is no LabelMe file" in skipped[0]


def test_pictures_are_looked_for_below_their_folders_only(tmp_path):
    (tmp_path / "images").mkdir()
    for name in ("secret.png", "images/a.png"):
        (tmp_path / name).write_bytes(an_image().to_png_bytes())
    folders = [tmp_path / "images"]
    assert find_picture("sub/a.png", folders) == tmp_path / "images" / "a.png"
    assert find_picture("../secret.png", folders) is None
    assert find_picture(str(tmp_path / "secret.png"), folders) is None
    assert find_picture("x" * 5000, folders) is None


def test_sizes_are_those_of_upright_pictures(tmp_path):
    picture = PIL.Image.new("RGB", (20, 10))
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(tmp_path / "turned.jpg", exif=exif)
    (tmp_path / "no.jpg").write_text("text")
    assert upright_size(tmp_path / "turned.jpg") == Size(height=20, width=10)
    assert upright_size(tmp_path / "no.jpg") is None


def a_foreign_coco(folder: Path, file: str, pictures: str) -> None:
    """A data set as another program lays it out: a box without an outline, ids from 1."""
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    (folder / pictures).mkdir(parents=True, exist_ok=True)
    (folder / pictures / "a.png").write_bytes(an_image().to_png_bytes())
    content = {
        "images": [{"id": 1, "file_name": "a.png", "height": 64, "width": 48}],
        "annotations": [
            {
                "id": 1, "image_id": 1, "category_id": 2, "bbox": [2, 3, 10, 8], "area": 80,
                "segmentation": [], "iscrowd": 0,
            }
        ],
        "categories": [{"id": 2, "name": "dog", "supercategory": "animals"}],
    }  # fmt: skip
    (folder / file).write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("file", "pictures"),
    [
        ("_annotations.coco.json", "images"),
        ("annotations/instances_default.json", "images/default"),
        ("annotations/instances.json", "images"),
    ],
)
def test_a_folder_of_another_program_is_read_by_its_one_coco_file(tmp_path, file, pictures):
    a_foreign_coco(tmp_path, file, pictures)
    data = read_data_set(tmp_path)
    assert [region.phrase for region in data.pictures[0].regions] == ["dog"]
    assert data.files["a.png"].is_file()


def test_several_coco_files_in_a_folder_are_named(tmp_path):
    a_foreign_coco(tmp_path, "train.json", "images")
    a_foreign_coco(tmp_path, "val.json", "images")
    with pytest.raises(InputError, match=r"several COCO files.*train\.json.*val\.json"):
        read_data_set(tmp_path)


def test_a_box_without_a_mask_keeps_the_key_that_other_readers_want(tmp_path):
    a_foreign_coco(tmp_path, "x.json", "images")
    (entry,) = coco(read_data_set(tmp_path).pictures)["annotations"]
    assert entry["segmentation"] == []
