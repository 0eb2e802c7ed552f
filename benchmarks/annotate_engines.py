"""The engines of `segue annotate`: this process against workers of Ray on the same machine.

    python -m benchmarks.annotate_engines [PICTURES] [WORKERS]

The embedded models annotate generated pictures, both engines in turn, in one run. Printed are whole
runs, with the start of Ray's workers and their loading (those of the local engine are loaded, and
Ray itself runs), and the rate after the first quarter, which is what a long run sees. The local
engine has all cores for each picture, a worker has one.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import segue
from benchmarks.timing import heading
from segue.embedded.samples import samples
from segue.runs.annotate import AnnotationRun
from segue.runs.engine import Engine, LocalEngine
from segue.runs.ray_engine import RayEngine
from segue.runs.settings import RunSettings, parse_classes
from segue.runs.sources import find_pictures
from segue.values.image import Image

N_ROUNDS = 3
SETTINGS = RunSettings(classes=parse_classes("dog, sheep, airplane"))


@dataclass(frozen=True)
class RunTime:
    """How long a run took."""

    seconds: float
    """From its plan to its last result."""
    rate: float
    """Pictures a second after the first quarter."""


def write_pictures(folder: Path, count: int, seed: int) -> None:
    """Write sample scenes, each with noise of its own, so that no cache knows them."""
    folder.mkdir()
    rng = np.random.default_rng(seed)
    scenes = [scene.image.array for scene in samples()]
    for number in range(count):
        array = scenes[number % len(scenes)].astype(np.int16)
        noisy = np.clip(array + rng.integers(-3, 4, array.shape), 0, 255).astype(np.uint8)
        (folder / f"{number:05}.png").write_bytes(Image(noisy).to_png_bytes())


def measure(pictures: Path, folder: Path, engine: Engine) -> RunTime:
    """Annotate all pictures, and take the time."""
    started = time.perf_counter()
    run = AnnotationRun(find_pictures([pictures]), folder, SETTINGS, engine)
    ends = []
    for _ in run.results():
        ends.append(time.perf_counter())
    first = len(ends) // 4
    while ends[first + 1] - ends[first] < 0.02:  # a block comes at once
        first += 1
    return RunTime(ends[-1] - started, (len(ends) - 1 - first) / (ends[-1] - ends[first]))


def main(n_pictures: int = 96, workers: int | None = None) -> None:
    """Print both engines and their ratio."""
    import torch

    assistant = segue.load()
    workers = workers or os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as name, RayEngine(segue.load, workers=workers) as remote:
        folder = Path(name)
        engines: dict[str, Engine] = {"local": LocalEngine(assistant), "ray": remote}
        remote.facts()
        times: dict[str, list[RunTime]] = {engine: [] for engine in engines}
        for number in range(N_ROUNDS):
            pictures = folder / f"pictures-{number}"
            write_pictures(pictures, n_pictures, number)
            for key, engine in engines.items():
                times[key].append(measure(pictures, folder / f"{key}-{number}", engine))

    def median(key: str, value: Callable[[RunTime], float]) -> float:
        return statistics.median(map(value, times[key]))

    print(
        f"{n_pictures} pictures, {N_ROUNDS} rounds, medians; local: {torch.get_num_threads()} "
        f"thread(s); ray: {workers} worker(s) of one thread"
    )
    for key in engines:
        seconds = median(key, lambda one: one.seconds)
        rate = median(key, lambda one: one.rate)
        print(f"{key}: {seconds:.1f} s, then {rate:.2f} pictures a second")
    whole = median("local", lambda one: one.seconds) / median("ray", lambda one: one.seconds)
    rate = median("ray", lambda one: one.rate) / median("local", lambda one: one.rate)
    print(f"ray / local: whole run {whole:.2f}x, rate after the first quarter {rate:.2f}x")


if __name__ == "__main__":
    print(heading())
    main(*map(int, sys.argv[1:]))
