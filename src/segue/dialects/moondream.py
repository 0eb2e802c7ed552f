"""The dialect of Moondream: JSON in fractions of the picture.

    {"objects": [{"x_min": 0.1, "y_min": 0.2, "x_max": 0.5, "y_max": 0.9}]}
    {"points": [{"x": 0.3, "y": 0.4}]}

It names nothing, as it was asked for one thing. See `json/block.py` for the other shapes of
JSON that are read.

Source: Moondream's documentation of its skills `detect` and `point`.
"""

from segue.dialects.json.meaning import JsonShape
from segue.dialects.parsing.family import FamilyReply
from segue.dialects.parsing.reading import ReplyDialect
from segue.values.frames import FRACTIONS


class MoondreamReply(FamilyReply):
    """Reads JSON in fractions."""

    family = "Moondream"
    forms = frozenset({"JSON"})
    shape = JsonShape(FRACTIONS)


def dialect() -> ReplyDialect:
    """Return the dialect of Moondream."""
    return ReplyDialect(MoondreamReply)
