"""Does the model answer with the tag when it should, with the right phrase, and only then?

Everything is read from the raw replies, so no model is needed, and a change of the rules can be
applied to an old file. Definitions:

- tag-valid rate: of the questions that expect a tag, the share whose reply has at least one tag
  that can be read, and no broken markup;
- phrase accuracy, exact: the share whose phrases are the expected ones, in any order, after lower
  case and without articles; tolerant: singular and plural, and synonyms, count as equal. A reply
  without a valid tag is wrong;
- over-trigger rate: of the questions that want words only, the share whose reply has a tag;
- a question that could not be asked is wrong where the first two rates ask for something, and is no
  evidence where a rate counts what a reply should not have; how many there were is said beside;
- absent objects: of the questions for something that is not there, the share that says so in words,
  that asks the detector and it finds nothing, and that comes back with a region all the same.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

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
from segue.evaluate.synonyms import Synonyms, normal

LISTED = 10
"""Wrong phrases that a report shows."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The markup of one reply."""

    wanted: tuple[str, ...]
    pointed: tuple[str, ...]
    broken: bool

    @property
    def has_valid_tag(self) -> bool:
        return bool(self.wanted) and not self.broken


def read_reply(raw: str, dialect: str = "qwen_vl") -> Reply:
    """Read the markup of a reply."""
    reader: Dialect = DIALECTS.load(dialect)
    events = drop_retracted(reader.read([raw]))
    return Reply(
        tuple(event.phrase for event in events if isinstance(event, DetectRequest)),
        tuple(event.phrase for event in events if isinstance(event, BoxMention)),
        any(isinstance(event, MalformedMarkup) for event in events),
    )


@dataclass(slots=True)
class TagScores:
    """Counts for one language, or for all."""

    tag_questions: int = 0
    tag_valid: int = 0
    phrase_exact: int = 0
    phrase_tolerant: int = 0
    box_questions: int = 0
    box_valid: int = 0
    """Box questions whose reply has a box and no broken markup."""
    box_with_tag: int = 0
    """Box questions whose reply has a tag: the other route was taken."""
    box_answered: int = 0
    """Box questions that could be asked."""
    plain_questions: int = 0
    plain_answered: int = 0
    """Plain questions that could be asked: silence of a failure is no restraint."""
    over_triggered: int = 0
    boxes_unasked: int = 0
    """Questions for words that were answered with a box."""
    absent: Counter[str] = field(default_factory=Counter)
    """Behaviour -> count: "said so", "looked in vain", "looked", "found something", "error"."""
    replies: int = 0
    broken: int = 0
    failed: int = 0
    """Questions that could not be asked; they have no reply."""

    def to_json(self) -> dict[str, Any]:
        """Rates in [0, 1]; None where there was no such question."""
        absent = self.absent.total()
        return {
            "replies": self.replies,
            "could not be asked": self.failed,
            "parse-failure rate": _rate(self.broken, self.replies),
            "tag questions": self.tag_questions,
            "tag-valid rate": _rate(self.tag_valid, self.tag_questions),
            "phrase accuracy, exact": _rate(self.phrase_exact, self.tag_questions),
            "phrase accuracy, tolerant": _rate(self.phrase_tolerant, self.tag_questions),
            "box questions": self.box_questions,
            "box-valid rate": _rate(self.box_valid, self.box_questions),
            "tag on a box question": _rate(self.box_with_tag, self.box_answered),
            "plain questions": self.plain_questions,
            "over-trigger rate": _rate(self.over_triggered, self.plain_answered),
            "box on a plain question": _rate(self.boxes_unasked, self.plain_answered),
            "absent questions": absent,
            **{f"absent: {name}": _rate(self.absent[name], absent) for name in ABSENT},
        }


ABSENT = ("said so", "looked in vain", "looked", "found something", "error")
"""What a model may do when asked for something that is not there. "looked": it wrote a tag, and
there was no detector to say more."""


@dataclass(slots=True)
class TagReport:
    """Scores of a file of predictions."""

    all: TagScores = field(default_factory=TagScores)
    by_language: dict[str, TagScores] = field(default_factory=dict)
    wrong: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(expected, answered) where even the tolerant comparison failed."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "all": self.all.to_json(),
            **{language: s.to_json() for language, s in sorted(self.by_language.items())},
            "wrong phrases": [
                {"expected": expected, "answered": answered, "count": count}
                for (expected, answered), count in self.wrong.most_common(LISTED)
            ],
        }


def score_tags(
    predictions: Iterable[Prediction],
    synonyms: Synonyms | None = None,
    dialect: str = "qwen_vl",
    detector: bool = True,
) -> TagReport:
    """Score replies. Questions that expect "any" are counted as replies only.

    Args:
        predictions: from a file or a run.
        synonyms: what counts as equal in the tolerant comparison; None: those on board.
        dialect: the markup of the replies; it stands in the manifest.
        detector: whether there was one to follow the tags.
    """
    synonyms = synonyms or Synonyms()
    report = TagReport()
    for prediction in predictions:
        language = prediction.question.language
        own = report.by_language.setdefault(language, TagScores())
        reply = read_reply(prediction.raw, dialect)
        for scores in (report.all, own):
            _count(scores, prediction, reply, synonyms, detector)
        question = prediction.question
        if question.expect == "tag" and not _alike(question.phrases, reply.wanted, synonyms):
            report.wrong["; ".join(question.phrases), "; ".join(reply.wanted)] += 1
    return report


def _count(
    scores: TagScores, prediction: Prediction, reply: Reply, synonyms: Synonyms, detector: bool
) -> None:
    phrases = prediction.question.phrases
    asked = prediction.error is None
    scores.replies += asked
    scores.failed += not asked
    scores.broken += reply.broken
    match prediction.question.expect:
        case "tag":
            valid = reply.has_valid_tag
            scores.tag_questions += 1
            scores.tag_valid += valid
            scores.phrase_exact += valid and _same(phrases, reply.wanted, normal)
            scores.phrase_tolerant += valid and _alike(phrases, reply.wanted, synonyms)
        case "box":
            scores.box_questions += 1
            scores.box_answered += asked
            scores.box_valid += bool(reply.pointed) and not reply.broken
            scores.box_with_tag += bool(reply.wanted)
        case "plain":
            scores.plain_questions += 1
            scores.plain_answered += asked
            scores.over_triggered += bool(reply.wanted)
            scores.boxes_unasked += bool(reply.pointed)
        case "absent":
            scores.absent[_behaviour(prediction, reply, detector)] += 1
        case "any":
            pass


def _behaviour(prediction: Prediction, reply: Reply, detector: bool) -> str:
    if prediction.error is not None:
        return "error"
    if prediction.regions or reply.pointed:
        return "found something"
    if not reply.wanted:
        return "said so"
    return "looked in vain" if detector and prediction.not_found else "looked"


def _same(expected: Iterable[str], given: Iterable[str], form: Callable[[str], str]) -> bool:
    wanted = {form(phrase) for phrase in expected}
    return bool(wanted) and wanted == {form(phrase) for phrase in given}


def _alike(expected: Iterable[str], given: Iterable[str], synonyms: Synonyms) -> bool:
    """The tolerant comparison: synonyms, and commas that were not put in quotes."""
    return _same(expected, given, synonyms.canonical) or _same(
        _cut(expected), _cut(given), synonyms.canonical
    )


def _cut(phrases: Iterable[str]) -> list[str]:
    return [text for phrase in phrases for text, _ in split_phrases(phrase)]


def _rate(part: int, whole: int) -> float | None:
    return part / whole if whole else None
