"""Phrases to the one caption that Grounding DINO reads, and back from its columns to phrases.

A caption is "[CLS] hot dog . cup . [SEP]" in token ids. It is put together from the ids of each
phrase, so which columns belong to which phrase is known, never guessed from decoded text.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from segue.files.unicode import well_formed

CLS, SEP, DOT, QUESTION = 101, 102, 1012, 1029
"""Ids in bert-base-uncased. The network treats exactly these as the borders of phrases."""

BORDERS = frozenset({CLS, SEP, DOT, QUESTION})
_EDGES = " \t\r\n,;:!。，；：！、"


@dataclass(frozen=True, slots=True)
class Caption:
    """Some of the phrases as one sequence of token ids."""

    ids: tuple[int, ...]
    """[CLS], the phrases with a dot after each, [SEP]."""
    phrases: tuple[str, ...]
    """The phrases in it, cleaned."""
    spans: tuple[tuple[int, int], ...]
    """Columns of each phrase, [start, end)."""


def normalize_phrase(phrase: str) -> str:
    """Write a phrase as the network was trained to read it: lower case, single spaces.

    >>> normalize_phrase("  The Cat.  ")
    'the cat'
    >>> normalize_phrase("mr. smith?")
    'mr smith'
    """
    phrase = well_formed(phrase)  # no tokenizer reads half a character
    for separator in ".?？":
        phrase = phrase.replace(separator, " ")
    return " ".join(phrase.lower().split()).strip(_EDGES)


def distinct_names(phrases: Iterable[str]) -> list[str]:
    """Return phrases as the network reads them, each once; those without words are left out.

    >>> distinct_names(["The Cat.", "dog", "the cat", "?"])
    ['the cat', 'dog']
    """
    return [name for name in dict.fromkeys(map(normalize_phrase, phrases)) if name]


def captions(
    phrases: Iterable[str],
    encode: Callable[[str], Sequence[int]],
    max_tokens: int,
    unknown_id: int | None = None,
) -> list[Caption]:
    """Pack cleaned phrases into as few captions as the length allows.

    Args:
        phrases: cleaned, all different. Empty ones are left out.
        encode: token ids of a phrase, without [CLS] and [SEP].
        max_tokens: longest caption; a phrase alone above it is cut.
        unknown_id: a phrase of nothing but this id is left out: the network knows no word of it.
    """
    full_captions: list[Caption] = []
    ids: list[int] = [CLS]
    names: list[str] = []
    spans: list[tuple[int, int]] = []

    def close() -> None:
        if names:
            full_captions.append(Caption((*ids, SEP), tuple(names), tuple(spans)))
        ids[:], names[:], spans[:] = [CLS], [], []

    for phrase in phrases:
        tokens = [token for token in encode(phrase) if token not in BORDERS][: max_tokens - 3]
        if not tokens or all(token == unknown_id for token in tokens):
            continue
        if len(ids) + len(tokens) + 2 > max_tokens:
            close()
        spans.append((len(ids), len(ids) + len(tokens)))
        names.append(phrase)
        ids += [*tokens, DOT]
    close()
    return full_captions
