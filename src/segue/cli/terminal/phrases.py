"""Phrases as a person types them: one an argument, or several in one with commas between."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from segue.errors import InputError
from segue.files.unicode import well_formed

if TYPE_CHECKING:
    from rich.console import Console

_BETWEEN = re.compile(r"[;；，、\n]|(?<![0-9]),|,(?![0-9])|\s\.(?=\s|$)")
"""As inside `<gsam>`, but for dots, which in "St. Bernard" are a part of the name."""


def read_phrases(console: "Console", typed: Sequence[str]) -> list[str]:
    """The phrases to look for; says so where one argument held several.

    In double quotes an argument is one phrase, whatever it holds: '"box, red"'.

    Raises:
        InputError: an argument holds no words.
    """
    phrases: list[str] = []
    for text in map(well_formed, typed):
        found = _several(text)
        if not found:
            raise InputError(f"A phrase must have words, got {text!r}. Leave it out.")
        if len(found) > 1:
            console.print(
                f"looking for each of: {'; '.join(found)} (for one phrase with commas, put double "
                "quotes inside the quotes: '\"box, red\"')",
                style="dim",
            )
        phrases += [phrase for phrase in found if phrase not in phrases]
    return phrases


def _several(text: str) -> list[str]:
    whole = text.strip()
    if len(whole) > 2 and whole[0] == whole[-1] == '"' and any(map(str.isalnum, whole)):
        return [whole[1:-1]]
    parts = (part.strip() for part in _BETWEEN.split(text))
    return [part for part in parts if any(map(str.isalnum, part))]
