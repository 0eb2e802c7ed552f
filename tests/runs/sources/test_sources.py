"""Where pictures come from."""

import json
import os

import pytest

from builders import an_image
from segue.errors import InputError
from segue.runs.sources import find_pictures
from segue.runs.sources.locations import FileLocation


@pytest.fixture
def folder(tmp_path):
    for name in ("b.png", "a.PNG", "deep/c.png", "notes.md"):
        file = tmp_path / "shots" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(an_image().to_png_bytes())
    return tmp_path / "shots"


def names(pictures):
    return [picture.name for picture in pictures]


def test_a_folder_gives_its_pictures_and_those_below(folder):
    assert names(find_pictures([folder])) == ["a.PNG", "b.png", "deep/c.png"]


def test_patterns_files_and_lists_are_read(folder, tmp_path):
    assert names(find_pictures([str(folder / "*.png")])) == ["b.png"]
    assert names(find_pictures([folder / "b.png"])) == ["b.png"]
    (tmp_path / "list.txt").write_text("shots/b.png\n\nshots/deep/c.png\n")
    assert names(find_pictures([tmp_path / "list.txt"])) == ["shots/b.png", "shots/deep/c.png"]
    assert names(find_pictures([tmp_path / "list.txt"], images=tmp_path)) == [
        "shots/b.png", "shots/deep/c.png",
    ]  # fmt: skip


def test_coco_instances_give_pictures_and_their_boxes(folder, tmp_path):
    document = {
        "images": [{"id": 1, "file_name": "b.png"}, {"id": 2, "file_name": "deep/c.png"}],
        "categories": [{"id": 7, "name": "dog"}],
        "annotations": [{"image_id": 1, "category_id": 7, "bbox": [1, 2, 3, 4]}],
    }
    (tmp_path / "coco.json").write_text(json.dumps(document))
    first, second = find_pictures([tmp_path / "coco.json"], images=folder)
    assert (first.name, first.location) == ("b.png", FileLocation(folder / "b.png"))
    assert [(name, box.corners) for name, box in first.boxes] == [("dog", (1, 2, 4, 6))]
    assert second.boxes == ()


def test_a_file_that_is_named_twice_is_one_picture_and_equal_names_differ(folder, tmp_path):
    assert len(find_pictures([folder, folder / "b.png"])) == 3
    other = tmp_path / "other"
    other.mkdir()
    (other / "b.png").write_bytes(an_image().to_png_bytes())
    found = names(find_pictures([folder, other]))
    assert len(set(found)) == len(found) == 4


def test_linked_folders_are_read_once_and_circles_end(folder, tmp_path, monkeypatch):
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "d.png").write_bytes(an_image().to_png_bytes())
    (folder / "linked").symlink_to(tmp_path / "more")
    (folder / "deep" / "up").symlink_to("..")
    (folder / "self.png").symlink_to("self.png")
    (folder / "gone.png").symlink_to("nowhere.png")
    assert names(find_pictures([folder])) == ["a.PNG", "b.png", "deep/c.png", "linked/d.png"]
    monkeypatch.chdir(folder)
    assert len(find_pictures(["**/*.png"])) == 3


def test_a_folder_that_cannot_be_read_is_named(folder, monkeypatch):
    def scan(place):
        if str(place).endswith("deep"):
            raise PermissionError(13, "Permission denied", str(place))
        return scandir(place)

    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", scan)
    skipped = []
    assert names(find_pictures([folder], skipped=skipped)) == ["a.PNG", "b.png"]
    assert skipped == [f"The folder {folder / 'deep'} cannot be read: Permission denied."]


@pytest.mark.parametrize("source", ["", "list.txt", "coco.json"])
def test_what_is_no_path_is_refused(tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.txt").write_text("a\0b.png\n")
    (tmp_path / "coco.json").write_text('{"images": [{"id": 1, "file_name": "a\\u0000.png"}]}')
    with pytest.raises(InputError, match="path"):
        find_pictures([source])


@pytest.mark.parametrize("source", ["nowhere", "*.nothing", "empty", "bad.json"])
def test_a_source_without_pictures_is_refused(tmp_path, source, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.json").write_text('{"images": []}')
    with pytest.raises(InputError):
        find_pictures([source])
