"""The one rule for phrases inside `<gsam>`: how a list is written there, and how it is cut again.

Phrases stand one after another with ", " between them. A phrase that holds what would cut it apart
(a comma, a dot, a semicolon, their Chinese forms, a line break), or that begins or ends with a
quotation mark, is written in double quotes; inside quotes `\\"` is a quote and `\\\\` a backslash:

    dog, "St. Bernard", "box, red"

`split_phrases(quote_phrases(phrases))` gives the phrases back. Text without such quotes is cut as
it always was, so replies of models that do not know the rule mean what they meant.
"""

import re
from collections.abc import Sequence

BETWEEN = re.compile(r"[;；，、。\n]|(?<![0-9])[.,]|[.,](?![0-9])")
"""What separates phrases; a dot or comma between two digits ("1.5", "1,000") does not."""
_AROUND = ' \t\r\n"“”「」'
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPE = re.compile(r'\\(["\\n])')
_SPACE = re.compile(r"[ \t\r\n]*")


def quote_phrases(phrases: Sequence[str]) -> str:
    """Write phrases as the words of one tag.

    >>> quote_phrases(["dog", "St. Bernard"])
    'dog, "St. Bernard"'
    """
    return ", ".join(quote_phrase(phrase) for phrase in phrases)


def quote_phrase(phrase: str) -> str:
    """One phrase as it stands in a tag: as it is where that is unambiguous, else in quotes.

    >>> quote_phrase("red cup"), quote_phrase("1.5 l bottle"), quote_phrase('the "best" one')
    ('red cup', '1.5 l bottle', 'the "best" one')
    >>> quote_phrase("box, red")
    '"box, red"'
    """
    if not needs_quotes(phrase):
        return phrase
    inside = phrase.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{inside}"'


def needs_quotes(phrase: str) -> bool:
    """Whether a phrase would be cut or trimmed if it stood in a tag as it is."""
    return [text for text, _ in _split_at_separators(phrase)] != [phrase]


def split_phrases(words: str) -> list[tuple[str, int]]:
    """Cut the words of a tag into phrases.

    Returns:
        (phrase, where it begins in `words`) in order; parts without a letter or digit are left out.

    >>> split_phrases('dog, "St. Bernard"')
    [('dog', 0), ('St. Bernard', 6)]
    """
    return _split_at_separators(words)


def _split_at_separators(words: str) -> list[tuple[str, int]]:
    parts: list[tuple[str, int]] = []
    at = 0
    while at < len(words):
        start = _SPACE.match(words, at).end()  # type: ignore[union-attr]
        inside = _QUOTED.match(words, start)
        end = _SPACE.match(words, inside.end()).end() if inside else 0  # type: ignore[union-attr]
        if inside and (end == len(words) or BETWEEN.match(words, end)):
            text = _ESCAPE.sub(_unescaped, inside[1])
            if _has_word(text):
                parts.append((text, start + 1))
            at = end + 1
            continue
        separator = BETWEEN.search(words, at)
        stop = separator.start() if separator else len(words)
        part = words[at:stop]
        text = part.strip(_AROUND)
        if _has_word(text):
            parts.append((text, at + len(part) - len(part.lstrip(_AROUND))))
        at = separator.end() if separator else len(words)
    return parts


def _unescaped(match: re.Match[str]) -> str:
    return "\n" if match[1] == "n" else match[1]


def _has_word(text: str) -> bool:
    return any(character.isalnum() for character in text)
