"""What a person changes in a conversation: regions added, corrected, merged, deleted; edits."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import PIL.Image

from segue.assistant import Assistant
from segue.conversation.history import Step
from segue.conversation.prompted_regions import clicks_of, corrected, merged, pointed_out
from segue.conversation.state import State
from segue.edit import Edit, apply
from segue.errors import InputError
from segue.values.box import Box
from segue.values.image import Image
from segue.values.region import Region

PREVIEW = "preview"
"""The id of a region that is only shown."""


class ByHand(State):
    """A state that a person can change, and the assistant that makes the masks."""

    def __init__(self, assistant: Assistant) -> None:
        super().__init__()
        self.assistant = assistant

    def add(
        self,
        image: int | None = None,
        *,
        box: Box | None = None,
        points: Sequence[Sequence[float]] | None = None,
        labels: Sequence[int] | None = None,
        phrase: str = "",
        preview: bool = False,
    ) -> Region:
        """Make a region by hand.

        Args:
            image: index of the picture; by default the newest.
            box: drawn around the object, in pixels of the upright picture.
            points: clicks, (x, y) each; with or without a box.
            labels: 1 (on the object) or 0 (not on it) for each point; all 1 when left out.
            phrase: what to call it.
            preview: return it without keeping it.

        Raises:
            InputError: there is no such picture or no segmenter, or the box or points do not fit.
        """
        index = len(self._images) - 1 if image is None else image
        if not 0 <= index < len(self._images):
            raise InputError(f"There is no picture {index}; there are {len(self._images)}.")
        region = pointed_out(
            self.assistant,
            self._images[index],
            box,
            clicks_of(points, labels),
            id=PREVIEW if preview else f"r{self._next_id}",
            index=index,
            phrase=phrase,
        )
        if not preview:
            self._next_id += 1
            self.history.take(Step("add", region.id), regions=(*self.regions, region))
        return region

    def change(
        self,
        id: str,
        *,
        phrase: str | None = None,
        box: Box | None = None,
        points: Sequence[Sequence[float]] | None = None,
        labels: Sequence[int] | None = None,
        preview: bool = False,
    ) -> Region:
        """Rename a region, or correct its mask.

        Args:
            id: of the region.
            phrase: its new name; None keeps the old one.
            box: a new box around the object.
            points: all clicks, those made before included; a click on the object outside its box
                widens the box. None keeps the clicks of before.
            labels: as in `add`.
            preview: return it without keeping it.

        Raises:
            UnknownName: there is no such region.
            InputError: nothing is to be changed, or the box or points do not fit.
        """
        before = self.region(id)
        if phrase is None and box is None and points is None:
            raise InputError("Nothing to change: give a phrase, a box or points.")
        after = before if phrase is None else replace(before, phrase=phrase)
        if box is not None or points is not None:
            clicks = before.clicks if points is None else clicks_of(points, labels)
            after = corrected(self.assistant, self._images[after.image], after, box, clicks)
        if not preview:
            self._replace(Step("change", id), {id: after}, self.edits)
        return after

    def delete(self, id: str) -> None:
        """Take a region away, and the edits that name it.

        Raises:
            UnknownName: there is no such region.
        """
        self.region(id)
        kept = tuple(edit for edit in self.edits if id not in edit.regions)
        self._replace(Step("delete", id), {id: None}, kept)

    def merge(self, ids: Sequence[str], phrase: str | None = None) -> Region:
        """Make several regions of a picture one, under the first one's id.

        Args:
            ids: at least two; edits that name one of the others name the first from now on.
            phrase: what to call it; by default as the first.

        Raises:
            UnknownName: there is no such region.
            InputError: they cannot be merged.
        """
        names = list(dict.fromkeys(ids))
        region = merged([self.region(id) for id in names], phrase)
        first, *others = names
        named = [[first if id in others else id for id in edit.regions] for edit in self.edits]
        edits = tuple(
            replace(edit, regions=tuple(dict.fromkeys(now))) for edit, now in zip(self.edits, named)
        )
        gone: dict[str, Region | None] = dict.fromkeys(others)
        self._replace(Step("merge", " ".join(names)), {first: region, **gone}, edits)
        return region

    def _replace(
        self, step: Step, changed: Mapping[str, Region | None], edits: tuple[Edit, ...]
    ) -> None:
        after = [changed.get(region.id, region) for region in self.regions]
        regions = tuple(region for region in after if region is not None)
        self.history.take(step, regions=regions, edits=edits)

    def edit(
        self, edit: Edit, pictures: Mapping[str, Image] | None = None, *, preview: bool = False
    ) -> PIL.Image.Image:
        """Add an edit to the list, and return the picture it changes with all its edits so far.

        Args:
            edit: names regions of this conversation, all on one picture.
            pictures: those that the edit names as backgrounds.
            preview: return the picture without keeping the edit.

        Raises:
            InputError: the edit does not fit; then the list stays as it was.
        """
        backgrounds = {**self.backgrounds, **(pictures or {})}
        result = self._apply((*self.edits, edit), backgrounds, self._picture_of(edit))
        if not preview:
            self.keep_edit(edit, pictures)
        return result

    def keep_edit(self, edit: Edit, pictures: Mapping[str, Image] | None = None) -> None:
        """Add an edit to the list without painting it (somebody did, and saw that it fits).

        Raises:
            InputError: it does not name regions of one picture.
        """
        self._picture_of(edit)
        backgrounds = {**self.backgrounds, **(pictures or {})}
        step = Step("edit", edit.operation)
        self.history.take(step, edits=(*self.edits, edit), backgrounds=backgrounds)

    def _picture_of(self, edit: Edit) -> int:
        on = {region.image for region in self.regions if region.id in edit.regions}
        if len(on) != 1:
            known = ", ".join(region.id for region in self.regions) or "none"
            raise InputError(
                f"An edit must name regions of one picture, got {list(edit.regions)}. "
                f"Known: {known}."
            )
        return on.pop()

    def drop_edit(self, number: int) -> None:
        """Take one edit out of the list, wherever it stands.

        Raises:
            InputError: there is no edit of that index.
        """
        if not 0 <= number < len(self.edits):
            raise InputError(f"There is no edit {number}; there are {len(self.edits)}.")
        edits = self.edits[:number] + self.edits[number + 1 :]
        self.history.take(Step("drop edit", self.edits[number].operation), edits=edits)

    def edited(
        self, image: int | None = None, upto: int | None = None, *, whole: bool = False
    ) -> PIL.Image.Image:
        """A picture with its edits applied.

        Args:
            image: which one; by default the newest.
            upto: only so many of all edits, from the first on; None: all.
            whole: leave crops out, so that the result lies on the picture.
        """
        index = len(self.images) - 1 if image is None else image
        return self._apply(self.edits[:upto], self.backgrounds, index, whole=whole)

    def _apply(
        self,
        edits: Sequence[Edit],
        backgrounds: Mapping[str, Image],
        index: int,
        *,
        whole: bool = False,
    ) -> PIL.Image.Image:
        here = [region for region in self.regions if region.image == index]
        ids = {region.id for region in here}
        mine = [edit for edit in edits if ids.issuperset(edit.regions)]
        return apply(self.images[index], here, mine, pictures=backgrounds, whole=whole)
