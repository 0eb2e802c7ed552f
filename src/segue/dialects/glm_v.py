"""The dialect of GLM-4.1V to GLM-5V: lists or JSON on a 0-1000 grid.

    The beer is at <|begin_of_box|>[[94,598,177,991]]<|end_of_box|>.
    <|begin_of_box|>[{"label": "dog", "bbox_2d": [94, 598, 177, 991]}]<|end_of_box|>
    <|begin_of_box|>[[520, 310]]<|end_of_box|>              a point

The two tokens mark the answer, whatever it is: `<|begin_of_box|>42<|end_of_box|>` is words. So they
do not show, and the lists between or beside them are read as JSON (see `json/block.py`). A list
without a key has no phrase.

Source: zai-org's grounding skill for GLM-V, and recorded replies of GLM-4.6V in its readme.
"""

from segue.dialects.json.meaning import JsonShape
from segue.dialects.parsing.family import FamilyReply
from segue.dialects.parsing.reading import ReplyDialect


class GLMVReply(FamilyReply):
    """Reads lists and JSON between `<|begin_of_box|>` and `<|end_of_box|>`, or without them."""

    family = "GLM-V"
    forms = frozenset({"JSON"})
    shape = JsonShape()


def dialect() -> ReplyDialect:
    """Return the dialect of GLM-V."""
    return ReplyDialect(GLMVReply)
