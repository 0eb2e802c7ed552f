"""COCO's `instances_*.json`: pictures, categories, and instances with boxes and masks.

Source: the data format page of https://cocodataset.org.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from segue.annotations.segmentation import read_segmentation
from segue.convert.dialogue import Dropped
from segue.convert.exif import UPRIGHT, turned_array
from segue.errors import InputError, MissingExtra
from segue.values.box import Box, Size
from segue.values.mask import rle

Id = int | str
ANNOTATION = "annotation"


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
    """As the file has it, see `segue.annotations.segmentation`; None when there is none."""
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
    incomplete_categories: dict[Id, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Picture -> categories of which an annotation could not be used: the others are not all."""
    named_categories: dict[Id, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Picture -> categories that entries which cannot be used say are there, in lower case."""
    unclear_pictures: set[Id] = field(default_factory=set)
    """Pictures with an object of which nobody can say what it is."""
    unplaced_categories: set[str] = field(default_factory=set)
    """Categories of objects of which nobody can say where they are, in lower case."""
    id_of_duplicate: dict[Id, Id] = field(default_factory=dict)
    """Id of a picture that is listed twice -> the id under which it is kept."""
    annotation_ids: set[Id] = field(default_factory=set)
    """Ids of all annotations."""
    damaged_annotations: set[tuple[Id, Id]] = field(default_factory=set)
    """(picture, annotation) that are there and cannot be used."""

    def may_be_absent(self, category: str, picture: Id) -> bool:
        """Whether no entry of the file says, or may mean, that it is in the picture."""
        name = category.lower()
        if picture in self.unclear_pictures or name in self.unplaced_categories:
            return False
        here = {one.category.lower() for one in self.by_picture.get(picture, ())}
        return name not in here and name not in self.named_categories.get(picture, ())

    def find(self, picture: Id, annotation: Id) -> Instance | str:
        """An annotation of a picture, or the reason why there is none to be had."""
        here = [one for one in self.by_picture.get(picture, ()) if one.id == annotation]
        if len(here) == 1:
            return here[0]
        if here:
            return "annotation id is used twice in the picture"
        if (picture, annotation) in self.damaged_annotations:
            return "annotation damaged"
        if annotation in self.annotation_ids:
            return "annotation belongs to another picture"
        return "annotation not in the instances file"


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
