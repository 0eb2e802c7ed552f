"""Decodes a reply token by token with any tokenizer of transformers."""

import re
from collections.abc import Callable, Collection
from typing import Any

from segue.dialects.parsing.thoughts import is_mark

GROUNDING = re.compile(
    r"</?(ref|box|quad|point|points|polygon|loc|seg|phrase|object|grounding)[_a-z0-9]*/?>"
    r"|</?(patch_index_\d+|delimiter_of_multi_objects/?|poly|ocr|od|cap|dcap|ncap|sep|and)/?>"
    r"|<\|/?(ref|det|grounding|object_ref_start|object_ref_end|box_start|box_end|quad_start|quad_end"
    r"|begin_of_box|end_of_box|point_start|point_end)\|>",
    re.IGNORECASE,
)
"""Special tokens that point at things: they are part of the reply."""


def kept_ids(tokenizer: Any) -> frozenset[int]:
    """Return special tokens that belong to the reply: those that point, and marks of thoughts."""
    return frozenset(
        i
        for i, text in special_tokens(tokenizer).items()
        if GROUNDING.fullmatch(text) or is_mark(text)
    )


def special_tokens(tokenizer: Any) -> dict[int, str]:
    """Every token that is more than its letters: id and text."""
    added = {
        i: token.content for i, token in tokenizer.added_tokens_decoder.items() if token.special
    }
    return added | dict(zip(tokenizer.all_special_ids, tokenizer.all_special_tokens, strict=True))


class TokenTextStream:
    """Decodes ids as they arrive; no piece ever cuts a character.

    Some tokenizers write a word differently at the beginning of a text, so each piece is decoded
    together with the one before it.
    """

    def __init__(self, decode: Callable[[list[int]], str], hidden: Collection[int] = ()) -> None:
        """
        Args:
            decode: ids to text, special tokens written out.
            hidden: ids that are left out.
        """
        self._decode = decode
        self._hidden = hidden
        self._ids: list[int] = []
        self._begin = 0  # of the piece that was released last
        self._end = 0  # of what was released

    def push(self, token_id: int) -> str:
        """Take one token; return the text that is certain now."""
        if token_id in self._hidden:
            return ""
        self._ids.append(token_id)
        fresh = self._fresh()
        # A long run of replacement characters is no unfinished character but the text itself.
        if fresh.endswith("\ufffd") and len(self._ids) - self._end < 8:
            return ""
        return self._release(fresh)

    def finish(self) -> str:
        """End the text: a character that was left unfinished becomes U+FFFD."""
        return self._release(self._fresh())

    def _fresh(self) -> str:
        decoded_before = (
            self._decode(self._ids[self._begin : self._end]) if self._end > self._begin else ""
        )
        return self._decode(self._ids[self._begin :])[len(decoded_before) :]

    def _release(self, text: str) -> str:
        if text:
            self._begin, self._end = self._end, len(self._ids)
        return text
