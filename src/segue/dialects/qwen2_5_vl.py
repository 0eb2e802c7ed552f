"""The dialect of Qwen2.5-VL: JSON in pixels of the resized picture.

    ```json
    [{"bbox_2d": [135, 114, 1016, 672], "label": "house"}, {"point_2d": [120, 80], "label": "door"}]
    ```

The numbers are pixels of the picture as the network saw it: both sides multiples of 28, within the
processor's limits. Only the chat model's backend knows that size, so the frame is `SEEN_PIXELS`.
Models that were fine-tuned on the special tokens of Qwen2-VL write those, in the same frame. See
`json/block.py` for the shapes of JSON that are read.

Source: the spatial understanding cookbook of Qwen2.5-VL, and issues QwenLM/Qwen3-VL#721, #830.
"""

from segue.dialects.json.meaning import JsonShape
from segue.dialects.parsing.family import FamilyReply
from segue.dialects.parsing.reading import ReplyDialect
from segue.dialects.qwen2_vl import TOKENS
from segue.values.frames import SEEN_PIXELS


class Qwen25VLReply(FamilyReply):
    """Reads JSON in pixels of the resized picture."""

    family = "Qwen2.5-VL"
    forms = frozenset({"JSON", *TOKENS})
    shape = JsonShape(SEEN_PIXELS)


def dialect() -> ReplyDialect:
    """Return the dialect of Qwen2.5-VL."""
    return ReplyDialect(Qwen25VLReply)
