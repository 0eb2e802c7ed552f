"""Print the table of one group: python -m benchmarks.peers bundled|full|huge [PICTURES]"""

import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import PIL.Image
from platformdirs import user_cache_path
from safetensors.torch import load_file, save_file

import segue
from benchmarks.full_size import EMBEDDED_WEIGHTS, write_detector, write_segmenter
from benchmarks.peers.environments import python_of
from benchmarks.peers.task import Measurement, Task
from benchmarks.timing import heading
from segue.detect import grounding_dino

ROOT = Path(__file__).parents[2]
SIZE = (800, 600)
PEERS = {
    "bundled": ("segue", "pipelines"),
    "full": ("segue", "segue, OpenVINO", "pipelines"),
    "huge": ("segue", "autodistill"),
}


def main() -> None:
    """Measure each library, and print a row for it."""
    group = sys.argv[1] if len(sys.argv) > 1 else "bundled"
    if group not in PEERS:
        sys.exit(f"There is no group {group!r}: choose one of {', '.join(PEERS)}.")
    n_pictures = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    environments = user_cache_path("segue") / "benchmarks"
    print(heading())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        task = _prepare(group, folder, n_pictures)
        rows = {peer: _measure(peer, task, folder, environments) for peer in PEERS[group]}
    print(f"{'':18}" + "".join(f"{field.name:>14}" for field in fields(Measurement)))
    for peer, row in rows.items():
        figures = (getattr(row, field.name) for field in fields(row))
        print(f"{peer:18}" + "".join(f"{figure:>14.3f}" for figure in figures))


def _prepare(group: str, folder: Path, n_pictures: int) -> Task:
    """Write pictures and networks."""
    questions = _draw_pictures(folder / "pictures", n_pictures + 1)  # the first warms up
    detector, segmenter = folder / "detector", folder / "segmenter"
    if group == "bundled":
        _copy_in_float32(EMBEDDED_WEIGHTS / "detector", detector)
        _copy_in_float32(EMBEDDED_WEIGHTS / "segmenter", segmenter)
        (segmenter / "segue.json").unlink()  # its look at each object through a crop
        threshold = json.loads((detector / "segue.json").read_text("utf-8"))["box_threshold"]
    else:
        write_detector(detector)
        write_segmenter(segmenter, "huge" if group == "huge" else "base")
        # Random scores jump from scene to scene: one scene, moved a little; two words are known.
        files = _move(questions[0][0], folder, n_pictures + 1)
        questions = tuple((file, "dog", "cat") for file in files)
        threshold = _threshold(detector, *questions[0][:2])
    # The peers keep boxes that overlap: here segue does the same.
    settings = {"box_threshold": threshold, "text_threshold": threshold, "nms_iou": 1.0}
    (detector / "segue.json").write_text(json.dumps(settings), "utf-8")
    return Task(questions, str(detector), str(segmenter), threshold)


def _copy_in_float32(weights: Path, place: Path) -> None:
    """Copy a folder of weights as a library reads them that does not convert them itself."""
    shutil.copytree(weights, place)
    tensors = load_file(place / "model.safetensors")
    save_file(
        {name: tensor.float() if tensor.is_floating_point() else tensor
         for name, tensor in tensors.items()},
        place / "model.safetensors", {"format": "pt"},
    )  # fmt: skip
    config = json.loads((place / "config.json").read_text("utf-8"))
    (place / "config.json").write_text(json.dumps(config | {"dtype": "float32"}), "utf-8")


def _draw_pictures(folder: Path, count: int) -> tuple[tuple[str, str, str], ...]:
    """Draw scenes; give each file with the names of two things on it."""
    from lab.scenes.scene import render
    from lab.scenes.sprites import shipped_bank
    from lab.scenes.vocabulary import nouns

    folder.mkdir()
    bank = shipped_bank()
    questions: list[tuple[str, str, str]] = []
    for seed in itertools.count(82_000):
        scene = render(np.random.default_rng(seed), bank)
        seen = {nouns()[thing.noun].english: None for thing in scene.objects if thing.noun >= 0}
        if len(seen) < 2:
            continue
        file = folder / f"{seed}.jpg"
        picture = PIL.Image.fromarray(scene.image)
        picture.resize(SIZE, PIL.Image.Resampling.BICUBIC).save(file, quality=90)
        phrase, next_phrase, *_ = seen
        questions.append((str(file), phrase, next_phrase))
        if len(questions) == count:
            break
    return tuple(questions)


def _move(file: str, folder: Path, count: int) -> list[str]:
    """Write a picture moved by some pixels, `count` times."""
    pixels = np.asarray(PIL.Image.open(file))
    files = [folder / f"moved-{number}.jpg" for number in range(count)]
    for number, place in enumerate(files):
        PIL.Image.fromarray(np.roll(pixels, 8 * number, axis=1)).save(place, quality=90)
    return list(map(str, files))


def _threshold(detector: Path, file: str, phrase: str) -> float:
    """Give the threshold that leaves `Task.n_boxes` boxes of random weights on a picture."""
    network = grounding_dino.load(detector, device="cpu", dtype="float32")
    network.options = replace(network.options, nms_iou=1.0)
    found = network.find(segue.Image.open(file), [phrase], 0.0, 0.0)
    scores = sorted((one.score for one in found), reverse=True)
    return statistics.mean(scores[Task.n_boxes - 1 : Task.n_boxes + 1])


def _measure(peer: str, task: Task, folder: Path, environments: Path) -> Measurement:
    """Run a library in a process of its own."""
    library, _, engine = peer.partition(", ")
    home = folder / "home"
    interpreter = sys.executable if library == "segue" else python_of(library, environments)
    program = [interpreter, "-m", f"benchmarks.peers.with_{library}"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT)))}
    if library == "autodistill":
        environment |= {"HOME": str(home)}
        arguments = ["weights", str(home), task.detector]
        subprocess.run([*program, *arguments], cwd=ROOT, env=environment, check=True)
    if engine:
        task = replace(task, segmenter=f"{task.segmenter}?engine={engine.lower()}")
    task.write(folder / "task.json")
    run = subprocess.run(
        [*program, str(folder / "task.json")],
        cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    return Measurement(**json.loads(run.stdout.splitlines()[-1]))


if __name__ == "__main__":
    main()
