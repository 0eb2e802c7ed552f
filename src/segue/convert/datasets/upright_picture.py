"""A picture with its annotations: where they lie once both are upright."""

from collections.abc import Sequence
from dataclasses import dataclass

from segue.convert.datasets.instances import Instance, Picture, union_rle
from segue.convert.dialogue import Dropped, Truth
from segue.convert.exif import UPRIGHT, Exif, exif_turn, turned_box
from segue.convert.image_files import ImageFiles, Located, Missing
from segue.values.box import Box


@dataclass(frozen=True, slots=True)
class UprightPicture:
    """A picture that was found, with how its annotations lie on it."""

    found: Located
    picture: Picture
    orientation: int = UPRIGHT
    """How boxes and masks are turned to lie upright."""

    def box(self, instance: Instance) -> Box:
        """The box of an annotation on the upright picture, cut at its border."""
        box = instance.box
        if self.orientation != UPRIGHT:
            box = turned_box(box, self.orientation, self.found.stored)
        return box.clipped(self.found.size)

    def in_reading_order(self, group: Sequence[Instance]) -> list[Box]:
        """The boxes of some annotations, left to right, then top to bottom."""
        return sorted((self.box(one) for one in group), key=lambda box: (box.x0, box.y0))

    def truth(self, group: Sequence[Instance], masks: bool) -> Truth:
        """What is known of the place of a group.

        Raises:
            InputError: a mask makes no sense.
        """
        mask = union_rle(group, self.picture.size, self.orientation) if masks else None
        return Truth(tuple(self.in_reading_order(group)), mask)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was assumed or repaired."""
        turned = ("boxes turned upright as EXIF data say",) if self.orientation != UPRIGHT else ()
        return (*self.found.notes, *turned)


def upright_picture(
    picture: Picture, files: ImageFiles, exif: Exif | None, name: str
) -> UprightPicture | Dropped:
    """Find a picture, and how its annotations lie on it.

    Args:
        picture: as the annotations list it.
        files: where it is looked for.
        exif: what the annotations were drawn on; None: the sizes must tell.
        name: of the record.
    """
    found = files.find(picture.file_name, "coco")
    if isinstance(found, Missing):
        return Dropped(name, found.reason, found.name)
    turn = exif_turn(picture.size, found.stored, found.orientation, exif)
    if turn.reason:
        return Dropped(name, turn.reason, turn.detail)
    return UprightPicture(found, picture, turn.orientation)
