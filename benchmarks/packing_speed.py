"""What packing saves: seconds of processor for the same conversations about drawn scenes.

A Qwen3-VL of 1 M random weights learns from conversations of one to six turns about the drawings
of examples/learn_to_point: one at a time, eight at a time with padding, and packed into rows of
1,024 tokens, eight conversations or about as many tokens a step. Only ratios mean anything.

    python -m benchmarks.packing_speed [CONVERSATIONS]
"""

import json
import sys
import tempfile
from pathlib import Path
from time import process_time

from segue.finetune.recipe import make_recipe
from segue.finetune.train import finetune

sys.path.append(str(Path(__file__).resolve().parents[1] / "examples" / "learn_to_point"))
WAYS = {
    "one at a time": {"batch_size": 1, "gradient_accumulation_steps": 8},
    "eight, padded": {"batch_size": 8, "gradient_accumulation_steps": 1},
    "packed rows": {"batch_size": 1, "gradient_accumulation_steps": 1, "packing": True},
}


def main(count: int = 160) -> None:
    """Print a table."""
    import base

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "base").mkdir()
        base.qwen3_vl(folder / "base")
        data = _conversations(folder, count)
        print(f"{count} conversations, one epoch, in seconds of processor:")
        for round_number in range(3):  # the first warms up
            for way, changes in WAYS.items():
                recipe = make_recipe({
                    "base": str(folder / "base"), "data": str(data), "device": "cpu", "lora_r": 8,
                    "output": str(folder / f"{way}-{round_number}"), "max_length": 1024, **changes,
                })  # fmt: skip
                before = process_time()
                finetune(recipe)
                if round_number:
                    print(f"{way:14} {process_time() - before:7.1f}", flush=True)


def _conversations(folder: Path, count: int) -> Path:
    from drawings import drawing

    records = []
    for seed in range(count):
        scene = drawing(seed)
        picture = folder / f"{seed}.png"
        scene.picture.save(picture)
        turns = []
        for turn in range(1 + seed % 6):
            question = scene.question if turn == 0 else f"Once more ({turn}): {scene.question}"
            turns += [
                {"from": "user", "value": question}, {"from": "assistant", "value": scene.answer},
            ]  # fmt: skip
        turns[0]["value"] = f"Picture 1: <img>{picture}</img>\n" + turns[0]["value"]
        records.append({"id": str(seed), "conversations": turns})
    path = folder / "train.json"
    path.write_text(json.dumps(records), encoding="utf-8")
    return path


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
