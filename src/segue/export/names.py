"""File names from words that anyone may have written."""

import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath

_MAX_BYTES = 80


def safe_name(text: str) -> str:
    """Letters and digits of any script, other things as single hyphens; may come out empty.

    No separators, dots, control or reserved characters survive, so the name stays in its folder on
    every system.

    >>> safe_name("../../Etc: passwd"), safe_name("红色的 飞机"), safe_name("…")
    ('Etc-passwd', '红色的-飞机', '')
    """
    plain = unicodedata.normalize("NFC", text)
    kept = "".join(c if c.isalnum() or unicodedata.combining(c) else " " for c in plain)
    name = "-".join(kept.split())
    return name.encode()[:_MAX_BYTES].decode("utf-8", "ignore").rstrip("-")


def unique_names(names: Iterable[str]) -> list[str]:
    """Number names that occur again, before their suffix; "A.png" and "a.png" count as the same.

    >>> unique_names(["a.png", "A.png", "a-2.png", "b"])
    ['a.png', 'A-2.png', 'a-2-2.png', 'b']
    """
    taken: set[str] = set()
    unique = []
    for name in names:
        path, candidate, number = PurePosixPath(name), name, 2
        while candidate.casefold() in taken:
            candidate = str(path.with_name(f"{path.stem}-{number}{path.suffix}"))
            number += 1
        taken.add(candidate.casefold())
        unique.append(candidate)
    return unique
