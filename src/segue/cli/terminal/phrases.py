"""Phrases as the user types them: one per argument, or several in one with commas between."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from segue.errors import InputError
from segue.files.atomic import printable_path
from segue.files.unicode import well_formed
from segue.prompting.phrases import split_phrases

if TYPE_CHECKING:
    from rich.console import Console


def parse_phrases(console: "Console", arguments: Sequence[str]) -> list[str]:
    """Return the phrases to look for; print them where one argument holds several.

    In double quotes an argument is one phrase, whatever it holds: '"box, red"'.

    Raises:
        InputError: an argument holds no words, or is a picture file.
    """
    phrases: list[str] = []
    refuse_picture_files(arguments, "a phrase")
    for text in map(well_formed, arguments):
        text_phrases = split_phrases(text)
        if len(text_phrases) > 1:
            console.print(
                f"looking for each of: {'; '.join(text_phrases)} (for one phrase with commas, use "
                "double quotes inside the quotes: '\"box, red\"')",
                style="dim",
            )
        phrases += [phrase for phrase in text_phrases if phrase not in phrases]
    return phrases


def refuse_picture_files(texts: Sequence[str], expected: str) -> None:
    """Refuse a second picture where something else belongs.

    Args:
        texts: what the user typed.
        expected: what belongs there: "a phrase".

    Raises:
        InputError: one of them is a picture file.
    """
    for text in texts:
        if _is_picture_file(text):
            raise InputError(
                f"{printable_path(text)} is a picture file, expected {expected}. This command "
                "takes one picture; segue annotate looks at many."
            )


def _is_picture_file(text: str) -> bool:
    """Return whether a text is the name of a file that is there, with the suffix of a picture."""
    from PIL import Image as pillow

    suffix = Path(text).suffix.lower()
    if not suffix or not is_file(text):
        return False
    pillow.init()
    return suffix in pillow.EXTENSION


def is_file(text: str) -> bool:
    """Return whether a text of any length and content is the name of a file."""
    try:
        return Path(text).is_file()
    except OSError:  # too long for a name, as questions may be
        return False
