"""A reply of a known family: its own form, and those of all others where it does not write its own.

Users ask for JSON, services strip tokens, tuned models mix forms; so a known name must not make a
reader stricter. Every family reads, in its own frame unless the form states one:

    <ref>…</ref> <box>…</box> <bbox>…</bbox> <quad>…</quad> <point>…</point>      tags
    <|object_ref_start|> <|box_start|> <|quad_start|> <|point_start|> <|ref|> <|det|>
    [{"bbox_2d": [1, 2, 3, 4], "label": "dog"}]                                   JSON
    <points x1="1" y1="2" alt="dog">dog</points>                                  points as XML

The first place in a form that the family does not usually write is remarked upon. Tokens that no
other family writes (`<loc0123>`, `<loc_12>`, `<patch_index_0044>`, `<phrase>`) are left to their
family (`reading.py`).
"""

import re
from functools import cache
from typing import ClassVar

from segue.dialects import Remark
from segue.dialects.json.reply import JsonReply
from segue.dialects.parsing.bare_corners import is_box
from segue.dialects.parsing.markup import Tag, Tokens, is_quoted
from segue.dialects.parsing.places import lists
from segue.dialects.parsing.points import LONGEST, PointsReply
from segue.values.frames import GRID_1000, AnyFrame

_ANSWER = ("<|begin_of_box|>", "<|end_of_box|>")
_FOREIGN = (
    ("paligemma", re.compile(r"<loc[0-9]{4}>", re.I)),
    ("florence2", re.compile(r"<loc_[0-9]{1,3}>|<poly>", re.I)),
    ("kosmos2", re.compile(r"<phrase>|<patch_index_[0-9]{4}>", re.I)),
)
"""Dialect -> tokens that only its family writes."""


@cache
def all_tags(frame: AnyFrame) -> tuple[Tag, ...]:
    """Return the tags of all families, with numbers in a frame."""
    pairs = [("<box>", "</box>"), ("<bbox>", "</bbox>"), ("<|box_start|>", "<|box_end|>")]
    pairs += [("<|extra_2|>", "<|extra_3|>"), ("<|det|>", "<|/det|>")]
    quads = [("<quad>", "</quad>"), ("<|quad_start|>", "<|quad_end|>")]
    points = [("<point>", "</point>"), ("<|point_start|>", "<|point_end|>")]
    names = [("<ref>", "</ref>"), ("<|object_ref_start|>", "<|object_ref_end|>")]
    names += [("<|ref|>", "<|/ref|>"), ("<|extra_0|>", "<|extra_1|>")]
    return (
        *(Tag(*pair) for pair in names),
        *(Tag(*pair, lists("box", frame), frame=frame) for pair in pairs),
        *(Tag(*pair, lists("quad", frame), frame=frame) for pair in quads),
        *(Tag(*pair, lists("point", frame), frame=frame) for pair in points),
    )


def family_tokens(
    *names: str, pattern: str = "", beginning: str = "", starts: str = "<", foreign: bool = True
) -> Tokens:
    """Return the tokens of all families.

    Args:
        names: more tokens, the dialect's own.
        pattern: and such that have no fixed text.
        beginning: matches what may still become one of these.
        starts: characters with which tokens begin.
        foreign: tokens that only one other family writes are tokens here, too.
    """
    tag_names = [name for tag in all_tags(GRID_1000) for name in (tag.opener, tag.closer)]
    patterns = [pattern, rf"<points?\s[^<>]{{0,{LONGEST}}}>"]
    half = [beginning, rf"<points?\s[^<>]{{0,{LONGEST}}}"]
    stems = ["<points"]
    if foreign:
        names = (*names, "<phrase>", "<poly>")
        patterns.append(r"<loc[0-9]{4}>|<loc_[0-9]{1,3}>|<patch_index_[0-9]{4}>")
        half.append(r"<loc_?[0-9]{0,4}|<patch_index_[0-9]{0,4}")
        stems += ["<loc_", "<patch_index_"]
    return Tokens.of(
        *(*tag_names, *_ANSWER, "</points>", *names),
        pattern="|".join(filter(None, patterns)),
        stems=stems,
        beginning="|".join(filter(None, half)),
        starts=starts,
        longest=LONGEST,
    )


class FamilyReply(PointsReply, JsonReply):
    """Reads the form of a family, and those of all others."""

    family: ClassVar[str] = ""
    """Its name, for people; "" says nothing of other forms."""
    forms: ClassVar[frozenset[str]] = frozenset()
    """The forms it usually writes: opening tags, "JSON", "<point …>"."""
    tokens = family_tokens()

    @property
    def points_frame(self) -> AnyFrame:
        """The frame of coordinates that are attributes of their own."""
        return self.shape.frame

    def __init__(self, grounded: bool = False) -> None:
        super().__init__(grounded)
        for tag in all_tags(self.shape.frame):
            self._openers.setdefault(tag.opener, tag)
            self._closers.add(tag.closer)
        self._remarked = False

    def note_form(self, form: str) -> None:
        """Remark upon a form that the family does not usually write, once."""
        if form.lower() in self.forms or form in self.forms or self._remarked or not self.family:
            return
        self._remarked = True
        form_name = "JSON" if form == "JSON" else f"{form} tags"
        self.emit(
            Remark(
                f"the reply points with {form_name}, which {self.family} does not usually write; "
                f"its numbers are read as {self.shape.frame}"
            )
        )

    def stray(self, token: str) -> None:
        """Read a token of another family, or one that means nothing."""
        if token.startswith("("):
            if is_box(token, self._recent) and not self.has_places:
                self.foreign = "qwen2_vl_stripped"
            else:
                self._words(token)
            return
        if is_quoted(token, self._recent):
            self._words(token)
            return
        dialects = (name for name, tokens in _FOREIGN if tokens.fullmatch(token))
        self.foreign = "" if self.has_places else next(dialects, "")
        if not self.foreign:
            super().stray(token)

    def _token(self, token: str) -> None:
        if token.startswith("(") and self._open is not None:
            self._words(token)  # corners between tags
            return
        in_string = self._block is not None and self._block.in_string
        if token.lower() in _ANSWER and not in_string:
            self._marked = token.lower() == _ANSWER[0]
            if self._block is not None:
                self._leave(self._block)
            return
        super()._token(token)
