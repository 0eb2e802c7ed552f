"""Which pictures workers died over, kept where no worker can take it along.

A worker that dies (out of memory, a crash in a library) says nothing. So each block is noted before
it is begun and after it is done: a block that is begun again had a worker die over it. Then its
pictures are tried one by one, each noted too, and one that killed `MAX_TRIES_ALONE` workers by
itself is not tried again.
"""

from collections import Counter

MAX_TRIES_ALONE = 2
"""So many times a picture is tried by itself, after a worker died over its block."""


class DeathLog:
    """Begun and finished work, by name; one for each run.

    >>> log = DeathLog()
    >>> log.begin_block("a"), log.begin_block("a"), log.begin_picture("a1")
    (False, True, True)
    >>> log.begin_picture("a1"), log.begin_picture("a1")
    (True, False)
    """

    def __init__(self) -> None:
        self._open_blocks: set[str] = set()
        self._open_tries: Counter[str] = Counter()

    def begin_block(self, name: str) -> bool:
        """Note that a block is begun; True where a worker died over it before."""
        has_died = name in self._open_blocks
        self._open_blocks.add(name)
        return has_died

    def end_block(self, name: str) -> None:
        """Note that a block is done."""
        self._open_blocks.discard(name)

    def begin_picture(self, name: str) -> bool:
        """Note that a picture is tried by itself; False where it shall not be, after deaths."""
        if self._open_tries[name] >= MAX_TRIES_ALONE:
            return False
        self._open_tries[name] += 1
        return True

    def end_picture(self, name: str) -> None:
        """Note that a picture was survived."""
        del self._open_tries[name]
