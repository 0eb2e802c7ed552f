"""The embedded models by name: which function trains each, and which measures it."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import PIL.Image

from segue.errors import UnknownName
from segue.runtime.catalog import unknown_name_message

TRAIN: Mapping[str, str] = {
    "segmenter": "lab.segmenter.train:train_segmenter",
    "detector": "lab.detector.train:train_detector",
    "chat": "lab.chat.train:train_chat",
}
"""Each is called as `train(folder, minutes=…, steps=…, resume=…, start=…)`; returns the folder of
the weights."""

WORKER_SHARES: Mapping[str, float] = {"segmenter": 0.25, "detector": 0.2, "chat": 0.55}
"""How the processes that draw are shared out where all are trained at once."""

EVALUATE: Mapping[str, str] = {
    "segmenter": "lab.segmenter.evaluate:evaluate_segmenter",
    "detector": "lab.detector.evaluate:evaluate_detector",
    "chat": "lab.chat.evaluate:evaluate_chat",
    "routes": "lab.evaluate_routes:evaluate_routes",
}
"""Each is called as `evaluate(weights, scenes=…)` and returns rows of named figures."""

DRAW: Mapping[str, str] = {
    "chat": "lab.chat.gallery:gallery",
    "routes": "lab.evaluate_routes:result_sheet",
}
"""Each is called as `draw(weights)` and returns a picture of results."""


def train_part(
    part: str,
    folder: str | Path,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    resume: bool = True,
    start: str | Path | None = None,
    device: str = "cpu",
    workers: int = 0,
) -> Path:
    """Train one model from scratch or from weights, or resume a training that was stopped.

    Args:
        part: "chat", "detector" or "segmenter".
        folder: checkpoints, log and weights go here.
        minutes: wall clock over all parts of the run; None: as its recipe says.
        steps: exactly so many steps instead.
        resume: resume from the checkpoint in `folder`, where there is one.
        start: weights to begin with instead of random ones: a folder, or a name such as
            "embedded/chat".
        device: where the network is trained.
        workers: processes that draw; 0: this one.

    Returns:
        The folder with the weights.

    Raises:
        UnknownName: there is no such part.
        ModelError: there are no such weights to start from, or no such device.
    """
    from segue.runtime.weights import locate

    train = _function(_target(TRAIN, part))
    options: dict[str, Any] = {} if minutes is None else {"minutes": minutes}
    options |= {"start": None if start is None else locate(start), "device": device}
    options["workers"] = workers
    return Path(train(folder, steps=steps, resume=resume, **options))


def side_by_side_arguments(
    folder: Path,
    *,
    minutes: float | None,
    steps: int | None,
    resume: bool,
    start: str | None,
    device: str,
    workers: int,
) -> dict[str, list[str]]:
    """Return what `python -m lab` must be told to train each model, all at the same time.

    The options are those of `train_part`; the workers are shared out, and of `start` each model
    takes its own folder.
    """
    every: list[str] = ["--device", device, *(() if resume else ("--fresh",))]
    every += [] if minutes is None else ["--minutes", str(minutes)]
    every += [] if steps is None else ["--steps", str(steps)]
    arguments = {}
    for part, share in WORKER_SHARES.items():
        own = ["--out", str(folder), "--workers", str(max(1, round(share * workers)))]
        own += [] if start is None else ["--start", f"{start}/{part}"]
        arguments[part] = ["train", part, *own, *every]
    return arguments


def evaluate_part(
    part: str, weights: str | Path | None = None, *, scenes: int = 300
) -> dict[str, dict[str, float]]:
    """Measure one model, or all of them together, on scenes they were not trained on.

    Args:
        part: "chat", "detector", "segmenter", or "routes" for both routes end to end.
        weights: a folder of weights, for "routes" one with a folder for each; None: the bundled
            ones.
        scenes: how many held-out scenes of each kind.

    Returns:
        Rows (kinds of pictures or questions) of named figures.

    Raises:
        UnknownName: there is no such part.
        ModelError: there are no such weights.
    """
    from segue.runtime.weights import locate

    target = _target(EVALUATE, part)
    bundled = None if part == "routes" else f"embedded/{part}"
    source = bundled if weights is None else weights
    folder = None if source is None else locate(source)
    table = _function(target)(folder, scenes=scenes)
    return {row: dict(figures) for row, figures in table.items()}


def draw_part(part: str, weights: str | Path | None = None) -> PIL.Image.Image:
    """Draw good and bad answers on held-out scenes.

    Args:
        part: "chat", or "routes" for both routes end to end.
        weights: as for `evaluate_part`.

    Raises:
        UnknownName: there is no picture of such a part.
        ModelError: there are no such weights.
    """
    from segue.runtime.weights import locate

    source = "embedded/chat" if weights is None and part == "chat" else weights
    folder = None if source is None else locate(source)
    picture: PIL.Image.Image = _function(_target(DRAW, part))(folder)
    return picture


def _target(targets: Mapping[str, str], part: str) -> str:
    if part not in targets:
        raise UnknownName(unknown_name_message("part", part, targets))
    return targets[part]


def _function(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)
