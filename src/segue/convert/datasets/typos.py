"""Typos as people make them, so that a model learns that "segement" means "segment".

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


def misspelt(sentence: str, rng: random.Random) -> str:
    """The sentence with one typo; unchanged when there is nothing to misspell.

    Braces and what stands in them stay as they are.

    >>> misspelt("Please segment the {thing}.", random.Random(4))
    'Plesae segment the {thing}.'
    """
    holes = [match.span() for match in re.finditer(r"\{[^}]*\}", sentence)]

    def outside(at: int) -> bool:
        return not any(start <= at < end for start, end in holes)

    chinese = [at for at, mark in enumerate(sentence) if mark in _SOUNDALIKES and outside(at)]
    words = [match for match in _WORD.finditer(sentence) if outside(match.start())]
    if chinese:
        at = rng.choice(chinese)
        return sentence[:at] + _SOUNDALIKES[sentence[at]] + sentence[at + 1 :]
    if not words:
        return sentence
    word = rng.choice(words)
    return sentence[: word.start()] + _mistyped(word[0], rng) + sentence[word.end() :]


def _mistyped(word: str, rng: random.Random) -> str:
    at = rng.randrange(1, len(word) - 1)
    before, letter, after = word[:at], word[at], word[at + 1 :]
    slip = rng.choice(["swap", "leave out", "double", "neighbour", "slip in"])
    if slip == "swap" and after[0] != letter:
        return before + after[0] + letter + after[1:]
    if slip == "leave out":
        return before + after
    if slip == "neighbour":
        return before + rng.choice(_NEIGHBOURS.get(letter.lower(), letter)) + after
    if slip == "slip in":
        return before + letter + rng.choice("aeiou") + after
    return before + letter + letter + after
