"""The dialect of Qwen-VL and Qwen-VL-Chat.

    <ref>a dog</ref><box>(12,30),(480,997)</box>            a phrase and its box, 0-1000 grid
    <ref>dogs</ref><box>…</box><box>…</box>                 one phrase, several boxes
    <box>(12,30),(480,997)</box>                            a box without a name
    <ref>EXIT</ref><quad>(1,2),(9,2),(9,4),(1,4)</quad>     four corners, for lines of text
    <gsam>dog, cup</gsam>                                   a detector must find these

Tags may stand in any case, and a `</ref>` may be missing right before a box. A box without sense,
or empty on the grid, is `MalformedMarkup` whole.

Source: the Qwen-VL technical report (arXiv:2308.12966), section 2.2, for the markup; what is
tolerated (see reply.py and places.py) is our own.
"""

from segue.dialects.json.meaning import JsonShape
from segue.dialects.parsing.bare_corners import PAIR, PARTIAL
from segue.dialects.parsing.family import FamilyReply, family_tokens
from segue.dialects.parsing.reading import ReplyDialect


class QwenVLReply(FamilyReply):
    """Reads `<ref>`, `<box>` and `<quad>`."""

    family = "Qwen-VL"
    forms = frozenset({"<box>", "<quad>"})
    shape = JsonShape()
    tokens = family_tokens(
        "<img>", "</img>", "<imgpad>", "<IMG_CONTEXT>", pattern=PAIR, beginning=PARTIAL, starts="<("
    )


def dialect() -> ReplyDialect:
    """Return the dialect of Qwen-VL."""
    return ReplyDialect(QwenVLReply)
