"""Guess the tokens that come next from what stood behind the same ones before.

A network whose time goes into reading its weights checks several guesses at once for little more
than the price of one token, and what it writes does not change: speculative decoding, Leviathan et
al. 2023, arXiv:2211.17192; with guesses from the text itself, Saxena 2023,
https://github.com/apoorvumang/prompt-lookup-decoding. In a list of boxes everything but the digits
repeats: here one number is as good as another.
"""

from collections.abc import Collection, Iterable, Sequence

_LENGTHS = (8, 6, 4, 3, 2)
"""So many tokens and numbers are looked up; the longest that are found count."""
_MOST = 6
"""Guesses at once."""
_NUMBER = -1


class PromptLookup:
    """Guesses for one reply.

    >>> lookup = PromptLookup(range(10), [50, 1, 2, 51, 52, 50])  # (12)<(
    >>> lookup.add(3), lookup.add(4)
    (None, None)
    >>> lookup.guess()
    [51, 52, 50]
    """

    def __init__(self, digits: Collection[int], history: Iterable[int] = ()) -> None:
        """
        Args:
            digits: the tokens that are digits.
            history: what stands before the reply, oldest first.
        """
        self._digits = digits
        self._ids: list[int] = []
        self._kinds: list[int] = []
        """The tokens, with one `_NUMBER` for all digits of a number."""
        self._behind: dict[tuple[int, ...], int] = {}
        """By the latest kinds: the place behind their latest occurrence."""
        self._found: int | None = None
        for token in history:
            self.add(token)

    def add(self, token: int) -> None:
        """Take note of what was written next."""
        self._ids.append(token)
        kind = _NUMBER if token in self._digits else token
        is_further_digit = kind == _NUMBER and self._kinds[-1:] == [_NUMBER]
        if not is_further_digit:
            self._kinds.append(kind)
        keys = [tuple(self._kinds[-n:]) for n in _LENGTHS if n <= len(self._kinds)]
        if not is_further_digit:
            found = (self._behind[key] for key in keys if key in self._behind)
            self._found = next(found, None)
        self._behind.update(dict.fromkeys(keys, len(self._ids)))

    def guess(self) -> Sequence[int]:
        """Return what may come next, up to the first digit, which nobody can guess."""
        if self._found is None:
            return []
        guesses = self._ids[self._found : self._found + _MOST]
        first_digit = next((n for n, id in enumerate(guesses) if id in self._digits), len(guesses))
        return guesses[:first_digit]
