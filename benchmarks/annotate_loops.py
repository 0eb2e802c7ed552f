"""Annotating a folder: `segue.annotate` beside the loops that people write, with the same networks.

    python -m benchmarks.annotate_loops [PICTURES [ROUNDS]]

Compared in one run, on the same drawn scenes saved as JPEG: the run with its store; a loop over
`Assistant.segment`; a loop over transformers' own processors and models, each picture for itself,
masks encoded by pycocotools. The bundled segmenter looks at each object again through a crop, which
transformers does not: it is switched off for the comparison, and its cost is printed too. All are
timed in turn, round by round; medians are printed. What CPU time a picture costs depends less on
what else the machine does than the wall time does.
"""

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import psutil

import segue
from benchmarks.full_size import EMBEDDED_WEIGHTS
from segue.assistant import Assistant
from segue.runs.annotate import annotate
from segue.values.serialize import region_to_json

CLASSES = ["dog", "cat", "car", "tree", "duck"]
SIDE = 1536
"""Pixels of a picture's side; pictures of cameras are larger."""


def draw_pictures(folder: Path, count: int) -> None:
    """Draw scenes and save them as JPEG."""
    from lab.scenes.scene import render
    from lab.scenes.sprites import shipped_bank

    bank = shipped_bank()
    for number in range(count):
        scene = render(np.random.default_rng(81_000 + number), bank)
        picture = PIL.Image.fromarray(scene.image).resize(
            (SIDE, SIDE), PIL.Image.Resampling.BICUBIC
        )
        picture.save(folder / f"{number:04}.jpg", quality=90)


def loop_of_segue(assistant: Assistant, files: list[Path]) -> int:
    """Annotate one picture after the other with the library."""
    n_regions = 0
    for file in files:
        regions = assistant.segment(segue.Image.open(file), phrases=CLASSES)
        n_regions += len([region_to_json(region) for region in regions])
    return n_regions


def loop_of_transformers(files: list[Path]) -> Callable[[], int]:
    """Return a loop over transformers' own classes, as its documentation shows them."""
    import torch
    from pycocotools import mask as coco_mask
    from transformers import (
        AutoModelForZeroShotObjectDetection,
        AutoProcessor,
        SamModel,
        SamProcessor,
    )

    detector_place, segmenter_place = EMBEDDED_WEIGHTS / "detector", EMBEDDED_WEIGHTS / "segmenter"
    processor = AutoProcessor.from_pretrained(detector_place)
    detector = AutoModelForZeroShotObjectDetection.from_pretrained(
        detector_place, dtype=torch.float32
    ).eval()
    sam_processor = SamProcessor.from_pretrained(segmenter_place)
    sam = SamModel.from_pretrained(segmenter_place, dtype=torch.float32).eval()
    text = " ".join(f"{name}." for name in CLASSES)

    def run() -> int:
        n_regions = 0
        for file in files:
            picture = PIL.Image.open(file).convert("RGB")
            with torch.inference_mode():
                inputs = processor(images=picture, text=text, return_tensors="pt")
                outputs = detector(**inputs)
                (found,) = processor.post_process_grounded_object_detection(
                    outputs, inputs.input_ids, threshold=0.51, text_threshold=0.51,
                    target_sizes=[picture.size[::-1]],
                )  # fmt: skip
                if not len(found["boxes"]):
                    continue
                prompts = sam_processor(
                    picture, input_boxes=[found["boxes"].tolist()], return_tensors="pt"
                )
                masks = sam(**prompts, multimask_output=False)
                (full,) = sam_processor.post_process_masks(
                    masks.pred_masks, prompts["original_sizes"], prompts["reshaped_input_sizes"]
                )
            for mask in full[:, 0].numpy():
                coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
                n_regions += 1
        return n_regions

    return run


def timed(run: Callable[[], int]) -> tuple[int, float, float]:
    """Return the regions, the seconds, and the CPU seconds."""
    process = psutil.Process()
    started, before = time.perf_counter(), process.cpu_times()
    n_regions = run()
    seconds, after = time.perf_counter() - started, process.cpu_times()
    return n_regions, seconds, after.user + after.system - before.user - before.system


def main() -> None:
    """Print a table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    n_rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    folder = Path(tempfile.mkdtemp())
    try:
        pictures = folder / "in"
        pictures.mkdir()
        draw_pictures(pictures, count)
        files = sorted(pictures.iterdir())
        place = shutil.copytree(EMBEDDED_WEIGHTS / "segmenter", folder / "segmenter")
        (place / "segue.json").unlink()

        def load_plain() -> Assistant:
            return segue.load("embedded", chat=None, segment=str(place))

        def loop_over_segue() -> Callable[[], int]:
            assistant = load_plain()
            return lambda: loop_of_segue(assistant, files)

        def run_into(name: str, assistant: Assistant) -> Callable[[], int]:
            shutil.rmtree(folder / name, ignore_errors=True)

            def run() -> int:
                store = annotate(pictures, folder / name, classes=CLASSES, assistant=assistant)
                return sum(len(result.regions) for result in store.results())

            return run

        theirs = loop_of_transformers(files)
        rows: dict[str, Callable[[], Callable[[], int]]] = {  # each loads, with empty caches
            "loop of transformers": lambda: theirs,
            "loop over segue": loop_over_segue,
            "segue.annotate": lambda: run_into("plain", load_plain()),
            "with crop refinement": lambda: run_into("refined", segue.load("embedded", chat=None)),
        }
        theirs()  # warm
        rounds = [{name: timed(load()) for name, load in rows.items()} for _ in range(n_rounds)]
        base = 0.0
        print(f"{'':22}{'regions':>8}{'pictures/s':>12}{'ratio':>8}{'CPU ms a picture':>18}")
        for name in rows:
            n_regions, seconds, cpu_seconds = (
                statistics.median(figures) for figures in zip(*(one[name] for one in rounds))
            )
            base = base or seconds
            cpu = 1000 * cpu_seconds / count
            speed, ratio = count / seconds, base / seconds
            print(f"{name:22}{n_regions:>8.0f}{speed:>12.2f}{ratio:>8.2f}{cpu:>18.1f}")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
