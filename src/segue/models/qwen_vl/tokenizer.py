"""Qwen-VL's tokenizer: byte-pair ranks, then special tokens whose ids follow them in order.

Text never turns into special tokens unless the caller names which ones may: what a person types
is only ever text. Pictures are not made of text at all; see `prompts.py`.

Source: the tokenizer published with Qwen-VL-Chat in 2023.
"""

import codecs
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import tiktoken

from segue.errors import InputError, ModelError
from segue.models.qwen_vl.ranks import read_ranks, write_ranks

SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
END_OF_TEXT, TURN_START, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
GROUNDING = ("<ref>", "</ref>", "<box>", "</box>", "<quad>", "</quad>")
PICTURE_START, PICTURE_END, PICTURE_PAD = "<img>", "</img>", "<imgpad>"
SPECIALS = (
    END_OF_TEXT,
    TURN_START,
    TURN_END,
    *(f"<|extra_{i}|>" for i in range(205)),
    *GROUNDING,
    PICTURE_START,
    PICTURE_END,
    PICTURE_PAD,
)


class QwenVLTokenizer:
    """Text to ids and back."""

    def __init__(self, ranks: dict[bytes, int]) -> None:
        """Build the tokenizer.

        Args:
            ranks: bytes of each token and its rank, from `read_ranks`.
        """
        self.ranks = ranks
        self.specials = {text: len(ranks) + i for i, text in enumerate(SPECIALS)}
        self._bpe = tiktoken.Encoding(
            "qwen_vl", pat_str=SPLIT, mergeable_ranks=ranks, special_tokens=self.specials
        )
        self._bytes = [b""] * len(self)
        for token, rank in ranks.items():
            self._bytes[rank] = token
        for text, token_id in self.specials.items():
            self._bytes[token_id] = text.encode()
        self.end_of_text_id = self.specials[END_OF_TEXT]
        self.turn_start_id = self.specials[TURN_START]
        self.turn_end_id = self.specials[TURN_END]
        self.picture_start_id = self.specials[PICTURE_START]
        self.picture_end_id = self.specials[PICTURE_END]
        self.picture_pad_id = self.specials[PICTURE_PAD]
        self.grounding_ids = frozenset(self.specials[text] for text in GROUNDING)

    @classmethod
    def read(cls, folder: Path) -> "QwenVLTokenizer":
        """Read the one `*.tiktoken` file of a folder.

        Raises:
            ModelError: there is none, or more than one, or it cannot be read.
        """
        rank_files = sorted(folder.glob("*.tiktoken"))
        if len(rank_files) != 1:
            raise ModelError(
                f"{folder} must hold one *.tiktoken file (the vocabulary), got "
                f"{[path.name for path in rank_files]}. Copy qwen.tiktoken of the checkpoint there."
            )
        return cls(read_ranks(rank_files[0]))

    def write(self, folder: Path) -> None:
        """Write the vocabulary as `qwen.tiktoken` into a folder."""
        write_ranks(self.ranks, folder / "qwen.tiktoken")

    def __len__(self) -> int:
        """Ranks and special tokens together; the embedding may have more rows."""
        return len(self.ranks) + len(SPECIALS)

    def encode(self, text: str, *, live: Iterable[str] = ()) -> list[int]:
        """Turn text into ids, after Unicode normalisation (NFC). Nothing is added around it.

        Args:
            text: any text.
            live: the special tokens that may be read from the text. None by default: then
                `<|im_end|>` or `<img>` in the text are ordinary characters.

        Raises:
            InputError: `live` names something that is no special token.
        """
        allowed = frozenset(live)
        if not allowed <= self.specials.keys():
            unknown = sorted(allowed - self.specials.keys())
            raise InputError(f"live must name special tokens such as '<ref>', got {unknown}.")
        normal = unicodedata.normalize("NFC", text)
        if not allowed:
            return self._bpe.encode_ordinary(normal)
        return self._bpe.encode(normal, allowed_special=set(allowed), disallowed_special=())

    def encode_markup(self, text: str) -> list[int]:
        """Turn a model's own words into ids: `<ref>`, `<box>` and `<quad>` tags are live."""
        return self.encode(text, live=GROUNDING)

    def name_to_slots(self, name: str, n_slots: int) -> list[int]:
        """Return the original content of picture slots: the bytes of a name, then padding.

        The network never sees it; it only matters where ids must equal those of the original.

        Raises:
            InputError: the name leaves no room for two pads, which the original needs.
        """
        content = list(name.encode())
        if len(content) > n_slots - 2:
            raise InputError(
                f"A picture's name must fit into {n_slots - 2} bytes, got {len(content)} bytes "
                f"({name[:40]!r}...). Leave it empty: names in slots have no effect."
            )
        return content + [self.picture_pad_id] * (n_slots - len(content))

    def decode(self, ids: Iterable[int], *, keep: str = "all", errors: str = "replace") -> str:
        """Turn ids into text. Never fails: a model's odd reply is data.

        Args:
            ids: token ids. A picture `<img>`, slots, `</img>` becomes `<img>name</img>`; ids
                without an entry are left out.
            keep: which special tokens to write out: "all", "grounding" (ref, box and quad
                tags) or "none".
            errors: what to do with bytes that are not UTF-8: "replace", "ignore" or "strict".

        Raises:
            InputError: `keep` is none of the three.
        """
        pieces = self._pieces(self._without_slots(list(ids), keep), self._visible_ids(keep))
        return b"".join(pieces).decode("utf-8", errors)

    def _visible_ids(self, keep: str) -> frozenset[int]:
        visible_ids = {
            "all": frozenset(self.specials.values()),
            "grounding": self.grounding_ids,
            "none": frozenset[int](),
        }
        if keep not in visible_ids:
            raise InputError(f"keep must be one of {', '.join(visible_ids)}, got {keep!r}.")
        return visible_ids[keep]

    def _pieces(self, ids: Iterable[int | bytes], visible_ids: frozenset[int]) -> Iterator[bytes]:
        for item in ids:
            if isinstance(item, bytes):
                yield item
            elif 0 <= item < len(self.ranks) or item in visible_ids:
                yield self._bytes[item]

    def _without_slots(self, ids: Sequence[int], keep: str) -> Iterator[int | bytes]:
        """Replace what stands between `<img>` and `</img>` by the name it spells, if any."""
        position = 0
        while position < len(ids):
            item = ids[position]
            position += 1
            yield item
            if item != self.picture_start_id or self.picture_end_id not in ids[position:]:
                continue
            end = ids.index(self.picture_end_id, position)
            content = [i for i in ids[position:end] if i != self.picture_pad_id]
            if all(0 <= i < 256 for i in content):
                if keep == "all":
                    yield bytes(content)
                position = end

    def text_stream(self) -> "TextStream":
        """Start to decode a reply token by token."""
        return TextStream(self)


class TextStream:
    """Decodes a reply as its tokens arrive; no piece ever cuts a character.

    Grounding tags are written out, other special tokens and ids without an entry are left out.
    """

    def __init__(self, tokenizer: QwenVLTokenizer) -> None:
        self._tokenizer = tokenizer
        self._kept = tokenizer.grounding_ids
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, token_id: int) -> str:
        """Take one token; return the text that is certain now, often empty within a character."""
        if token_id < len(self._tokenizer.ranks):
            return self._utf8.decode(self._tokenizer._bytes[token_id])
        if token_id in self._kept:
            return self.finish() + self._tokenizer._bytes[token_id].decode()
        return ""

    def finish(self) -> str:
        """End the text: a character that was left unfinished becomes U+FFFD."""
        text = self._utf8.decode(b"", final=True)
        self._utf8.reset()
        return text
