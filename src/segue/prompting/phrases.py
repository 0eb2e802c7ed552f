"""Several phrases in one text, with commas between."""

import re

from segue.errors import InputError

_SEPARATOR = re.compile(r"[;；，、\n]|(?<![0-9]),|,(?![0-9])|\s\.(?=\s|$)")
"""As inside `<gsam>`, but for dots, which in "St. Bernard" are a part of the name."""


def split_phrases(text: str) -> list[str]:
    """Return the phrases of a text, each once; in double quotes it is one, whatever it holds.

    Raises:
        InputError: it holds no words.

    >>> split_phrases("dog, St. Bernard"), split_phrases('"box, red"')
    (['dog', 'St. Bernard'], ['box, red'])
    """
    full_text = text.strip()
    is_quoted = len(full_text) > 2 and full_text[0] == full_text[-1] == '"'
    if is_quoted and any(map(str.isalnum, full_text)):
        return [full_text[1:-1]]
    parts = (part.strip() for part in _SEPARATOR.split(text))
    phrases = [part for part in parts if any(map(str.isalnum, part))]
    if not phrases:
        raise InputError(f"A phrase must contain words, got {text!r}. Leave it out.")
    return list(dict.fromkeys(phrases))
