"""What is told of one thing beside its name: its place, its colour, its size, what lies around it.

Each function is a kind of turn (see `dialogues.KINDS`) about the scene of a narrator; None where
the scene does not allow it. `noun` is what to ask about; left out, one is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from segue.embedded import colours
from segue.embedded.phrasing import chinese_count, english_count, join
from segue.embedded.turn import Thing, Turn
from segue.embedded.vocabulary import nouns

if TYPE_CHECKING:
    from segue.embedded.dialogues import Narrator

_PLACES = (
    ("at the top left", "at the top", "at the top right"),
    ("on the left", "in the middle", "on the right"),
    ("at the bottom left", "at the bottom", "at the bottom right"),
)
_CHINESE_PLACES = (
    ("左上角", "上方", "右上角"),
    ("左边", "中间", "右边"),
    ("左下角", "下方", "右下角"),
)


class Side(NamedTuple):
    """A side of a thing: its name, the coordinate that tells it, which way, and how it is said."""

    name: str
    axis: int
    sign: int
    english: str
    chinese: str


SIDES = (
    Side("left", 0, -1, "to the left of", "左边"),
    Side("right", 0, 1, "to the right of", "右边"),
    Side("above", 1, -1, "above", "上面"),
    Side("below", 1, 1, "below", "下面"),
)


def _asked_about(told: Narrator, among: Sequence[int], noun: int | None) -> int | None:
    """The noun that is given, or one drawn from some; None where there is none to draw."""
    if noun is None and among:
        return int(told.rng.choice(among))
    return noun


def where(told: Narrator, chinese: bool, noun: int | None) -> Turn | None:
    """In which of nine parts of the picture a thing is."""
    noun = _asked_about(told, told.single(), noun)
    if noun is None:
        return None
    thing = told.groups[noun][0]
    column, line = (min(2, int(value / 333.4)) for value in thing.centre)
    words = nouns()[noun]
    answer = f"The {words.english} is {_PLACES[line][column]} of the picture."
    if chinese:
        answer = f"{words.chinese}在图片的{_CHINESE_PLACES[line][column]}。"
    question = told.question("where", chinese, noun)
    return Turn("where", question, answer, chinese, noun, named=(told.rows(noun),))


def side(told: Narrator, chinese: bool, noun: int | None) -> Turn | None:
    """Whether a thing is left or right of another."""
    single = told.single()
    if len(single) < 2:
        return None
    first, second = (int(n) for n in told.rng.permutation(single)[:2])
    left = told.groups[first][0].centre[0] < told.groups[second][0].centre[0]
    a, b = nouns()[first], nouns()[second]
    answer = f"The {a.english} is to the {'left' if left else 'right'} of the {b.english}."
    if chinese:
        answer = f"{a.chinese}在{b.chinese}的{'左边' if left else '右边'}。"
    question = told.question("side", chinese, first, second)
    return Turn("side", question, answer, chinese)


def colour(told: Narrator, chinese: bool, noun: int | None) -> Turn | None:
    """The colour of a thing that has one."""
    coloured = [n for n in told.single() if told.groups[n][0].colour >= 0]
    noun = _asked_about(told, coloured, noun)
    if noun is None or told.groups[noun][0].colour < 0:
        return None
    words, colour = nouns()[noun], told.groups[noun][0].colour
    answer = f"The {words.english} is {colours.NAMES[colour]}."
    if chinese:
        answer = f"{words.chinese}是{colours.CHINESE[colour]}。"
    question = told.question("colour", chinese, noun)
    return Turn("colour", question, answer, chinese, noun, named=(told.rows(noun),))


def biggest(told: Narrator, chinese: bool, noun: int | None) -> Turn | None:
    """The thing that is clearly the biggest."""
    largest, *others = sorted(told.things, key=lambda thing: -thing.area)
    if not others or largest.area < 1.4 * others[0].area:
        return None
    words = nouns()[largest.noun]
    answer = f"The biggest thing is the {words.english}."
    if chinese:
        answer = f"最大的是{words.chinese}。"
    named = (tuple(t.row for t in told.groups[largest.noun]),)
    return Turn("biggest", told.phrase("biggest", chinese), answer, chinese, named=named)


def beside(told: Narrator, chinese: bool, noun: int | None) -> Turn | None:
    """What lies on one side of a thing; None where something lies on neither clearly."""
    noun = _asked_about(told, told.single(), noun)
    if noun is None:
        return None
    middle = told.groups[noun][0].centre
    side = SIDES[told.rng.integers(len(SIDES))]
    far = [(side.sign * (t.centre[side.axis] - middle[side.axis]), t) for t in told.things]
    if any(abs(distance) < 60 for distance, t in far if t.noun != noun):
        return None
    there: dict[int, list[Thing]] = {}
    for distance, thing in far:
        if distance > 0:
            there.setdefault(thing.noun, []).append(thing)
    counts = [(n, len(group)) for n, group in there.items()]
    word = nouns()[noun].chinese if chinese else nouns()[noun].english
    if chinese:
        listed = join([chinese_count(*count) for count in counts], True) if counts else ""
        answer = (
            f"{word}{side.chinese}有{listed}。" if counts else f"{word}{side.chinese}什么也没有。"
        )
    else:
        listed = join([english_count(*count) for count in counts], False) if counts else "Nothing"
        verb = "is" if sum(count for _, count in counts) < 2 else "are"
        answer = f"{listed[:1].upper()}{listed[1:]} {verb} {side.english} the {word}."
    named = (*(tuple(t.row for t in group) for group in there.values()), told.rows(noun))
    if chinese:
        named = (named[-1], *named[:-1])
    question = told.question(f"beside_{side.name}", chinese, noun)
    return Turn("beside", question, answer, chinese, noun, named=named)


KINDS = {"where": where, "side": side, "colour": colour, "biggest": biggest, "beside": beside}
"""These kinds of turns, by name."""
