"""Grounding DINO at full size: segue beside transformers' own class, phrase by phrase.

Random weights of the published size, a picture of 640 x 480. Both sides find "cat", and then "dog"
in the same picture; "exact" is segue in float32, "auto" what it chooses on this processor.
"""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.full_size import write_detector
from benchmarks.timing import compare
from segue.detect import grounding_dino
from segue.values.image import Image

ROUNDS = 3


def main() -> None:
    """Print the ratios."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_detector(folder)
        exact, auto = (
            grounding_dino.load(folder, device="cpu", dtype=dtype) for dtype in ("float32", None)
        )
        library = grounding_dino.read_grounding_dino(folder).eval()
    pictures = iter(np.random.default_rng(0).integers(0, 256, (99, 480, 640, 3), dtype=np.uint8))

    def ask_library(image: Image, phrase: str) -> None:
        (caption,) = exact.captions([phrase])
        ids = torch.tensor([caption.ids])
        pixels = torch.from_numpy(exact.resizing.pixels(image))[None]
        with torch.inference_mode():
            library(pixel_values=pixels, input_ids=ids, attention_mask=torch.ones_like(ids))

    for label, detector in (("exact", exact), (str(auto.dtype).removeprefix("torch."), auto)):
        _compare(label, detector, ask_library, partial(next, pictures))


def _compare(
    label: str,
    detector: grounding_dino.GroundingDino,
    ask_library: Callable[[Image, str], None],
    new_picture: Callable[[], np.ndarray],
) -> None:
    known = Image(new_picture())
    detector.find(known, ["cat"])
    for name, image, phrase in (
        ("a first phrase", lambda: Image(new_picture()), "cat"),
        ("another phrase about the picture", lambda: known, "dog"),
    ):
        segue = partial(_find, detector, image, phrase)
        other = partial(_ask, ask_library, image, phrase)
        print(compare(f"{name}, {label}", ("segue", segue), ("transformers", other), ROUNDS))


def _find(detector: grounding_dino.GroundingDino, image: Callable[[], Image], phrase: str) -> None:
    detector.find(image(), [phrase])


def _ask(ask: Callable[[Image, str], None], image: Callable[[], Image], phrase: str) -> None:
    ask(image(), phrase)


if __name__ == "__main__":
    main()
