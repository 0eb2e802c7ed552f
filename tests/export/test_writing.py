"""Classes, splits, pictures, and an account in which nothing is missing."""

import json
from pathlib import Path

import pytest

from builders import SIZE, a_region, an_image
from segue.errors import InputError, UnknownName
from segue.export import FORMATS, AnnotatedImage
from segue.export.class_names import read_names
from segue.export.layout import LAYOUTS
from segue.export.reading import DataSet, conversation_data_set, read_data_set, read_pictures
from segue.export.writing import (
    SAME_PLACE,
    ExportPlan,
    parse_classes,
    parse_splits,
    split_name,
    write_data_set,
)
from segue.export.yolo import write_yolo
from segue.values.box import Box
from segue.values.mask import Mask

AWKWARD = (
    a_region("r1", "cat"),
    a_region("r2", "empty", mask=Mask.empty(SIZE)),
    a_region("r3", "outside", Box(70, 0, 80, 9), masked=False),
    a_region("r4", "dog", masked=False),
)
NAMES = [f"{n}.png" for n in range(40)]


@pytest.fixture
def data(tmp_path) -> DataSet:
    """Forty small pictures with a cat each, and a dog on every other."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    pictures = []
    for number, name in enumerate(NAMES):
        (folder / name).write_bytes(an_image(seed=number % 3).to_png_bytes())
        regions = (a_region("r1", "cat"), a_region("r2", "dog"))[: 1 + number % 2]
        pictures.append(AnnotatedImage(name, SIZE, regions))
    return DataSet(pictures, {name: folder / name for name in NAMES})


def plan(target: Path, format: str = "coco", **fields) -> ExportPlan:
    return ExportPlan(format=format, target=target, **fields)


def test_every_format_has_a_layout():
    assert list(LAYOUTS) == list(FORMATS)


@pytest.mark.parametrize("name", list(FORMATS))
def test_what_is_written_and_what_is_left_out_is_all_there_was(tmp_path, name):
    images = [an_image(name="a.jpg")]
    data = conversation_data_set(images, AWKWARD)
    (part,) = write_data_set(data, plan(tmp_path / "out", name)).parts
    assert part.regions + part.left_out.total() == len(AWKWARD)
    (picture,) = read_pictures(tmp_path / "out")
    assert [region.phrase for region in picture.regions] == list(part.classes)
    assert all(file.is_file() for file in part.files)
    assert (picture.name, part.copied) == ("a.png", 1)  # for what was copied is a PNG
    assert list(read_data_set(tmp_path / "out").files) == ["a.png"]


def test_no_pictures_are_copied_on_request_and_names_stay(tmp_path):
    data = conversation_data_set([an_image(name="a.jpg")], AWKWARD)
    write_data_set(data, plan(tmp_path / "x.json", pictures="none"))
    assert [file.name for file in tmp_path.iterdir()] == ["x.json"]
    assert read_pictures(tmp_path / "x.json")[0].name == "a.jpg"


def test_two_pictures_of_a_conversation_never_become_one_file(tmp_path):
    images = [an_image(name="a.jpg"), an_image(seed=1, name="a.png"), an_image(seed=2, name="")]
    write_data_set(conversation_data_set(images, ()), plan(tmp_path / "out", "yolo"))
    files = sorted(file.name for file in (tmp_path / "out" / "images").iterdir())
    assert files == ["a-2.png", "a.png", "image.png"]


@pytest.mark.parametrize("name", ["coco", "yolo", "geojson"])
def test_listed_classes_keep_their_ids_and_others_are_counted(tmp_path, data, name):
    fields = {"classes": ["zebra", "dog"]}
    (part,) = write_data_set(data, plan(tmp_path / "out", name, **fields)).parts
    assert dict(part.classes) == {"zebra": 0, "dog": 20}
    assert dict(part.left_out) == {("of another class", "cat"): 40}
    if name == "coco":
        document = json.loads((tmp_path / "out" / "instances.json").read_text())
        assert document["categories"] == [{"id": 1, "name": "zebra"}, {"id": 2, "name": "dog"}]
        assert {entry["category_id"] for entry in document["annotations"]} == {2}
    if name == "yolo":
        assert read_names((tmp_path / "out" / "data.yaml").read_text()) == {0: "zebra", 1: "dog"}


def test_splits_share_class_ids_and_hold_every_picture_once(tmp_path, data):
    splits = {"train": 0.7, "val": 0.3}
    report = write_data_set(data, plan(tmp_path / "out", "labelme", splits=splits))
    names = [picture.name for part in ("train", "val")
             for picture in read_pictures(tmp_path / "out" / part)]  # fmt: skip
    assert sorted(names) == sorted(NAMES)
    assert [part.split for part in report.parts] == ["train", "val"]
    assert sum(part.pictures for part in report.parts) == 40
    assert 20 <= report.parts[0].pictures <= 36


@pytest.mark.parametrize("pictures", ["copy", "none"])
def test_yolo_holds_all_splits_in_one_data_set_that_is_read_back(tmp_path, data, pictures):
    splits = {"train": 0.6, "val": 0.2, "test": 0.2}
    target = tmp_path / "out"
    report = write_data_set(data, plan(target, "yolo", splits=splits, pictures=pictures))
    assert [file.relative_to(target).as_posix() for file in target.rglob("*.yaml")] == ["data.yaml"]
    text = (target / "data.yaml").read_text()
    assert text.startswith("train: images/train\nval: images/val\ntest: images/test\nnames:")
    if pictures == "none":
        assert {file.name for file in target.iterdir()} == {"data.yaml", "labels"}
        return
    read = read_data_set(target)
    assert len(read.files) == 40
    for part in report.parts:
        names = [p.name for p in read.pictures if p.name.startswith(f"{part.split}/")]
        assert len(names) == part.pictures
        assert all((target / "images" / name).is_file() for name in names)
    original = {picture.name: len(picture.regions) for picture in data.pictures}
    assert {Path(p.name).name: len(p.regions) for p in read.pictures} == original
    again = write_data_set(read, plan(tmp_path / "again"), target)
    assert again.parts[0].regions == sum(original.values())


@pytest.mark.parametrize(
    ("splits", "expected"),
    [
        ((), "train: images\nval: images\n"),
        (("train", "valid"), "train: images/train\nval: images/valid\n"),
        (("train", "test"), "train: images/train\nval: images/test\ntest: images/test\n"),
        (("a", "b", "c"), "train: images/a\nval: images/c\nb: images/b\n"),
    ],
)
def test_yolo_names_a_split_to_train_and_one_to_validate(tmp_path, splits, expected):
    write_yolo([], tmp_path, categories=["dog"], splits=splits)
    assert (tmp_path / "data.yaml").read_text().startswith(f"{expected}names:")


def test_folders_of_splits_of_older_versions_are_named(tmp_path, data):
    for part in ("train", "val"):
        write_data_set(data, plan(tmp_path / "out" / part, "yolo"))
    with pytest.raises(InputError, match=r"one a split. Name one: .*train, .*val"):
        read_data_set(tmp_path / "out")


def test_a_file_is_split_into_files_beside_one_another(tmp_path, data):
    splits = {"a": 0.5, "b": 0.5}
    write_data_set(data, plan(tmp_path / "out" / "x.json", splits=splits))
    assert sorted(f.name for f in (tmp_path / "out").iterdir()) == [
        "images",
        "x-a.json",
        "x-b.json",
    ]
    with pytest.raises(InputError, match=r"x-a\.json exists and is not empty"):
        write_data_set(data, plan(tmp_path / "out" / "x.json", splits=splits))


def test_a_picture_stays_in_its_split_when_others_come():
    splits = {"train": 0.8, "val": 0.2}
    first = {name: split_name(name, splits, 0) for name in NAMES}
    assert first == {name: split_name(name, splits, 0) for name in reversed(NAMES)}
    assert first != {name: split_name(name, splits, 1) for name in NAMES}
    many = [split_name(f"{n}.jpg", splits, 0) for n in range(5000)]
    assert 0.78 < many.count("train") / 5000 < 0.82
    assert split_name("caf\udce9.png", {"all": 1.0}, 0) == "all"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train", "Cannot read the split 'train'"),
        ("train=x", "Cannot read"),
        ("a=0.5,a=0.5", "Give each split once"),
        ("a=0.5,b=0.2", "add up to 1, got 0.7"),
        ("../a=1", "letters, digits"),
        ("a=0,b=1", "above 0"),
        ("a=nan", "Cannot read"),
    ],
)
def test_splits_that_make_no_sense_are_refused(text, message):
    with pytest.raises(InputError, match=message):
        parse_splits(text)


def test_plans_that_make_no_sense_are_refused(tmp_path):
    with pytest.raises(UnknownName, match="Did you mean 'coco'"):
        plan(tmp_path, "cocoo")
    with pytest.raises(InputError, match="a name of its own"):
        plan(tmp_path, classes=parse_classes("cat,dog,cat"))


def test_a_target_that_holds_something_needs_force_and_keeps_other_files(tmp_path, data):
    target = tmp_path / "out"
    write_data_set(data, plan(target, "voc"))
    (target / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="exists and is not empty.*--force"):
        write_data_set(data, plan(target, "voc"))
    report = write_data_set(data, plan(target, "voc", force=True))
    assert report.others == 1
    assert (target / "notes.txt").read_text() == "mine"
    with pytest.raises(InputError, match="is a file, expected a folder"):
        write_data_set(data, plan(target / "notes.txt", "voc", force=True))


@pytest.mark.parametrize("place", ["set", "set/x.json", "set/deeper", ".", "link"])
def test_the_source_is_never_written_to_even_by_force(tmp_path, data, place):
    write_data_set(data, plan(tmp_path / "set", "labelme"))
    (tmp_path / "link").symlink_to(tmp_path / "set")
    before = {file: file.read_bytes() for file in (tmp_path / "set").rglob("*.*")}
    source = tmp_path / "set"
    for name in ("coco", "labelme", "voc"):
        with pytest.raises(InputError, match="would overwrite the source"):
            write_data_set(read_data_set(source), plan(tmp_path / place, name, force=True), source)
    assert {file: file.read_bytes() for file in source.rglob("*.*")} == before


def test_one_file_may_be_written_beside_another_with_the_same_pictures(tmp_path, data):
    write_data_set(data, plan(tmp_path / "a.json"))
    source = tmp_path / "a.json"
    with pytest.raises(InputError, match="would overwrite the source"):
        write_data_set(read_data_set(source), plan(source, force=True), source)
    (part,) = write_data_set(read_data_set(source), plan(tmp_path / "b.xml", "cvat"), source).parts
    assert part.copied == 40
    (tmp_path / "images" / "3.png").write_bytes(b"another")
    with pytest.raises(InputError, match=r"3\.png exists and is another picture"):
        write_data_set(data, plan(tmp_path / "c.json"))
    assert not (tmp_path / "c.json").exists()


def test_pictures_that_are_missing_or_none_are_named(tmp_path, data):
    (tmp_path / "pictures" / "0.png").write_text("secret")
    files = {name: file for name, file in data.files.items() if name != "1.png"}
    report = write_data_set(DataSet(data.pictures, files), plan(tmp_path / "out"))
    assert report.parts[0].not_copied == ["0.png", "1.png"]
    assert report.parts[0].copied == 38
    assert not (tmp_path / "out" / "images" / "0.png").exists()


def test_pictures_that_lead_out_of_their_folder_are_copied_below_it(tmp_path):
    (tmp_path / "x.png").write_bytes(an_image().to_png_bytes())
    data = DataSet([AnnotatedImage("../../x.png", SIZE)], {"../../x.png": tmp_path / "x.png"})
    write_data_set(data, plan(tmp_path / "out"))
    assert (tmp_path / "out" / "images" / "x.png").is_file()
    assert read_pictures(tmp_path / "out")[0].name == "x.png"


@pytest.mark.parametrize("text", ["", " ", ",", '""'])
def test_no_class_at_all_is_refused(text):
    with pytest.raises(InputError, match="No class"):
        parse_classes(text)


def test_one_place_under_two_names_is_counted_and_merged_on_request(tmp_path, data):
    (part,) = write_data_set(data, plan(tmp_path / "both")).parts
    assert part.to_json()["same_places"] == [{"classes": ["cat", "dog"], "pairs": 20}]
    assert dict(part.classes) == {"cat": 40, "dog": 20}
    (part,) = write_data_set(data, plan(tmp_path / "merged", merge_same=True)).parts
    assert part.same_places.total() == 20
    assert part.left_out == {(SAME_PLACE, "dog"): 20}
    assert part.classes["cat"] == 40


def test_a_class_that_is_left_out_takes_no_place(tmp_path, data):
    (part,) = write_data_set(data, plan(tmp_path / "o", classes=["dog"], merge_same=True)).parts
    assert (part.regions, part.same_places.total()) == (20, 0)
