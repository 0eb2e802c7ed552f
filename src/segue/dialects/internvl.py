"""The dialect of InternVL (1.2 to 3.5): a phrase and a list of boxes on a 0-1000 grid.

    <ref>a dog</ref><box>[[12, 30, 480, 997]]</box>
    <ref>dogs</ref><box>[[12, 30, 480, 997], [500, 30, 700, 997]]</box>

Each inner list is a box as soon as it closes; one that is no box is `MalformedMarkup` and costs
only itself. Corners in round brackets are read as well.

Source: InternVL's documentation, "Grounding/Detection Data" of the chat data format, and the model
cards' prompt "Please provide the bounding box coordinate of the region this sentence describes".
"""

from segue.dialects.json.meaning import JsonShape
from segue.dialects.parsing.family import FamilyReply, family_tokens
from segue.dialects.parsing.reading import ReplyDialect


class InternVLReply(FamilyReply):
    """Reads `<ref>` and `<box>` with lists of boxes."""

    family = "InternVL"
    forms = frozenset({"<box>"})
    shape = JsonShape()
    tokens = family_tokens("<img>", "</img>", "<IMG_CONTEXT>")


def dialect() -> ReplyDialect:
    """Return the dialect of InternVL."""
    return ReplyDialect(InternVLReply)
