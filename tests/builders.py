"""Small values for tests: `a_mask(height=4)` says only what matters to the test."""

from collections.abc import Sequence

import numpy as np

from segue.pipeline.answer import Answer
from segue.values.box import Box, Size
from segue.values.image import Image
from segue.values.mask import Mask
from segue.values.region import Region

SIZE = Size(height=48, width=64)


def a_box(x0: float = 8, y0: float = 6, x1: float = 24, y1: float = 18) -> Box:
    return Box(x0, y0, x1, y1)


def a_mask(
    box: Box | None = None, size: Size = SIZE, score: float | None = 0.9, logits=None
) -> Mask:
    """A filled ellipse that touches the four sides of `box`."""
    box = box or a_box()
    y, x = np.mgrid[: size.height, : size.width] + 0.5
    across = (x - box.centre[0]) / (box.width / 2)
    down = (y - box.centre[1]) / (box.height / 2)
    return Mask(across**2 + down**2 <= 1, score, logits)


def a_donut_and_two_islands(size: Size = SIZE) -> Mask:
    """The shape that breaks careless formats: a hole, an island in the hole, one outside."""
    array = np.zeros(size, bool)
    array[4:34, 4:40] = True
    array[10:28, 10:34] = False
    array[16:22, 18:26] = True
    array[36:44, 48:60] = True
    return Mask(array)


def an_image(size: Size = SIZE, seed: int = 0, name: str = "scene.png") -> Image:
    """A smooth coloured gradient with a little noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size.height, : size.width]
    base = np.stack([x * 255 // size.width, y * 255 // size.height, (x + y) % 256], 2)
    noise = rng.integers(-8, 9, base.shape)
    return Image(np.clip(base + noise, 0, 255).astype(np.uint8), name)


def a_region(
    id: str = "r1", phrase: str = "airplane", box: Box | None = None, masked: bool = True, **fields
) -> Region:
    box = box or a_box()
    mask = fields.pop("mask", a_mask(box) if masked else None)
    return Region(id=id, phrase=phrase, box=box, mask=mask, **{"found_by": "chat", **fields})


def an_answer(
    regions: Sequence[Region] | None = None, images: Sequence[Image] | None = None, **fields
) -> Answer:
    regions = (a_region(span=(4, 12)),) if regions is None else tuple(regions)
    images = (an_image(),) if images is None else tuple(images)
    given = {
        "question": "Where is the airplane?",
        "text": "The airplane is here.",
        "raw": "The <ref>airplane</ref><box>(125,125),(375,375)</box> is here.",
    }
    return Answer(**{**given, **fields}, regions=regions, images=images)


def like_a_photograph(seed: int = 0, size: int = 300) -> np.ndarray:
    """Texture on all scales and sensor noise, as light on real things leaves them."""
    rng = np.random.default_rng(seed)
    frequencies = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size)))
    amplitude = 1 / np.maximum(frequencies, 1 / size) ** 1.1
    channels = []
    for _ in range(3):
        noise = np.fft.fft2(rng.standard_normal((size, size)))
        field = np.fft.ifft2(noise * amplitude).real
        channels.append((field - field.mean()) / field.std())
    field = np.stack(channels, axis=2) * 20 + channels[0][..., None] * 40 + 120
    noisy = field + rng.standard_normal(field.shape) * 6
    return np.clip(noisy, 0, 255).astype(np.uint8)
