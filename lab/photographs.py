"""Fits and measures the classifier of photographs in `segue.values.image.photograph`."""

import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from lab.scenes.scene import render
from lab.scenes.sprites import shipped_bank
from segue.errors import InputError
from segue.values.image import Image
from segue.values.image.photograph import THRESHOLD, measure, photograph_probability

Pixels = NDArray[np.uint8]

N_CROPS = 6
"""Crops of each photograph, saved as JPEG, beside the whole one."""


def draw_scenes(count: int, seed: int) -> list[Pixels]:
    """Draw scenes like those the embedded models were trained on."""
    bank = shipped_bank()
    return [render(np.random.default_rng(seed + n), bank).image for n in range(count)]


def as_jpeg(pixels: Pixels, quality: int = 80) -> Pixels:
    """Return a picture as it is after it was saved as JPEG."""
    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(PIL.Image.open(buffer).convert("RGB"))


def shrink(pixels: Pixels) -> Pixels:
    """Return a picture resized to 320 x 240."""
    return np.asarray(PIL.Image.fromarray(pixels).resize((320, 240), PIL.Image.Resampling.LANCZOS))


def read_photographs(folder: Path) -> list[Pixels]:
    """Read the JPEG files of a folder.

    Raises:
        InputError: there is none.
    """
    files = sorted(folder.glob("*.jp*g"))
    if not files:
        raise InputError(f"{folder} must hold photographs as .jpg files, and holds none.")
    return [Image.open(file).array for file in files]


def crops_of(photograph: Pixels, rng: np.random.Generator) -> Iterable[Pixels]:
    """Yield a photograph and parts of it, saved as JPEG."""
    yield photograph
    height, width = photograph.shape[:2]
    for _ in range(N_CROPS):
        share = rng.uniform(0.45, 0.9)
        rows, columns = int(height * share), int(width * share)
        top, left = rng.integers(0, height - rows + 1), rng.integers(0, width - columns + 1)
        crop = photograph[top : top + rows, left : left + columns]
        yield as_jpeg(np.ascontiguousarray(crop), int(rng.integers(60, 95)))


def fit(photographs: list[Pixels], scenes: list[Pixels]) -> dict[str, list[float]]:
    """Fit the logistic regression by Newton's method; both classes weigh the same.

    Args:
        photographs: (H, W, 3) uint8 each.
        scenes: likewise; each counts as PNG, as JPEG and resized.

    Returns:
        The constants of `segue.values.image.photograph`, by their names.
    """
    rng = np.random.default_rng(0)
    positive = [measure(crop) for photograph in photographs for crop in crops_of(photograph, rng)]
    negative = [measure(form) for s in scenes for form in (s, as_jpeg(s), shrink(s))]
    features = np.array(positive + negative)
    labels = np.r_[np.ones(len(positive)), np.zeros(len(negative))]
    weights = np.where(labels == 1, 0.5 / len(positive), 0.5 / len(negative))
    means, deviations = features.mean(axis=0), features.std(axis=0)
    inputs = np.c_[np.ones(len(features)), (features - means) / deviations]
    theta = np.zeros(inputs.shape[1])
    penalty = 1e-3 * np.eye(len(theta))
    penalty[0, 0] = 0
    for _ in range(60):
        probabilities = 1 / (1 + np.exp(-inputs @ theta))
        gradient = inputs.T @ (weights * (probabilities - labels)) + penalty @ theta
        curvature = weights * probabilities * (1 - probabilities)
        hessian = (inputs * curvature[:, None]).T @ inputs + penalty + 1e-9 * np.eye(len(theta))
        theta -= np.linalg.solve(hessian, gradient)
    return {
        "MEANS": means.round(3).tolist(),
        "DEVIATIONS": deviations.round(3).tolist(),
        "WEIGHTS": theta[1:].round(3).tolist(),
        "BIAS": [round(float(theta[0]), 3)],
    }


def error_rates(photographs: list[Pixels], n_scenes: int) -> dict[str, str]:
    """Count the mistakes of the shipped classifier on photographs and on fresh scenes."""

    def count(pictures: Iterable[Pixels], wrong: bool) -> int:
        return sum((photograph_probability(p) >= THRESHOLD) is wrong for p in pictures)

    scenes = draw_scenes(n_scenes, seed=9000)
    return {
        "photographs taken for scenes": f"{count(photographs, False)} of {len(photographs)}",
        "scenes taken for photographs": f"{count(scenes, True)} of {n_scenes}",
        "  as JPEG": f"{count(map(as_jpeg, scenes), True)} of {n_scenes}",
        "  resized to 320 x 240": f"{count(map(shrink, scenes), True)} of {n_scenes}",
    }
