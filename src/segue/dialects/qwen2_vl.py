"""The dialect of Qwen2-VL: the markup of Qwen-VL, written with special tokens.

    <|object_ref_start|>a dog<|object_ref_end|><|box_start|>(12,30),(480,997)<|box_end|>
    <|quad_start|>(1,2),(9,2),(9,4),(1,4)<|quad_end|>
    <|extra_0|>a dog<|extra_1|><|extra_2|>(12,30),(480,997)<|extra_3|>      older services

The grid is 0-1000. A server that drops special tokens leaves "a dog(12,30),(480,997)", which is the
dialect `qwen2_vl_stripped`. The tags of Qwen-VL are read too, as tuned models mix them.

Sources: the model card of Qwen2-VL and its tokenizer's special tokens; for `<|extra_N|>` the issues
QwenLM/Qwen3-VL#342 and QwenLM/Qwen-VL#374.
"""

from segue.box import GRID_1000, AnyFrame
from segue.dialects.markup import Tag, Tokens
from segue.dialects.places import corners
from segue.dialects.qwen_vl import QwenVLReply
from segue.dialects.reply import ReplyDialect


def token_tags(frame: AnyFrame = GRID_1000) -> tuple[Tag, ...]:
    """The special tokens as tags, with numbers in a frame."""
    return (
        Tag("<|object_ref_start|>", "<|object_ref_end|>"),
        Tag("<|box_start|>", "<|box_end|>", corners(2, frame)),
        Tag("<|quad_start|>", "<|quad_end|>", corners(4, frame)),
    )


class Qwen2VLReply(QwenVLReply):
    """Reads the special tokens, and the tags of Qwen-VL."""

    tags = (
        *QwenVLReply.tags,
        *token_tags(),
        Tag("<|extra_0|>", "<|extra_1|>"),
        Tag("<|extra_2|>", "<|extra_3|>", corners(2)),
    )
    tokens = Tokens.of(
        *("<ref>", "</ref>", "<box>", "</box>", "<quad>", "</quad>", "<img>", "</img>"),
    )


def dialect() -> ReplyDialect:
    """The dialect of Qwen2-VL."""
    return ReplyDialect(Qwen2VLReply)
