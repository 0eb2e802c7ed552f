"""Which picture a question is about: "the dog in picture 1", "第二张图里的狗", "in airport.png".

Rules over words, in English and Chinese; no model. Pictures count from 1 in the order in which they
were added, and "left" and "right" are the first and the last of that order. "This picture" names
none. A question that names none is about the newest picture.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from segue.errors import InputError

_NUMBERS = {
    word: number
    for number, words in enumerate(
        (
            "one first 1st 一 首",
            "two second 2nd 二 两",
            "three third 3rd 三",
            "four fourth 4th 四",
            "five fifth 5th 五",
            "six sixth 6th 六",
            "seven seventh 7th 七",
            "eight eighth 8th 八",
            "nine ninth 9th 九",
            "ten tenth 10th 十",
        ),
        1,
    )
    for word in words.split()
}
_WORD = "|".join(sorted((word for word in _NUMBERS if word.isascii()), key=len, reverse=True))
_CARDINAL = r"one|two|three|four|five|six|seven|eight|nine|ten"
_HAN_DIGIT = "一二两三四五六七八九十首"
_NOUN = r"(?:picture|image|photograph|photo|pic|img|snapshot)"
_ZH_NOUN = r"(?:图片|图像|照片|相片|画面|图)"
_ZH_END = rf"(?:{_ZH_NOUN}|(?=[里中上内的，,。？?！!；;]|$))"
"""After 张 there must be a word for pictures or the end of the name: 第二张桌子 is a table."""


@dataclass(frozen=True, slots=True)
class PictureReference:
    """The pictures that a question names."""

    indexes: tuple[int, ...]
    """Ascending, from 0; () when it names none."""
    neutral: str
    """The question with "the picture" in place of the names: as if there were no other."""
    numbered: str
    """The question with "picture 2" in place of names that a model cannot know: of files, and of
    places such as "the left picture"."""


@dataclass(frozen=True, slots=True)
class _Name:
    """A part of a question that names pictures."""

    start: int
    end: int
    indexes: tuple[int, ...]
    neutral: str
    numbered: str | None
    """None: a model understands it as it is."""


def find_picture_reference(question: str, picture_names: Sequence[str]) -> PictureReference:
    """Find the pictures that a question names.

    Args:
        question: what the user typed.
        picture_names: of all pictures so far, in order: file names, or "" where there is none.
            With a single picture nothing is looked for: "picture 2" can only be something on it.

    Raises:
        InputError: it names a picture by a number that does not exist.

    >>> names = ["airport.png", "meadow.png"]
    >>> find_picture_reference("Segment the airplane in picture 1.", names)
    PictureReference(indexes=(0,), neutral='Segment the airplane in the picture.', \
numbered='Segment the airplane in picture 1.')
    >>> find_picture_reference("框出左边那张里的飞机", names).indexes
    (0,)
    >>> find_picture_reference("Frame the dog in meadow.png", names).numbered
    'Frame the dog in picture 2'
    >>> find_picture_reference("Frame the dog in this picture", names).indexes
    ()
    """
    if len(picture_names) < 2:
        return PictureReference((), question, question)
    names = _without_overlaps(_names(question, picture_names))
    neutral = numbered = question
    for name in reversed(names):
        neutral = neutral[: name.start] + name.neutral + neutral[name.end :]
        if name.numbered is not None:
            numbered = numbered[: name.start] + name.numbered + numbered[name.end :]
    indexes = sorted({index for name in names for index in name.indexes})
    return PictureReference(tuple(indexes), neutral, numbered)


def _names(question: str, picture_names: Sequence[str]) -> Iterator[_Name]:
    count = len(picture_names)
    for pattern, read, neutral in _PATTERNS:
        for match in pattern.finditer(question):
            indexes, is_known_to_models = read(match, count)
            if not indexes:
                continue
            if (bad := [index for index in indexes if not 0 <= index < count]) != []:
                raise InputError(
                    f"There is no picture {bad[0] + 1}; the conversation has {count}. "
                    f"Name one from 1 to {count}."
                )
            numbered = None if is_known_to_models else _number_name(indexes, neutral)
            yield _Name(match.start(), match.end(), indexes, neutral, numbered)
    yield from _file_names(question, picture_names)


def _file_names(question: str, picture_names: Sequence[str]) -> Iterator[_Name]:
    """Find names of files: whole ones anywhere, and their stems in quotes or beside "picture"."""
    for name in {name for name in picture_names if name}:
        indexes = tuple(n for n, other in enumerate(picture_names) if other == name)
        stem = name.rpartition(".")[0] or name
        whole, stem = re.escape(name), re.escape(stem)
        quoted = rf"[\"'“‘「『](?:{whole}|{stem})[\"'”’」』]"
        beside = rf"(?:the\s+)?{stem}\s+{_NOUN}\b|{_NOUN}\s+{stem}(?![A-Za-z0-9_])"
        alone = rf"(?<![A-Za-z0-9_.-]){whole}(?![A-Za-z0-9_-])"
        pattern = rf"(?:the\s+)?(?:{_NOUN}\s+)?(?:{quoted}|{alone})|{beside}"
        for match in re.finditer(pattern, question, re.IGNORECASE):
            is_chinese = any("\u3400" <= c <= "\u9fff" for c in question)
            neutral = "图片" if is_chinese else "the picture"
            numbered = _number_name(indexes, neutral)
            yield _Name(match.start(), match.end(), indexes, neutral, numbered)


def _number_name(indexes: Sequence[int], neutral: str) -> str:
    if neutral == "图片":
        return "和".join(f"图{index + 1}" for index in indexes)
    return " and ".join(f"picture {index + 1}" for index in indexes)


def _without_overlaps(names: Iterator[_Name]) -> list[_Name]:
    """Of names that overlap, keep the longest; in order."""
    kept: list[_Name] = []
    for name in sorted(names, key=lambda name: (name.start - name.end, name.start)):
        if all(name.end <= other.start or other.end <= name.start for other in kept):
            kept.append(name)
    return sorted(kept, key=lambda name: name.start)


Read = Callable[[re.Match[str], int], tuple[tuple[int, ...], bool]]
"""A match and the number of pictures -> indexes, and whether models understand the words."""


def _by_number(match: re.Match[str], count: int) -> tuple[tuple[int, ...], bool]:
    text = next(group for group in match.groups() if group).lower()
    number = int(text) if text.isdecimal() else _NUMBERS.get(text)
    if number is None:  # "11th"
        number = int(re.sub(r"\D", "", text))
    return (number - 1,), True


def _by_several_numbers(match: re.Match[str], count: int) -> tuple[tuple[int, ...], bool]:
    numbers = re.findall(rf"\d{{1,3}}|{_CARDINAL}|[{_HAN_DIGIT}]", match.group(), re.IGNORECASE)
    return tuple(
        (int(text) if text.isdecimal() else _NUMBERS[text.lower()]) - 1 for text in numbers
    ), True


def _last(match: re.Match[str], count: int) -> tuple[tuple[int, ...], bool]:
    return (count - 1,), False


def _previous(match: re.Match[str], count: int) -> tuple[tuple[int, ...], bool]:
    return (count - 2,), False


def _other(match: re.Match[str], count: int) -> tuple[tuple[int, ...], bool]:
    return ((0,) if count == 2 else ()), False


def _by_side(match: re.Match[str], count: int) -> tuple[tuple[int, ...], bool]:
    side = next(group for group in match.groups() if group).lower()
    if side in ("left", "左"):
        return (0,), False
    if side in ("right", "右"):
        return (count - 1,), False
    return ((count // 2,) if count % 2 else ()), False


def _all(match: re.Match[str], count: int) -> tuple[tuple[int, ...], bool]:
    return tuple(range(count)), True


def _both(match: re.Match[str], count: int) -> tuple[tuple[int, ...], bool]:
    return (tuple(range(count)) if count == 2 else ()), True


_SIDE = r"(left|right|middle|cent(?:re|er))(?:most)?"
_SIDE_ZH = "([左右中])"
_ENGLISH: tuple[tuple[str, Read], ...] = (
    (
        rf"(?:the\s+)?\b{_NOUN}\s*(?:number\s*|no\.?\s*|#\s*|-\s*)?"
        rf"(?:(\d{{1,3}})(?!\d|[.,]\d|%|\s*x\d)|({_CARDINAL})\b)",
        _by_number,
    ),
    (
        rf"(?:the\s+)?\b{_NOUN}s\s*(?:\d{{1,3}}|{_CARDINAL})(?:\s*(?:,|and|&|or)\s*"
        rf"(?:\d{{1,3}}|{_CARDINAL}))+\b",
        _by_several_numbers,
    ),
    (rf"(?:the\s+)?\b({_WORD}|\d{{1,3}}th)\s+{_NOUN}\b", _by_number),
    (rf"(?:the\s+)?\b(?:last|latest|newest|most recent)\s+{_NOUN}\b", _last),
    (rf"(?:the\s+)?\b(?:previous|preceding|earlier)\s+{_NOUN}\b", _previous),
    (rf"(?:the\s+)?\bother\s+{_NOUN}\b", _other),
    (rf"(?:the\s+)?\b{_SIDE}(?:[ -]hand)?\s+{_NOUN}\b", _by_side),
    (rf"(?:the\s+)?\b{_NOUN}\s+(?:on|to|at|in)\s+the\s+(?:far\s+)?{_SIDE}\b", _by_side),
    (rf"\bboth\s+(?:of\s+)?(?:the\s+|these\s+|my\s+)?{_NOUN}s\b", _both),
    (rf"\b(?:all|each|every)\s+(?:of\s+)?(?:the\s+|these\s+|my\s+)?{_NOUN}s?\b", _all),
)
_CHINESE: tuple[tuple[str, Read], ...] = (
    (rf"{_ZH_NOUN}\s*(?:(\d{{1,3}})|([{_HAN_DIGIT}]))(?![\d{_HAN_DIGIT}个只张幅])", _by_number),
    (rf"第\s*(?:(\d{{1,3}})|([{_HAN_DIGIT}]))\s*[张幅]{_ZH_END}", _by_number),
    (rf"(首)[张幅]{_ZH_END}", _by_number),
    (rf"(?:最后|最新的?|最近的?)一?[张幅]{_ZH_END}", _last),
    (rf"(?:上|前)一?[张幅]{_ZH_END}", _previous),
    (rf"另外?一?[张幅]{_ZH_END}", _other),
    (rf"{_SIDE_ZH}(?:边|侧|面|间)?的?(?:那|这)?一?[张幅]{_ZH_END}", _by_side),
    (rf"{_SIDE_ZH}(?:边|侧|间)?的?{_ZH_NOUN}", _by_side),
    (rf"(?:这|那)?两[张幅]{_ZH_NOUN}?(?=都|里|中|上|的|，|$)", _both),
    (rf"(?:每一?[张幅]|所有的?|全部的?)(?:{_ZH_NOUN})", _all),
)
_PLURAL: frozenset[Read] = frozenset({_by_several_numbers, _all, _both})
_PATTERNS: tuple[tuple[re.Pattern[str], Read, str], ...] = (
    *(
        (
            re.compile(pattern, re.IGNORECASE),
            read,
            "the pictures" if read in _PLURAL else "the picture",
        )
        for pattern, read in _ENGLISH
    ),
    *((re.compile(pattern), read, "图片") for pattern, read in _CHINESE),
)
