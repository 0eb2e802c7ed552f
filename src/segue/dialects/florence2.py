"""The dialect of Florence-2: a name, then location tokens on a grid of 1000 steps.

    car<loc_52><loc_332><loc_932><loc_774>door handle<loc_425><loc_504><loc_474><loc_516>
    car<loc…>×4<loc…>×4                                     one name, several boxes
    EXIT<loc_…> × 8                                         four corners, for lines of text
    car<poly><loc_…>…<sep><loc_…>…</poly>                   an outline: the box around it is taken
    {"<OD>": {"bboxes": [[34.2, 160.1, 597.4, 371.8]], "labels": ["car"]}}     processed

A token names a step, its middle is meant, as in the original decoder. A name reaches back to the
last box or line end. Eight tokens in a row are four corners when the second half runs from right to
left, else two boxes. What a processor made of the tokens is read too; its numbers are pixels of the
picture as the endpoint saw it.

Source: `Florence2PostProcessor` in transformers' processing_florence2.py.
"""

from segue.dialects.json.meaning import JsonShape
from segue.dialects.parsing.family import FamilyReply, family_tokens
from segue.dialects.parsing.markup import Phrase
from segue.dialects.parsing.places import BoxPlace, Corner, around, sensible
from segue.dialects.parsing.reading import ReplyDialect
from segue.dialects.parsing.reply import ReplyParser
from segue.values.frames import GRID_1000, SEEN_PIXELS, FramedBox

REACH = 300
"""A name is at most this many characters."""


class Florence2Reply(FamilyReply):
    """Reads `<loc_N>`, `<poly>` and processed replies."""

    family = "Florence-2"
    forms = frozenset({"JSON"})
    shape = JsonShape(SEEN_PIXELS)
    tokens = family_tokens(
        *("<poly>", "</poly>", "<sep>", "<s>", "</s>", "<pad>", "<od>", "</od>"),
        pattern=r"<loc_[0-9]{1,3}>",
        beginning=r"<l(?:oc?)?|<loc_[0-9]{0,3}",
        foreign=False,
    )
    silent = ("<s>", "</s>", "<pad>", "<od>", "</od>")

    def __init__(self, grounded: bool = False) -> None:
        super().__init__(grounded)
        self._run: list[str] = []  # location tokens in a row
        self._outline: list[Corner] | None = None  # corners within <poly>; None: not within
        self._name = ""
        self._poly = "<poly>"  # as written
        self._asked = ""  # tokens of <poly>, as written

    def resume(self, previous: ReplyParser) -> None:
        """Read on where another dialect left off, whose last words may be a name."""
        super().resume(previous)
        self._name = self._recent[-REACH:]

    def stray(self, token: str) -> None:
        """Read a location token, or another."""
        lower = token.lower()
        if lower.startswith("<loc_"):
            self._run.append(token)
        elif lower == "<poly>":
            self._end_run()
            self._outline, self._poly = [], token
        elif lower == "<sep>":
            self._end_run(between=True)
        elif lower == "</poly>" and self._outline is not None:
            self._end_run()
            self._end_outline()
        else:
            self._end_outline(cut=False)
            super().stray(token)

    def prose(self, text: str) -> None:
        """Read a name, or other words."""
        self._end_run()
        self._end_outline()
        super().prose(text)

    def show(self, text: str) -> None:
        """Words that show may be a name."""
        super().show(text)
        self._name = (self._name + text)[-REACH:]

    def place(self, place: BoxPlace, phrase: Phrase, picture: int | None) -> None:
        """Forget the name: it belongs to one row of places."""
        super().place(place, phrase, picture)
        self._name = ""

    def _token(self, token: str) -> None:
        lower = token.lower()
        if lower not in ("<sep>", "<poly>", "</poly>") and not lower.startswith("<loc_"):
            self._end_run()
            self._end_outline()
        super()._token(token)

    def finish(self) -> None:
        """End the reply, maybe inside a row of locations."""
        self._end_run(cut=True)
        self._end_outline(cut=True)
        super().finish()

    def _end_run(self, cut: bool = False, between: bool = False) -> None:
        """End a row of locations."""
        locations, self._run = self._run, []
        values = [float(token[5:-1]) + 0.5 for token in locations]
        if self._outline is not None:
            self._outline += zip(values[::2], values[1::2])
            self._asked += "".join(locations)
            return
        if not locations:
            return
        places, used = _boxes(values) if not between else ([], 0)
        phrase = self._phrase()
        for place in places:
            self.place(place, phrase, self.picture(phrase))
        if used < len(locations):
            self.malformed("".join(locations[used:]), cut and len(locations) % 4 > 0)
            self._name = ""

    def _end_outline(self, cut: bool = False) -> None:
        corners, self._outline = self._outline, None
        outline_text, self._asked = self._asked, ""
        if corners is None:
            return
        box = around(corners, GRID_1000) if len(corners) >= 3 else None
        phrase = self._phrase()
        if box is not None and sensible(box):
            self.place((box, None), phrase, self.picture(phrase))
            outline_text = ""
        if cut or not (box is not None and sensible(box)):
            self.malformed(outline_text or self._poly, cut)
            self._name = ""

    def _phrase(self) -> Phrase:
        words = self._name.rpartition("\n")[2]
        name = words.strip(" \t\r,;.")
        lead = len(words) - len(words.lstrip(" \t\r,;."))
        return Phrase(name, self._position - len(words) + lead) if name else Phrase("", 0)


def _boxes(values: list[float]) -> tuple[list[BoxPlace], int]:
    """Return the boxes of a row of numbers, and how many numbers they took from its beginning."""
    if len(values) == 8 and values[4] > values[6]:
        corners = tuple(zip(values[::2], values[1::2], strict=True))
        box = around(corners, GRID_1000)
        return ([(box, corners)], 8) if sensible(box) else ([], 0)
    places: list[BoxPlace] = []
    for at in range(0, len(values) - 3, 4):
        xa, ya, xb, yb = values[at : at + 4]
        box = FramedBox(xa, ya, xb, yb, GRID_1000)
        if not sensible(box):
            return places, at
        places.append((box, None))
    return places, len(values) - len(values) % 4


def dialect() -> ReplyDialect:
    """Return the dialect of Florence-2."""
    return ReplyDialect(Florence2Reply)
