"""The dialect of Qwen2-VL: the markup of Qwen-VL, written with special tokens.

    <|object_ref_start|>a dog<|object_ref_end|><|box_start|>(12,30),(480,997)<|box_end|>
    <|quad_start|>(1,2),(9,2),(9,4),(1,4)<|quad_end|>
    <|extra_0|>a dog<|extra_1|><|extra_2|>(12,30),(480,997)<|extra_3|>      older services

The grid is 0-1000. A server that drops special tokens leaves "a dog(12,30),(480,997)", which is the
dialect `qwen2_vl_stripped`. The tags of Qwen-VL are read too, as tuned models mix them.

Sources: the model card of Qwen2-VL and its tokenizer's special tokens; for `<|extra_N|>` the issues
QwenLM/Qwen3-VL#342 and QwenLM/Qwen-VL#374.
"""

from segue.dialects.json.meaning import JsonShape
from segue.dialects.parsing.bare_corners import PAIR, PARTIAL
from segue.dialects.parsing.family import FamilyReply, family_tokens
from segue.dialects.parsing.reading import ReplyDialect

TOKENS = ("<|box_start|>", "<|quad_start|>")
"""Opening tokens of places."""


class Qwen2VLReply(FamilyReply):
    """Reads the special tokens, and the tags of Qwen-VL."""

    family = "Qwen2-VL"
    forms = frozenset({"<box>", "<quad>", "<|extra_2|>", *TOKENS})
    shape = JsonShape()
    tokens = family_tokens("<img>", "</img>", pattern=PAIR, beginning=PARTIAL, starts="<(")


def dialect() -> ReplyDialect:
    """Return the dialect of Qwen2-VL."""
    return ReplyDialect(Qwen2VLReply)
