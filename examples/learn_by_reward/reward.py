"""Train a tiny model that points already by reward, and beside it by more answers.

    python examples/learn_to_point/learn.py --steps 450 --out runs/point
    python examples/learn_by_reward/reward.py --model runs/point/run/model --out runs/reward

Both go on from the same weights and use the same processor time: supervised fine-tuning by
`segue finetune`, then GRPO by TRL with the IoU of the boxes as the reward. Needs TRL, which is
no extra of segue: see requirements.txt, in an environment of its own.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1] / "learn_to_point"))
import learn
from drawings import SIDE, drawing

from segue.finetune.rewards import box_reward
from segue.values.box import Box, Size

SIZE = Size(height=SIDE, width=SIDE)
FRESH, NEW = 10**7, 2 * 10**6
"""Seeds of drawings to go on with, and of those that are asked about: each begins a range."""
MAX_TOKENS = 60


def main() -> None:
    """Read the command line and do it all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="a Qwen3-VL that points")
    parser.add_argument("--out", type=Path, default=Path("runs/reward"))
    parser.add_argument("--steps", type=int, default=100, help="supervised steps; sets the time")
    parser.add_argument("--supervised-rate", type=float, default=1e-3)
    parser.add_argument("--rate", type=float, default=1e-4, help="learning rate of GRPO")
    parser.add_argument("--generations", type=int, default=8, help="replies to each question")
    parser.add_argument("--questions", type=int, default=200, help="new drawings to ask about")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    scores: dict[str, Any] = {
        "options": {name: str(value) for name, value in vars(options).items()},
        "before": measure(options.model, options.questions),
    }
    model, seconds = more_answers(options)
    scores["supervised"] = measure(model, options.questions)
    model, steps, seconds_by_reward = by_reward(options, seconds)
    scores["GRPO"] = measure(model, options.questions)
    scores |= {"CPU seconds": [round(seconds), round(seconds_by_reward)], "GRPO steps": steps}
    (options.out / "scores.json").write_text(json.dumps(scores, indent=1), encoding="utf-8")
    print(json.dumps(scores, indent=1))


def more_answers(options: argparse.Namespace) -> tuple[Path, float]:
    """Go on by `segue finetune`; return the model and the CPU seconds of the command."""
    out: Path = options.out / "supervised"
    first = FRESH + 10**6 * options.seed
    learn.write(out, "train", range(first, first + 16 * options.steps))
    learn.write(out, "val", range(10**6, 10**6 + 8))
    text = learn.RECIPE.format(out=out, steps=options.steps, rate=options.supervised_rate)
    text = text.replace(f"{out}/base", str(options.model)) + f"seed = {options.seed}\n"
    (out / "recipe.toml").write_text(text.lstrip(), encoding="utf-8")
    begun = cpu_seconds()
    command = [sys.executable, "-m", "segue.cli", "finetune", str(out / "recipe.toml"), "--fresh"]
    subprocess.run(command, check=True)
    return out / "run" / "model", cpu_seconds() - begun


def by_reward(options: argparse.Namespace, seconds: float) -> tuple[Path, int, float]:
    """Let replies to one question compete by their boxes; return model, steps, CPU seconds."""
    from datasets import Dataset
    from transformers import AutoConfig, AutoModelForImageTextToText, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    from segue.chat.transformers.processing import load_processor

    begun = cpu_seconds()
    first = FRESH + 10**6 * options.seed
    scenes = [drawing(seed) for seed in range(first, first + 4 * options.steps)]
    rows = [
        {
            "prompt": [{"role": "user", "content": scene.question}],
            "image": scene.picture,
            "corners": list(scene.box.corners),
        }
        for scene in scenes
    ]

    class Budget(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            control.should_training_stop |= cpu_seconds() - begun >= seconds

    settings = GRPOConfig(
        output_dir=str(options.out / "grpo"), seed=options.seed, max_steps=9 * options.steps,
        learning_rate=options.rate, lr_scheduler_type="constant_with_warmup", warmup_steps=5,
        num_generations=options.generations, per_device_train_batch_size=4 * options.generations,
        max_completion_length=MAX_TOKENS, use_cpu=True, bf16=False, activation_checkpointing=False,
        report_to=[], logging_steps=5, save_strategy="no", disable_tqdm=True,
    )  # fmt: skip
    network = AutoModelForImageTextToText.from_pretrained(options.model)
    trainer = GRPOTrainer(
        model=network, args=settings, reward_funcs=reward, train_dataset=Dataset.from_list(rows),
        processing_class=load_processor(options.model, AutoConfig.from_pretrained(options.model)),
        callbacks=[Budget()],
    )  # fmt: skip
    trainer.train()
    used = cpu_seconds() - begun
    model = options.out / "grpo" / "model"
    shutil.copytree(options.model, model, dirs_exist_ok=True)  # tokenizer, template, pictures
    network.save_pretrained(model)
    (options.out / "grpo" / "log.json").write_text(json.dumps(trainer.state.log_history, indent=1))
    return model, trainer.state.global_step, used


def reward(completions: list[Any], corners: list[list[float]], **_: Any) -> list[float]:
    """Score replies as TRL hands them over: messages, beside the columns of their rows."""
    return [
        box_reward(messages[0]["content"], [Box(*true)], dialect="qwen3_vl", size=SIZE)
        for messages, true in zip(completions, corners, strict=True)
    ]


def measure(model: Path, count: int) -> dict[str, float]:
    """Ask about drawings that were never seen, without sampling: mean IoU, and Acc@0.5."""
    from segue.chat.transformers import load
    from segue.values.image import Image
    from segue.values.message import Message, Sampling

    chat, overlaps = load(model, device="cpu"), []
    for scene in map(drawing, range(NEW, NEW + count)):
        question = Message("user", scene.question, (Image.open(scene.picture),))
        reply = chat.stream([question], Sampling(temperature=0, max_new_tokens=MAX_TOKENS))
        overlaps.append(box_reward("".join(reply), [scene.box], dialect=chat.dialect, size=SIZE))
    hits = sum(overlap >= 0.5 for overlap in overlaps)
    return {"mean IoU": round(sum(overlaps) / count, 3), "Acc@0.5": round(hits / count, 3)}


def cpu_seconds() -> float:
    """Processor time of this process and of those it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


if __name__ == "__main__":
    main()
