"""Reading COCO's `instances_*.json` entry by entry.

Only what the conversion needs is kept of each entry. Every entry is used, or named with the reason
why it is not; a damaged one drops nothing else but what would be wrong without it.
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
from segue.convert.datasets.coco_instances import (
    ANNOTATION,
    CocoImage,
    CocoInstance,
    CocoInstances,
    EntryId,
)
from segue.convert.dialogue import DroppedRecord, strip_markup
from segue.convert.entry_tally import EntryTally
from segue.convert.json_list_reader import ElementHandler, read_lists
from segue.errors import InputError
from segue.files.atomic import printable_path
from segue.files.unicode import well_formed
from segue.values.box import Size

LONGEST_NAME = 120
"""Characters; a longer category is really a sentence."""


def read_instances(
    path: str | Path, tally: EntryTally | None = None, *, shapes: bool = True
) -> CocoInstances:
    """Read the file, entry by entry.

    Args:
        path: the file.
        tally: where annotations that cannot be used are counted and named.
        shapes: keep the segmentations; without them memory stays smaller.

    Raises:
        InputError: it cannot be read, or lacks images, annotations or categories.
    """
    reader = _InstancesReader(Path(path), tally or EntryTally(), shapes)
    other_values = read_lists(path, reader)
    for key in ("categories", "images", "annotations"):
        if key not in reader.finished_lists:
            raise InputError(
                f"{printable_path(path)} is not a COCO instances file: {key!r} must be a list, got "
                f"{other_values.get(key, 'nothing')}. It must hold images, annotations and "
                "categories."
            )
    if reader.needs_second_pass:  # the annotations came first
        reader.start_second_pass()
        read_lists(path, reader)
    return reader.content


class _InstancesReader:
    """Fills `CocoInstances` entry by entry; a `ListHandler`."""

    def __init__(self, path: Path, tally: EntryTally, shapes: bool) -> None:
        self._file = printable_path(path.name)
        self._tally = tally
        self._shapes = shapes
        self._category_names: dict[EntryId, str] = {}
        self._shared_sizes: dict[Size, Size] = {}
        self._ambiguous_categories: set[EntryId] = set()
        self._faulty_pictures: set[EntryId] = set()
        self._ids_by_picture: dict[tuple[str, Size], EntryId] = {}
        self._reported_duplicates: set[EntryId] = set()
        self.finished_lists: set[str] = set()
        """Lists that were read, or skipped because others are needed first."""
        self._is_second_pass = False
        self.needs_second_pass = False
        """Whether annotations come before pictures and categories: then a second pass is due."""
        self.content = CocoInstances()

    def start_second_pass(self) -> None:
        """Prepare a second pass over the file, for the annotations only."""
        self._is_second_pass = True
        self.finished_lists.discard("annotations")

    def begin(self, key: str) -> ElementHandler | None:
        """Return the handler of a list's elements."""
        if key in self.finished_lists and self._is_second_pass:
            return None
        if key in self.finished_lists:
            raise InputError(f"{self._file} holds the list {key!r} twice. Join the two.")
        if key == "annotations":
            is_ready = {"images", "categories"} <= self.finished_lists
            self.needs_second_pass = not is_ready
            return self._annotation if is_ready else None
        return {"categories": self._category, "images": self._picture}.get(key)

    def end(self, key: str) -> None:
        """Finish a list."""
        if key == "categories":
            for identity in self._ambiguous_categories:
                self._category_names[identity] = ""
            names = dict.fromkeys(filter(None, self._category_names.values()))
            self.content.categories = tuple(names)
        if key == "images":
            for identity in self._faulty_pictures:
                self.content.pictures.pop(identity, None)
            self._ids_by_picture.clear()
        self.finished_lists.add(key)

    def _category(self, number: int, entry: Any) -> None:
        self._tally.count_read("category")
        place = f"category {number} of {self._file}"
        try:
            identity = read_identity(read_object(entry, "it").get("id"), "id")
        except InputError as error:
            self._tally.count_dropped("category", place, "id makes no sense", str(error))
            return
        name, problem = read_category_name(entry.get("name"))
        if identity in self._category_names and self._category_names[identity] != name:
            self._ambiguous_categories.add(identity)
            problem = "id is used twice"
        if problem:
            self._tally.count_dropped("category", place, problem, short_repr(entry.get("name")))
        else:
            self._tally.count_used("category")
            if name != entry["name"]:
                self._tally.count_note("category", "name cleaned")
        self._category_names.setdefault(identity, name if not problem else "")

    def _picture(self, number: int, entry: Any) -> None:
        place = f"image {number} of {self._file}"
        try:
            identity = read_identity(read_object(entry, "it").get("id"), "id")
            file_name = read_string(entry.get("file_name"), "file_name")
            size = read_size(entry.get("height"), entry.get("width"))
        except InputError as error:
            self.content.dropped.append(DroppedRecord(place, "picture entry damaged", str(error)))
            return
        size = self._shared_sizes.setdefault(size, size)  # most pictures share a few
        self._add_picture(CocoImage(identity, file_name, size), place)

    def _add_picture(self, picture: CocoImage, place: str) -> None:
        pictures, known = self.content.pictures, self._ids_by_picture
        key = (picture.file_name, picture.size)
        if picture.id in pictures and pictures[picture.id] != picture:
            if picture.id not in self._faulty_pictures:
                first = f"{pictures[picture.id].file_name} of {self._file}"
                self.content.dropped.append(DroppedRecord(first, "picture id is used twice"))
            self._faulty_pictures.add(picture.id)
            self.content.dropped.append(DroppedRecord(place, "picture id is used twice"))
        elif picture.id in pictures or key in known:
            self.content.id_of_duplicate[picture.id] = known[key]
            self.content.dropped.append(DroppedRecord(place, "picture is listed twice"))
        else:
            pictures[picture.id] = picture
            known[key] = picture.id

    def _annotation(self, number: int, entry: Any) -> None:
        self._tally.count_read(ANNOTATION)
        place = f"annotation {number} of {self._file}"
        if not isinstance(entry, Mapping):
            self._drop(place, "no object", f"it must be an object, got {short_repr(entry)}")
            return
        image_id, category = self._image_and_category(entry)
        reason, detail = self._missing_reason(entry, image_id, category)
        identity = self._annotation_id(entry, number)
        if identity in self.content.annotation_ids and identity not in self._reported_duplicates:
            self._reported_duplicates.add(identity)
            self._tally.count_note(ANNOTATION, "id is that of another one too")
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

    def _annotation_id(self, entry: Mapping[str, Any], number: int) -> EntryId:
        try:
            return read_identity(entry.get("id"), "id")
        except InputError:
            self._tally.count_note(ANNOTATION, "without an id")
            return f"number {number}"

    def _image_and_category(self, entry: Mapping[str, Any]) -> tuple[EntryId | None, str | None]:
        """Return picture and category of an annotation, and record them; None: unknown."""
        image_id: EntryId | None = None
        category: str | None = None
        with suppress(InputError, KeyError):
            category = self._category_names[read_identity(entry.get("category_id"), "category_id")]
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

    def _missing_reason(
        self, entry: Mapping[str, Any], image_id: EntryId | None, category: str | None
    ) -> tuple[str, str]:
        """Return why an annotation cannot be used, as (reason, detail); ("", "") when it can."""
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
        self,
        entry: Mapping[str, Any],
        identity: EntryId,
        image_id: EntryId,
        category: str,
        number: int,
    ) -> None:
        picture = self.content.pictures[image_id]
        image_id, size = picture.id, picture.size
        box = read_xywh(entry.get("bbox"), size)
        if box.clipped(size).is_empty and not box.is_empty:
            raise InputError(f"bbox lies outside its picture: {short_repr(entry['bbox'])}")
        if any(abs(a - b) > 1 for a, b in zip(box.corners, box.clipped(size).corners)):
            self._tally.count_note(ANNOTATION, "box cut at the border of its picture")
        crowd = read_flag(entry.get("iscrowd", 0), "iscrowd")
        shape = entry.get("segmentation") if self._shapes else None
        self.content.by_picture[image_id].append(
            CocoInstance(identity, image_id, category, box, crowd, shape, number, self._file)
        )

    def _drop(self, place: str, reason: str, detail: str) -> None:
        self._tally.count_dropped(ANNOTATION, place, reason, detail)


def read_category_name(value: Any) -> tuple[str, str]:
    """Return the name without markup, on one line, and its problem ("" when there is none)."""
    if not isinstance(value, str):
        return "", "name is no text"
    name = " ".join(strip_markup(well_formed(value)).split())
    if not any(character.isalnum() for character in name):
        return name, "name has no letter or digit"
    return name, "name is too long" if len(name) > LONGEST_NAME else ""
