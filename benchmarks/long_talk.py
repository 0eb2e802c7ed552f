"""A talk of 60 questions on each sample: what the chat model gets right, and what a turn costs.

    python -m benchmarks.long_talk [QUESTIONS]

Compared in one run: the whole history, the history that the model can follow (turns left out in
blocks, the default), the last six turns (one left out with each question), and no history.
"""

import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import segue
from segue.embedded.samples import SampleScene, samples
from segue.pipeline.answer import Answer

SETTINGS = {"all": "all", "auto": "auto", "last 6": 6, "none": 0}


@dataclass
class Score:
    """What came of one setting."""

    right: int = 0
    asked: int = 0
    unreadable: int = 0
    seconds: float = 0.0
    late_seconds: float = 0.0
    """Of the second half of each talk."""


def questions_about(scene: SampleScene) -> list[tuple[str, Callable[[Answer], bool]]]:
    """Return questions and how to tell that an answer is right."""

    def finds(box: tuple[float, ...]) -> Callable[[Answer], bool]:
        truth = segue.Box(*box)
        return lambda answer: len(answer.regions) == 1 and answer.regions[0].box.iou(truth) > 0.5

    questions: list[tuple[str, Callable[[Answer], bool]]] = []
    for thing in scene.objects:
        for text in (
            f"Frame the {thing.english} in the picture.",
            f"框出图片中{thing.chinese}的位置",
            f"Can you segement the {thing.english} in this image?",
            f"分割图片中的{thing.chinese}",
        ):
            questions.append((text, finds(thing.box)))
    english = [thing.english for thing in scene.objects]
    chinese = [thing.chinese for thing in scene.objects]
    questions.append(
        ("What is in the picture?", lambda answer: all(name in answer.text for name in english))
    )
    questions.append(("这是什么?", lambda answer: all(name in answer.text for name in chinese)))
    return questions


def talk(assistant: segue.Assistant, scene: SampleScene, n_questions: int, score: Score) -> None:
    """Ask questions in a mixed order, and count."""
    rng = random.Random(scene.name)
    questions = questions_about(scene)
    conversation = assistant.open(scene.image)
    for number in range(n_questions):
        text, is_right = questions[rng.randrange(len(questions))]
        began = time.perf_counter()
        answer = conversation.ask(text, segue.Sampling(max_new_tokens=80))
        took = time.perf_counter() - began
        score.seconds += took
        score.late_seconds += took if number >= n_questions // 2 else 0.0
        score.asked += 1
        score.right += is_right(answer)
        score.unreadable += bool(answer.broken) or answer.finish != "stop"


def main() -> None:
    """Print a table."""
    n_questions = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    scores = {}
    for name, history in SETTINGS.items():
        assistant = segue.load("embedded", history=history)
        scores[name] = Score()
        for scene in samples():
            talk(assistant, scene, n_questions, scores[name])
    base = scores["all"].late_seconds
    print(f"{'history':8} {'right':>9} {'broken':>7} {'s/turn':>8} {'2nd half, ratio to all':>24}")
    for name, score in scores.items():
        print(
            f"{name:8} {score.right:>4}/{score.asked:<4} {score.unreadable:>7} "
            f"{score.seconds / score.asked:8.3f} {score.late_seconds / base:24.2f}"
        )


if __name__ == "__main__":
    main()
