"""Average precision of categories that are looked for by their names: COCO, LVIS, ODinW.

AP is no sum over pictures, so it has no confidence interval here. For the order of pictures and for
paired comparisons each picture has an F1 of its own (boxes with a score of at least 0.3, IoU 0.5),
which is no figure of the papers.

Sources: the COCO API; LVIS, arXiv:1908.03195, and lvis-api (detections of categories that were not
checked on a picture are dropped, at most 300 a picture); ODinW, arXiv:2204.08790. Computed by
faster-coco-eval.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from segue.benchmarks.box_protocols import matched_pairs
from segue.benchmarks.concept_protocol import mask_library
from segue.benchmarks.item import BenchmarkAnswer, BenchmarkItem, EntryId, ItemScore
from segue.benchmarks.protocol import Respondent, Sums, ratio

_MIN_PICTURE_SCORE = 0.3
Document = Mapping[str, Any]
"""What a COCO instances file holds, checked."""


@dataclass(frozen=True, slots=True)
class ApProtocol:
    """COCO's AP, or LVIS's, over boxes or masks."""

    name: str
    source: str
    kind: Literal["bbox", "segm"] = "bbox"
    style: Literal["coco", "lvis"] = "coco"
    prompt: str = "Frame every {sent} in the picture."
    headline: str = "AP"
    respondent: Respondent = "detector"

    @property
    def max_detections(self) -> int:
        """Detections of a picture that count: COCO's of each category, LVIS's of all together."""
        return 100 if self.style == "coco" else 300

    def score(self, item: BenchmarkItem, answer: BenchmarkAnswer) -> ItemScore:
        """Return the F1 of one picture; see the module."""
        n_true = len(item.boxes)
        sure = [r for r in answer.regions if r.score is None or r.score >= _MIN_PICTURE_SCORE]
        n_matched = 0
        for index, identity in enumerate(item.category_ids):
            true = [box for box, own in zip(item.boxes, item.box_category_ids) if own == identity]
            predicted = [region.box for region in sure if region.phrase == index]
            n_matched += matched_pairs(predicted, true)
        total = n_true + len(sure)
        f1 = 2 * n_matched / total if total else float(answer.error is None)
        return ItemScore({"n": 1, "picture F1": f1}, f1, f1 >= 0.5)

    def figures(self, sums: Sums) -> dict[str, np.ndarray]:
        """Return what follows from single pictures; AP comes from `average_precision`."""
        return {"picture F1": ratio(sums["picture F1"], sums["n"])}

    def average_precision(
        self,
        document: Document,
        answers: Iterable[tuple[BenchmarkItem, BenchmarkAnswer]],
    ) -> dict[str, float | None]:
        """Compute AP over the pictures that were answered.

        Args:
            document: the ground truth of one subset.
            answers: items of that subset, each with its answer.
        """
        numbers = {category["id"]: n for n, category in enumerate(document["categories"], 1)}
        image_numbers: dict[EntryId, int] = {}
        detections = []
        for item, answer in answers:
            image_number = image_numbers.setdefault(item.image_id, len(image_numbers) + 1)
            regions = sorted(answer.regions, key=lambda region: -(region.score or 0.0))
            for region in regions[: self.max_detections] if self.style == "lvis" else regions:
                detection: dict[str, Any] = {
                    "image_id": image_number,
                    "category_id": numbers[item.category_ids[region.phrase]],
                    "score": 1.0 if region.score is None else region.score,
                    "bbox": [region.box.x0, region.box.y0, region.box.width, region.box.height],
                }
                if self.kind == "segm":
                    if region.rle is None:
                        continue
                    detection["segmentation"] = dict(region.rle)
                detections.append(detection)
        return _evaluate(_renumber(document, image_numbers, numbers), detections, self)


def _renumber(
    document: Document, images: Mapping[EntryId, int], categories: Mapping[EntryId, int]
) -> dict[str, Any]:
    """Return the ground truth of some pictures, with numbers from 1 instead of ids.

    Libraries take the id 0 for "no match", and cannot sort texts among numbers. All categories
    stay.
    """
    new_images = []
    for image in document["images"]:
        if image["id"] not in images:
            continue
        new_image = {**image, "id": images[image["id"]]}
        for key in ("neg_category_ids", "not_exhaustive_category_ids"):
            if key in image:
                category_ids = [identity for identity in image[key] if identity in categories]
                new_image[key] = [categories[identity] for identity in category_ids]
        new_images.append(new_image)
    annotations = [
        {
            **entry,
            "image_id": images[entry["image_id"]],
            "category_id": categories[entry["category_id"]],
        }
        for entry in document["annotations"]
        if entry["image_id"] in images
    ]
    return {
        "images": new_images,
        "annotations": annotations,
        "categories": [{**c, "id": categories[c["id"]]} for c in document["categories"]],
    }


def _drop_unchecked(document: Document, detections: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the detections of categories that were checked on their picture.

    The library does so too, but stumbles over masks on pictures without any annotation.
    """
    checked = {
        (image["id"], category)
        for image in document["images"]
        for category in image.get("neg_category_ids", ())
    }
    checked |= {(entry["image_id"], entry["category_id"]) for entry in document["annotations"]}
    return [d for d in detections if (d["image_id"], d["category_id"]) in checked]


def _evaluate(
    document: dict[str, Any], detections: list[dict[str, Any]], protocol: ApProtocol
) -> dict[str, float | None]:
    mask_library()  # says what to install
    from faster_coco_eval import COCO, COCOeval_faster

    is_lvis = protocol.style == "lvis"
    if is_lvis:
        detections = _drop_unchecked(document, detections)
    reference = COCO(document)
    evaluation = COCOeval_faster(
        reference, reference.loadRes(detections), protocol.kind, lvis_style=is_lvis
    )
    limit = protocol.max_detections
    evaluation.params.maxDets = [limit] if is_lvis else [1, 10, limit]
    evaluation.evaluate()
    evaluation.accumulate()
    precision, recall = evaluation.eval["precision"], evaluation.eval["recall"]
    thresholds = np.round(np.asarray(evaluation.params.iouThrs), 2)
    labels = list(evaluation.params.areaRngLbl)

    def mean(values: np.ndarray) -> float | None:
        valid = values[values > -1]
        return float(valid.mean()) if valid.size else None

    figures = {
        "AP": mean(precision[..., 0, -1]),
        "AP50": mean(precision[thresholds == 0.5, ..., 0, -1]),
        "AP75": mean(precision[thresholds == 0.75, ..., 0, -1]),
    }
    for size in ("small", "medium", "large"):
        figures[f"AP {size}"] = mean(precision[..., labels.index(size), -1])
    if is_lvis:
        frequency = {c["id"]: c.get("frequency") for c in document["categories"]}
        order = [frequency.get(identity) for identity in evaluation.params.catIds]
        for letter, name in (("r", "rare"), ("c", "common"), ("f", "frequent")):
            columns = [index for index, value in enumerate(order) if value == letter]
            figures[f"AP {name}"] = mean(precision[:, :, columns, 0, -1])
    figures[f"AR@{limit}"] = mean(recall[..., 0, -1])
    return figures
