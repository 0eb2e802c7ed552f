"""Fits and measures the calibration of presence that ships with the bundled models.

It is fitted on drawn scenes of the trained styles, on seeds that no training used, and measured on
the held-out style and on two renderings of it that nothing was trained for: a faded print, and ink
on paper.
"""

import io
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL import ImageEnhance, ImageFilter, ImageOps

from lab.chat.evaluate import held_out_scenes
from lab.scenes.art import best_bank
from lab.scenes.scene import Scene
from lab.scenes.sprites import HELD_OUT_STYLE
from lab.scenes.vocabulary import nouns
from segue.assistant import Assistant
from segue.errors import ModelError
from segue.evaluate.presence import PresenceQuestion, PresenceSample, collect_evidence
from segue.values.image import Image

FIT_SEED = 700_001
MEASURE_SEED = 720_001
"""Scenes that neither training nor any other evaluation has seen."""

Pixels = NDArray[np.uint8]


def as_ink_drawing(pixels: Pixels) -> Pixels:
    """Return a picture as if it were drawn with ink on tinted paper.

    Args:
        pixels: (H, W, 3) uint8.
    """
    picture = PIL.Image.fromarray(pixels)
    grey = ImageOps.autocontrast(ImageOps.grayscale(picture))
    edges = grey.filter(ImageFilter.FIND_EDGES).filter(ImageFilter.GaussianBlur(0.8))
    ink = np.clip(np.asarray(edges, np.float32) * 2.2, 0, 255)[..., None] / 255
    paper = 150 + 0.4 * np.asarray(grey, np.float32)[..., None] * np.array([1.0, 0.97, 0.88])
    return np.clip(paper * (1 - ink), 0, 255).astype(np.uint8)


def as_faded_print(pixels: Pixels) -> Pixels:
    """Return a picture as if it were printed in few colours, faded, and saved as JPEG.

    Args:
        pixels: (H, W, 3) uint8.
    """
    picture = ImageOps.posterize(PIL.Image.fromarray(pixels), 3)
    faded = ImageEnhance.Contrast(ImageEnhance.Color(picture).enhance(0.45)).enhance(0.7)
    buffer = io.BytesIO()
    faded.save(buffer, "JPEG", quality=40)
    return np.asarray(PIL.Image.open(buffer).convert("RGB"))


CHANGES: dict[str, Callable[[Pixels], Pixels]] = {
    "trained": np.asarray,
    "held-out": np.asarray,
    "print": as_faded_print,
    "ink": as_ink_drawing,
}
"""What is done to the scenes of each style; "print" and "ink" are made of the held-out one."""


def draw_questions(
    style: str, count: int, seed: int
) -> Iterator[tuple[Image, list[PresenceQuestion]]]:
    """Draw scenes, and ask for what is in each and for as many other nouns.

    Args:
        style: one of `CHANGES`.
        count: of scenes.
        seed: of the first.

    Yields:
        A picture and its questions, in English and Chinese by turns.

    Raises:
        ModelError: the drawings of the style have not been fetched.
    """
    bank = best_bank()
    if style != "trained" and HELD_OUT_STYLE not in bank.styles:
        raise ModelError("The held-out style is not there. Fetch it: python -m lab fetch-art")
    bank = bank.trainable() if style == "trained" else bank.only(HELD_OUT_STYLE)
    change = CHANGES[style]
    rng = np.random.default_rng(seed)
    for number, scene in enumerate(held_out_scenes(bank, count, seed)):
        name = f"{style}-{number}.png"
        yield Image(change(scene.image), name), _questions_of(scene, name, number % 2 == 1, rng)


def _questions_of(
    scene: Scene, name: str, chinese: bool, rng: np.random.Generator
) -> list[PresenceQuestion]:
    present = sorted({item.noun for item in scene.objects})
    absent = [noun.index for noun in nouns() if noun.index not in present]
    chosen = rng.choice(absent, len(present), replace=False).tolist() if present else []

    def ask(index: int, is_present: bool) -> PresenceQuestion:
        noun = nouns()[index]
        return PresenceQuestion(name, noun.chinese if chinese else noun.english, is_present)

    return [*(ask(n, True) for n in present), *(ask(n, False) for n in chosen)]


def collect_samples(
    assistant: Assistant, style: str, count: int, seed: int
) -> Iterator[PresenceSample]:
    """Ask the models about drawn scenes. See `draw_questions`."""
    for image, questions in draw_questions(style, count, seed):
        for question in questions:
            yield PresenceSample(question, collect_evidence(assistant, image, question.phrase))


def names_of(assistant: Assistant) -> dict[str, Any]:
    """Return the names of the stages, as a calibration keeps them."""
    names = assistant.model_names()
    return {kind: names[kind] for kind in ("chat", "detect", "segment")}
