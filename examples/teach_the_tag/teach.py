"""Teach the tag to a tiny Qwen-VL that has never seen it, and measure what changed.

    python -m examples.teach_the_tag.teach --out runs/teach

Run it from the root of the repository: the scenes are drawn by the training lab, which is not part
of the installed package. Everything else is done by the commands that are shipped; each is printed.
A stopped run resumes.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from examples.teach_the_tag import scenes

HERE = Path(__file__).parent
TAG_RATES = (
    *("tag-valid rate", "phrase accuracy, exact", "over-trigger rate", "parse-failure rate"),
)


def main() -> None:
    """Read the command line and do it all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/teach"))
    parser.add_argument("--base", type=Path, default=HERE / "base")
    parser.add_argument("--scenes", type=int, default=800, help="scenes to learn from")
    parser.add_argument("--questions", type=int, default=100, help="new scenes to ask about")
    parser.add_argument("--steps", type=int, help="steps of training; by default the recipe's")
    options = parser.parse_args()
    out: Path = options.out
    start_time = time.monotonic()
    records = scenes.write_records(out, options.scenes)
    questions = scenes.write_questions(out, options.questions)
    data, adapter = out / "data", out / "run"
    segue(
        *("convert", "llava-plus", records, "--images", out / "pictures", "--out", data),
        *("--mode", "mixed", "--tool-free-ratio", "1.0", "--val", 0.02),
    )
    measured = {"before": measure(options.base, questions, out, "before", options.questions)}
    changes = [f"base={options.base}", f"data={data}/train.qwen-vl.json", f"output={adapter}"]
    changes.append(f"validation={data}/val.qwen-vl.json")
    if options.steps:
        changes.append(f"max_steps={options.steps}")
    started = time.monotonic()
    segue("finetune", HERE / "recipe.toml", *(x for c in changes for x in ("--set", c)))
    seconds = time.monotonic() - started
    taught = f"{options.base}+{adapter}"
    measured["after"] = measure(taught, questions, out, "after", options.questions)
    (out / "table.json").write_text(json.dumps(measured, indent=2), encoding="utf-8")
    text = table(measured)
    (out / "table.md").write_text(text, encoding="utf-8")
    print(text)
    print(f"training {seconds / 60:.1f} minutes, all {(time.monotonic() - start_time) / 60:.1f}")


def segue(*arguments: object) -> None:
    """Run one command of segue and show it."""
    words = [str(argument) for argument in arguments]
    print("$ segue", *words, flush=True)
    subprocess.run([sys.executable, "-m", "segue.cli", *words], check=True)


def measure(chat: object, questions: Path, out: Path, name: str, count: int) -> dict[str, Any]:
    """Run `segue evaluate tags` for nouns taught and new, and the skills of before."""
    report = out / f"{name}.json"
    segue(
        *("evaluate", "tags", questions, "--out", out / f"{name}.jsonl", "--json", report),
        *("--chat", chat, "--detect", "none", "--segment", "none", "--device", "cpu"),
        *("--max-new-tokens", 48),
    )
    scores = json.loads(report.read_text(encoding="utf-8"))
    return {**scores, "new nouns": new_nouns(out / f"{name}.jsonl"), "skills": skills(chat, count)}


def new_nouns(predictions: Path) -> dict[str, float]:
    """Tag-valid rate and phrase accuracy on nouns that were never taught with the tag."""
    from segue.evaluate.predictions import read_predictions
    from segue.evaluate.tags import score_tags

    new_questions = [p for p in read_predictions(predictions) if p.question.id.endswith("/new")]
    rates: dict[str, float] = score_tags(new_questions, has_detector=False).all.to_json()
    return rates


def skills(chat: object, count: int) -> dict[str, tuple[float, int]]:
    """Measure what the base could do: describe, frame, say that something is not there."""
    import numpy as np

    from lab.chat.evaluate import ChatQuestion, Tally, score_reply, things_of
    from lab.chat.replies import Query, generate_replies
    from lab.language.dialogues import Narrator
    from segue.assistant.loading import load_stage

    model = load_stage("chat", str(chat), device="cpu")
    drawn_scenes, rng, new_questions = scenes.scenes(count, 3), np.random.default_rng(3), []
    for number, scene in enumerate(drawn_scenes):
        things = things_of(scene)
        narrator = Narrator(things, scene.background, rng)
        turns = [narrator.ask(k, False) for k in ("describe", "exist", "absent", "background")]
        turns += [narrator.ask("ground", False, noun) for noun in narrator.groups]
        new_questions += [ChatQuestion(number, turn, things) for turn in turns if turn is not None]
    new_questions.sort(key=lambda question: (question.turn.kind, question.turn.present))
    pictures = [scene.image for scene in drawn_scenes]
    queries = [Query(o.scene, o.turn.question, expected=o.turn.answer) for o in new_questions]
    answers = generate_replies(model.model, model.processor, pictures, queries, max_tokens=64)
    tally = Tally()
    for question, words in zip(new_questions, answers, strict=True):
        score_reply(question, words, tally)
    return tally.means()


ROWS = (
    ("describe: recall of nouns", "describes: nouns found"),
    ("describe: precision of nouns", "describes: nouns right"),
    ("ground one: wrongly denied", "frames one thing: wrongly denied"),
    ("ground one: mean IoU", "frames one thing: mean IoU"),
    ("ground one: Acc@0.5", "frames one thing: Acc@0.5"),
    ("absent: says so", "absent thing: says so"),
    ("exist, present", "is there …: yes"),
    ("exist, absent", "is there …: no"),
    ("background", "background"),
)


def table(measured: dict[str, Any]) -> str:
    """Before and after, as Markdown."""
    before, after = measured["before"], measured["after"]
    lines = ["| | questions | before | after |", "|---|---|---|---|"]
    tags = [side["tags"]["all"] for side in (before, after)]
    for name in TAG_RATES:
        key = {"over-trigger rate": "plain questions", "parse-failure rate": "replies"}
        number = tags[0][key.get(name, "tag questions")]
        lines.append(f"| {name} | {number} | {tags[0][name]:.1%} | {tags[1][name]:.1%} |")
    for name in ("tag-valid rate", "phrase accuracy, exact"):
        first, second = before["new nouns"], after["new nouns"]
        number = first["tag questions"]
        lines.append(f"| {name}, new nouns | {number} | {first[name]:.1%} | {second[name]:.1%} |")
    for key, title in ROWS:
        if key not in before["skills"]:  # too few scenes to ask about
            continue
        (first, number), (second, _) = before["skills"][key], after["skills"][key]
        lines.append(f"| {title} | {number} | {first:.1%} | {second:.1%} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
