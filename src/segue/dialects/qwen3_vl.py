"""The dialect of Qwen3-VL: JSON on a 0-1000 grid.

    ```json
    [{"bbox_2d": [135, 114, 816, 672], "label": "house"}, {"point_2d": [120, 80], "label": "door"}]
    ```

The markup is that of Qwen2.5-VL, the frame is another one: a reply alone does not tell which of the
two is meant as long as all its numbers are below 1000. Models that were fine-tuned on the special
tokens of Qwen2-VL write those, in the same frame. See `json/block.py` for the shapes of JSON that
are read.

Source: the 2D grounding cookbook of Qwen3-VL, and issue QwenLM/Qwen3-VL#1720 for repeated keys.
"""

from segue.dialects.json.meaning import JsonShape
from segue.dialects.parsing.family import FamilyReply
from segue.dialects.parsing.reading import ReplyDialect
from segue.dialects.qwen2_vl import TOKENS


class Qwen3VLReply(FamilyReply):
    """Reads JSON on a 0-1000 grid."""

    family = "Qwen3-VL"
    forms = frozenset({"JSON", *TOKENS})
    shape = JsonShape()


def dialect() -> ReplyDialect:
    """Return the dialect of Qwen3-VL."""
    return ReplyDialect(Qwen3VLReply)
