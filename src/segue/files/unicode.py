"""Text that any program can hold: what is left of half characters and undecodable names.

JSON may hold `"\\ud83d"`, half of an emoji, and a file name of another encoding reaches Python as
`caf\\udce9.png`. No encoding can write such text and no tokenizer reads it.
"""

import re

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_LONE = re.compile("[\ud800-\udfff]")


def is_well_formed(text: str) -> bool:
    """Whether every character is a whole one.

    >>> is_well_formed("飞机"), is_well_formed("half \\ud83d")
    (True, False)
    """
    return _LONE.search(text) is None


def well_formed(text: str) -> str:
    """Text with U+FFFD in place of each half character; two matching halves become one whole.

    >>> well_formed("half \\ud83d, whole \\ud83d\\ude00")
    'half �, whole 😀'
    """
    if is_well_formed(text):
        return text
    joined = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return _LONE.sub(REPLACEMENT, joined)


def escaped_for_json(text: str) -> str:
    """JSON text in which half characters are written as escapes, so that they survive the trip.

    Args:
        text: JSON; half characters can only stand inside its strings.

    >>> escaped_for_json('"half \\ud83d"')
    '"half \\\\ud83d"'
    """
    return _LONE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
