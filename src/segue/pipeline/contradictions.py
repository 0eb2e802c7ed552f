"""Where the sentence of an answer and what was found contradict each other.

A chat model says "yes, there is a cat", and the detector finds none; or it denies what was found.
Neither is known to be wrong, so the answer says both in one line.
"""

from collections.abc import Iterable, Sequence

from segue.prompting.absence import says_absent, says_present, says_yes_or_no
from segue.prompting.intent import is_chinese, parse_intent, strip_article
from segue.prompting.word_questions import find_mentioned
from segue.values.presence import PresenceVerdict
from segue.values.region import Region


def find_contradictions(
    question: str,
    text: str,
    regions: Sequence[Region],
    missing: Iterable[tuple[str, PresenceVerdict | None]],
) -> list[str]:
    """Return a sentence for each phrase of which the words say the opposite of what was found.

    Args:
        question: what the user typed; the sentences are in its language.
        text: the clean words of the answer.
        regions: what was found.
        missing: what was looked for and not found, with the verdicts; None: there is no verdict.
    """
    chinese = is_chinese(question)
    sentences: dict[str, str] = {}
    by_phrase: dict[str, list[Region]] = {}
    for region in regions:
        if region.phrase:
            by_phrase.setdefault(region.phrase, []).append(region)
    for phrase, found in by_phrase.items():
        best = max(found, key=_likelihood)
        statement = _statement(question, text, phrase)
        is_absent = best.verdict is not None and best.verdict.presence == "absent"
        if statement is not None and statement == is_absent:
            ids = ", ".join(region.id for region in found)
            sentences[phrase] = (
                _denied(phrase, ids, best.verdict, chinese=chinese)
                if statement is False
                else _doubted(phrase, ids, best.verdict, chinese=chinese)
            )
    for phrase, verdict in missing:
        is_missing = verdict is None or verdict.presence != "present"
        if phrase not in by_phrase and is_missing and _statement(question, text, phrase):
            sentences[phrase] = _claim_of(phrase, verdict, chinese=chinese)
    return list(sentences.values())


def _statement(question: str, text: str, phrase: str) -> bool | None:
    """Return whether the words say that it is there, or that it is not; None: neither."""
    if says_absent(text, phrase):
        return False
    if says_present(text, phrase):
        return True
    asked = parse_intent(question).mentioned
    is_asked = [strip_article(one) for one in asked] == [strip_article(phrase)]
    return says_yes_or_no(text) if is_asked and find_mentioned(question) else None


def _likelihood(region: Region) -> float:
    return 1.0 if region.verdict is None else region.verdict.probability


def _denied(phrase: str, ids: str, verdict: PresenceVerdict | None, *, chinese: bool) -> str:
    judged = "" if verdict is None else f", {verdict}"
    if chinese:
        return f"回答与结果矛盾:回答说没有“{phrase}”,但找到了它({ids}{judged})。"
    return (
        f"Words and findings contradict each other: the answer says that {phrase!r} is not there, "
        f"but it was found ({ids}{judged})."
    )


def _doubted(phrase: str, ids: str, verdict: PresenceVerdict | None, *, chinese: bool) -> str:
    if chinese:
        return f"回答与判断矛盾:回答说有“{phrase}”({ids}),但判断是 {verdict}。"
    return (
        f"Words and verdict contradict each other: the answer says that {phrase!r} is there "
        f"({ids}), but the verdict is {verdict}."
    )


def _claim_of(phrase: str, verdict: PresenceVerdict | None, *, chinese: bool) -> str:
    judged = "" if verdict is None else f" ({verdict})"
    if chinese:
        return f"回答与结果矛盾:回答说有“{phrase}”,但没有找到它{judged}。"
    return (
        f"Words and findings contradict each other: the answer says that {phrase!r} is there, but "
        f"it was not found{judged}."
    )
