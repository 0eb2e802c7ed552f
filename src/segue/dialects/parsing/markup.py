"""Markup: which pieces of a reply are tokens, and what pairs of tags mean."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from segue.dialects.parsing.places import ReadPlaces
from segue.values.frames import GRID_1000, AnyFrame

_SPECIAL = r"<\|/?[a-z0-9_]{1,24}\|>|<｜[^<>｜\s]{1,24}｜>"
_SPECIAL_BEGUN = r"<\|/?[a-z0-9_]{0,24}\|?|<｜[^<>｜\s]{0,24}｜?"


@dataclass(frozen=True, slots=True)
class Tag:
    """A pair of tags."""

    opener: str
    closer: str
    places: ReadPlaces | None = None
    """Reads what stands inside as places; None: words stand inside."""
    is_request: bool = False
    """The words are phrases for a detector; otherwise they name the places that follow."""
    frame: AnyFrame = GRID_1000
    """Of the places inside."""


GSAM = Tag("<gsam>", "</gsam>", is_request=True)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Which pieces of a reply are markup."""

    complete: re.Pattern[str]
    partial: re.Pattern[str]
    """Matches what may still become a token."""
    starts: str
    """The characters with which tokens begin."""
    longest: int
    """How far back, in characters, a token may have begun."""

    @classmethod
    def of(
        cls,
        *names: str,
        pattern: str = "",
        stems: Sequence[str] = (),
        beginning: str = "",
        starts: str = "<",
        longest: int = 30,
    ) -> "Tokens":
        """Tokens by name, and by a pattern with its stems and the pattern of its beginnings.

        Every dialect knows `<gsam>` and special tokens, `<|…|>`.
        """
        names = (*names, GSAM.opener, GSAM.closer)
        names_and_stems = [*names, *(f"{stem} " for stem in stems)]
        prefixes = sorted(
            {re.escape(name[:n]) for name in names_and_stems for n in range(1, len(name))}
        )
        patterns = [*map(re.escape, names), _SPECIAL, *([pattern] if pattern else [])]
        half = [*prefixes, _SPECIAL_BEGUN, *([beginning] if beginning else [])]
        flags = re.IGNORECASE | re.ASCII
        return cls(
            re.compile("|".join(patterns), flags),
            re.compile("|".join(half), flags),
            starts,
            max(longest, *map(len, names)),
        )

    def partial_length(self, text: str, at: int) -> int:
        """Where the part of `text`, from `at` on, begins that may become a token; else its end."""
        oldest, end = max(at, len(text) - self.longest), len(text)
        if self.starts == "<":  # no token has a second one inside
            last = text.rfind("<", oldest)
            return last if last >= 0 and self.partial.fullmatch(text, last) else end
        for match in re.compile(f"[{re.escape(self.starts)}]").finditer(text, oldest):
            if self.partial.fullmatch(text, match.start()):
                return match.start()
        return end


_QUOTED = re.compile(r"[\w,:;.)][ ]?[ `\"'“]$")


def is_quoted(token: str, text_before: str) -> bool:
    """Whether a special token is spoken of: a space or a quotation mark stands before it.

    What a server leaves behind of a turn follows its last word at once.

    >>> is_quoted("<|user|>", "the token "), is_quoted("<|im_end|>", "A dog.")
    (True, False)
    """
    return token.startswith("<|") and _QUOTED.search(text_before) is not None


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words with their place in the clean text."""

    text: str
    start: int

    @property
    def span(self) -> tuple[int, int] | None:
        return (self.start, self.start + len(self.text)) if self.text else None
