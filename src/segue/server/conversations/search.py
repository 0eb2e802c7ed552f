"""Search in conversations: which words a conversation has, and where they stand."""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

EXCERPT_CHARACTERS = 80


def fold(text: str) -> str:
    """Return a text without what a search ignores: case, and full or half width.

    >>> fold("ＳＥＧＵＥ Straße")
    'segue strasse'
    """
    return unicodedata.normalize("NFKC", text).casefold()


def searchable_text(snapshot: Mapping[str, Any], picture_names: Sequence[str]) -> str:
    """Return what can be searched in a conversation, a line for each text.

    Args:
        snapshot: JSON of `segue.conversation.session.snapshots.snapshot_to_json`.
        picture_names: of its pictures.
    """
    texts = (*picture_names, *_texts(snapshot))
    return "\n".join(dict.fromkeys(" ".join(text.split()) for text in texts if text.strip()))


def _texts(snapshot: Mapping[str, Any]) -> Iterator[str]:
    for turn in snapshot["turns"]:
        yield turn["question"]
        yield turn["text"]
        yield from turn["not_found"]
    for region in snapshot["regions"]:
        yield region["phrase"]
        yield from region.get("names", ())


def find_words(query: str, title: str, text: str) -> str | None:
    """Search for all words of a query.

    Args:
        query: words, divided by spaces; each may be a part of a word.
        title: of the conversation.
        text: what `searchable_text` gives.

    Returns:
        The line that has the first word that the title lacks, shortened; "" where the title has
        them all; None where a word is missing.

    >>> find_words("DOG", "", "In the meadow\\nFrame the dog.")
    'Frame the dog.'
    >>> find_words("狗 位置", "框出图片中狗的位置", "")
    ''
    >>> find_words("dog cat", "", "Frame the dog.") is None
    True
    """
    words = fold(query).split()
    folded_title, folded_text = fold(title), fold(text)
    missing = [word for word in words if word not in folded_title]
    if any(word not in folded_text for word in missing):
        return None
    if not missing:
        return ""
    line = next((line for line in text.split("\n") if missing[0] in fold(line)), "")
    return _shorten(line, fold(line).find(missing[0]))


def _shorten(line: str, position: int) -> str:
    """Cut a line around a position; folding hardly ever changes lengths, so it is near enough."""
    if len(line) <= EXCERPT_CHARACTERS:
        return line
    start = max(0, min(position - EXCERPT_CHARACTERS // 4, len(line) - EXCERPT_CHARACTERS))
    end = start + EXCERPT_CHARACTERS
    return f"{'…' * (start > 0)}{line[start:end].strip()}{'…' * (end < len(line))}"
