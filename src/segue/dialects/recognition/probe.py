"""A reader that looks for signs of any dialect and acts on none of them."""

import re

from segue.dialects.json.block import JsonBlock
from segue.dialects.json.meaning import JsonPlaces, JsonShape
from segue.dialects.json.reply import JsonReply
from segue.dialects.parsing.bare_corners import PAIR, is_box
from segue.dialects.parsing.bare_corners import PARTIAL as PAIR_BEGUN
from segue.dialects.parsing.markup import Tokens, is_quoted
from segue.values.frames import SEEN_PIXELS

_SIGNS = (
    ("qwen2_vl", r"<\|(?:object_ref|box|quad|point)_(?:start|end)\|>|<\|extra_[0-3]\|>"),
    ("deepseek_vl2", r"<\|/?(?:ref|det|grounding)\|>"),
    ("glm_v", r"<\|(?:begin|end)_of_box\|>"),
    ("kosmos2", r"</?(?:phrase|object)>|<grounding>|<patch_index_.*"),
    ("paligemma", r"<(?:loc[0-9]{4}|seg[0-9]{3})>"),
    ("florence2", r"<loc_[0-9]{1,3}>|</?poly>"),
    ("molmo", r"<points?\s.*"),
    ("qwen_vl", r"</?(?:ref|box|bbox|quad|point)>"),
    ("qwen2_vl_stripped", r"\(.*"),
)
_DIALECT_OF = [(dialect, re.compile(sign, re.I | re.S | re.A)) for dialect, sign in _SIGNS]
_LONGEST = 8000
_BEYOND_PERCENT = re.compile(
    r"\s[xy][0-9]{0,4}\s*=\s*[\"']\s*(?:11[1-9]|1[2-9][0-9]|[2-9][0-9]{2}|[0-9]{4})"
)


class Probe(JsonReply):
    """Collects signs. Its events before the first sign are those of every dialect."""

    shape = JsonShape(SEEN_PIXELS)  # the one in which no number is beyond the picture
    tokens = Tokens.of(
        *("<ref>", "</ref>", "<box>", "</box>", "<quad>", "</quad>", "<phrase>", "</phrase>"),
        *("<bbox>", "</bbox>", "<point>"),
        *("<object>", "</object>", "<grounding>", "<poly>", "</poly>", "<img>", "</img>"),
        *("<imgpad>", "<IMG_CONTEXT>", "<image>", "<s>", "</s>", "<pad>", "<bos>", "<eos>"),
        *("</point>", "</points>", "<sep>", "<od>", "</od>"),
        pattern=rf"<loc[0-9]{{4}}>|<seg[0-9]{{3}}>|<loc_[0-9]{{1,3}}>|<patch_index_[0-9]{{4}}>"
        rf"|<points?\s[^<>]{{0,{_LONGEST}}}>|{PAIR}",
        stems=("<loc_", "<seg", "<patch_index_", "<points"),
        beginning=r"<loc_?[0-9]{0,4}|<seg[0-9]{0,3}|<patch_index_[0-9]{0,4}"
        rf"|<points?\s[^<>]{{0,{_LONGEST}}}|{PAIR_BEGUN}",
        starts="<(",
        longest=_LONGEST,
    )

    def __init__(self, grounded: bool = False) -> None:
        super().__init__(grounded)
        self.signs: dict[str, str] = {}
        """Dialect -> its first sign, in the order in which they came."""
        self.founds: list[JsonPlaces] = []
        """Places in JSON."""
        self.keys = ""
        """What stood in the JSON around them."""
        self.lists = False
        """A `<box>` holds a list in square brackets."""
        self.unclear = False
        """There was a token that families read in different ways."""
        self._in_box = False

    @property
    def numbers(self) -> list[float]:
        """Every coordinate in JSON, x and y."""
        values: list[float] = []
        for place in self.founds:
            if place.box is not None:
                values += (place.box.xa, place.box.ya, place.box.xb, place.box.yb)
            if place.point is not None:
                values += place.point
        return values

    def _token(self, token: str) -> None:
        if self._block is not None and self._block.in_string:
            self.unclear = True  # a string to one family, a token to another
        super()._token(token)

    def stray(self, token: str) -> None:
        """Note a sign of a dialect, or another token."""
        if token.startswith("(") and not is_box(token, self._recent):
            self._words(token)
            return
        if is_quoted(token, self._recent) and not self._is_sign(token):
            self._words(token)
            return
        self._note(token)
        self._in_box = token.lower() == "<box>"
        super().stray(token)

    def malformed(self, markup: str, cut: bool = False, reason: str = "") -> None:
        """Half a token may be a sign as well; and to another family it may be words."""
        self.unclear = True
        if cut:
            self._note(markup)
        super().malformed(markup, cut, reason)

    @staticmethod
    def _is_sign(token: str) -> bool:
        return any(sign.fullmatch(token) for _, sign in _DIALECT_OF)

    def _note(self, token: str) -> None:
        for dialect, sign in _DIALECT_OF:
            if sign.fullmatch(token):
                if dialect == "molmo" and _BEYOND_PERCENT.search(token):
                    dialect = "ambiguous"  # points as XML, and not in percent
                self.signs.setdefault(dialect, token if len(token) < 40 else token[:39] + "…")
                return
        self.unclear = True

    def prose(self, text: str) -> None:
        """Words and JSON; within `<box>`, whether a list begins."""
        if self._in_box and text.strip():
            self.lists = self.lists or text.lstrip()[0] == "["
            self._in_box = False
        super().prose(text)

    def _report(self, block: JsonBlock) -> None:
        places = [place for place in block.out if isinstance(place, JsonPlaces)]
        if places:
            self.founds += places
            self.keys += block.raw
        super()._report(block)
