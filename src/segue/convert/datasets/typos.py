"""Realistic typos, so that a model learns that "segement" means "segment".

Words that must stay readable are protected by the caller, which adds typos to its own sentence
before it puts the name of the thing in.
"""

import random
import re

_NEIGHBOURS = {
    "a": "sq", "b": "vn", "c": "xv", "d": "sf", "e": "wr", "f": "dg", "g": "fh", "h": "gj",
    "i": "uo", "j": "hk", "k": "jl", "l": "k", "m": "n", "n": "bm", "o": "ip", "p": "o",
    "q": "wa", "r": "et", "s": "ad", "t": "ry", "u": "yi", "v": "cb", "w": "qe", "x": "zc",
    "y": "tu", "z": "x",
}  # fmt: skip
"""The keys beside a key on an English keyboard."""
_SOUNDALIKES = {
    "框": "筐", "图": "途", "片": "篇", "请": "清", "置": "制", "割": "隔", "分": "份", "哪": "那",
    "里": "理", "在": "再", "标": "彪", "出": "初", "的": "得", "圈": "卷", "抠": "扣", "找": "照",
}  # fmt: skip
"""A character and one with the same or nearly the same sound: what an input method offers."""
_WORD = re.compile(r"[A-Za-z]{4,}")


def add_typo(sentence: str, rng: random.Random) -> str:
    """Add one typo to a sentence; it stays unchanged when there is nothing to misspell.

    Braces and their contents stay as they are.

    >>> add_typo("Please segment the {thing}.", random.Random(4))
    'Plesae segment the {thing}.'
    """
    placeholder_spans = [match.span() for match in re.finditer(r"\{[^}]*\}", sentence)]

    def is_outside_placeholders(position: int) -> bool:
        return not any(start <= position < end for start, end in placeholder_spans)

    chinese = [
        position
        for position, mark in enumerate(sentence)
        if mark in _SOUNDALIKES and is_outside_placeholders(position)
    ]
    words = [match for match in _WORD.finditer(sentence) if is_outside_placeholders(match.start())]
    if chinese:
        position = rng.choice(chinese)
        return sentence[:position] + _SOUNDALIKES[sentence[position]] + sentence[position + 1 :]
    if not words:
        return sentence
    word = rng.choice(words)
    return sentence[: word.start()] + _misspell_word(word[0], rng) + sentence[word.end() :]


def _misspell_word(word: str, rng: random.Random) -> str:
    position = rng.randrange(1, len(word) - 1)
    text_before, letter, text_after = word[:position], word[position], word[position + 1 :]
    typo_kind = rng.choice(["swap", "leave out", "double", "neighbour", "slip in"])
    if typo_kind == "swap" and text_after[0] != letter:
        return text_before + text_after[0] + letter + text_after[1:]
    if typo_kind == "leave out":
        return text_before + text_after
    if typo_kind == "neighbour":
        return text_before + rng.choice(_NEIGHBOURS.get(letter.lower(), letter)) + text_after
    if typo_kind == "slip in":
        return text_before + letter + rng.choice("aeiou") + text_after
    return text_before + letter + letter + text_after
