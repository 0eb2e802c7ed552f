"""bfloat16 against float32 on this processor: the time of a full-size SAM, and masks that agree.

    python -m benchmarks number_formats
    PHOTOS=folder python -m benchmarks number_formats

The time is of SAM ViT-B with random weights. Masks are of the same, and of the embedded segmenter,
which is trained; it runs in float32 unless it is told otherwise. `PHOTOS` is a folder of pictures
`name.jpg` with `name.mask.png` beside them, whose values are the numbers of the objects.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import PIL.Image

from benchmarks.full_size import write_segmenter
from benchmarks.timing import compare
from segue.assistant.loading import load_stage
from segue.embedded.samples import samples
from segue.runtime.engines import ENGINES
from segue.segment import Segmenter, sam
from segue.values.box import Box
from segue.values.image import Image

SURE = 0.88
"""From this predicted IoU on, the decoder is sure of a mask, as in SAM's automatic masks."""
N_RANDOM = 8
"""Pictures whose masks random weights of full size are compared on."""


def main() -> None:
    """Print the ratio of the times, and how far masks agree."""
    photos = os.environ.get("PHOTOS")
    with tempfile.TemporaryDirectory() as name:
        write_segmenter(Path(name))
        os.environ["SEGUE_CACHE"] = name  # conversions of random weights are of use to nobody
        pictures = islice(_photo_boxes(Path(photos)) if photos else _sample_boxes(), N_RANDOM)
        _compare_masks("SAM ViT-B with random weights", pictures, partial(sam.load, name))
        exact, *others = (
            (f"{engine}, {dtype}", sam.load(name, device="cpu", dtype=dtype, engine=engine))
            for engine in ENGINES
            for dtype in ("float32", "auto")
        )
    image = samples()[0].image
    for label, network in others:
        print(
            compare(
                "encoding for SAM ViT-B",
                (label, partial(network.encode, [image])),
                (exact[0], partial(exact[1].encode, [image])),
                rounds=3,
            )
        )
    bundled = partial(load_stage, "segment", "embedded-segmenter")
    _compare_masks("the sample scenes", _sample_boxes(), bundled)
    if photos:
        _compare_masks("photographs", _photo_boxes(Path(photos)), bundled)


def _compare_masks(
    what: str, pictures: Iterator[tuple[Image, list[Box]]], load: Callable[..., Segmenter]
) -> None:
    exact, half = (load(device="cpu", dtype=dtype) for dtype in ("float32", "bfloat16"))
    sure, unsure = [], []
    for image, boxes in pictures:
        masks, other_masks = (network.look(image).mask(boxes) for network in (exact, half))
        for mask, other in zip(masks, other_masks, strict=True):
            (sure if mask.score >= SURE else unsure).append(mask.iou(other))
    for name, ious in (("sure", sure), ("unsure", unsure)):
        if ious:
            low = np.percentile(ious, 5)
            print(
                f"{what}: {len(ious)} masks the decoder is {name} of: IoU of bfloat16 with float32 "
                f"mean {np.mean(ious):.4f}, 5 % below {low:.4f}, least {min(ious):.4f}"
            )


def _sample_boxes() -> Iterator[tuple[Image, list[Box]]]:
    for scene in samples():
        yield scene.image, [Box(*item.box) for item in scene.objects]


def _photo_boxes(folder: Path) -> Iterator[tuple[Image, list[Box]]]:
    for file in sorted(folder.glob("*.mask.png")):
        labels = np.asarray(PIL.Image.open(file))
        boxes = []
        for number in np.unique(labels[labels > 0]):
            rows, columns = np.nonzero(labels == number)
            boxes.append(
                Box(
                    *(
                        float(v)
                        for v in (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
                    )
                )
            )
        if boxes:
            yield Image.open(file.with_name(file.name.replace(".mask.png", ".jpg"))), boxes


if __name__ == "__main__":
    main()
