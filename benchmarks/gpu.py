"""Full-size networks on a GPU, in under eight minutes: python -m benchmarks.gpu [--tiny]

Random weights: Qwen3-VL-4B, Grounding DINO with Swin-T, SAM 2.1 large, SAM ViT-H. The chat model is
compared with plain `generate`, detector and segmenters with themselves at batches of 1, 8 and 32.
`--tiny` runs the same lines on small networks, on any machine.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks import full_size, full_size_chats
from benchmarks.decoding import ratios
from benchmarks.timing import heading, seconds
from segue.assistant.loading import load_stage
from segue.values.box import Box
from segue.values.image import Image

BATCHES = (1, 8, 32)
SIDE = 1024


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="small networks, on any machine")
    tiny = parser.parse_args().tiny
    if not (tiny or torch.cuda.is_available()):
        parser.error("No GPU is at hand. Try the script itself with --tiny.")
    print(heading())
    if torch.cuda.is_available():
        print(torch.cuda.get_device_name())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        measure_chat(folder / "chat", tiny)
        measure_detector(folder / "detector", tiny)
        for segmenter in ("tiny",) if tiny else ("sam2.1-large", "sam-vit-huge"):
            measure_segmenter(folder / segmenter, segmenter)


def measure_chat(folder: Path, tiny: bool) -> None:
    """Compare streaming with plain `generate`, and a second turn with reading all anew."""
    full_size_chats.write_qwen3_vl(folder, "tiny" if tiny else "4b", torch.bfloat16)
    chat = load_stage("chat", f"transformers:{folder}")
    _forget_peak()
    tokens = 8 if tiny else 128
    for ratio in ratios(chat, next(_pictures(1)), tokens, rounds=5):
        print(ratio, flush=True)
    print(f"chat model {_peak()}", flush=True)


def measure_detector(folder: Path, tiny: bool) -> None:
    """Time a first and a second phrase, and pictures in batches."""
    if tiny:
        folder = full_size.EMBEDDED_WEIGHTS / "detector"
    else:
        full_size.write_detector(folder)
    detector = load_stage("detect", str(folder))
    _forget_peak()
    detector.find(next(_pictures(1)), ["dog"])
    (image,) = _pictures(1, seed=1)
    first, second = (
        seconds(lambda phrase=phrase: detector.find(image, [phrase])) for phrase in ("dog", "cat")
    )
    print(f"a phrase {1000 * first:.0f} ms, another one {1000 * second:.0f} ms")
    _print_batches("detector", lambda batch: detector.find_many(batch, ["dog"]), tiny)


def measure_segmenter(folder: Path, kind: str) -> None:
    """Time the first mask of a picture, a second one, and pictures in batches."""
    if kind == "tiny":
        folder = full_size.EMBEDDED_WEIGHTS / "segmenter"
    elif kind == "sam-vit-huge":
        full_size.write_segmenter(folder, "huge")
    else:
        full_size.write_sam2_large(folder)
    segmenter = load_stage("segment", str(folder))
    _forget_peak()
    segmenter.look(next(_pictures(1)))
    (image,) = _pictures(1, seed=1)
    view = None

    def first_mask() -> None:
        nonlocal view
        view = segmenter.look(image)
        view.mask(boxes=[Box(100, 100, 500, 500)])

    first = seconds(first_mask)
    second = seconds(lambda: view.mask(boxes=[Box(300, 200, 700, 900)]))
    print(f"{kind}: first mask {1000 * first:.0f} ms, second {1000 * second:.0f} ms")
    _print_batches(kind, segmenter.look_many, kind == "tiny")


def _print_batches(name: str, run: Callable[[Sequence[Image]], object], tiny: bool) -> None:
    n_pictures = 4 if tiny else 64
    figures = []
    for size in BATCHES:
        batches = [list(_pictures(size, seed)) for seed in range(2, 2 + max(1, n_pictures // size))]
        taken = seconds(lambda batches=batches: [run(batch) for batch in batches])
        figures.append(f"{sum(map(len, batches)) / taken:.1f} in batches of {size}")
    print(f"{name}: pictures a second {', '.join(figures)}; {_peak()}", flush=True)


def _pictures(count: int, seed: int = 0) -> Iterator[Image]:
    """Pictures of noise, each one new: nothing kept answers for it."""
    generator = np.random.default_rng(seed)
    for _ in range(count):
        yield Image(generator.integers(0, 256, (SIDE * 3 // 4, SIDE, 3), dtype=np.uint8))


def _forget_peak() -> None:
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()


def _peak() -> str:
    if not torch.cuda.is_available():
        return "no GPU memory"
    return f"{torch.cuda.max_memory_allocated() / 2**30:.1f} GiB at most"


if __name__ == "__main__":
    main()
