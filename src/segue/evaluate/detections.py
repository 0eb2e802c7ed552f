"""COCO truth and COCO results, checked entry by entry before a library sees them.

Ids are numbered anew: libraries lose all but one of equal ids, and take the id 0 for "no match".
What the numbers would silently leave out (results of pictures or categories that the truth does not
have, boxes given where masks are compared) is refused with a sentence that names the entry.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from segue.annotations.fields import (
    read_flag,
    read_identity,
    read_number,
    read_object,
    read_size,
    read_xywh,
)
from segue.annotations.segmentation import checked_rle, read_rle, read_segmentation
from segue.errors import InputError
from segue.values.box import Size
from segue.values.mask import Mask, rle

Entry = dict[str, Any]


def checked_detections(
    truth: Any, detections: Any, kind: str
) -> tuple[dict[str, Any], list[Entry]]:
    """Truth and results as a library may have them.

    Args:
        truth: what a COCO instances file holds.
        detections: what a COCO results file holds.
        kind: "bbox" or "segm".

    Raises:
        InputError: an entry makes no sense or belongs to nothing; the message names it.
    """
    content = _Truth(truth, kind)
    listed = detections
    if isinstance(detections, Mapping):
        known = "annotations" in detections
        hint = " Its 'annotations' are no results: those need a score." if known else ""
        raise InputError(f"COCO results must be a list of detections, got an object.{hint}")
    if not isinstance(listed, Sequence) or isinstance(listed, str | bytes):
        raise InputError(f"COCO results must be a list, got {type(detections).__name__}.")
    results = []
    for number, entry in enumerate(listed, 1):
        try:
            results.append(content.result(entry))
        except InputError as error:
            raise InputError(f"Detection {number} of the results: {error}.") from error
    return content.document, results


class _Truth:
    """The truth with ids of its own."""

    def __init__(self, truth: Any, kind: str) -> None:
        self._kind = kind
        self._images: dict[int | str, int] = {}
        self._categories: dict[int | str, int] = {}
        self._sizes: dict[int, Size | None] = {}
        if not isinstance(truth, Mapping):
            raise InputError(f"The truth must be a COCO object, got {type(truth).__name__}.")
        parts = {}
        for key in ("images", "categories", "annotations"):
            if not isinstance(truth.get(key), Sequence) or isinstance(truth.get(key), str):
                raise InputError(
                    f"The truth lacks the list {key!r}. A COCO instances file has images, "
                    "categories and annotations."
                )
            parts[key] = [
                self._entry(key, number, entry) for number, entry in enumerate(truth[key], 1)
            ]
        self.document: dict[str, Any] = {"info": {}, "licenses": [], **parts}

    def _entry(self, key: str, number: int, entry: Any) -> Entry:
        make = {"images": self._image, "categories": self._category, "annotations": self._truth}
        try:
            return make[key](read_object(entry, "it"), number)
        except InputError as error:
            raise InputError(f"Entry {number} of the {key} of the truth: {error}.") from error

    def _image(self, entry: Mapping[str, Any], number: int) -> Entry:
        identity = read_identity(entry.get("id"), "id")
        if identity in self._images:
            raise InputError(f"the id {identity!r} is that of an earlier picture")
        self._images[identity] = number
        size = None
        if self._kind == "segm" or ("height" in entry and "width" in entry):
            size = read_size(entry.get("height"), entry.get("width"))
        self._sizes[number] = size
        made = {"id": number, "file_name": str(entry.get("file_name", number))}
        return made if size is None else {**made, "height": size.height, "width": size.width}

    def _category(self, entry: Mapping[str, Any], number: int) -> Entry:
        identity = read_identity(entry.get("id"), "id")
        if identity in self._categories:
            raise InputError(f"the id {identity!r} is that of an earlier category")
        self._categories[identity] = number
        return {"id": number, "name": str(entry.get("name", identity))}

    def _truth(self, entry: Mapping[str, Any], number: int) -> Entry:
        made = {**self._place(entry), "id": number}
        made["iscrowd"] = int(read_flag(entry.get("iscrowd", 0), "iscrowd"))
        size = self._sizes[made["image_id"]]
        if self._kind == "segm":
            assert size is not None
            mask = self._mask(entry, size)
            made["segmentation"] = rle.encode(mask.array)
            made["bbox"] = _xywh(mask)
            made["area"] = float(mask.area)
        else:
            box = read_xywh(entry.get("bbox"), size)
            made["bbox"] = [box.x0, box.y0, box.width, box.height]
            made["area"] = box.area
        if entry.get("area") is not None:
            made["area"] = read_number(entry["area"], "area")
        return made

    def result(self, entry: Any) -> Entry:
        """One detection.

        Raises:
            InputError: it makes no sense, or belongs to nothing in the truth.
        """
        entry = read_object(entry, "it")
        made = {**self._place(entry), "score": read_number(entry.get("score"), "score")}
        size = self._sizes[made["image_id"]]
        if self._kind == "segm":
            assert size is not None
            if not entry.get("segmentation"):
                raise InputError(
                    "it has no 'segmentation'; where masks are compared a box is none. Compare "
                    "boxes, or give masks"
                )
            shape = entry["segmentation"]
            if isinstance(shape, Mapping):
                made["segmentation"] = checked_rle(shape, size)
            else:
                made["segmentation"] = rle.encode(self._mask(entry, size).array)
        elif entry.get("bbox"):
            box = read_xywh(entry["bbox"], size)
            made["bbox"] = [box.x0, box.y0, box.width, box.height]
        else:
            raise InputError("it has no 'bbox'")
        return made

    def _place(self, entry: Mapping[str, Any]) -> Entry:
        image = read_identity(entry.get("image_id"), "image_id")
        category = read_identity(entry.get("category_id"), "category_id")
        if image not in self._images:
            raise InputError(f"the truth has no picture with the id {image!r}")
        if category not in self._categories:
            raise InputError(f"the truth has no category with the id {category!r}")
        return {"image_id": self._images[image], "category_id": self._categories[category]}

    def _mask(self, entry: Mapping[str, Any], size: Size) -> Mask:
        shape = entry.get("segmentation")
        if isinstance(shape, Mapping):
            return Mask(read_rle(shape, size))
        found = read_segmentation(shape, size)
        if found is None:
            raise InputError("it has no 'segmentation'")
        return Mask(found.filled(size))


def _xywh(mask: Mask) -> list[float]:
    box = mask.box
    return [box.x0, box.y0, box.width, box.height] if box is not None else [0.0, 0.0, 0.0, 0.0]
