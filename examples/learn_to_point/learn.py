"""Teach a tiny Qwen2.5-VL or Qwen3-VL to point in its own words, and measure the masks.

    python examples/learn_to_point/learn.py --family qwen2_5_vl --out runs/point

The model begins at random. It learns from drawn shapes by `segue finetune`, answers in its own
JSON (pixels of the resized picture, or a grid of 1000), and is asked about new drawings through
the whole way: reply, dialect, frame, box, mask.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import base as bases
import numpy as np
from drawings import Drawing, drawing
from sheet import sheet

SHOWN = 6
RECIPE = """
base = "{out}/base"
data = "{out}/train.json"
validation = "{out}/val.json"
output = "{out}/run"
method = "full"
train_vision = "full"
max_length = 256
max_steps = {steps}
batch_size = 16
gradient_accumulation_steps = 1
learning_rate = {rate}
weight_decay = 0.0
schedule = "cosine"
warmup = 0.05
gradient_checkpointing = false
device = "cpu"
log_steps = 20
save_steps = 200
eval_steps = 100000
eval_questions = 1
"""


def main() -> None:
    """Read the command line and do it all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--family", choices=sorted(bases.FAMILIES), default="qwen3_vl")
    parser.add_argument("--out", type=Path, default=Path("runs/point"))
    parser.add_argument("--drawings", type=int, default=6000, help="drawings to learn from")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--questions", type=int, default=50, help="new drawings to ask about")
    options = parser.parse_args()
    out: Path = options.out
    recipe = prepare(out, options.family, options.drawings, options.steps, options.rate)
    begun = time.monotonic()
    command = [sys.executable, "-m", "segue.cli", "finetune", str(recipe)]
    print("$ segue", *command[3:], flush=True)
    subprocess.run(command, check=True)
    minutes = (time.monotonic() - begun) / 60
    scores = measure(out / "run" / "model", options.questions, out / "answers.png")
    scores["minutes"] = round(minutes, 1)
    (out / "scores.json").write_text(json.dumps(scores, indent=1), encoding="utf-8")
    print(json.dumps(scores, indent=1))


def prepare(out: Path, family: str, drawings: int, steps: int, rate: float) -> Path:
    """Make a base of random weights, dialogues about drawings, and the recipe; return its file."""
    bases.FAMILIES[family](out / "base")
    write(out, "train", range(drawings))
    write(out, "val", range(10**6, 10**6 + 8))
    text = RECIPE.format(out=out.as_posix(), steps=steps, rate=rate)
    file = out / "recipe.toml"
    file.write_text(text.lstrip(), encoding="utf-8")
    return file


def write(out: Path, part: str, seeds: range) -> None:
    """Drawings and dialogues about them, as `segue convert` writes them."""
    (out / "pictures").mkdir(parents=True, exist_ok=True)
    rows = []
    for seed in seeds:
        scene = drawing(seed)
        file = (out / "pictures" / f"{seed}.png").resolve()
        scene.picture.save(file)
        turns = [
            {"from": "user", "value": f"Picture 1: <img>{file}</img>\n{scene.question}"},
            {"from": "assistant", "value": scene.answer},
        ]
        rows.append({"id": str(seed), "conversations": turns})
    (out / f"{part}.json").write_text(json.dumps(rows), encoding="utf-8")


def measure(model: Path, count: int, picture: Path | None = None) -> dict[str, float]:
    """Boxes and masks for drawings that were never seen, against the true ones.

    The first answers are drawn into `picture`.
    """
    import segue
    from segue.values.message import Sampling

    assistant = segue.load(chat=model, detect=None, segment="embedded-segmenter", device="cpu")
    overlaps, boxes, shown = [], [], []
    for seed in range(2 * 10**6, 2 * 10**6 + count):
        scene: Drawing = drawing(seed)
        answer = assistant.open(scene.picture).ask(
            scene.question, Sampling(temperature=0, max_new_tokens=90)
        )
        region = answer.regions[0] if answer.regions else None
        mask = region.mask if region is not None else None
        overlaps.append(_iou(mask.array, scene.mask) if mask is not None else 0.0)
        boxes.append(region.box.iou(scene.box) if region is not None else 0.0)
        shown.append((scene.question, answer.raw, answer.draw()))
    if picture is not None:
        sheet(shown[:SHOWN]).save(picture)
    return {
        "questions": count,
        "boxes: mean IoU": round(float(np.mean(boxes)), 3),
        "boxes: IoU at least .5": round(float(np.mean(np.array(boxes) >= 0.5)), 3),
        "masks: mean IoU": round(float(np.mean(overlaps)), 3),
        "masks: IoU at least .5": round(float(np.mean(np.array(overlaps) >= 0.5)), 3),
    }


def _iou(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / max((one | other).sum(), 1))


if __name__ == "__main__":
    main()
