"""Reads English referring expressions."""

import re
from dataclasses import replace

from segue.conversation.references.expressions import (
    LAST,
    Among,
    Description,
    Exclusion,
    Expression,
    Numbers,
    Others,
    Pronoun,
    Side,
    Size,
    Union,
)
from segue.prompting.synonyms import singularise

COLOURS = {
    word: colour
    for colour, words in {
        "red": "red scarlet crimson",
        "orange": "orange",
        "yellow": "yellow golden",
        "green": "green",
        "blue": "blue navy",
        "purple": "purple violet",
        "pink": "pink",
        "brown": "brown tan",
        "black": "black",
        "white": "white",
        "grey": "grey gray silver",
    }.items()
    for word in words.split()
}
_SINGULAR = frozenset(
    ["it", "that", "this", "him", "her", "he", "she", "that one", "this one", "the same",
     "the same one", "that thing", "this thing"]
)  # fmt: skip
_PLURAL = frozenset(["them", "they", "these", "those"])
_GENERIC = frozenset(
    ["one", "ones", "thing", "things", "object", "objects", "item", "items", "region", "regions"]
)
_NUMBERS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10,
}  # fmt: skip
_ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7,
    "eighth": 8, "ninth": 9, "tenth": 10,
}  # fmt: skip
_SIDES: dict[str, Side] = {
    "left": "left", "leftmost": "left", "right": "right", "rightmost": "right",
    "top": "top", "topmost": "top", "upper": "top", "uppermost": "top", "highest": "top",
    "bottom": "bottom", "bottommost": "bottom", "lower": "bottom", "lowest": "bottom",
    "middle": "middle", "center": "middle", "centre": "middle", "central": "middle",
}  # fmt: skip
_SIZES: dict[str, Size] = {
    "big": "big", "bigger": "big", "biggest": "big", "large": "big", "larger": "big",
    "largest": "big", "small": "small", "smaller": "small", "smallest": "small",
    "little": "small", "tiny": "small", "tiniest": "small",
}  # fmt: skip
_PLACE = re.compile(
    r"\s+(?:(?:which|that) (?:is|are) )?(?P<preposition>on|at|in|to|from) (?:the )?(?:very |far )?"
    r"(?P<side>left|right|top|bottom|middle|cent(?:re|er))(?: (?:side|hand side|edge))?$"
)
_EXCLUSION = re.compile(
    r"^(?P<whole>all|everything|everyone|everybody|all (?:of )?(?:them|the \w+|\w+)|"
    r"every \w+|each \w+|the \w+) "
    r"(?:but(?: not)?|except|except for|excepting|apart from|other than|besides|excluding|without) "
    r"(?P<excluded>.+)$"
)
_NUMBER = re.compile(
    r"^(?:(?:the )?(?:(?:object|region|mask) )?(?:numbers?|nos?\.?|#) ?|"
    r"(?:object|region|mask|item) |r)(\d{1,4})$"
)
_NUMBERS_OF = re.compile(r"^(?:the )?(?:(?P<noun>[a-z]+)s )?(?P<numbers>\d+(?:[ ,]+\d+)* and \d+)$")
_PART_OF = re.compile(r"^(?P<part>.+?) of (?P<whole>them|these|those|(?:the|these|those) .+)$")
_POSSESSIVE = re.compile(r"'s?\b")
_CORRECTION = re.compile(
    r"^(?:(?:no|nope|sorry|actually|oops)\b[, ]*)*(?:i (?:mean|meant|said)[, ]+)?(?=\w)"
)
_NTH = re.compile(r"^([1-9]\d?)(?:st|nd|rd|th)$")
_PART = re.compile(r"^the (?:left|right|top|bottom|middle|cent(?:re|er))$")
_NO_NOUN = frozenset(
    ["and", "or", "then", "but", "not", "nothing", "none", "neither", "nobody", "is", "are", "was",
     "were", "be", "it", "its", "me", "us", "you", "your", "than", "do", "does"]
)  # fmt: skip
"""Words that no name of an object has: with them a text is something else."""


def read_english(text: str) -> Expression | None:
    """Read a referring expression; None when it is not one that the rules know."""
    text = re.sub(r"[\s,]+", " ", text.lower()).strip(" .!?;:\"'")
    text = re.sub(r"^(?:please |just |only )+|(?: please| only)+$", "", text)
    text = _CORRECTION.sub("", text)
    if not text or text == "all right" or _POSSESSIVE.search(text):
        return None
    return _read_exclusion(text) or _read_among(text) or _read_union(text) or _read_simple(text)


def _read_exclusion(text: str) -> Expression | None:
    match = _EXCLUSION.match(text)
    if match is None:
        return None
    whole = _read_simple(match.group("whole"))
    excluded = _read_union(match.group("excluded")) or _read_simple(match.group("excluded"))
    if excluded is None or not isinstance(whole, Description):
        return None
    return Exclusion(Description(whole.noun, plural=True, every=True), excluded)


def _read_among(text: str) -> Expression | None:
    """Read "the bigger one among the dog and the cat"."""
    part_text, among, whole_text = text.partition(" among ")
    if not among:
        return None
    part, whole = _read_simple(part_text), _read_union(whole_text)
    if not isinstance(part, Description) or part.noun or not isinstance(whole, Union):
        return None
    return Among(whole, part)


def _read_union(text: str) -> Expression | None:
    if match := _NUMBERS_OF.match(text):
        noun = match.group("noun")
        is_generic = noun in ("number", "no", "nr", "object", "region", "mask", "item")
        numbers = tuple(map(int, re.findall(r"\d+", match.group("numbers"))))
        return Numbers(numbers, None if is_generic else noun)
    texts = re.split(r" and (?:also )?", text)
    if len(texts) < 2:
        return None
    parts = [_read_simple(part) for part in texts]
    if any(part is None for part in parts):
        return None
    return Union(tuple(part for part in parts if part is not None))


def _read_simple(text: str) -> Expression | None:
    if text in _SINGULAR:
        return Pronoun()
    if (match := re.match(r"^(?:these|those) (\w+)$", text)) and match.group(1) in _NUMBERS:
        return Pronoun(plural=True, count=_NUMBERS[match.group(1)])
    if text in _PLURAL:
        return Pronoun(plural=True)
    if match := _NUMBER.match(text):
        return Numbers((int(match.group(1)),))
    if text in ("everything", "all", "all of it"):
        return Description(plural=True, every=True)
    if text in ("everyone", "everybody"):
        return Description("person", plural=True, every=True)
    if text in ("either", "either one", "one", "any", "any one"):
        return Description()
    if match := _PART_OF.match(text):
        return _read_part(match.group("part"), match.group("whole"))
    if re.match(r"^the (?:others|rest|remaining ones)$", text):
        return Others(Description(plural=True, every=True))
    return _read_description(text)


def _read_part(part_text: str, whole_text: str) -> Expression | None:
    """Read "the bigger of the two dogs": the noun stands in the whole."""
    part = _read_simple(part_text if part_text != "some" else "")
    whole = Description() if whole_text in _PLURAL else _read_description(whole_text)
    if not isinstance(part, Description) or not isinstance(whole, Description) or part.noun:
        return None
    if whole.side or whole.size or whole.ordinal:
        return None
    if _PART.match(part_text) and whole.count is None:
        return None  # "the top of the trees"
    return replace(part, noun=whole.noun, colours=part.colours | whole.colours)


def _read_description(text: str) -> Expression | None:
    """Read an article, properties, a noun and a place, in this order."""
    side: Side | None = None
    is_counted_from = False
    if match := _PLACE.search(text):
        side, text = _SIDES[match.group("side")], text[: match.start()]
        is_counted_from = match.group("preposition") == "from"
    words = text.split()
    is_other = has_article = False
    ordinal: int | None = None
    count: int | None = None
    size: Size | None = None
    colours: set[str] = set()
    every = False
    noun: list[str] = []
    for position, word in enumerate(words):
        is_last = position == len(words) - 1
        if noun:
            noun.append(word)
        elif word in ("the", "that", "this", "these", "those", "my") and not has_article:
            has_article = True
        elif word in ("far", "very") and not is_last:
            pass
        elif word in ("all", "every", "each", "everything") and position == 0:
            every = True
        elif word == "both" and position == 0:
            count = 2
        elif word in ("other", "remaining") and not is_other:
            is_other = True
        elif word in _ORDINALS and ordinal is None:
            ordinal = _ORDINALS[word]
        elif (match := _NTH.match(word)) and ordinal is None:
            ordinal = int(match.group(1))
        elif word == "last" and ordinal is None:
            ordinal = LAST
        elif word in _NUMBERS and count is None and not (is_last and word == "one"):
            count = _NUMBERS[word]
        elif word in _SIDES and side is None:
            side = _SIDES[word]
        elif word in _SIZES and size is None:
            size = _SIZES[word]
        elif word in COLOURS and position and words[position - 1] == "one":
            return None  # "make the left one red and the right one blue"
        elif word in COLOURS:
            colours.add(COLOURS[word])
        else:
            noun.append(word)
    if is_counted_from and ordinal is None:
        return None
    is_picture = ordinal is not None and noun in (["picture"], ["image"], ["photo"])
    is_more_than_one = len(noun) > 1 and noun[0] in ("one", "ones")  # "the left one red"
    if is_picture or is_more_than_one or noun[:1] == ["of"] or not _NO_NOUN.isdisjoint(noun):
        return None
    plural = every or count is not None or (bool(noun) and _is_plural(noun[-1]))
    name = None if not noun or " ".join(noun) in _GENERIC else " ".join(noun)
    says_which = every or count or colours or side or size
    if not (noun or says_which or ordinal or is_other):
        return None
    if not has_article and len(words) > 1 and not says_which:
        return None  # words, but no expression
    description = Description(name, plural, count, frozenset(colours), side, ordinal, size, every)
    return Others(description) if is_other else description


def _is_plural(word: str) -> bool:
    return word == "ones" or singularise(word) != word
