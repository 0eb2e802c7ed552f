"""Measuring while training: fixed questions, answered by the model as it is.

The scores are those of `segue evaluate tags`; only the detector is left out, so that a tag for
something absent counts as "tag".
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from segue.chat import ChatModel
from segue.convert.dialogue import Dialogue
from segue.convert.formats.questions import to_records
from segue.evaluate.predictions import Prediction
from segue.evaluate.questions import Question
from segue.evaluate.tags import TagReport, score_tags
from segue.values.image import Image
from segue.values.message import Message, Sampling

SHOWN = (
    *("tag-valid rate", "phrase accuracy, exact", "phrase accuracy, tolerant"),
    *("over-trigger rate", "parse-failure rate", "box-valid rate", "tag on a box question"),
    "absent: declined",
)
"""The figures of a report that are logged."""


def fixed_questions(dialogues: Iterable[Dialogue], count: int) -> list[Question]:
    """The first questions of a file, each kind in turn, so that rare kinds are there too."""
    by_kind: dict[str, list[Question]] = defaultdict(list)
    for dialogue in dialogues:
        for record in to_records(dialogue):
            by_kind[record["expect"]].append(Question.from_json(record))
    chosen: list[Question] = []
    place = 0
    while len(chosen) < count and any(place < len(kind) for kind in by_kind.values()):
        chosen += [kind[place] for kind in by_kind.values() if place < len(kind)]
        place += 1
    return chosen[:count]


def try_out(
    chat: ChatModel, questions: Sequence[Question], max_new_tokens: int
) -> tuple[TagReport, list[Prediction]]:
    """Answer every question greedily and score the answers."""
    sampling = Sampling(max_new_tokens=max_new_tokens, temperature=0)
    answered = []
    for question in questions:
        shown: tuple[Image, ...] = (Image.open(question.image),)
        messages = []
        for asked, said in question.history:
            messages += [Message("user", asked, shown), Message("assistant", said)]
            shown = ()
        messages.append(Message("user", question.text, shown))
        raw = "".join(chat.stream(messages, sampling))
        answered.append(Prediction(question, raw))
    return score_tags(answered, dialect=chat.dialect, has_detector=False), answered


def figures(report: TagReport) -> dict[str, Any]:
    """What is logged of a report: rates in [0, 1], those that there were questions for."""
    every = report.all.to_json()
    return {name: every[name] for name in SHOWN if every[name] is not None}
