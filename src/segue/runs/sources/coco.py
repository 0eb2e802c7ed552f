"""COCO instances as a source: its pictures, and the boxes that are known of them."""

from collections.abc import Iterator
from pathlib import Path

from segue.annotations.fields import read_identity, read_object, read_string, read_xywh
from segue.errors import InputError
from segue.files.text import read_json
from segue.runs.sources.lists import location_below
from segue.runs.sources.picture import SourcePicture
from segue.values.box import Box


def pictures_of_coco(file: Path, folder: str | Path) -> Iterator[SourcePicture]:
    """Yield the pictures of a COCO instances file.

    Args:
        file: the file.
        folder: of the pictures; a path, or an address of object storage.

    Raises:
        InputError: it is no such file.
    """
    document = read_object(read_json(file), str(file))
    entries = {}
    for key in ("images", "annotations", "categories"):
        value = document.get(key, [])
        if not isinstance(value, list):
            raise InputError(f"The {key!r} of {file} must be a list.")
        entries[key] = [read_object(entry, f"an entry of {key}") for entry in value]
    if not entries["images"]:
        raise InputError(f"{file} must be COCO instances with 'images', and has none.")
    names = {
        read_identity(entry.get("id"), "id"): read_string(entry.get("name"), "name")
        for entry in entries["categories"]
    }
    boxes: dict[int | str, list[tuple[str, Box]]] = {}
    for entry in entries["annotations"]:
        category = names.get(read_identity(entry.get("category_id"), "category_id"))
        if category is not None and entry.get("bbox"):
            picture = read_identity(entry.get("image_id"), "image_id")
            boxes.setdefault(picture, []).append((category, read_xywh(entry["bbox"], None)))
    for entry in entries["images"]:
        name = read_string(entry.get("file_name"), "file_name")
        identity = read_identity(entry.get("id"), "id")
        location = location_below(folder, name, f"{file}")
        yield SourcePicture(name, location, tuple(boxes.get(identity, ())))
