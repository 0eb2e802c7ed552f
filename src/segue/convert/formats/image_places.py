"""Where pictures stand in conversations of other programs: `<image>` in the text.

A dialogue here has its pictures at the front of the first question. Placeholders there, or at the
very end of that question, say the same. Anywhere else they are words of the sentence ("Compare
<image> with <image>"), and taking them out would leave holes.
"""

import re
from collections.abc import Sequence

from segue.errors import InputError

IMAGE = "<image>"
PLACEHOLDERS = re.compile(r"<(?:image|video|audio|ref-object|bbox|quad)>", re.IGNORECASE)
"""What stands for something that is not in the text; a text with one left has a hole."""
_FRONT = re.compile(rf"(?:\s*{IMAGE})*\s*")
_END = re.compile(rf"\s*(?:{IMAGE}\s*)+$")


def without_image_places(texts: Sequence[tuple[str, str]], pictures: int) -> list[str]:
    """The texts of a conversation without their placeholders for pictures.

    Args:
        texts: (role, text) of each turn.
        pictures: how many the record has.

    Raises:
        InputError: there are placeholders for more or fewer pictures, or one stands inside a
            sentence, in a later question, or in an answer.

    >>> without_image_places([("user", "<image>\\nOutline the tram.")], 1)
    ['Outline the tram.']
    """
    count = sum(text.count(IMAGE) for _, text in texts)
    if count not in (0, pictures):
        raise InputError(f"it has {count} times <image> and {pictures} pictures")
    first = next((n for n, (role, _) in enumerate(texts) if role == "user"), None)
    made = []
    for number, (role, text) in enumerate(texts):
        if number == first and IMAGE in text:
            front = _FRONT.match(text)
            text = text[front.end() if front else 0 :]
            text = _END.sub("", text)
        if IMAGE in text:
            where = "inside a sentence" if number == first else f"in a later turn ({role})"
            raise InputError(f"a picture stands {where}: {text[:60]!r}")
        made.append(text)
    return made
