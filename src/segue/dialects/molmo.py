"""The dialect of Molmo and Molmo2: points, in percent of the picture or on a 0-1000 grid.

    <point x="63.5" y="44.5" alt="the dog">the dog</point>              percent of the picture
    <points coords="1 1 073 160 2 173 600" alt="boats">boats</points>   Molmo2: a 0-1000 grid

See points.py for all that is read.

Source: the model cards of Molmo and Molmo2 (allenai) and their published examples of replies.
"""

from segue.dialects.json.meaning import JsonShape
from segue.dialects.parsing.family import FamilyReply
from segue.dialects.parsing.reading import ReplyDialect
from segue.values.frames import Frame

PERCENT = Frame(100, 100)


class MolmoReply(FamilyReply):
    """Reads `<point>` and `<points>`."""

    family = "Molmo"
    forms = frozenset({"<point …>"})
    shape = JsonShape(PERCENT)


def dialect() -> ReplyDialect:
    """Return the dialect of Molmo and Molmo2."""
    return ReplyDialect(MolmoReply)
