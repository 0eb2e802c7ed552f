"""Does a long fine-tuning run keep its memory? A tiny Qwen3-VL, by default 5,000 steps.

Prints the resident memory of the process every so many steps, with checkpoints, evaluations and
answers to questions in between as in any run, and the slope over the second half. Linux only.

    python -m benchmarks.finetune_soak [STEPS]
"""

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.finetune_memory import resident_memory
from segue.finetune.recipe import make_recipe
from segue.finetune.train import finetune

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
ROWS = 20
"""Lines of the table."""


def main(steps: int = 5000) -> None:
    """Train, and print a table."""
    from small_lessons import write_conversations
    from tiny_chats import tiny_qwen3_vl

    measured: list[tuple[int, float]] = []

    def watch(line: Mapping[str, Any]) -> None:
        step = line["step"]
        if "loss" in line and (step == 10 or step % max(1, steps // ROWS) == 0):
            measured.append((step, resident_memory("VmRSS") / 1e6))
            print(f"step {step:6}  {measured[-1][1]:8.1f} MB", flush=True)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        recipe = make_recipe({
            "base": str(tiny_qwen3_vl(folder / "base")), "device": "cpu", "max_steps": steps,
            "data": str(write_conversations(folder, 200)), "output": str(folder / "run"),
            "validation": str(write_conversations(folder, 8, "val.json")), "eval_questions": 4,
            "eval_steps": max(1, steps // 10), "save_steps": max(1, steps // 20), "lora_r": 8,
            "batch_size": 1, "gradient_accumulation_steps": 1, "eval_max_new_tokens": 4,
        })  # fmt: skip
        finetune(recipe, listener=watch)
    later = np.array([row for row in measured if row[0] >= steps / 2])
    slope = np.polyfit(later[:, 0], later[:, 1], 1)[0] * 1000
    print(f"second half: {slope:+.2f} MB in 1,000 steps; the highest {later[:, 1].max():.1f} MB")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
