"""What is wrong with arguments that do not fit their model, as a sentence for HTTP and tools."""

import re
from collections.abc import Mapping, Sequence
from typing import Any


def furthest_error(errors: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the error that counts, of those that pydantic lists.

    Where several forms are possible, the one that fits furthest is the one that was meant.
    """
    return max(errors, key=lambda error: len(error["loc"]))


def name_of_argument(error: Mapping[str, Any], places: Sequence[str] = ()) -> str | None:
    """Return the argument that an error is about, "boxes.0"; None: it is about no single one.

    Args:
        error: one of pydantic's.
        places: words in front of the names, such as "body".
    """
    path = [str(part) for part in error["loc"] if part not in places]
    return ".".join(part for part in path if re.fullmatch(r"\w+", part)) or None


def sentence_of(error: Mapping[str, Any], name: str | None) -> str:
    """Return a sentence on an error.

    >>> sentence_of({"msg": "Field required", "loc": ("picture",), "type": "missing"}, "picture")
    'picture: Field required.'
    """
    reason = str(error["msg"]).removeprefix("Value error, ")
    return (reason if name is None else f"{name}: {reason}").rstrip(".") + "."
