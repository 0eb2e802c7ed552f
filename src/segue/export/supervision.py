"""What `supervision` loads: a COCO file whose masks it reads exactly, and the pictures beside it.

    sv.DetectionDataset.from_coco("out/images", "out/annotations.json", force_masks=True)

supervision reads run lengths only of annotations with `iscrowd` 1, as a list of counts, and fills
outlines with their border pixels; so masks are written as such run lengths here. Other programs
would take them for crowds: for those there is the format `coco`. A region without a mask beside
others with masks becomes the outline of its box.

Kept: pictures, classes in their order, boxes, masks exactly.
Lost: scores, ids, who found a region, spans, quadrilaterals, the masks' own scores; which regions
had no mask.

Source: DetectionDataset.from_coco of supervision 0.31, https://supervision.roboflow.com.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from segue.export import AnnotatedImage
from segue.export.files import write_json
from segue.export.labels import label_of, labels_of
from segue.values.mask import rle
from segue.values.region import Region


def write_supervision(
    pictures: Sequence[AnnotatedImage],
    target: str | Path,
    *,
    categories: Sequence[str] | None = None,
) -> list[Path]:
    """Write all pictures into one file.

    Args:
        pictures: what to write.
        target: the .json file.
        categories: the classes in their order; None: in the order in which they occur.

    Returns:
        The one file.

    Raises:
        InputError: a region is called by none of the categories, or the file cannot be written.
    """
    numbers = {label: number for number, label in enumerate(labels_of(pictures, categories))}
    has_masks = any(region.mask is not None for picture in pictures for region in picture.regions)
    images, annotations = list[dict[str, Any]](), list[dict[str, Any]]()
    for image_id, picture in enumerate(pictures):
        size = picture.size
        images.append(
            {
                "id": image_id,
                "file_name": picture.name,
                "height": size.height,
                "width": size.width,
            }
        )
        for region in picture.regions:
            box = region.box
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image_id,
                    "category_id": numbers[label_of(region)],
                    "bbox": [box.x0, box.y0, box.width, box.height],
                    "area": box.area if region.mask is None else float(region.mask.area),
                    **_shape(region, has_masks),
                }
            )
    document = {
        "images": images,
        "annotations": annotations,
        "categories": [
            {"id": number, "name": label, "supercategory": "common-objects"}
            for label, number in numbers.items()
        ],
    }
    return [write_json(document, Path(target))]


def _shape(region: Region, has_masks: bool) -> dict[str, Any]:
    if region.mask is not None:
        counts = [int(count) for count in rle.counts_of(region.mask.array)]
        return {"iscrowd": 1, "segmentation": {"size": list(region.mask.size), "counts": counts}}
    x0, y0, x1, y1 = region.box.corners
    return {"iscrowd": 0, "segmentation": [[x0, y0, x1, y0, x1, y1, x0, y1]] if has_masks else []}
