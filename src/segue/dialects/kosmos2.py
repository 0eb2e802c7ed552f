"""The dialect of Kosmos-2: phrases with corners named by the cells of a 32 x 32 grid.

    <phrase> a dog</phrase><object><patch_index_0044><patch_index_0863></object>
    …<object><patch_index_0044><patch_index_0863></delimiter_of_multi_objects/>…</object>

The two cells are those of the upper left and the lower right corner, counted row by row. As in the
original decoder a corner is the middle of its cell, and a box within one row, column or cell spans
the whole of it. `<grounding>` does not show.

Source: `patch_index_to_coordinate` in transformers' processing_kosmos2.py, after
microsoft/unilm kosmos-2/demo/decode_string.py.
"""

import re

from segue.dialects.json.meaning import JsonShape
from segue.dialects.parsing.family import FamilyReply, family_tokens
from segue.dialects.parsing.markup import Tag
from segue.dialects.parsing.places import Place, sensible
from segue.dialects.parsing.reading import ReplyDialect
from segue.values.frames import Frame, FramedBox

_SIDE = 32
_CELLS = Frame(_SIDE, _SIDE)
_PAIR = re.compile(r"<patch_index_([0-9]{4})>\s*<patch_index_([0-9]{4})>", re.ASCII)
_BETWEEN = re.compile(r"(?:\s|</delimiter_of_multi_objects/>)*")


def cells(inside: str, is_closed: bool) -> tuple[list[Place], str | None]:
    """Read pairs of cells, once the tag is closed. See `places.ReadPlaces`."""
    if not is_closed:
        return [], inside
    places: list[Place] = []
    unread, at = [], 0
    for match in _PAIR.finditer(inside):
        between = inside[at : match.start()]
        if not _BETWEEN.fullmatch(between):
            unread.append(between)
        box = _box(int(match.group(1)), int(match.group(2)))
        if box is None:
            unread.append(match.group())
        else:
            places.append((box, None))
        at = match.end()
    if not _BETWEEN.fullmatch(inside, at) or not inside:
        unread.append(inside[at:])
    return places, "".join(unread) if unread else None


def _box(first: int, last: int) -> FramedBox | None:
    if max(first, last) >= _SIDE * _SIDE:
        return None
    (y0, x0), (y1, x1) = divmod(first, _SIDE), divmod(last, _SIDE)
    inset = 0.0 if x0 == x1 or y0 == y1 else 0.5
    box = FramedBox(x0 + inset, y0 + inset, x1 + 1 - inset, y1 + 1 - inset, _CELLS)
    return box if sensible(box) else None


class Kosmos2Reply(FamilyReply):
    """Reads `<phrase>` and `<object>`."""

    family = "Kosmos-2"
    forms = frozenset({"<object>"})
    shape = JsonShape()
    tags = (Tag("<phrase>", "</phrase>"), Tag("<object>", "</object>", cells))
    tokens = family_tokens(
        *("<phrase>", "</phrase>", "<object>", "</object>", "<grounding>", "<image>"),
        foreign=False,
    )
    silent = ("<grounding>",)


def dialect() -> ReplyDialect:
    """Return the dialect of Kosmos-2."""
    return ReplyDialect(Kosmos2Reply)
