"""Placeholders of pictures in conversations of other programs: `<image>` in the text.

A dialogue here has its pictures at the start of the first question. Placeholders there, or at the
very end of that question, mean the same. Anywhere else they are part of the sentence ("Compare
<image> with <image>"), and removing them would leave it incomplete.
"""

import re
from collections.abc import Sequence

from segue.errors import InputError
from segue.files.counts import count_noun

IMAGE_PLACEHOLDER = "<image>"
PLACEHOLDER = re.compile(r"<(?:image|video|audio|ref-object|bbox|quad)>", re.IGNORECASE)
"""Takes the place of something outside the text; a text that still has one is incomplete."""
_LEADING_PLACEHOLDERS = re.compile(rf"(?:\s*{IMAGE_PLACEHOLDER})*\s*")
_TRAILING_PLACEHOLDERS = re.compile(rf"\s*(?:{IMAGE_PLACEHOLDER}\s*)+$")


def strip_image_placeholders(texts: Sequence[tuple[str, str]], pictures: int) -> list[str]:
    """Remove the placeholders of pictures from the texts of a conversation.

    Args:
        texts: (role, text) of each turn.
        pictures: number of pictures of the record.

    Raises:
        InputError: there are placeholders for more or fewer pictures, or one is inside a sentence,
            in a later question, or in an answer.

    >>> strip_image_placeholders([("user", "<image>\\nOutline the tram.")], 1)
    ['Outline the tram.']
    """
    count = sum(text.count(IMAGE_PLACEHOLDER) for _, text in texts)
    if count not in (0, pictures):
        placeholders = count_noun(count, "<image> placeholder")
        raise InputError(f"it has {placeholders} and {count_noun(pictures, 'picture')}")
    first_question = next((n for n, (role, _) in enumerate(texts) if role == "user"), None)
    clean_texts = []
    for number, (role, text) in enumerate(texts):
        if number == first_question and IMAGE_PLACEHOLDER in text:
            leading_placeholders = _LEADING_PLACEHOLDERS.match(text)
            text = text[leading_placeholders.end() if leading_placeholders else 0 :]
            text = _TRAILING_PLACEHOLDERS.sub("", text)
        if IMAGE_PLACEHOLDER in text:
            where = "inside a sentence" if number == first_question else f"in a later turn ({role})"
            raise InputError(f"a picture is {where}: {text[:60]!r}")
        clean_texts.append(text)
    return clean_texts
