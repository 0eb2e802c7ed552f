"""COCO ground truth and COCO results, checked entry by entry before a library reads them.

Ids are renumbered: libraries lose all but one of equal ids, and take the id 0 for "no match". What
scores would silently leave out (results of pictures or categories that the ground truth does not
have, boxes where masks are compared) is refused with a sentence that names the entry.
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
from segue.deprecated import renamed_in
from segue.errors import InputError
from segue.values.box import Size
from segue.values.mask import Mask, rle

__getattr__ = renamed_in(__name__)

Entry = dict[str, Any]


def check_detections(truth: Any, detections: Any, kind: str) -> tuple[dict[str, Any], list[Entry]]:
    """Check ground truth and results, and return them as a library can read them.

    Args:
        truth: what a COCO instances file holds.
        detections: what a COCO results file holds.
        kind: "bbox" or "segm".

    Raises:
        InputError: an entry is invalid or refers to nothing; the message names it.
    """
    ground_truth = _GroundTruth(truth, kind)
    if isinstance(detections, Mapping):
        has_annotations = "annotations" in detections
        hint = " Its 'annotations' have no scores, as results need." if has_annotations else ""
        raise InputError(f"COCO results must be a list of detections, got an object.{hint}")
    if not isinstance(detections, Sequence) or isinstance(detections, str | bytes):
        raise InputError(f"COCO results must be a list, got {type(detections).__name__}.")
    results = []
    for number, entry in enumerate(detections, 1):
        try:
            results.append(ground_truth.read_result(entry))
        except InputError as error:
            raise InputError(f"Detection {number} of the results: {error}.") from error
    return ground_truth.document, results


class _GroundTruth:
    """The ground truth with ids of its own."""

    def __init__(self, truth: Any, kind: str) -> None:
        self._kind = kind
        self._image_ids: dict[int | str, int] = {}
        self._category_ids: dict[int | str, int] = {}
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
                self._read_entry(key, number, entry) for number, entry in enumerate(truth[key], 1)
            ]
        self.document: dict[str, Any] = {"info": {}, "licenses": [], **parts}

    def _read_entry(self, key: str, number: int, entry: Any) -> Entry:
        readers = {
            "images": self._read_image,
            "categories": self._read_category,
            "annotations": self._read_annotation,
        }
        try:
            return readers[key](read_object(entry, "it"), number)
        except InputError as error:
            raise InputError(f"Entry {number} of the {key} of the truth: {error}.") from error

    def _read_image(self, entry: Mapping[str, Any], number: int) -> Entry:
        identity = read_identity(entry.get("id"), "id")
        if identity in self._image_ids:
            raise InputError(f"the id {identity!r} is also that of an earlier picture")
        self._image_ids[identity] = number
        size = None
        if self._kind == "segm" or ("height" in entry and "width" in entry):
            size = read_size(entry.get("height"), entry.get("width"))
        self._sizes[number] = size
        image = {"id": number, "file_name": str(entry.get("file_name", number))}
        return image if size is None else {**image, "height": size.height, "width": size.width}

    def _read_category(self, entry: Mapping[str, Any], number: int) -> Entry:
        identity = read_identity(entry.get("id"), "id")
        if identity in self._category_ids:
            raise InputError(f"the id {identity!r} is also that of an earlier category")
        self._category_ids[identity] = number
        return {"id": number, "name": str(entry.get("name", identity))}

    def _read_annotation(self, entry: Mapping[str, Any], number: int) -> Entry:
        annotation = {**self._read_references(entry), "id": number}
        annotation["iscrowd"] = int(read_flag(entry.get("iscrowd", 0), "iscrowd"))
        size = self._sizes[annotation["image_id"]]
        if self._kind == "segm":
            assert size is not None
            mask = self._read_mask(entry, size)
            annotation["segmentation"] = rle.encode(mask.array)
            annotation["bbox"] = _bounding_box(mask)
            annotation["area"] = float(mask.area)
        else:
            box = read_xywh(entry.get("bbox"), size)
            annotation["bbox"] = [box.x0, box.y0, box.width, box.height]
            annotation["area"] = box.area
        if entry.get("area") is not None:
            annotation["area"] = read_number(entry["area"], "area")
        return annotation

    def read_result(self, entry: Any) -> Entry:
        """Read one detection.

        Raises:
            InputError: it is invalid, or refers to nothing in the ground truth.
        """
        entry = read_object(entry, "it")
        detection = {
            **self._read_references(entry),
            "score": read_number(entry.get("score"), "score"),
        }
        size = self._sizes[detection["image_id"]]
        if self._kind == "segm":
            assert size is not None
            if not entry.get("segmentation"):
                raise InputError(
                    "it has no 'segmentation', which is needed to compare masks. Compare boxes, or "
                    "give masks"
                )
            shape = entry["segmentation"]
            if isinstance(shape, Mapping):
                detection["segmentation"] = checked_rle(shape, size)
            else:
                detection["segmentation"] = rle.encode(self._read_mask(entry, size).array)
        elif entry.get("bbox"):
            box = read_xywh(entry["bbox"], size)
            detection["bbox"] = [box.x0, box.y0, box.width, box.height]
        else:
            raise InputError("it has no 'bbox'")
        return detection

    def _read_references(self, entry: Mapping[str, Any]) -> Entry:
        image = read_identity(entry.get("image_id"), "image_id")
        category = read_identity(entry.get("category_id"), "category_id")
        if image not in self._image_ids:
            raise InputError(f"the truth has no picture with the id {image!r}")
        if category not in self._category_ids:
            raise InputError(f"the truth has no category with the id {category!r}")
        return {"image_id": self._image_ids[image], "category_id": self._category_ids[category]}

    def _read_mask(self, entry: Mapping[str, Any], size: Size) -> Mask:
        shape = entry.get("segmentation")
        if isinstance(shape, Mapping):
            return Mask(read_rle(shape, size))
        segmentation = read_segmentation(shape, size)
        if segmentation is None:
            raise InputError("it has no 'segmentation'")
        return Mask(segmentation.filled(size))


def _bounding_box(mask: Mask) -> list[float]:
    box = mask.box
    return [box.x0, box.y0, box.width, box.height] if box is not None else [0.0, 0.0, 0.0, 0.0]
