"""Captions of detectors -> phrases for tags."""

import re

from segue.convert.dialogue import strip_markup
from segue.dialects.parsing.gsam_phrases import BETWEEN

_ARTICLE = re.compile(r"^(?:a|an|the)\s+", re.IGNORECASE)
MAX_PHRASE_LENGTH = 120
"""Characters; a longer "phrase" is really a sentence."""


def split_caption(caption: str, normalise: bool = True) -> list[str]:
    """Split "girl . cart" into phrases that are safe inside a tag, each once, in order.

    Args:
        caption: as it was given to a detector.
        normalise: lower case, without a leading article.

    >>> split_caption(" The Stove <left> . girl . ")
    ['stove left', 'girl']
    """
    phrases: list[str] = []
    for caption_part in BETWEEN.split(strip_markup(caption)):
        phrase = re.sub(r"\s+", " ", caption_part.replace("<", " ").replace(">", " "))
        phrase = phrase.strip(" \t\"'“”「」:：!?！？()[]{}")
        if normalise:
            phrase = _ARTICLE.sub("", phrase.lower()).strip()
        is_usable = (
            any(character.isalnum() for character in phrase) and len(phrase) <= MAX_PHRASE_LENGTH
        )
        if is_usable and phrase not in phrases:
            phrases.append(phrase)
    return phrases
