"""The dialect of PaliGemma: four location tokens, y first, then the name.

    <loc0256><loc0000><loc0512><loc1023> cat
    <loc0256><loc0000><loc0512><loc1023> cat ; <loc…><loc…><loc…><loc…> dog
    <loc…><loc…><loc…><loc…><seg012>…<seg099> cat           16 tokens that encode a mask

The tokens are top, left, bottom, right, on a grid of 1024 steps. The name ends at ";", at a line
end or where the next box begins. The tokens of a mask need a network of their own to be decoded:
they come out as `MalformedMarkup` with a reason, the box is used, and the segmenter makes the mask.

Source: the model card of PaliGemma and google-research/big_vision, proj/paligemma; the tokens as in
transformers' processing_paligemma.py.
"""

import re

from segue.dialects.json.meaning import JsonShape
from segue.dialects.parsing.family import FamilyReply, family_tokens
from segue.dialects.parsing.markup import Phrase
from segue.dialects.parsing.places import sensible
from segue.dialects.parsing.reading import ReplyDialect
from segue.values.frames import Frame, FramedBox

_STEPS = Frame(1024, 1024)
_END = re.compile(r"[;\n]")
LONGEST = 200
"""A name is at most this many characters."""
NOT_DECODED = "masks of PaliGemma are not decoded; the box is used"


class PaliGemmaReply(FamilyReply):
    """Reads `<locNNNN>` and `<segNNN>`."""

    family = "PaliGemma"
    shape = JsonShape()
    tokens = family_tokens(
        *("<eos>", "<bos>"),
        pattern=r"<loc[0-9]{4}>|<seg[0-9]{3}>",
        beginning=r"<(?:l(?:oc?)?|loc[0-9]{0,4}|se?|seg[0-9]{0,3})",
        foreign=False,
    )
    silent = ("<eos>", "<bos>")

    def __init__(self, grounded: bool = False) -> None:
        super().__init__(grounded)
        self._locations: list[str] = []  # tokens of a box that is not complete
        self._segments: list[str] = []
        self._boxes: list[FramedBox] = []  # complete, waiting for their name
        self._name: list[str] = []
        self._start = 0

    def stray(self, token: str) -> None:
        """Read a token of a box or a mask, or another."""
        kind = token[:4].lower()
        if kind == "<seg" and self._boxes:
            self._segments.append(token)
        elif kind == "<loc":
            self._location(token)
        else:
            super().stray(token)

    def _location(self, token: str) -> None:
        if self._named_yet():
            self._name_boxes()
        self._locations.append(token)
        if len(self._locations) == 4:
            y0, x0, y1, x1 = (float(location_token[4:8]) for location_token in self._locations)
            box = FramedBox(x0, y0, x1, y1, _STEPS)
            if sensible(box):
                self._boxes.append(box)
                self._locations = []
            else:
                self._drop()

    def prose(self, text: str) -> None:
        """Read the name of the boxes before it, and other words."""
        self._drop()
        while text and self._boxes:
            if not self._name:
                self._start = self._position
            end = _END.search(text)
            part = text[: end.start() if end else None]
            part = part[: LONGEST - sum(map(len, self._name))]
            if part:
                self.show(part)
                self._name.append(part)
            text = text[len(part) :]
            if text or end:
                self._name_boxes()
        if text:
            super().prose(text)

    def _token(self, token: str) -> None:
        lower = token[:4].lower()
        if lower != "<loc" and not (lower == "<seg" and not self._named_yet()):
            self._name_boxes()
        super()._token(token)

    def finish(self) -> None:
        """End the reply."""
        super().finish()
        self._name_boxes(cut=True)

    def _named_yet(self) -> bool:
        return bool("".join(self._name).strip())

    def _drop(self, cut: bool = False) -> None:
        """Locations that are no box."""
        if self._locations:
            self.malformed("".join(self._locations), cut)
            self._locations = []

    def _name_boxes(self, cut: bool = False) -> None:
        """Give the boxes their name."""
        words = "".join(self._name)
        name = words.strip()
        phrase = Phrase(name, self._start + len(words) - len(words.lstrip()))
        for box in self._boxes:
            self.place((box, None), phrase, self.picture(phrase))
        if self._segments:
            self.malformed("".join(self._segments), reason=NOT_DECODED)
        self._boxes, self._segments, self._name = [], [], []
        self._drop(cut)


def dialect() -> ReplyDialect:
    """Return the dialect of PaliGemma."""
    return ReplyDialect(PaliGemmaReply)
