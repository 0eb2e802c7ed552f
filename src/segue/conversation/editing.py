"""What the user changes in a conversation: regions added, refined, merged, deleted; edits."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import PIL.Image

from segue.conversation.history import Step
from segue.conversation.prompted_regions import (
    read_clicks,
    refine_region,
    region_from_prompt,
    union_of_regions,
)
from segue.conversation.state import ConversationState
from segue.deprecated import renamed
from segue.detect import Exemplar
from segue.edit import Edit, apply
from segue.errors import InputError
from segue.pipeline.grounder import Grounder
from segue.values.box import BoxLike, read_box
from segue.values.image import Image
from segue.values.region import Region

PREVIEW = "preview"
"""The id of a region that is only previewed."""


class EditableConversation(ConversationState):
    """A state that the user can change, and the grounder that makes the masks."""

    def __init__(self, grounder: Grounder) -> None:
        super().__init__()
        self._grounder = grounder

    def add_region(
        self,
        image: int | None = None,
        *,
        box: BoxLike | None = None,
        points: Sequence[Sequence[float]] | None = None,
        labels: Sequence[int] | None = None,
        phrase: str = "",
        preview: bool = False,
    ) -> Region:
        """Make a region from a box or clicks.

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
        index = self._picture_index(image)
        region = region_from_prompt(
            self._grounder,
            self._images[index],
            None if box is None else read_box(box),
            read_clicks(points, labels),
            id=PREVIEW if preview else f"r{self._next_id}",
            index=index,
            phrase=phrase,
        )
        if not preview:
            self._next_id += 1
            region = replace(region, names=(phrase,) if phrase else ())
            self.history.push(Step("add", region.id), regions=(*self.regions, region))
        return region

    def add_regions_like(
        self,
        exemplars: Sequence[Exemplar],
        image: int | None = None,
        *,
        phrase: str = "",
        preview: bool = False,
    ) -> tuple[Region, ...]:
        """Make regions of all that is like what boxes show, in one step.

        Args:
            exemplars: boxes on what is meant, and on what is not, in pixels of the upright picture.
            image: index of the picture; by default the newest.
            phrase: what it is called, for the detector too; empty: the boxes alone say it.
            preview: return them without keeping them.

        Returns:
            The regions, best score first; () where nothing is like it, and then nothing is kept.

        Raises:
            InputError: there is no such picture, the detector takes no boxes, or one does not lie
                in the picture.
        """
        index = self._picture_index(image)
        picture = self._images[index]
        found = self._grounder.add_masks(
            self._grounder.detect_like(picture, exemplars, phrase), picture
        )
        names = (phrase,) if phrase else ()
        regions = tuple(
            replace(
                region,
                id=f"{PREVIEW}{number}" if preview else f"r{self._next_id + number}",
                image=index,
                names=names,
            )
            for number, region in enumerate(found)
        )
        if regions and not preview:
            self._next_id += len(regions)
            ids = " ".join(region.id for region in regions)
            self.history.push(Step("add", ids), regions=(*self.regions, *regions))
        return regions

    def _picture_index(self, image: int | None) -> int:
        index = len(self._images) - 1 if image is None else image
        if not 0 <= index < len(self._images):
            raise InputError(f"There is no picture {index}; there are {len(self._images)}.")
        return index

    def update_region(
        self,
        id: str,
        *,
        phrase: str | None = None,
        box: BoxLike | None = None,
        points: Sequence[Sequence[float]] | None = None,
        labels: Sequence[int] | None = None,
        preview: bool = False,
    ) -> Region:
        """Rename a region, or refine its mask.

        Args:
            id: of the region.
            phrase: its new name; None keeps the old one.
            box: a new box around the object.
            points: all clicks, those made before included; a click on the object outside its box
                widens the box. None keeps the clicks of before.
            labels: as in `add_region`.
            preview: return it without keeping it.

        Raises:
            UnknownName: there is no such region.
            InputError: nothing is to be changed, or the box or points do not fit.
        """
        region = self.region(id)
        if phrase is None and box is None and points is None:
            raise InputError("Nothing to change: give a phrase, a box or points.")
        updated = region
        if phrase is not None:
            names = tuple(dict.fromkeys(filter(None, (phrase, *region.names))))
            updated = replace(region, phrase=phrase, names=names)
        if box is not None or points is not None:
            clicks = region.clicks if points is None else read_clicks(points, labels)
            new_box = None if box is None else read_box(box)
            image = self._images[updated.image]
            updated = refine_region(self._grounder, image, updated, new_box, clicks)
        if not preview:
            self._replace(Step("change", id), {id: updated}, self.edits)
        return updated

    def delete_region(self, id: str) -> None:
        """Delete a region, and the edits that name it.

        Raises:
            UnknownName: there is no such region.
        """
        self.region(id)
        edits = tuple(edit for edit in self.edits if id not in edit.regions)
        self._replace(Step("delete", id), {id: None}, edits)

    def merge_regions(self, ids: Sequence[str], phrase: str | None = None) -> Region:
        """Merge regions of a picture, under the id of the first.

        Args:
            ids: at least two; edits that name one of the others name the first from now on.
            phrase: what to call it; by default as the first.

        Raises:
            UnknownName: there is no such region.
            InputError: they cannot be merged.
        """
        unique_ids = list(dict.fromkeys(ids))
        region = union_of_regions([self.region(id) for id in unique_ids], phrase)
        first, *merged_ids = unique_ids
        edits = edits_after_merge(self.edits, unique_ids)
        deletions: dict[str, Region | None] = dict.fromkeys(merged_ids)
        step = Step("merge", " ".join(unique_ids))
        self._replace(step, {first: region, **deletions}, edits)
        return region

    def _replace(
        self, step: Step, changes: Mapping[str, Region | None], edits: tuple[Edit, ...]
    ) -> None:
        updated = [changes.get(region.id, region) for region in self.regions]
        regions = tuple(region for region in updated if region is not None)
        self.history.push(step, regions=regions, edits=edits)

    def edit(
        self, edit: Edit, pictures: Mapping[str, Image] | None = None, *, preview: bool = False
    ) -> PIL.Image.Image:
        """Add an edit to the list, and return the picture it changes with all its edits so far.

        Args:
            edit: names regions of this conversation, all on one picture.
            pictures: those that the edit names as backgrounds.
            preview: return the picture without keeping the edit.

        Raises:
            InputError: it is no `Edit` or does not fit; then the list stays as it was.
        """
        index = self._picture_of(edit)
        backgrounds = {**self.backgrounds, **(pictures or {})}
        result = self._apply((*self.edits, edit), backgrounds, index)
        if not preview:
            self.record_edit(edit, pictures)
        return result

    def record_edit(self, edit: Edit, pictures: Mapping[str, Image] | None = None) -> None:
        """Add an edit to the list that was painted already.

        Raises:
            InputError: it does not name regions of one picture.
        """
        self._picture_of(edit)
        backgrounds = {**self.backgrounds, **(pictures or {})}
        step = Step("edit", edit.operation)
        self.history.push(step, edits=(*self.edits, edit), backgrounds=backgrounds)

    def _picture_of(self, edit: Edit) -> int:
        _check_edit(edit)
        images = {region.image for region in self.regions if region.id in edit.regions}
        if len(images) != 1:
            known_ids = ", ".join(region.id for region in self.regions) or "none"
            raise InputError(
                f"An edit must name regions of one picture, got {list(edit.regions)}. "
                f"Known: {known_ids}."
            )
        return images.pop()

    def delete_edit(self, number: int) -> None:
        """Delete an edit, wherever it stands in the list.

        Raises:
            InputError: there is no edit of that index.
        """
        if not 0 <= number < len(self.edits):
            raise InputError(f"There is no edit {number}; there are {len(self.edits)}.")
        edits = self.edits[:number] + self.edits[number + 1 :]
        self.history.push(Step("drop edit", self.edits[number].operation), edits=edits)

    def edited_image(
        self, image: int | None = None, n_edits: int | None = None, *, skip_crops: bool = False
    ) -> PIL.Image.Image:
        """Return a picture with its edits applied.

        Args:
            image: which one; by default the newest.
            n_edits: only so many of all edits, from the first on; None: all.
            skip_crops: leave crops out, so that the result lies on the picture.
        """
        index = len(self.images) - 1 if image is None else image
        return self._apply(self.edits[:n_edits], self.backgrounds, index, skip_crops=skip_crops)

    def _apply(
        self,
        edits: Sequence[Edit],
        backgrounds: Mapping[str, Image],
        index: int,
        *,
        skip_crops: bool = False,
        all_regions: Sequence[Region] | None = None,
    ) -> PIL.Image.Image:
        all_regions = self.regions if all_regions is None else all_regions
        regions = [region for region in all_regions if region.image == index]
        ids = {region.id for region in regions}
        edits = [edit for edit in edits if ids.issuperset(edit.regions)]
        return apply(
            self.images[index], regions, edits, pictures=backgrounds, skip_crops=skip_crops
        )

    add = renamed("Conversation.add", add_region)
    change = renamed("Conversation.change", update_region)
    delete = renamed("Conversation.delete", delete_region)
    merge = renamed("Conversation.merge", merge_regions)
    edited = renamed("Conversation.edited", edited_image)
    drop_edit = renamed("Conversation.drop_edit", delete_edit)
    keep_edit = renamed("Conversation.keep_edit", record_edit)


def _check_edit(edit: object) -> None:
    if not isinstance(edit, Edit):
        raise InputError(
            f"An edit is a segue.edit.Edit, got {edit!r:.80}. Write it as "
            'conversation.edit(Edit("blur", ["r1"])).'
        )


def edits_after_merge(edits: Sequence[Edit], ids: Sequence[str]) -> tuple[Edit, ...]:
    """Return edits that name the first of merged regions where they named any of them."""
    first, *merged_ids = ids
    return tuple(
        replace(
            edit,
            regions=tuple(dict.fromkeys(first if id in merged_ids else id for id in edit.regions)),
        )
        for edit in edits
    )
