"""ClickEditor: clicks and boxes on one picture of a conversation, without any notebook.

There is at most one draft: a region whose prompts still change. Kept, it is a region of the
conversation. The widget shows an editor; messages of its page come in through `handle`.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from segue.conversation import Conversation
from segue.draw import draw_regions
from segue.errors import InputError, SegueError
from segue.pipeline.regions import Regions
from segue.values.box import Box, Size
from segue.values.image import Image
from segue.values.mask import Mask
from segue.values.region import Click, Region

LONGEST_SIDE = 1024
"""Of the picture that a notebook shows, in pixels; prompts and masks are those of the original."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A region that is not kept yet."""

    region: Region
    target: str | None
    """Id of the region that it refines; None: it is new."""
    box: Box | None
    """The box that was drawn."""
    clicks: tuple[Click, ...]
    before: "Draft | None"
    """As it was before its last prompt; None: that was its first."""


class ClickEditor:
    """Prompts by hand on one picture of a conversation."""

    def __init__(self, conversation: Conversation, image: int | None = None) -> None:
        """
        Args:
            conversation: has the picture, and gets the regions.
            image: index of the picture; None: the newest.

        Raises:
            InputError: there is no such picture, or no segmenter.
        """
        index = len(conversation.images) - 1 if image is None else image
        if not 0 <= index < len(conversation.images):
            raise InputError(
                f"There is no picture {index}; the conversation has {len(conversation.images)}."
            )
        if conversation.pipeline.segmenter is None:
            raise InputError("Clicks need a segmenter. Load one: segue.load(segment=…).")
        self.conversation = conversation
        self.index = index
        self.draft: Draft | None = None
        self.selected: str | None = None
        """Id of the region that the next prompt refines; None: it begins a new one."""
        self.error = ""
        """Why the last message changed nothing; empty: it did."""
        self._own_steps: list[Any] = []
        self._small = _small_image(self.image)

    @property
    def image(self) -> Image:
        """The picture."""
        return self.conversation.images[self.index]

    @property
    def regions(self) -> Regions:
        """What is marked on the picture, with the draft, which may have no name yet."""
        kept = [region for region in self.conversation.regions if region.image == self.index]
        if self.draft is not None:
            kept = [region for region in kept if region.id != self.draft.target]
            kept.append(self.draft.region)
        return Regions(kept, self.image)

    def click(self, x: float, y: float, label: int = 1) -> Region:
        """Click on the object (label 1), or on what does not belong to it (0).

        Raises:
            InputError: the point lies outside the picture, or the first one is not on an object.
        """
        draft = self.draft
        clicks = draft.clicks if draft is not None else self._clicks_of_selected()
        box = draft.box if draft is not None else None
        if not label and not clicks and box is None and self.selected is None:
            raise InputError("Click on the object first, then on what does not belong to it.")
        return self._prompt(box, (*clicks, (float(x), float(y), int(label))))

    def draw_box(self, box: Box) -> Region:
        """Draw a box around the object; clicks made before stay.

        Raises:
            InputError: the box lies outside the picture.
        """
        draft = self.draft
        clicks = draft.clicks if draft is not None else self._clicks_of_selected()
        return self._prompt(box, clicks)

    def name(self, phrase: str) -> None:
        """Name the draft, or the region that is selected."""
        if self.draft is not None:
            self.draft = replace(self.draft, region=replace(self.draft.region, phrase=phrase))
        elif self.selected is not None:
            self.conversation.update_region(self.selected, phrase=phrase)
            self._remember_step()

    def keep(self) -> Region | None:
        """Make the draft a region of the conversation; None: there is no draft."""
        draft = self.draft
        if draft is None:
            return None
        points = [(x, y) for x, y, _ in draft.clicks] or None
        labels = [label for _, _, label in draft.clicks] or None
        phrase = draft.region.phrase
        if draft.target is None:
            region = self.conversation.add_region(
                self.index, box=draft.box, points=points, labels=labels, phrase=phrase
            )
        else:
            region = self.conversation.update_region(
                draft.target, phrase=phrase, box=draft.box, points=points, labels=labels
            )
        self._remember_step()
        self.draft = self.selected = None
        return region

    def discard(self) -> None:
        """Drop the draft and the selection."""
        self.draft = self.selected = None

    def undo(self) -> None:
        """Undo the last prompt of the draft; without a draft what was last changed here.

        Steps that others made in the conversation, such as questions, are not undone.
        """
        if self.draft is not None:
            self.draft = self.draft.before
        elif self.can_undo:
            self._own_steps.pop()
            self.conversation.undo()
            self.selected = None

    @property
    def can_undo(self) -> bool:
        """Whether there is something to undo."""
        own = self._own_steps
        return self.draft is not None or bool(own and own[-1] is self.conversation.history.now)

    def select(self, id: str | None) -> None:
        """Choose the region that the next prompt refines; a draft is kept first.

        Raises:
            UnknownName: there is no such region.
        """
        self.keep()
        if id is not None:
            _ = self.conversation.region(id)
        self.selected = id

    def delete(self, id: str | None = None) -> None:
        """Delete a region, by default the selected one; of a draft, what it refines.

        Raises:
            UnknownName: there is no such region.
        """
        id = id or (self.draft.target if self.draft is not None else self.selected)
        self.discard()
        if id is not None:
            self.conversation.delete_region(id)
            self._remember_step()

    def handle(self, message: Mapping[str, Any]) -> None:
        """Do what a message of the page says; where that fails, `error` says why.

        Args:
            message: {"kind": "click", "x", "y", "label"}, {"kind": "box", "box": [x0, y0, x1, y1]},
                {"kind": "name", "phrase"}, {"kind": "select", "id"}, {"kind": "delete", "id"},
                {"kind": "keep"}, {"kind": "discard"} or {"kind": "undo"}.
        """
        self.error = ""
        try:
            match message:
                case {"kind": "click", "x": x, "y": y, "label": label}:
                    self.click(float(x), float(y), 1 if label else 0)
                case {"kind": "box", "box": [x0, y0, x1, y1]}:
                    self.draw_box(Box.spanning(float(x0), float(y0), float(x1), float(y1)))
                case {"kind": "name", "phrase": phrase}:
                    self.name(str(phrase))
                case {"kind": "select", "id": id}:
                    self.select(None if id is None else str(id))
                case {"kind": "delete", **rest}:
                    self.delete(None if rest.get("id") is None else str(rest["id"]))
                case {"kind": "keep"}:
                    self.keep()
                case {"kind": "discard"}:
                    self.discard()
                case {"kind": "undo"}:
                    self.undo()
                case _:
                    raise InputError(f"The widget does not know the message {dict(message)!r}.")
        except SegueError as error:
            self.error = str(error)

    def to_json(self) -> dict[str, Any]:
        """Return what the page shows beside the picture, as plain JSON values."""
        draft = self.draft
        regions = [
            {
                "id": region.id,
                "phrase": region.phrase,
                "is_draft": draft is not None and region is draft.region,
                "is_selected": region.id == self.selected,
            }
            for region in self.regions
        ]
        box = None if draft is None or draft.box is None else list(draft.box.corners)
        return {
            "size": [self.image.size.width, self.image.size.height],
            "regions": regions,
            "clicks": [list(click) for click in draft.clicks] if draft is not None else [],
            "box": box,
            "can_undo": self.can_undo,
            "error": self.error,
        }

    def picture_bytes(self) -> bytes:
        """Return the picture with all regions drawn on it, made smaller, as JPEG."""
        small = [_small_region(region, self._small.size) for region in self.regions]
        buffer = io.BytesIO()
        draw_regions(self._small, small, boxes=False).save(buffer, "JPEG", quality=88)
        return buffer.getvalue()

    def _prompt(self, box: Box | None, clicks: tuple[Click, ...]) -> Region:
        """Make the draft anew from its prompts."""
        before = self.draft
        target = before.target if before is not None else self.selected
        points = [(x, y) for x, y, _ in clicks] or None
        labels = [label for _, _, label in clicks] or None
        if target is None:
            region = self.conversation.add_region(
                self.index, box=box, points=points, labels=labels, preview=True
            )
        else:
            region = self.conversation.update_region(
                target, box=box, points=points, labels=labels, preview=True
            )
        if before is not None:
            region = replace(region, phrase=before.region.phrase)
        self.draft = Draft(region, target, box, clicks, before)
        return region

    def _clicks_of_selected(self) -> tuple[Click, ...]:
        if self.selected is None:
            return ()
        return self.conversation.region(self.selected).clicks

    def _remember_step(self) -> None:
        self._own_steps.append(self.conversation.history.now)


def _small_image(image: Image) -> Image:
    scale = LONGEST_SIDE / max(image.size.height, image.size.width)
    if scale >= 1:
        return image
    width, height = (max(1, round(side * scale)) for side in (image.size.width, image.size.height))
    return Image(cv2.resize(image.array, (width, height), interpolation=cv2.INTER_AREA))


def _small_region(region: Region, size: Size) -> Region:
    """Return a region as it is on a smaller copy of its picture."""
    if region.mask is None or region.mask.size == size:
        return region
    full = region.mask.size
    x, y = size.width / full.width, size.height / full.height
    cover = region.mask.array.astype(np.uint8) * 255
    mask = cv2.resize(cover, (size.width, size.height), interpolation=cv2.INTER_AREA) > 127
    x0, y0, x1, y1 = region.box.corners
    return replace(region, box=Box(x0 * x, y0 * y, x1 * x, y1 * y), mask=Mask(mask), quad=None)
