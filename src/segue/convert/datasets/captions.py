"""Captions of detectors -> the phrases that stand in tags."""

import re

from segue.convert.dialogue import plain
from segue.dialects.parsing.gsam_phrases import BETWEEN

_ARTICLE = re.compile(r"^(?:a|an|the)\s+", re.IGNORECASE)
LONGEST = 120
"""Characters; a longer "phrase" is a sentence that went astray."""


def phrases_of(caption: str, normalise: bool = True) -> list[str]:
    """Cut "girl . cart" into phrases that are safe inside a tag, each once, in order.

    Args:
        caption: as a detector got it.
        normalise: lower case, and no article in front.

    >>> phrases_of(" The Stove <left> . girl . ")
    ['stove left', 'girl']
    """
    found: list[str] = []
    for part in BETWEEN.split(plain(caption)):
        phrase = re.sub(r"\s+", " ", part.replace("<", " ").replace(">", " "))
        phrase = phrase.strip(" \t\"'“”「」:：!?！？()[]{}")
        if normalise:
            phrase = _ARTICLE.sub("", phrase.lower()).strip()
        usable = any(character.isalnum() for character in phrase) and len(phrase) <= LONGEST
        if usable and phrase not in found:
            found.append(phrase)
    return found
