"""Does the model answer with the tag when it should, with the right phrase, and only then?

All scores come from the raw replies, so no model is needed, and a change of the rules can be
applied to an old file. Definitions:

- tag-valid rate: of the questions that expect a tag, the fraction whose reply has at least one
  valid tag and no malformed markup;
- phrase accuracy, exact: the fraction whose phrases are the expected ones, in any order, in lower
  case and without articles; tolerant: singular and plural, and synonyms, count as equal. A reply
  without a valid tag is wrong;
- over-trigger rate: of the questions that expect words only, the fraction whose reply has a tag;
- a failed question (there is no reply) counts as wrong in the first two rates, and is left out of
  rates of what a reply should not have; the number of failed questions is reported;
- absent objects: of the questions about something that is not there, the fraction declined in
  words, tagged where the detector then found nothing, and answered with a region all the same.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from segue.deprecated import renamed_in
from segue.dialects import (
    DIALECTS,
    BoxMention,
    DetectRequest,
    Dialect,
    MalformedMarkup,
    drop_retracted,
)
from segue.dialects.parsing.gsam_phrases import split_phrases
from segue.evaluate.predictions import Prediction
from segue.prompting.synonyms import Synonyms, normalise_phrase

__getattr__ = renamed_in(__name__)

N_WRONG_PHRASES = 10
"""How many wrong phrases a report lists."""


@dataclass(frozen=True, slots=True)
class TaggedReply:
    """The markup of one reply."""

    tag_phrases: tuple[str, ...]
    """What the detector is asked for."""
    box_phrases: tuple[str, ...]
    """What the chat model's own boxes show."""
    is_malformed: bool
    """Whether some markup could not be read."""

    @property
    def has_valid_tag(self) -> bool:
        return bool(self.tag_phrases) and not self.is_malformed


def parse_reply(raw: str, dialect: str = "qwen_vl") -> TaggedReply:
    """Parse the markup of a reply."""
    reader: Dialect = DIALECTS.load(dialect)
    events = drop_retracted(reader.read([raw]))
    return TaggedReply(
        tuple(event.phrase for event in events if isinstance(event, DetectRequest)),
        tuple(event.phrase for event in events if isinstance(event, BoxMention)),
        any(isinstance(event, MalformedMarkup) for event in events),
    )


@dataclass(slots=True)
class TagScores:
    """Counts of one language, or of all."""

    tag_questions: int = 0
    tag_valid: int = 0
    phrase_exact: int = 0
    phrase_tolerant: int = 0
    box_questions: int = 0
    box_valid: int = 0
    """Box questions whose reply has a box and no malformed markup."""
    box_with_tag: int = 0
    """Box questions whose reply has a tag instead: the other route."""
    box_answered: int = 0
    """Box questions that did not fail."""
    plain_questions: int = 0
    plain_answered: int = 0
    """Plain questions that did not fail: a failure is not evidence of restraint."""
    over_triggered: int = 0
    unrequested_boxes: int = 0
    """Plain questions that were answered with a box."""
    absent_outcomes: Counter[str] = field(default_factory=Counter)
    """Name from `ABSENT_OUTCOMES` -> count."""
    replies: int = 0
    malformed_replies: int = 0
    failed_questions: int = 0
    """Questions without a reply: the picture is missing, a model failed."""

    def to_json(self) -> dict[str, Any]:
        """Return rates in [0, 1]; None where there was no such question."""
        n_absent = self.absent_outcomes.total()
        return {
            "replies": self.replies,
            "failed questions": self.failed_questions,
            "parse-failure rate": _ratio(self.malformed_replies, self.replies),
            "tag questions": self.tag_questions,
            "tag-valid rate": _ratio(self.tag_valid, self.tag_questions),
            "phrase accuracy, exact": _ratio(self.phrase_exact, self.tag_questions),
            "phrase accuracy, tolerant": _ratio(self.phrase_tolerant, self.tag_questions),
            "box questions": self.box_questions,
            "box-valid rate": _ratio(self.box_valid, self.box_questions),
            "tag on a box question": _ratio(self.box_with_tag, self.box_answered),
            "plain questions": self.plain_questions,
            "over-trigger rate": _ratio(self.over_triggered, self.plain_answered),
            "box on a plain question": _ratio(self.unrequested_boxes, self.plain_answered),
            "absent questions": n_absent,
            **{
                f"absent: {name}": _ratio(self.absent_outcomes[name], n_absent)
                for name in ABSENT_OUTCOMES
            },
        }


ABSENT_OUTCOMES = ("declined", "detector found nothing", "tag", "false positive", "error")
"""What may come of a question about something absent. "tag": the reply has a tag, and there was no
detector to look for it."""


@dataclass(slots=True)
class TagReport:
    """Scores of a file of predictions."""

    all: TagScores = field(default_factory=TagScores)
    by_language: dict[str, TagScores] = field(default_factory=dict)
    wrong_phrases: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(expected, answered) where even the tolerant comparison failed."""

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "all": self.all.to_json(),
            **{language: scores.to_json() for language, scores in sorted(self.by_language.items())},
            "wrong phrases": [
                {"expected": expected, "answered": actual, "count": count}
                for (expected, actual), count in self.wrong_phrases.most_common(N_WRONG_PHRASES)
            ],
        }


def score_tags(
    predictions: Iterable[Prediction],
    synonyms: Synonyms | None = None,
    dialect: str = "qwen_vl",
    has_detector: bool = True,
) -> TagReport:
    """Score replies. Questions that expect "any" are counted as replies only.

    Args:
        predictions: from a file or a run.
        synonyms: what counts as equal in the tolerant comparison; None: the bundled ones.
        dialect: the markup of the replies, as in the manifest.
        has_detector: whether a detector looked for the tagged phrases.
    """
    synonyms = synonyms or Synonyms()
    report = TagReport()
    for prediction in predictions:
        language = prediction.question.language
        language_scores = report.by_language.setdefault(language, TagScores())
        reply = parse_reply(prediction.raw, dialect)
        for scores in (report.all, language_scores):
            _count_prediction(scores, prediction, reply, synonyms, has_detector)
        question = prediction.question
        if question.expect == "tag" and not _similar_phrases(
            question.phrases, reply.tag_phrases, synonyms
        ):
            report.wrong_phrases["; ".join(question.phrases), "; ".join(reply.tag_phrases)] += 1
    return report


def _count_prediction(
    scores: TagScores,
    prediction: Prediction,
    reply: TaggedReply,
    synonyms: Synonyms,
    has_detector: bool,
) -> None:
    phrases = prediction.question.phrases
    has_reply = prediction.error is None
    scores.replies += has_reply
    scores.failed_questions += not has_reply
    scores.malformed_replies += reply.is_malformed
    match prediction.question.expect:
        case "tag":
            is_valid = reply.has_valid_tag
            scores.tag_questions += 1
            scores.tag_valid += is_valid
            scores.phrase_exact += is_valid and _same_phrases(
                phrases, reply.tag_phrases, normalise_phrase
            )
            scores.phrase_tolerant += is_valid and _similar_phrases(
                phrases, reply.tag_phrases, synonyms
            )
        case "box":
            scores.box_questions += 1
            scores.box_answered += has_reply
            scores.box_valid += bool(reply.box_phrases) and not reply.is_malformed
            scores.box_with_tag += bool(reply.tag_phrases)
        case "plain":
            scores.plain_questions += 1
            scores.plain_answered += has_reply
            scores.over_triggered += bool(reply.tag_phrases)
            scores.unrequested_boxes += bool(reply.box_phrases)
        case "absent":
            scores.absent_outcomes[_absent_outcome(prediction, reply, has_detector)] += 1
        case "any":
            pass


def _absent_outcome(prediction: Prediction, reply: TaggedReply, has_detector: bool) -> str:
    if prediction.error is not None:
        return "error"
    if prediction.regions or reply.box_phrases:
        return "false positive"
    if not reply.tag_phrases:
        return "declined"
    return "detector found nothing" if has_detector and prediction.not_found else "tag"


def _same_phrases(
    expected: Iterable[str], actual: Iterable[str], normalise: Callable[[str], str]
) -> bool:
    expected_forms = {normalise(phrase) for phrase in expected}
    return bool(expected_forms) and expected_forms == {normalise(phrase) for phrase in actual}


def _similar_phrases(expected: Iterable[str], actual: Iterable[str], synonyms: Synonyms) -> bool:
    """Compare tolerantly: synonyms are equal, and so are commas outside quotes."""
    return _same_phrases(expected, actual, synonyms.canonical) or _same_phrases(
        _split_all(expected), _split_all(actual), synonyms.canonical
    )


def _split_all(phrases: Iterable[str]) -> list[str]:
    return [text for phrase in phrases for text, _ in split_phrases(phrase)]


def _ratio(part: int, total: int) -> float | None:
    return part / total if total else None
