"""Evaluation during training: a fixed set of questions, answered by the model as it is.

The scores are those of `segue evaluate tags`, but without a detector: a tag for something absent
counts as "looked".
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from segue.chat import ChatModel
from segue.convert.dialogue import Dialogue
from segue.convert.formats.questions import to_records
from segue.evaluate.predictions import Prediction
from segue.evaluate.questions import Question
from segue.evaluate.tags import TagReport
from segue.values.image import Image
from segue.values.message import Message, Sampling

LOGGED_SCORES = (
    *("tag-valid rate", "phrase accuracy, exact", "phrase accuracy, tolerant"),
    *("over-trigger rate", "parse-failure rate", "box-valid rate", "tag on a box question"),
    "absent: declined",
)
"""The scores of a report that are logged."""


def select_questions(dialogues: Iterable[Dialogue], count: int) -> list[Question]:
    """Select the first questions of a file, each kind in turn, so that rare kinds are included."""
    by_kind: dict[str, list[Question]] = defaultdict(list)
    for dialogue in dialogues:
        for record in to_records(dialogue):
            by_kind[record["expect"]].append(Question.from_json(record))
    selected_questions: list[Question] = []
    round_number = 0
    while len(selected_questions) < count and any(
        round_number < len(kind_questions) for kind_questions in by_kind.values()
    ):
        selected_questions += [
            kind_questions[round_number]
            for kind_questions in by_kind.values()
            if round_number < len(kind_questions)
        ]
        round_number += 1
    return selected_questions[:count]


def answer_questions(
    chat: ChatModel, questions: Sequence[Question], max_new_tokens: int
) -> list[Prediction]:
    """Answer every question by greedy decoding."""
    sampling = Sampling(max_new_tokens=max_new_tokens, temperature=0)
    predictions = []
    for question in questions:
        new_images: tuple[Image, ...] = (Image.open(question.image),)
        messages = []
        for earlier_question, earlier_reply in question.history:
            messages += [
                Message("user", earlier_question, new_images),
                Message("assistant", earlier_reply),
            ]
            new_images = ()
        messages.append(Message("user", question.text, new_images))
        raw_reply = "".join(chat.stream(messages, sampling))
        predictions.append(Prediction(question, raw_reply))
    return predictions


def headline_scores(report: TagReport) -> dict[str, Any]:
    """Return the scores that are logged: rates in [0, 1], where there were questions for them."""
    all_scores = report.all.to_json()
    return {name: all_scores[name] for name in LOGGED_SCORES if all_scores[name] is not None}
