"""The dialect of DeepSeek-VL2 and DeepSeek-OCR: a phrase and lists of boxes, 0-999.

    <|ref|>a dog<|/ref|><|det|>[[12, 30, 480, 997]]<|/det|>
    <|ref|>dogs<|/ref|><|det|>[[12, 30, 480, 997], [500, 30, 700, 997]]<|/det|>

999 is the right or bottom edge. Each inner list is a box as soon as it closes; models are known to
write lists of three numbers and endless nines (deepseek-ai/DeepSeek-VL2#96), which are
`MalformedMarkup` and cost only themselves. Numbers beyond the grid are clipped to the picture.
`<|grounding|>` does not show.

Source: the model card of DeepSeek-VL2 and the drawing code of its demonstration, which divides by
999.
"""

from segue.dialects.json.meaning import JsonShape
from segue.dialects.parsing.family import FamilyReply, family_tokens
from segue.dialects.parsing.reading import ReplyDialect
from segue.values.frames import Frame


class DeepSeekVL2Reply(FamilyReply):
    """Reads `<|ref|>` and `<|det|>`."""

    family = "DeepSeek-VL2"
    forms = frozenset({"<|det|>"})
    shape = JsonShape(Frame(999, 999))
    tokens = family_tokens("<|grounding|>", "<image>")
    silent = ("<|grounding|>", "<｜end▁of▁sentence｜>")


def dialect() -> ReplyDialect:
    """Return the dialect of DeepSeek-VL2."""
    return ReplyDialect(DeepSeekVL2Reply)
