"""The words of questions and answers: counts, lists, tags, boxes, and the slips people make."""

import re
from collections.abc import Sequence

import numpy as np

from lab.language.questions import (
    CHINESE_HEADS,
    CHINESE_TAILS,
    ENGLISH_HEADS,
    ENGLISH_TAILS,
)
from lab.scenes.vocabulary import nouns

NUMBERS = ("no", "one", "two", "three", "four", "five")
CHINESE_NUMBERS = ("零", "一", "两", "三", "四", "五")
_PAIRS = {
    "glasses": ("a pair of glasses", "pairs of glasses"),
    "scissors": ("a pair of scissors", "pairs of scissors"),
    "grapes": ("a bunch of grapes", "bunches of grapes"),
    "corn": ("an ear of corn", "ears of corn"),
    "bread": ("a loaf of bread", "loaves of bread"),
}

_ONSETS = (
    *tuple("bcdfghjklmnprstvwz"),
    "br",
    "tr",
    "st",
    "pl",
    "gr",
    "sh",
    "ch",
    "cl",
    "sk",
    "fl",
    "cr",
    "sp",
    "th",
    "dr",
)
_VOWELS = ["a", "e", "i", "o", "u", "oo", "ee", "ai", "ou", "ea", "ow"]
_ENDS = ["", "", "n", "r", "l", "s", "t", "k", "m", "ck", "nd", "er", "le", "st", "ng", "d", "p"]


def made_up_word(rng: np.random.Generator) -> str:
    """Make a word of one to three random syllables, which can only be copied."""
    syllables = range(int(rng.integers(1, 4)))
    return "".join(
        _ONSETS[rng.integers(len(_ONSETS))]
        + _VOWELS[rng.integers(len(_VOWELS))]
        + _ENDS[rng.integers(len(_ENDS))]
        for _ in syllables
    )


def courteous(template: str, rng: np.random.Generator, chinese: bool) -> str:
    """Put a "please" or the like before or after a request; slots stay open."""
    heads, tails = (CHINESE_HEADS, CHINESE_TAILS) if chinese else (ENGLISH_HEADS, ENGLISH_TAILS)
    share = rng.random()
    if share < 0.25:
        head = heads[rng.integers(len(heads))]
        return template if template.startswith(head) else head + lower_first(template)
    tail = tails[rng.integers(len(tails))]
    return with_tail(template, tail)


def with_tail(template: str, tail: str) -> str:
    """Put words after a request, before its full stop or question mark."""
    stem = template.rstrip(".?？。")
    return stem + tail + template[len(stem) :]


def vary(template: str, rng: np.random.Generator) -> str:
    """Vary a template now and then: lower-case start, lost full stop, a typing error."""
    share = rng.random()
    if share < 0.06:
        return lower_first(template)
    if share < 0.12:
        return template.rstrip(".?？。")
    if share < 0.16:
        words = list(re.findall(r"[A-Za-z]{4,}", re.sub(r"{\w+}", " ", template)))
        if words:
            word = words[rng.integers(len(words))]
            at = int(rng.integers(1, len(word) - 1))
            slip = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
            return template.replace(
                word, slip if rng.random() < 0.5 else word[:at] + word[at + 1 :]
            )
    return template


def fill(template: str, phrase: str, second: str = "") -> str:
    """Put phrases from outside the vocabulary in a template."""
    text = re.sub(r"{[nz]}", lambda _: phrase, template)
    return re.sub(r"{[nz]2}", lambda _: second, text)


def tag(phrase: str) -> str:
    """Return the tag that sends a phrase to the detector and the segmenter."""
    return f"<gsam>{phrase}</gsam>"


def box_text(box: tuple[int, int, int, int]) -> str:
    """Write a box as Qwen-VL does."""
    return "<box>({},{}),({},{})</box>".format(*box)


def count_one(noun: int) -> str:
    """Return one of a noun, with its article: "an owl", "a pair of glasses"."""
    word = nouns()[noun].english
    if word in _PAIRS:
        return _PAIRS[word][0]
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def english_count(noun: int, count: int) -> str:
    """Return a number of a noun in English: "a dog", "two dogs"."""
    word = nouns()[noun]
    if count == 1:
        return count_one(noun)
    plural = _PAIRS[word.english][1] if word.english in _PAIRS else word.plural
    return f"{NUMBERS[count]} {plural}"


def chinese_count(noun: int, count: int) -> str:
    """Return a number of a noun in Chinese: 一只狗, 两只狗."""
    return CHINESE_NUMBERS[count] + nouns()[noun].measure + nouns()[noun].chinese


def join(parts: Sequence[str], chinese: bool) -> str:
    """Join parts as a list: "a, b and c", or a、b和c."""
    comma, last = ("、", "和") if chinese else (", ", " and ")
    return parts[0] if len(parts) == 1 else comma.join(parts[:-1]) + last + parts[-1]


def none_of(noun: int, chinese: bool) -> str:
    """Deny a noun, as in "There is no dog in the picture"."""
    if chinese:
        return f"图片里没有{nouns()[noun].chinese}。"
    return f"There is no {nouns()[noun].english} in the picture."


def there_are(noun: int, count: int, chinese: bool) -> str:
    """Say how many there are, as in "There are two dogs in the picture"."""
    if chinese:
        return f"图片里有{chinese_count(noun, count)}。"
    return f"There {'is' if count == 1 else 'are'} {english_count(noun, count)} in the picture."


def lower_first(text: str) -> str:
    """Return the text with a lower-case first letter."""
    return text[:1].lower() + text[1:]
