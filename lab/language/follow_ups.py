"""Turns that only make sense after another one: "segment it", "and the dog?", "the other one".

A follow-up is made of the turn before it: it repeats its act (frame, segment, is there, how many,
where) with another noun, or speaks of its noun as "it". The answers are those of `Narrator`.
"""

from dataclasses import replace

from lab.language.dialogues import Narrator
from lab.language.phrasing import count_one, fill, lower_first
from lab.language.questions import (
    CHINESE_EARLIER,
    EARLIER,
    HELD_OUT_CHINESE_EARLIER,
    HELD_OUT_EARLIER,
)
from lab.language.turn import Turn
from lab.scenes.vocabulary import nouns

_ACTS = ("ground", "segment", "exist", "count", "where")
_REQUESTS = ("ground", "segment")
_ABOUT_EARLIER = ("exist", "count", "where", "describe", "background")
"""What is asked about a picture that is not the newest: nothing whose answer has pixels."""
_ORDINALS = ("first", "second", "third")

_AND = (
    "and the {n}?", "And the {n}?", "and the {n}", "what about the {n}?", "What about the {n}?",
    "How about the {n}?", "the {n}?", "And what about the {n}?",
)  # fmt: skip
_ALSO = (
    "the {n} too", "The {n} too.", "the {n} too, please", "the {n} as well", "now the {n}",
    "also the {n}", "the {n}, please", "{n} please", "the {n} please", "{n}", "the {n}",
    "and also the {n}", "do the same with the {n}", "Now the {n}, please.", "{n} too",
)  # fmt: skip
_AND_BY_ACT = {
    "exist": ("and {a}?", "And {a}?", "what about {a}?", "and any {p}?", "or {a}?"),
    "count": ("and {p}?", "And {p}?", "how many {p}?", "what about {p}?", "and how many {p}?"),
}
_CHINESE_AND = (
    "{z}呢？", "{z}呢?", "那{z}呢？", "那{z}呢?", "那{m}{z}呢？", "那{m}{z}呢?", "还有{z}呢？",
)  # fmt: skip
_CHINESE_ALSO = (
    "{z}也要", "还有{z}", "{z}也一样", "也要{z}", "{z}", "{z}，谢谢", "再来{z}", "现在{z}",
    "{z}也来",
)  # fmt: skip
_OTHER_ONE = (
    "and the other one?", "And the other one?", "the other one", "what about the other one?",
    "and the other?", "the other one too", "Now the other one.", "the other one, please",
)  # fmt: skip
_CHINESE_OTHER = ("另一个呢？", "另一个呢?", "那另一个呢？", "还有另一个呢？", "另一个")

HELD_OUT = (
    "and now the {n}?", "ok, and the {n}?", "then what about the {n}?", "the {n} next",
)  # fmt: skip
HELD_OUT_CHINESE = ("那么{z}呢？", "好，{z}呢？", "{z}怎么样？")
"""Wordings of "and the ...?" that training never sees."""


def follow(narrator: Narrator, turn: Turn, chinese: bool) -> Turn | None:
    """Make a turn that follows `turn`; None where there is nothing to follow."""
    share = narrator.rng.random()
    if share < 0.4:
        return about_it(narrator, turn, chinese)
    return other_one(narrator, turn, chinese) if share < 0.55 else repeat(narrator, turn, chinese)


def act_of(turn: Turn) -> str | None:
    """Return what a turn does, as far as it can be asked for again; None where it cannot."""
    act = turn.kind.split("_")[0]
    return act if act in _ACTS else None


def about_it(narrator: Narrator, turn: Turn, chinese: bool) -> Turn | None:
    """Frame or segment the noun of `turn` as "it"; None where that is not clear."""
    if turn.noun < 0 or not turn.present or len(narrator.groups.get(turn.noun, ())) != 1:
        return None
    kind = "segment_it" if narrator.rng.random() < 0.5 else "ground_it"
    answered_turn = narrator.ask(kind.removesuffix("_it"), chinese, turn.noun)
    return answered_turn and replace(
        answered_turn, kind=kind, question=narrator.phrase(kind, chinese)
    )


def repeat(narrator: Narrator, turn: Turn, chinese: bool, *, held_out: bool = False) -> Turn | None:
    """Ask the same as `turn` about another noun; None where it asked nothing of a noun.

    A request to segment may be repeated with a word from outside the vocabulary. `held_out` takes a
    wording that training never sees.
    """
    act, rng = act_of(turn), narrator.rng
    if act is None:
        return None
    choices = _choices(act, chinese, held_out)
    template = choices[rng.integers(len(choices))]
    kind = f"{act}_again"
    alone = template in ("{n}", "{z}")  # an unknown word by itself may be anything
    if act == "segment" and not held_out and not alone and rng.random() < 0.4:
        answered_turn = narrator.ask("segment_new", chinese)
        phrase = (
            answered_turn.answer.removeprefix("<gsam>").removesuffix("</gsam>")
            if answered_turn
            else ""
        )
        template = template.replace("{m}", "个")
        return answered_turn and replace(answered_turn, kind=kind, question=fill(template, phrase))
    noun = _next_noun(narrator, turn.noun, act)
    answered_turn = None if noun is None else narrator.ask(act, chinese, noun)
    return answered_turn and replace(
        answered_turn, kind=kind, question=fill_noun(template, answered_turn.noun)
    )


def other_one(narrator: Narrator, turn: Turn, chinese: bool) -> Turn | None:
    """Ask the same about "the other one"; None unless `turn` named one of just two things."""
    act, groups = act_of(turn), narrator.groups
    two = len(groups) == 2 and all(len(group) == 1 for group in groups.values())
    if act not in ("ground", "segment", "where") or not two or turn.noun not in groups:
        return None
    (noun,) = groups.keys() - {turn.noun}
    answered_turn = narrator.ask(act, chinese, noun)
    choices = _CHINESE_OTHER if chinese else _OTHER_ONE
    question = choices[narrator.rng.integers(len(choices))]
    rows = (tuple(thing.row for thing in groups[noun]),)
    return answered_turn and replace(
        answered_turn, kind=f"{act}_other", question=question, named_rows=rows
    )


def about_earlier(
    narrator: Narrator, chinese: bool, number: int, *, held_out: bool = False
) -> Turn | None:
    """Ask about image `number` of the conversation, which is not the newest.

    `narrator` is that image's. None where its scene does not allow the kind that was drawn. The
    answer has no box. `held_out` takes a wording that training never sees.
    """
    rng = narrator.rng
    kind = _ABOUT_EARLIER[rng.integers(len(_ABOUT_EARLIER))]
    turn = narrator.ask(kind, chinese)
    leads: tuple[str, ...] = CHINESE_EARLIER if chinese else EARLIER
    if held_out:
        leads = HELD_OUT_CHINESE_EARLIER if chinese else HELD_OUT_EARLIER
    lead = leads[rng.integers(len(leads))].format(k=number, o=_ORDINALS[number - 1])
    question = lead + lower_first(turn.question) if turn else ""
    return turn and replace(turn, kind=f"{kind}_earlier", question=question)


def wordings() -> tuple[str, ...]:
    """Return every template of a follow-up, slots open."""
    some = (template for group in _AND_BY_ACT.values() for template in group)
    english = (*_AND, *_ALSO, *some, *_OTHER_ONE, *HELD_OUT)
    return (*english, *_CHINESE_AND, *_CHINESE_ALSO, *_CHINESE_OTHER, *HELD_OUT_CHINESE)


def fill_noun(template: str, noun: int) -> str:
    """Put the names of a noun into the slots of a template."""
    word = nouns()[noun]
    return template.format(
        n=word.english, p=word.plural, a=count_one(noun), z=word.chinese, m=word.measure
    )


def _choices(act: str, chinese: bool, held_out: bool) -> tuple[str, ...]:
    if held_out:
        return HELD_OUT_CHINESE if chinese else HELD_OUT
    if chinese:
        return _CHINESE_AND + (_CHINESE_ALSO if act in _REQUESTS else ())
    return _AND_BY_ACT.get(act, _AND) + (_ALSO if act in _REQUESTS else ())


def _next_noun(narrator: Narrator, noun: int, act: str) -> int | None:
    """Choose another noun, mostly one of the scene; for "where" always one that is there once."""
    candidates = [n for n in narrator.groups if n != noun]
    if act == "where":
        candidates = [n for n in candidates if len(narrator.groups[n]) == 1]
        return int(narrator.rng.choice(candidates)) if candidates else None
    if candidates and narrator.rng.random() < 0.55:
        return int(narrator.rng.choice(candidates))
    absent = narrator.absent()
    return None if absent == noun else absent
