"""COCO's `instances_*.json`: pictures, categories, and instances with boxes and masks.

Source: the data format page of https://cocodataset.org.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from segue.annotations.segmentation import read_segmentation
from segue.convert.dialogue import DroppedRecord
from segue.convert.exif import UPRIGHT, array_to_upright
from segue.errors import InputError, MissingExtra
from segue.values.box import Box, Size
from segue.values.mask import rle

EntryId = int | str
ANNOTATION = "annotation"


@dataclass(frozen=True, slots=True)
class CocoInstance:
    """One object."""

    id: EntryId
    image_id: EntryId
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
class CocoImage:
    """One line of `images`."""

    id: EntryId
    file_name: str
    size: Size


@dataclass(slots=True)
class CocoInstances:
    """The file, by picture."""

    pictures: dict[EntryId, CocoImage] = field(default_factory=dict)
    by_picture: dict[EntryId, list[CocoInstance]] = field(default_factory=lambda: defaultdict(list))
    categories: tuple[str, ...] = ()
    """Names that can be asked for, each once."""
    dropped: list[DroppedRecord] = field(default_factory=list)
    """Entries of `images` that cannot be used."""
    incomplete_categories: dict[EntryId, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Picture -> categories with an unusable annotation: the remaining ones are incomplete."""
    named_categories: dict[EntryId, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Picture -> categories that unusable entries name, in lower case."""
    unclear_pictures: set[EntryId] = field(default_factory=set)
    """Pictures with an object of unknown category."""
    complete_pictures: set[EntryId] = field(default_factory=set)
    """Pictures of which it is known that nothing else is on them."""
    unplaced_categories: set[str] = field(default_factory=set)
    """Categories of objects of unknown picture, in lower case."""
    id_of_duplicate: dict[EntryId, EntryId] = field(default_factory=dict)
    """Id of a picture that is listed twice -> the id under which it is kept."""
    annotation_ids: set[EntryId] = field(default_factory=set)
    """Ids of all annotations."""
    damaged_annotations: set[tuple[EntryId, EntryId]] = field(default_factory=set)
    """(picture, annotation) that are there and cannot be used."""

    def may_be_absent(self, category: str, picture: EntryId) -> bool:
        """Return True when no entry says, or may mean, that the category is in the picture."""
        name = category.lower()
        if picture in self.unclear_pictures or name in self.unplaced_categories:
            return False
        present_categories = {
            instance.category.lower() for instance in self.by_picture.get(picture, ())
        }
        return name not in present_categories and name not in self.named_categories.get(picture, ())

    def find(self, picture: EntryId, annotation: EntryId) -> CocoInstance | str:
        """Find an annotation of a picture, or return the reason why it is not available."""
        matches = [
            instance for instance in self.by_picture.get(picture, ()) if instance.id == annotation
        ]
        if len(matches) == 1:
            return matches[0]
        if matches:
            return "annotation id is used twice in the picture"
        if (picture, annotation) in self.damaged_annotations:
            return "annotation damaged"
        if annotation in self.annotation_ids:
            return "annotation belongs to another picture"
        return "annotation not in the instances file"


def union_rle(
    instances: Iterable[CocoInstance], size: Size, orientation: int = UPRIGHT
) -> dict[str, Any] | None:
    """Merge the masks of instances into one compressed COCO RLE.

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
    rle_parts: list[Any] = []
    for instance in instances:
        try:
            shape = read_segmentation(instance.segmentation, size)
        except InputError as error:
            raise InputError(f"The mask of annotation {instance.id}: {error}") from error
        if shape is None:
            return None
        if shape.rings:
            flat_rings = [ring.reshape(-1).tolist() for ring in shape.rings]
            rle_parts += coco.frPyObjects(flat_rings, size.height, size.width)
        rle_parts += [rle.encode(mask) for mask in shape.masks]
    if not rle_parts:
        return None
    merged_rle = coco.merge(rle_parts)
    counts = merged_rle["counts"]
    counts_text = counts.decode("ascii") if isinstance(counts, bytes) else str(counts)
    value = {"size": list(size), "counts": counts_text}
    if orientation == UPRIGHT:
        return value
    array: np.ndarray = array_to_upright(rle.decode(value), orientation)
    return rle.encode(array)
