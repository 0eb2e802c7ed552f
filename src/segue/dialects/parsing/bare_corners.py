"""Two corners in prose, "(12,30),(480,997)": what is left of tags that a server dropped."""

import re

_N = r"[-+]?[0-9]{1,6}(?:\.[0-9]{1,4})?"
_POINT = rf"\(\s?{_N}\s?,\s?{_N}\s?\)"
PAIR = rf"{_POINT}\s?,\s?{_POINT}"
"""Two corners."""
_TIGHT = re.compile(r"\([-0-9.]+,[-0-9.]+\),\([-0-9.]+,[-0-9.]+\)", re.ASCII)


def _partial_pattern() -> str:
    """Any beginning of two corners: each part is optional once what stands before it is there."""
    number = r"[-+]?[0-9]{0,6}(?:\.[0-9]{0,4})?"
    point_begun = rf"\(\s?(?:{number}|{_N}\s?(?:,\s?(?:{number}|{_N}\s?)?)?)"
    return rf"{point_begun}|{_POINT}\s?(?:,\s?(?:{point_begun})?)?"


PARTIAL = _partial_pattern()
"""Any beginning of two corners."""


def is_box(corners: str, text_before: str) -> bool:
    """Whether corners in a reply of no known form are a box: written without spaces, and joined to
    a word, or the beginning of the reply. Others are words.

    >>> is_box("(12,30),(480,997)", "The dog"), is_box("(12,30),(480,997)", "the points ")
    (True, False)
    >>> is_box("(1, 2), (3, 4)", "f")
    False
    """
    joined = not text_before.strip() or text_before[-1].isalnum() or text_before[-1] == ")"
    return joined and _TIGHT.fullmatch(corners) is not None
