"""The dialect of Gemini: JSON on a 0-1000 grid, y first.

    [{"box_2d": [ymin, xmin, ymax, xmax], "label": "dog"}]
    [{"point": [y, x], "label": "dog"}]
    [{"box_2d": […], "mask": "data:image/png;base64,…", "label": "dog"}]

The mask of a picture model is not decoded: its box is used, and the segmenter makes the mask. See
`json/block.py` for the shapes of JSON that are read; sides given by name are never swapped.

Source: Google's documentation of image understanding with Gemini, "Object detection" and
"Segmentation".
"""

from segue.dialects.json.meaning import JsonShape
from segue.dialects.parsing.family import FamilyReply
from segue.dialects.parsing.reading import ReplyDialect


class GeminiReply(FamilyReply):
    """Reads JSON with y before x."""

    family = "Gemini"
    forms = frozenset({"JSON"})
    shape = JsonShape(y_first=True)


def dialect() -> ReplyDialect:
    """Return the dialect of Gemini."""
    return ReplyDialect(GeminiReply)
