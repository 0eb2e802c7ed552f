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
    normalized = unicodedata.normalize("NFC", text)
    letters = "".join(c if c.isalnum() or unicodedata.combining(c) else " " for c in normalized)
    name = "-".join(letters.split())
    return name.encode()[:_MAX_BYTES].decode("utf-8", "ignore").rstrip("-")


def unique_names(names: Iterable[str]) -> list[str]:
    """Append numbers to names that occur again, before their suffix; "A.png" equals "a.png".

    >>> unique_names(["a.png", "A.png", "a-2.png", "b"])
    ['a.png', 'A-2.png', 'a-2-2.png', 'b']
    """
    used_names: set[str] = set()
    unique = []
    for name in names:
        path, candidate, number = PurePosixPath(name), name, 2
        while candidate.casefold() in used_names:
            candidate = str(path.with_name(f"{path.stem}-{number}{path.suffix}"))
            number += 1
        used_names.add(candidate.casefold())
        unique.append(candidate)
    return unique
