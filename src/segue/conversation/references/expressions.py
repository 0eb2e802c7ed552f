"""The parts of a referring expression, as both languages' readers give them.

the second red car from the left
    Description("car", colours=frozenset({"red"}), side="left", ordinal=2)
all but the dog
    Exclusion(Description(plural=True, every=True), Description("dog"))
另外两个
    Others(Description(plural=True, count=2))
the bigger one among the dog and the cat
    Among(Union((Description("dog"), Description("cat"))), Description(size="big"))
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
class Description:
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

    description: Description
    """Which of the others."""


@dataclass(frozen=True, slots=True)
class Exclusion:
    """ "all but the dog", 除了狗以外的."""

    whole: Description
    excluded: "Expression"


@dataclass(frozen=True, slots=True)
class Union:
    """ "the dog and the cat"."""

    parts: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Among:
    """ "the bigger one among the dog and the cat", 狗和猫里大的那个."""

    whole: Union
    part: Description


Expression = Pronoun | Numbers | Description | Others | Exclusion | Union | Among


def descriptions_in(expression: Expression) -> Iterator[Description]:
    """Yield all selections of an expression, in the order of its words."""
    match expression:
        case Description():
            yield expression
        case Others(description=description):
            yield description
        case Exclusion(whole=whole, excluded=excluded):
            yield whole
            yield from descriptions_in(excluded)
        case Union(parts=parts):
            for part in parts:
                yield from descriptions_in(part)
        case Among(whole=whole, part=part):
            yield from descriptions_in(whole)
            yield part


def nouns_of(expression: Expression) -> list[str]:
    """Return what an expression names, each once."""
    nouns = (description.noun for description in descriptions_in(expression))
    return list(dict.fromkeys(noun for noun in nouns if noun))


def has_pronouns(expression: Expression) -> bool:
    """Whether what was spoken of before decides what an expression means."""
    match expression:
        case Pronoun() | Others():
            return True
        case Exclusion(excluded=excluded):
            return has_pronouns(excluded)
        case Union(parts=parts):
            return any(map(has_pronouns, parts))
        case Among(whole=whole):
            return has_pronouns(whole)
        case _:
            return False


def speaks_of_colours(expression: Expression) -> bool:
    """Whether the colours of objects decide what an expression means."""
    return any(description.colours for description in descriptions_in(expression))
