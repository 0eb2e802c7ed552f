"""Names of pictures and classes survive every export."""

import json
import xml.etree.ElementTree as ET
from urllib.parse import parse_qs, urlsplit

import pytest

from builders import SIZE, a_region, an_answer, an_image
from segue.errors import InputError
from segue.export import FORMATS, AnnotatedImage, annotated
from segue.export.class_names import read_names, yaml_names
from segue.export.coco import coco, read_coco
from segue.export.cvat import read_cvat, write_cvat
from segue.export.label_files import label_files
from segue.export.label_studio import read_label_studio, write_label_studio
from segue.export.yolo import write_yolo

NAMES = [
    "with space.png", "飞机 图.png", "quo\"te's.png", "new\nline.png", "🐱.png", "id\u3000eo.png",
    "nb\u00a0sp\u202f.png", "a+b&c#d%41.png", "_.png", "---.png", ".hidden.png", "x.tar.gz.png",
    "A.png", "a.png", "sub/🐱/1.png", "sub2/1.png", "👩\u200d👧.png", "cafe\u0301.png",
    "caf\u00e9.png",
]  # fmt: skip
PICTURES = [AnnotatedImage(name, SIZE, (a_region("r1", "cat"),)) for name in NAMES]


def test_label_files_keep_the_stem_of_every_picture():
    assert label_files(PICTURES) == [name.rsplit(".", 1)[0] + ".txt" for name in NAMES]


@pytest.mark.parametrize("format_name", ["yolo", "labelme", "geojson"])
def test_two_pictures_with_one_stem_are_refused(tmp_path, format_name):
    pictures = [AnnotatedImage("same.png", SIZE), AnnotatedImage("same.jpg", SIZE)]
    with pytest.raises(InputError, match=r"'same.png' and 'same.jpg' would share the label file"):
        FORMATS.load(format_name, pictures, tmp_path)
    assert not list(tmp_path.rglob("*.txt"))


def test_cvat_and_coco_name_pictures_as_they_are(tmp_path):
    file = write_cvat(PICTURES, tmp_path / "x.xml")[0]
    assert [image.get("name") for image in ET.parse(file).getroot().iter("image")] == NAMES
    assert [picture.name for picture in read_cvat(file)] == NAMES
    assert [image["file_name"] for image in coco(PICTURES)["images"]] == NAMES


def test_label_studio_asks_for_every_picture_and_reads_its_name(tmp_path):
    file = write_label_studio(PICTURES, tmp_path / "x.json")[0]
    tasks = json.loads(file.read_text(encoding="utf-8"))
    asked = [parse_qs(urlsplit(task["data"]["image"]).query)["d"][0] for task in tasks]
    assert asked == NAMES
    assert [picture.name for picture in read_label_studio(file)] == NAMES
    stored = write_label_studio(PICTURES[:1], tmp_path / "y.json", image_url="s3://bucket/")[0]
    assert json.loads(stored.read_text())[0]["data"]["image"] == "s3://bucket/with space.png"


@pytest.mark.parametrize("format_name", list(FORMATS))
@pytest.mark.parametrize(("name", "phrase"), [("caf\udce9.png", "cat"), ("a.png", "cat \ud83d")])
def test_half_characters_never_stop_an_export(tmp_path, format_name, name, phrase):
    picture = AnnotatedImage(name, SIZE, (a_region("r1", phrase),))
    files = FORMATS.load(format_name, [picture], tmp_path / "x")
    assert all(file.stat().st_size for file in files)


def test_categories_are_the_callers_in_every_part(tmp_path):
    listed = ["airplane", "dog", "zebra"]
    first = [AnnotatedImage("a.png", SIZE, (a_region("r1", "dog"), a_region("r2", "airplane")))]
    second = [AnnotatedImage("b.png", SIZE, (a_region("r1", "dog"),))]
    for pictures in (first, second, []):
        document = coco(pictures, categories=listed)
        assert [(c["id"], c["name"]) for c in document["categories"]] == list(enumerate(listed, 1))
        write_yolo(pictures, tmp_path, categories=listed)
        text = (tmp_path / "data.yaml").read_text()
        assert read_names(text) == dict(enumerate(listed))
    assert coco(second, categories=listed)["annotations"][0]["category_id"] == 2
    with pytest.raises(InputError, match="lack 'dog'"):
        coco(second, categories=["cat"])
    with pytest.raises(InputError, match="a name of its own, got 'cat' again"):
        coco([], categories=["cat", "cat"])


ODD = ["a: b", "- x", "#tag", "yes", "null", "1", "it's \"q\"", "\x7fd", "b\u0085c", "d\ufeffe",
       "f\u2028g", "back\\slash", "{x}", "😀", "nan", "~", "ünï", "a, b", "x]y", "'z'"]  # fmt: skip


def test_class_names_come_back_from_yaml_whatever_they_hold():
    assert read_names(yaml_names(ODD)) == dict(enumerate(ODD))
    yaml = pytest.importorskip("yaml")
    assert list(yaml.safe_load(yaml_names(ODD))["names"].values()) == ODD


@pytest.mark.parametrize(
    "text",
    [
        "names:\n  0: cat\n  1: it's dog\n",
        "path: .\nnames: # classes\n  0: cat # one\n  1: 'it''s dog'\nnc: 2\n",
        'names:\n- cat\n- "it\'s dog"\n',
        "names: [cat, 'it''s dog']\nnc: 2\n",
        "names: {0: cat, 1: 'it''s dog'}\n",
        "names: [cat,\n  'it''s dog',\n]\n",
    ],
)
def test_class_names_are_read_as_people_write_them(text):
    assert read_names(text) == {0: "cat", 1: "it's dog"}


@pytest.mark.parametrize("text", ["", "nc: 2", "names: [cat", "names: [{a: b}]"])
def test_other_lists_of_classes_are_refused(text):
    with pytest.raises(InputError, match=r"data\.yaml"):
        read_names(text)


def test_two_files_with_equal_pixels_are_two_pictures():
    one, copy = an_image(name="1.png"), an_image(name="copy.png")
    answers = [an_answer([a_region("r1")], [one]), an_answer([a_region("r1")], [copy])]
    assert [(p.name, len(p.regions)) for p in annotated(answers)] == [("1.png", 1), ("copy.png", 1)]


def test_the_caller_says_what_pictures_are_called():
    answers = [an_answer([a_region("r1")], [an_image(name="1.png")]) for _ in range(3)]
    pictures = annotated(answers, names=["train/1.png", ["val/1.png"], "train/1.png"])
    assert [picture.name for picture in pictures] == ["train/1.png", "val/1.png"]
    assert [region.id for region in pictures[0].regions] == ["r1", "r2"]
    with pytest.raises(InputError, match="3 answers and 1 names"):
        annotated(answers, names=["a.png"])
    with pytest.raises(InputError, match="Answer 1 has 1 picture, got 2"):
        annotated(answers[:1], names=[["a.png", "b.png"]])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_empty_mask_loads_in_the_coco_tools(tmp_path):
    from segue.values.mask import Mask

    tools = pytest.importorskip("pycocotools.mask")
    picture = AnnotatedImage("a.png", SIZE, (a_region("r1", "cat", mask=Mask.empty(SIZE)),))
    (entry,) = coco([picture], polygons=True)["annotations"]
    assert not tools.decode(entry["segmentation"]).any()
    (tmp_path / "x.json").write_text(json.dumps(coco([picture], polygons=True)))
    assert read_coco(tmp_path / "x.json")[0].regions[0].mask.is_empty
