"""What comes out of a question: a stream of events, and an answer.

The events of one answer come as a single stream, in the order in which they become known; a mask
may come before the sentence that mentions it has ended. Command line, server and `ask()` are
readers of this one stream.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from textwrap import shorten
from typing import Any, Literal

import PIL.Image

from segue.draw import draw_regions
from segue.draw.rich_display import figure_html, not_found_html, picture_html, words_html
from segue.files.counts import count_noun
from segue.values.image import Image
from segue.values.presence import PresenceVerdict
from segue.values.region import Region
from segue.values.serialize import picture_to_json, region_to_json


@dataclass(frozen=True, slots=True)
class TextAdded:
    """More words of the answer, free of markup."""

    text: str


@dataclass(frozen=True, slots=True)
class RegionFound:
    """A box is known; its mask follows."""

    region: Region


@dataclass(frozen=True, slots=True)
class MaskReady:
    """The mask of a region found earlier."""

    region: Region


@dataclass(frozen=True, slots=True)
class NotFound:
    """The detector looked for a phrase and it is not in the picture. An answer, not an error."""

    phrase: str
    span: tuple[int, int] | None = None
    image: int = 0
    reason: str = "it is not in the picture"
    verdict: PresenceVerdict | None = None
    """Whether it is there after all; None: no calibration of the models is known."""
    is_looked_for: bool = True
    """Whether something looked for it; else there was no picture, no detector or no clear place."""


@dataclass(frozen=True, slots=True)
class MarkupBroken:
    """Markup that never made sense, kept word for word. Data, not an error."""

    text: str
    cut: bool = False
    """The reply ended inside it: more might have come."""
    reason: str = ""
    """For people, where it is more than that it makes no sense."""


@dataclass(frozen=True, slots=True)
class ThoughtEnded:
    """The model thought for a while; what it thought is neither shown nor acted on."""

    characters: int
    """Length of the thought."""
    retracts: bool = False
    """Its beginning was not marked, so all earlier events of this reply belong to it and no longer
    count: words, regions, what was not found. The clean text begins anew."""
    regions: tuple[str, ...] = ()
    """Ids of the regions that are withdrawn."""
    cut: bool = False
    """The reply ended inside the thought."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What a user should know of how an answer came about: a fall-back, a loop, a server's word."""

    text: str
    """A sentence."""


@dataclass(frozen=True, slots=True)
class PhraseVerdict:
    """Whether what an answer was asked for, or speaks of, is in a picture."""

    phrase: str
    image: int
    """Index of the picture."""
    verdict: PresenceVerdict

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, which `from_json` reads."""
        return {"phrase": self.phrase, "image": self.image, **self.verdict.to_json()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "PhraseVerdict":
        """Read what `to_json` wrote.

        Raises:
            InputError: it is no verdict.
            KeyError: a field is missing.
        """
        return cls(str(value["phrase"]), int(value["image"]), PresenceVerdict.from_json(value))


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """Everything one question brought."""

    question: str
    text: str
    """Clean words."""
    raw: str
    """As the model wrote it, markup included."""
    regions: tuple[Region, ...] = ()
    images: tuple[Image, ...] = ()
    """All pictures of the conversation so far; `Region.image` counts in here."""
    not_found: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    """Markup that could not be read."""
    cut: bool = False
    """The reply ended inside markup: what is complete is here, more might have come."""
    finish: Literal["stop", "length", "cancelled", "error", "refused", "thought"] = "stop"
    """Why the reply ended. After "error" and "refused" what had been said until then is kept;
    "thought": the model only thought, and gave no answer."""
    thought: int = 0
    """Characters of the reply that were thoughts; they are part of `raw` alone."""
    notices: tuple[str, ...] = ()
    """What a user should know of how the answer came about, as sentences."""
    marked: tuple[str, ...] = ()
    """Phrases that were looked for because the reply only spoke of them."""
    verdicts: tuple[PhraseVerdict, ...] = ()
    """One for each phrase on each picture, where a calibration of the models is known."""
    from_register: bool = False
    """Answered from the objects that were known, without asking the chat model."""
    choices: tuple[str, ...] = ()
    """Ids of regions of which the user is asked to name some."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Time spent, by stage."""

    def draw(self, image: int | None = None) -> PIL.Image.Image:
        """Draw the masks, boxes and phrases of a picture on it.

        Args:
            image: which picture; by default the one the first region is on, else the newest.
        """
        image = self._drawn_image if image is None else image
        regions = [region for region in self.regions if region.image == image]
        return draw_regions(self.images[image], regions)

    def save(self, file: str | Path) -> None:
        """Write what `draw` draws; its format is that of the file's name."""
        self.draw().save(file)

    @property
    def _drawn_image(self) -> int:
        """The picture the first region is on, else the newest."""
        return self.regions[0].image if self.regions else len(self.images) - 1

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        missing = f", not found: {', '.join(self.not_found)}" if self.not_found else ""
        found = count_noun(len(self.regions), "region")
        return f"<Answer {shorten(self.text, 80)!r}, {found}{missing}>"

    def _repr_html_(self) -> str:
        """Return the words, phrases in colour, and the pictures that something is marked in."""
        marked = sorted({region.image for region in self.regions})
        pictures = [
            picture_html(self.images[number], [r for r in self.regions if r.image == number])
            for number in marked or ([self._drawn_image] if self.images else [])
        ]
        words = words_html(self.text, self.regions).replace("\n", "<br>")
        notices = "".join(f"<p><small>{escape(notice)}</small></p>" for notice in self.notices)
        return figure_html(f"<p>{words}</p>", *pictures, not_found_html(self.not_found), notices)

    def to_json(self) -> dict[str, Any]:
        """Write the answer as plain JSON values.

        {"image": name of the picture that `draw` draws, "size": [h, w] of that picture,
         "text", "raw", "question", "finish",
         "regions": [as in `segue.values.serialize`], "not_found": [phrase, …],
         "broken": [text, …], "cut": whether the reply ended inside markup,
         "thought": characters that were thoughts, "notices": [sentence, …],
         "verdicts": [{"phrase", "image", "probability", "presence"}], "marked": [phrase, …],
         "choices": [id, …], "from_register": true: where there are some,
         "images": [{"name", "size": [h, w], "digest"}]}
        """
        index = self._drawn_image
        return {
            "image": self.images[index].name if self.images else None,
            "size": list(self.images[index].size) if self.images else None,
            **self.reply_to_json(),
            "question": self.question,
            "images": [picture_to_json(image) for image in self.images],
        }

    def reply_to_json(self) -> dict[str, Any]:
        """Write what the model said and what came of it, without question and pictures."""
        return {
            "text": self.text,
            "raw": self.raw,
            "regions": [region_to_json(region) for region in self.regions],
            "not_found": list(self.not_found),
            "broken": list(self.broken),
            "cut": self.cut,
            "finish": self.finish,
            "thought": self.thought,
            "notices": list(self.notices),
            **({"marked": list(self.marked)} if self.marked else {}),
            **({"verdicts": [one.to_json() for one in self.verdicts]} if self.verdicts else {}),
            **({"choices": list(self.choices)} if self.choices else {}),
            **({"from_register": True} if self.from_register else {}),
        }


@dataclass(frozen=True, slots=True)
class Done:
    """The end of the stream, with everything collected."""

    answer: Answer


Event = TextAdded | RegionFound | MaskReady | NotFound | MarkupBroken | ThoughtEnded | Notice | Done
