"""The parts of a referring expression, as both languages' readers give them.

the second red car from the left
    Selection("car", colours=frozenset({"red"}), side="left", ordinal=2)
all but the dog
    Exclusion(Selection(plural=True, every=True), Selection("dog"))
另外两个
    Others(Selection(plural=True, count=2))
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

Side = Literal["left", "right", "top", "bottom", "middle"]
Size = Literal["big", "small"]
LAST = -1
"""The ordinal of "the last one"; that of "the last but one" is -2."""


@dataclass(frozen=True, slots=True)
class Pronoun:
    """ "it", "that one", 它; or "them", "these two", 它们."""

    plural: bool = False
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Numbers:
    """ "number 3", "r1", "cars 1 and 2", 2号."""

    numbers: tuple[int, ...]
    noun: str | None = None
    """What all of them are called; None: anything."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Objects by name and properties."""

    noun: str | None = None
    """None: any object."""
    plural: bool = False
    count: int | None = None
    """ "the two dogs", "both": exactly so many."""
    colours: frozenset[str] = field(default_factory=frozenset)
    side: Side | None = None
    ordinal: int | None = None
    """From `side`, by `size`, or in order when there is neither."""
    size: Size | None = None
    every: bool = False
    """ "all", "every": all that there are."""


@dataclass(frozen=True, slots=True)
class Others:
    """ "the other one", "the other two", "the rest", 其他的."""

    selection: Selection
    """Which of the others."""


@dataclass(frozen=True, slots=True)
class Exclusion:
    """ "all but the dog", 除了狗以外的."""

    whole: Selection
    excluded: "Expression"


@dataclass(frozen=True, slots=True)
class Union:
    """ "the dog and the cat"."""

    parts: tuple["Expression", ...]


Expression = Pronoun | Numbers | Selection | Others | Exclusion | Union


def selections_in(expression: Expression) -> Iterator[Selection]:
    """Yield all selections of an expression, in the order of its words."""
    match expression:
        case Selection():
            yield expression
        case Others(selection=selection):
            yield selection
        case Exclusion(whole=whole, excluded=excluded):
            yield whole
            yield from selections_in(excluded)
        case Union(parts=parts):
            for part in parts:
                yield from selections_in(part)


def nouns_of(expression: Expression) -> list[str]:
    """Return what an expression names, each once."""
    nouns = (selection.noun for selection in selections_in(expression))
    return list(dict.fromkeys(noun for noun in nouns if noun))


def speaks_of_colours(expression: Expression) -> bool:
    """Whether the colours of objects decide what an expression means."""
    return any(selection.colours for selection in selections_in(expression))
