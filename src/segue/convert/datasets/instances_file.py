"""Reading COCO's `instances_*.json` entry by entry.

Kept of each entry is what the conversion needs. Every entry is used or named with the reason why it
is not; one that is damaged takes nothing with it but what would become untrue without it.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from segue.annotations.fields import (
    read_flag,
    read_identity,
    read_object,
    read_size,
    read_string,
    read_xywh,
    short_repr,
)
from segue.convert.accounts import Accounts
from segue.convert.datasets.instances import ANNOTATION, Id, Instance, Instances, Picture
from segue.convert.dialogue import Dropped, plain
from segue.convert.json_document import Take, read_lists
from segue.errors import InputError
from segue.files.atomic import printable_path
from segue.files.unicode import well_formed
from segue.values.box import Size

LONGEST_NAME = 120
"""Characters; a longer category is a sentence that went astray."""


def read_instances(
    path: str | Path, accounts: Accounts | None = None, *, shapes: bool = True
) -> Instances:
    """Read the file, entry by entry.

    Args:
        path: the file.
        accounts: where annotations that cannot be used are counted and named.
        shapes: keep the segmentations; without them memory stays smaller.

    Raises:
        InputError: it cannot be read, or lacks images, annotations or categories.
    """
    reader = _InstancesReader(Path(path), accounts or Accounts(), shapes)
    others = read_lists(path, reader)
    for key in ("categories", "images", "annotations"):
        if key not in reader.done:
            raise InputError(
                f"{printable_path(path)} is not a COCO instances file: {key!r} must be a list, got "
                f"{others.get(key, 'nothing')}. It must hold images, annotations and categories."
            )
    if reader.waits:  # the annotations came first
        reader.read_again()
        read_lists(path, reader)
    return reader.content


class _InstancesReader:
    """Fills `Instances` entry by entry; a `ListReader`."""

    def __init__(self, path: Path, accounts: Accounts, shapes: bool) -> None:
        self._file = printable_path(path.name)
        self._accounts = accounts
        self._shapes = shapes
        self._names: dict[Id, str] = {}
        self._sizes: dict[Size, Size] = {}
        self._names_used_twice: set[Id] = set()
        self._faulty_pictures: set[Id] = set()
        self._known_pictures: dict[tuple[str, Size], Id] = {}
        self._seen_twice: set[Id] = set()
        self.done: set[str] = set()
        """Lists that were read, or passed over for want of others."""
        self._again = False
        self.waits = False
        """Whether the annotations stand before what they belong to: read once more, then."""
        self.content = Instances()

    def read_again(self) -> None:
        """Go through the file once more, for the annotations only."""
        self._again = True
        self.done.discard("annotations")

    def begin(self, key: str) -> Take | None:
        """What takes the elements of a list."""
        if key in self.done and self._again:
            return None
        if key in self.done:
            raise InputError(f"{self._file} holds the list {key!r} twice. Join the two.")
        if key == "annotations":
            ready = {"images", "categories"} <= self.done
            self.waits = not ready
            return self._annotation if ready else None
        return {"categories": self._category, "images": self._picture}.get(key)

    def end(self, key: str) -> None:
        """A list is over."""
        if key == "categories":
            for identity in self._names_used_twice:
                self._names[identity] = ""
            names = dict.fromkeys(filter(None, self._names.values()))
            self.content.categories = tuple(names)
        if key == "images":
            for identity in self._faulty_pictures:
                self.content.pictures.pop(identity, None)
            self._known_pictures.clear()
        self.done.add(key)

    def _category(self, number: int, entry: Any) -> None:
        self._accounts.read("category")
        place = f"category {number} of {self._file}"
        try:
            identity = read_identity(read_object(entry, "it").get("id"), "id")
        except InputError as error:
            self._accounts.drop("category", place, "id makes no sense", str(error))
            return
        name, problem = _category_name(entry.get("name"))
        if identity in self._names and self._names[identity] != name:
            self._names_used_twice.add(identity)
            problem = "id is used twice"
        if problem:
            self._accounts.drop("category", place, problem, short_repr(entry.get("name")))
        else:
            self._accounts.use("category")
            if name != entry["name"]:
                self._accounts.note("category", "name cleaned")
        self._names.setdefault(identity, name if not problem else "")

    def _picture(self, number: int, entry: Any) -> None:
        place = f"image {number} of {self._file}"
        try:
            identity = read_identity(read_object(entry, "it").get("id"), "id")
            file_name = read_string(entry.get("file_name"), "file_name")
            size = read_size(entry.get("height"), entry.get("width"))
        except InputError as error:
            self.content.dropped.append(Dropped(place, "picture entry damaged", str(error)))
            return
        size = self._sizes.setdefault(size, size)  # most pictures share a few
        self._add_picture(Picture(identity, file_name, size), place)

    def _add_picture(self, picture: Picture, place: str) -> None:
        pictures, known = self.content.pictures, self._known_pictures
        key = (picture.file_name, picture.size)
        if picture.id in pictures and pictures[picture.id] != picture:
            if picture.id not in self._faulty_pictures:
                first = f"{pictures[picture.id].file_name} of {self._file}"
                self.content.dropped.append(Dropped(first, "picture id is used twice"))
            self._faulty_pictures.add(picture.id)
            self.content.dropped.append(Dropped(place, "picture id is used twice"))
        elif picture.id in pictures or key in known:
            self.content.id_of_duplicate[picture.id] = known[key]
            self.content.dropped.append(Dropped(place, "picture is listed twice"))
        else:
            pictures[picture.id] = picture
            known[key] = picture.id

    def _annotation(self, number: int, entry: Any) -> None:
        self._accounts.read(ANNOTATION)
        place = f"annotation {number} of {self._file}"
        if not isinstance(entry, Mapping):
            self._drop(place, "no object", f"it must be an object, got {short_repr(entry)}")
            return
        image_id, category = self._owner(entry)
        reason, detail = self._missing(entry, image_id, category)
        identity = self._identity(entry, number)
        if identity in self.content.annotation_ids and identity not in self._seen_twice:
            self._seen_twice.add(identity)
            self._accounts.note(ANNOTATION, "id is that of another one too")
        self.content.annotation_ids.add(identity)
        if not reason and image_id is not None and category:
            try:
                self._add(entry, identity, image_id, category, number)
                return
            except InputError as error:
                reason, detail = "box or flag makes no sense", str(error)
                self.content.incomplete_categories[image_id].add(category)
        if image_id is not None:
            self.content.damaged_annotations.add((image_id, identity))
            if category:
                self.content.named_categories[image_id].add(category.lower())
        self._drop(place, reason, detail)

    def _identity(self, entry: Mapping[str, Any], number: int) -> Id:
        try:
            return read_identity(entry.get("id"), "id")
        except InputError:
            self._accounts.note(ANNOTATION, "without an id")
            return f"number {number}"

    def _owner(self, entry: Mapping[str, Any]) -> tuple[Id | None, str | None]:
        """Picture and category of an annotation, noted as there; None: it cannot be told."""
        image_id: Id | None = None
        category: str | None = None
        with suppress(InputError, KeyError):
            category = self._names[read_identity(entry.get("category_id"), "category_id")]
        try:
            image_id = read_identity(entry.get("image_id"), "image_id")
            image_id = self.content.id_of_duplicate.get(image_id, image_id)
        except InputError:
            if category:
                self.content.unplaced_categories.add(category.lower())
            return None, category
        if not category:
            self.content.unclear_pictures.add(image_id)
        return image_id, category

    def _missing(
        self, entry: Mapping[str, Any], image_id: Id | None, category: str | None
    ) -> tuple[str, str]:
        """Why an annotation belongs nowhere, as (reason, detail); ("", "") when it does."""
        if image_id is None:
            return "image_id makes no sense", f"image_id is {short_repr(entry.get('image_id'))}"
        if image_id in self._faulty_pictures:
            return "picture id is used twice", f"image_id is {image_id!r}"
        if image_id not in self.content.pictures:
            return "picture is not listed", f"image_id is {image_id!r}"
        if category is None:
            return (
                "category is not listed",
                f"category_id is {short_repr(entry.get('category_id'))}",
            )
        if not category:
            detail = f"category_id is {short_repr(entry.get('category_id'))}"
            return "category cannot be asked for", detail
        return "", ""

    def _add(
        self, entry: Mapping[str, Any], identity: Id, image_id: Id, category: str, number: int
    ) -> None:
        picture = self.content.pictures[image_id]
        image_id, size = picture.id, picture.size
        box = read_xywh(entry.get("bbox"), size)
        if box.clipped(size).is_empty and not box.is_empty:
            raise InputError(f"bbox lies outside its picture: {short_repr(entry['bbox'])}")
        if any(abs(a - b) > 1 for a, b in zip(box.corners, box.clipped(size).corners)):
            self._accounts.note(ANNOTATION, "box cut at the border of its picture")
        crowd = read_flag(entry.get("iscrowd", 0), "iscrowd")
        shape = entry.get("segmentation") if self._shapes else None
        self.content.by_picture[image_id].append(
            Instance(identity, image_id, category, box, crowd, shape, number, self._file)
        )

    def _drop(self, place: str, reason: str, detail: str) -> None:
        self._accounts.drop(ANNOTATION, place, reason, detail)


def _category_name(value: Any) -> tuple[str, str]:
    """The name without markup, on one line, and what is wrong with it ("" when nothing is)."""
    if not isinstance(value, str):
        return "", "name is no text"
    name = " ".join(plain(well_formed(value)).split())
    if not any(character.isalnum() for character in name):
        return name, "name has no letter or digit"
    return name, "name is too long" if len(name) > LONGEST_NAME else ""
