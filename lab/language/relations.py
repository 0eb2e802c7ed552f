"""What is said of one thing beside its name: its place, its colour, its size, what lies around it.

Each function is a kind of turn (see `dialogues.KINDS`) about the scene of a narrator; None where
the scene does not allow it. `noun` is what to ask about; left out, one is drawn.
"""

from collections.abc import Sequence
from typing import NamedTuple

from lab.language.narrator import SceneNarrator
from lab.language.phrasing import chinese_count, english_count, join
from lab.language.turn import Thing, Turn
from lab.scenes import colours
from lab.scenes.vocabulary import nouns

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


def _chosen_noun(narrator: SceneNarrator, among: Sequence[int], noun: int | None) -> int | None:
    """Return the noun that is given, or one drawn from some; None where there is none."""
    if noun is None and among:
        return int(narrator.rng.choice(among))
    return noun


def where(narrator: SceneNarrator, chinese: bool, noun: int | None) -> Turn | None:
    """Ask in which of nine parts of the image a thing is."""
    noun = _chosen_noun(narrator, narrator.single(), noun)
    if noun is None:
        return None
    thing = narrator.groups[noun][0]
    column, line = (min(2, int(value / 333.4)) for value in thing.centre)
    words = nouns()[noun]
    answer = f"The {words.english} is {_PLACES[line][column]} of the picture."
    if chinese:
        answer = f"{words.chinese}在图片的{_CHINESE_PLACES[line][column]}。"
    question = narrator.question("where", chinese, noun)
    return Turn("where", question, answer, chinese, noun, named_rows=(narrator.rows(noun),))


def side(narrator: SceneNarrator, chinese: bool, noun: int | None) -> Turn | None:
    """Ask whether a thing is left or right of another."""
    single = narrator.single()
    if len(single) < 2:
        return None
    first, second = (int(n) for n in narrator.rng.permutation(single)[:2])
    is_left = narrator.groups[first][0].centre[0] < narrator.groups[second][0].centre[0]
    a, b = nouns()[first], nouns()[second]
    answer = f"The {a.english} is to the {'left' if is_left else 'right'} of the {b.english}."
    if chinese:
        answer = f"{a.chinese}在{b.chinese}的{'左边' if is_left else '右边'}。"
    question = narrator.question("side", chinese, first, second)
    return Turn("side", question, answer, chinese)


def colour(narrator: SceneNarrator, chinese: bool, noun: int | None) -> Turn | None:
    """Ask for the colour of a thing that has one."""
    coloured = [n for n in narrator.single() if narrator.groups[n][0].colour >= 0]
    noun = _chosen_noun(narrator, coloured, noun)
    if noun is None or narrator.groups[noun][0].colour < 0:
        return None
    words, colour = nouns()[noun], narrator.groups[noun][0].colour
    answer = f"The {words.english} is {colours.NAMES[colour]}."
    if chinese:
        answer = f"{words.chinese}是{colours.CHINESE[colour]}。"
    question = narrator.question("colour", chinese, noun)
    return Turn("colour", question, answer, chinese, noun, named_rows=(narrator.rows(noun),))


def biggest(narrator: SceneNarrator, chinese: bool, noun: int | None) -> Turn | None:
    """Ask for the thing that is clearly the biggest."""
    largest, *smaller = sorted(narrator.things, key=lambda thing: -thing.area)
    if not smaller or largest.area < 1.4 * smaller[0].area:
        return None
    words = nouns()[largest.noun]
    answer = f"The biggest thing is the {words.english}."
    if chinese:
        answer = f"最大的是{words.chinese}。"
    named_rows = (tuple(t.row for t in narrator.groups[largest.noun]),)
    return Turn(
        "biggest", narrator.phrase("biggest", chinese), answer, chinese, named_rows=named_rows
    )


def beside(narrator: SceneNarrator, chinese: bool, noun: int | None) -> Turn | None:
    """Ask what lies on one side of a thing; None where something lies on neither clearly."""
    noun = _chosen_noun(narrator, narrator.single(), noun)
    if noun is None:
        return None
    middle = narrator.groups[noun][0].centre
    side = SIDES[narrator.rng.integers(len(SIDES))]
    distances = [
        (side.sign * (t.centre[side.axis] - middle[side.axis]), t) for t in narrator.things
    ]
    if any(abs(distance) < 60 for distance, t in distances if t.noun != noun):
        return None
    neighbours: dict[int, list[Thing]] = {}
    for distance, thing in distances:
        if distance > 0:
            neighbours.setdefault(thing.noun, []).append(thing)
    counts = [(n, len(group)) for n, group in neighbours.items()]
    word = nouns()[noun].chinese if chinese else nouns()[noun].english
    if chinese:
        names = join([chinese_count(*count) for count in counts], True) if counts else ""
        answer = (
            f"{word}{side.chinese}有{names}。" if counts else f"{word}{side.chinese}什么也没有。"
        )
    else:
        names = join([english_count(*count) for count in counts], False) if counts else "Nothing"
        verb = "is" if sum(count for _, count in counts) < 2 else "are"
        answer = f"{names[:1].upper()}{names[1:]} {verb} {side.english} the {word}."
    named_rows = (
        *(tuple(t.row for t in group) for group in neighbours.values()),
        narrator.rows(noun),
    )
    if chinese:
        named_rows = (named_rows[-1], *named_rows[:-1])
    question = narrator.question(f"beside_{side.name}", chinese, noun)
    return Turn("beside", question, answer, chinese, noun, named_rows=named_rows)


KINDS = {"where": where, "side": side, "colour": colour, "biggest": biggest, "beside": beside}
"""These kinds of turns, by name."""
