"""Turn the wheel once: annotate, review, convert, fine-tune, annotate again, and measure.

    python -m examples.flywheel.turn --out runs/flywheel

Run it from the root of the repository: the scenes are drawn by the training lab, which is not part
of the installed package. Each step is a command of the product, and is printed; this script only
draws scenes, plays the reviewer and measures. A stopped run resumes.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from examples.flywheel.measure import MEASURES, count_run, difference, measure
from examples.flywheel.reviewer import review_run
from examples.flywheel.scenes import PictureSet, draw_pictures
from lab.scenes.art import best_bank
from lab.scenes.sprites import HELD_OUT_STYLE, SpriteBank
from lab.scenes.vocabulary import nouns
from segue.errors import ModelError
from segue.review.journal import journal_path

HERE = Path(__file__).parent
BASE = "embedded-chat"
QUESTION = "Detect all objects in the picture."
CLASSES = ("owl", "snail", "zebra", "turtle", "fox")
"""Animals that the bundled chat model takes for something else in the held-out style: of 57 in
scenes that are not used here it named two rightly."""
Command = Callable[..., None]
"""Runs one command of segue, given its words."""
FIRST_SEED, SECOND_SEED, TRAINED_SEED = 810_001, 820_001, 830_001


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How large a turn of the wheel is."""

    out: Path
    scenes: int = 300
    actions: int = 40
    style: str = HELD_OUT_STYLE
    steps: int | None = None
    """Of training; None: as the recipe says."""
    reviewed: str = "accepted"


def main() -> None:
    """Read the command line and turn the wheel."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/flywheel"))
    parser.add_argument("--scenes", type=int, default=300, help="pictures of each set")
    parser.add_argument("--actions", type=int, default=40, help="of the reviewer, at most")
    parser.add_argument("--style", default=HELD_OUT_STYLE, help="the drawings to annotate")
    parser.add_argument("--steps", type=int, help="of training; by default the recipe's")
    parser.add_argument("--reviewed", default="accepted", choices=("accepted", "all"))
    print(table(turn(Plan(**vars(parser.parse_args())))))


def segue(*arguments: object) -> None:
    """Run one command of segue and show it."""
    words = [str(argument) for argument in arguments]
    print("$ segue", *words, flush=True)
    subprocess.run([sys.executable, "-m", "segue.cli", *words], check=True)


def turn(plan: Plan, bank: SpriteBank | None = None, command: Command = segue) -> dict[str, Any]:
    """Go round once, write `table.json` and `table.md`, and return what was measured.

    Args:
        plan: how large the turn is.
        bank: the drawings; None: all that have been fetched.
        command: runs the commands.

    Raises:
        ModelError: the drawings of the style are not there.
    """
    started = time.monotonic()
    bank = bank or best_bank()
    if plan.style not in bank.styles:
        raise ModelError(f"The style {plan.style!r} is not there. Run: python -m lab fetch-art")
    style, trained = bank.only(plan.style), bank.trainable()
    out, all_nouns = plan.out, tuple(noun.english for noun in nouns())
    first = draw_pictures(out / "first", style, CLASSES, plan.scenes, FIRST_SEED)
    second = draw_pictures(out / "second", style, CLASSES, plan.scenes, SECOND_SEED)
    other = draw_pictures(out / "trained", trained, all_nouns, plan.scenes, TRAINED_SEED)
    run = annotate(command, first, out / "run", BASE, is_detecting=True)
    actions = review(run, first, plan.actions)
    tuned = train(command, run, plan)
    measured: dict[str, Any] = {"scenes": plan.scenes, "review": actions, "sets": {}}
    for name, pictures, is_detecting in (
        ("held-out style, chat alone", second, False),
        ("held-out style, both routes", second, True),
        ("trained styles, all 96 nouns, chat alone", other, False),
    ):
        counts = []
        for side, chat in (("before", BASE), ("after", tuned)):
            folder = f"{pictures.folder.name}-{side}-{'both' if is_detecting else 'chat'}"
            annotated = annotate(command, pictures, out / folder, chat, is_detecting=is_detecting)
            counts.append(count_run(annotated, pictures))
        before, after = counts
        measured["sets"][name] = {
            "before": _plain(measure(before)),
            "after": _plain(measure(after)),
            "difference": _plain(difference(before, after)),
        }
    (out / "table.json").write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    (out / "table.md").write_text(table(measured), encoding="utf-8")
    print(f"{(time.monotonic() - started) / 60:.1f} minutes")
    return measured


def annotate(
    command: Command, pictures: PictureSet, run: Path, chat: str, *, is_detecting: bool
) -> Path:
    """Ask the chat model about each picture; its regions are sorted to the classes.

    Args:
        command: runs the command.
        pictures: what is annotated.
        run: folder of the run.
        chat: the chat model.
        is_detecting: whether the detector looks for the classes too.
    """
    detector = "embedded-detector" if is_detecting else "none"
    command(
        *("annotate", pictures.folder, "--classes", ",".join(pictures.classes)),
        *("--ask", QUESTION, "--out", run, "--chat", chat, "--detect", detector),
        *("--segment", "embedded-segmenter", "--device", "cpu"),
    )
    return run


def review(run: Path, pictures: PictureSet, max_actions: int) -> dict[str, int]:
    """Let the truth review a run; a review that is there stays as it is."""
    record = run.parent / "review.json"
    if not (record.exists() and journal_path(run).exists()):
        journal_path(run).unlink(missing_ok=True)
        counts = review_run(run, pictures.truth, max_actions)
        record.write_text(json.dumps(counts), encoding="utf-8")
    actions: dict[str, int] = json.loads(record.read_text(encoding="utf-8"))
    print("review:", ", ".join(f"{name} {count}" for name, count in actions.items()))
    return actions


def train(command: Command, run: Path, plan: Plan) -> str:
    """Convert what was reviewed and fine-tune the chat model; return its name for `--chat`."""
    data, adapter = plan.out / "data", plan.out / "adapter"
    command(
        *("convert", "run", run, "--reviewed", plan.reviewed, "--own-question", "--out", data),
        *("--negatives", 0.3, "--chinese", 0, "--typos", 0, "--val", 0),
    )
    changes = [f"data={data / 'train.qwen-vl.json'}", f"output={adapter}"]
    if plan.steps:
        changes.append(f"max_steps={plan.steps}")
    command("finetune", HERE / "recipe.toml", *(x for c in changes for x in ("--set", c)))
    return f"{BASE}+{adapter}"


def _plain(figures: Any) -> dict[str, list[float]]:
    return {name: list(asdict(interval).values()) for name, interval in figures.items()}


def table(measured: dict[str, Any]) -> str:
    """Write what was measured as Markdown."""
    lines = []
    for name, sides in measured["sets"].items():
        lines += [f"| {name} | before | after | difference |", "|---|---|---|---|"]
        for figure in MEASURES:
            cells = [_cell(sides[side][figure]) for side in ("before", "after")]
            sure = _cell(sides["difference"][figure], sign="+")
            lines.append(f"| {figure} | {cells[0]} | {cells[1]} | {sure} |")
        lines.append("")
    return "\n".join(lines)


def _cell(interval: list[float], sign: str = "") -> str:
    value, low, high = (f"{number:{sign}.3f}" for number in interval)
    return f"{value} ({low} to {high})"


if __name__ == "__main__":
    main()
