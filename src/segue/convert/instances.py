"""COCO's `instances_*.json`: pictures, categories, and instances with boxes and masks.

The file is read entry by entry; kept of each is what the conversion needs. Every entry is used or
named with the reason why it is not; one that is damaged takes nothing with it but what would become
untrue without it.

Source: the data format page of https://cocodataset.org.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from segue.atomic_file import shown
from segue.box import Box, Size
from segue.convert.accounts import Accounts
from segue.convert.dialogue import Dropped, plain
from segue.convert.exif import UPRIGHT, turned_array
from segue.convert.json_document import Take, read_lists
from segue.errors import InputError, MissingExtra
from segue.export.fields import (
    read_flag,
    read_identity,
    read_object,
    read_size,
    read_string,
    read_xywh,
    shortened,
)
from segue.export.segmentation import read_segmentation
from segue.mask import rle
from segue.unicode_text import well_formed

Id = int | str
ANNOTATION = "annotation"
LONGEST_NAME = 120
"""Characters; a longer category is a sentence that went astray."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One object."""

    id: Id
    image_id: Id
    category: str
    box: Box
    """In pixels of the picture as it was annotated."""
    crowd: bool
    segmentation: Any
    """As the file has it, see `segue.export.segmentation`; None when there is none."""
    number: int = 0
    """Which annotation of the file it is, from 1."""
    file: str = ""
    """The file's name."""

    @property
    def place(self) -> str:
        """Where it stands, for messages."""
        return f"annotation {self.number} of {self.file} (id {self.id})"


@dataclass(frozen=True, slots=True)
class Picture:
    """One line of `images`."""

    id: Id
    file_name: str
    size: Size


@dataclass(slots=True)
class Instances:
    """The file, by picture."""

    pictures: dict[Id, Picture] = field(default_factory=dict)
    by_picture: dict[Id, list[Instance]] = field(default_factory=lambda: defaultdict(list))
    categories: tuple[str, ...] = ()
    """Names that can be asked for, each once."""
    dropped: list[Dropped] = field(default_factory=list)
    """Entries of `images` that are no pictures to ask about."""
    incomplete: dict[Id, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Picture -> categories of which an annotation could not be used: the others are not all."""
    named: dict[Id, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Picture -> categories that entries which cannot be used say are there, in lower case."""
    unclear: set[Id] = field(default_factory=set)
    """Pictures with an object of which nobody can say what it is."""
    unplaced: set[str] = field(default_factory=set)
    """Categories of objects of which nobody can say where they are, in lower case."""
    listed_as: dict[Id, Id] = field(default_factory=dict)
    """Id of a picture that is listed twice -> the id under which it is kept."""
    known: set[Id] = field(default_factory=set)
    """Ids of all annotations."""
    damaged: set[tuple[Id, Id]] = field(default_factory=set)
    """(picture, annotation) that are there and cannot be used."""

    def may_be_absent(self, category: str, picture: Id) -> bool:
        """Whether no entry of the file says, or may mean, that it is in the picture."""
        name = category.lower()
        if picture in self.unclear or name in self.unplaced:
            return False
        here = {one.category.lower() for one in self.by_picture.get(picture, ())}
        return name not in here and name not in self.named.get(picture, ())

    def find(self, picture: Id, annotation: Id) -> Instance | str:
        """An annotation of a picture, or the reason why there is none to be had."""
        here = [one for one in self.by_picture.get(picture, ()) if one.id == annotation]
        if len(here) == 1:
            return here[0]
        if here:
            return "annotation id is used twice in the picture"
        if (picture, annotation) in self.damaged:
            return "annotation damaged"
        if annotation in self.known:
            return "annotation belongs to another picture"
        return "annotation not in the instances file"


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
    reader = _Reader(Path(path), accounts or Accounts(), shapes)
    others = read_lists(path, reader)
    for key in ("categories", "images", "annotations"):
        if key not in reader.done:
            raise InputError(
                f"{shown(path)} is not a COCO instances file: {key!r} must be a list, got "
                f"{others.get(key, 'nothing')}. It must hold images, annotations and categories."
            )
    if reader.waits:  # the annotations came first
        read_lists(path, reader)
    return reader.content


class _Reader:
    """Fills `Instances` entry by entry; a `ListReader`."""

    def __init__(self, path: Path, accounts: Accounts, shapes: bool) -> None:
        self._file = shown(path.name)
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
        self.waits = False
        """Whether the annotations stand before what they belong to: read once more, then."""
        self.content = Instances()

    def begin(self, key: str) -> Take | None:
        """What takes the elements of a list."""
        if key == "annotations":
            ready = {"images", "categories"} <= self.done
            self.waits = not ready
            return self._annotation if ready else None
        if key in self.done:
            return None  # the second time through
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
            self._accounts.drop("category", place, problem, shortened(entry.get("name")))
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
            self.content.listed_as[picture.id] = known[key]
            self.content.dropped.append(Dropped(place, "picture is listed twice"))
        else:
            pictures[picture.id] = picture
            known[key] = picture.id

    def _annotation(self, number: int, entry: Any) -> None:
        self._accounts.read(ANNOTATION)
        place = f"annotation {number} of {self._file}"
        if not isinstance(entry, Mapping):
            self._drop(place, "no object", f"it must be an object, got {shortened(entry)}")
            return
        image_id, category = self._owner(entry)
        reason, detail = self._missing(entry, image_id, category)
        identity = self._identity(entry, number)
        if identity in self.content.known and identity not in self._seen_twice:
            self._seen_twice.add(identity)
            self._accounts.note(ANNOTATION, "id is that of another one too")
        self.content.known.add(identity)
        if not reason and image_id is not None and category:
            try:
                self._add(entry, identity, image_id, category, number)
                return
            except InputError as error:
                reason, detail = "box or flag makes no sense", str(error)
                self.content.incomplete[image_id].add(category)
        if image_id is not None:
            self.content.damaged.add((image_id, identity))
            if category:
                self.content.named[image_id].add(category.lower())
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
            image_id = self.content.listed_as.get(image_id, image_id)
        except InputError:
            if category:
                self.content.unplaced.add(category.lower())
            return None, category
        if not category:
            self.content.unclear.add(image_id)
        return image_id, category

    def _missing(
        self, entry: Mapping[str, Any], image_id: Id | None, category: str | None
    ) -> tuple[str, str]:
        """Why an annotation belongs nowhere, as (reason, detail); ("", "") when it does."""
        if image_id is None:
            return "image_id makes no sense", f"image_id is {shortened(entry.get('image_id'))}"
        if image_id in self._faulty_pictures:
            return "picture id is used twice", f"image_id is {image_id!r}"
        if image_id not in self.content.pictures:
            return "picture is not listed", f"image_id is {image_id!r}"
        if category is None:
            return "category is not listed", f"category_id is {shortened(entry.get('category_id'))}"
        if not category:
            detail = f"category_id is {shortened(entry.get('category_id'))}"
            return "category cannot be asked for", detail
        return "", ""

    def _add(
        self, entry: Mapping[str, Any], identity: Id, image_id: Id, category: str, number: int
    ) -> None:
        picture = self.content.pictures[image_id]
        image_id, size = picture.id, picture.size
        box = read_xywh(entry.get("bbox"), size)
        if box.clipped(size).is_empty and not box.is_empty:
            raise InputError(f"bbox lies outside its picture: {shortened(entry['bbox'])}")
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


def union_rle(
    instances: Iterable[Instance], size: Size, orientation: int = UPRIGHT
) -> dict[str, Any] | None:
    """The pixels of all instances together, as compressed COCO RLE.

    Rasterised by COCO's own rules, so that scores compare with published ones. Overlapping
    polygons are one region, never a sum.

    Args:
        instances: all that are meant.
        size: of the picture as it was annotated.
        orientation: of its EXIF data, where the masks lie on the stored pixels; the result lies
            upright.

    Returns:
        None when an instance has no mask.

    Raises:
        MissingExtra: faster-coco-eval is not installed.
        InputError: a mask makes no sense; the message names the annotation.
    """
    try:
        from faster_coco_eval.core import mask as coco
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "COCO masks need the 'evaluate' extra (faster-coco-eval is not installed). "
            "Run: pip install 'segue[evaluate]'"
        ) from error
    parts: list[Any] = []
    for instance in instances:
        try:
            shape = read_segmentation(instance.segmentation, size)
        except InputError as error:
            raise InputError(f"The mask of annotation {instance.id}: {error}") from error
        if shape is None:
            return None
        if shape.rings:
            flat = [ring.reshape(-1).tolist() for ring in shape.rings]
            parts += coco.frPyObjects(flat, size.height, size.width)
        parts += [rle.encode(mask) for mask in shape.masks]
    if not parts:
        return None
    merged = coco.merge(parts)
    counts = merged["counts"]
    text = counts.decode("ascii") if isinstance(counts, bytes) else str(counts)
    value = {"size": list(size), "counts": text}
    if orientation == UPRIGHT:
        return value
    array: np.ndarray = turned_array(rle.decode(value), orientation)
    return rle.encode(array)
