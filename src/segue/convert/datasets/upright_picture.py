"""A picture with its annotations, both rotated upright."""

from collections.abc import Sequence
from dataclasses import dataclass

from segue.convert.datasets.coco_instances import CocoImage, CocoInstance, union_rle
from segue.convert.dialogue import DroppedRecord, GroundTruth
from segue.convert.exif import UPRIGHT, PixelFrame, box_to_upright, exif_correction
from segue.convert.image_files import LocatedImage, MissingImage, PictureFinder
from segue.values.box import Box


@dataclass(frozen=True, slots=True)
class UprightPicture:
    """A picture file, and how its annotations map to its upright pixels."""

    image: LocatedImage
    coco_image: CocoImage
    orientation: int = UPRIGHT
    """The EXIF orientation to apply to boxes and masks."""

    def box(self, instance: CocoInstance) -> Box:
        """Return the box of an annotation on the upright picture, clipped to it."""
        box = instance.box
        if self.orientation != UPRIGHT:
            box = box_to_upright(box, self.orientation, self.image.stored_size)
        return box.clipped(self.image.size)

    def boxes_in_reading_order(self, group: Sequence[CocoInstance]) -> list[Box]:
        """Return the boxes of annotations, left to right, then top to bottom."""
        return sorted((self.box(instance) for instance in group), key=lambda box: (box.x0, box.y0))

    def truth(self, group: Sequence[CocoInstance], masks: bool) -> GroundTruth:
        """Return the ground truth of a group.

        Raises:
            InputError: a mask makes no sense.
        """
        mask = union_rle(group, self.coco_image.size, self.orientation) if masks else None
        return GroundTruth(tuple(self.boxes_in_reading_order(group)), mask)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was assumed or repaired."""
        exif_notes = (
            ("boxes turned upright as EXIF data say",) if self.orientation != UPRIGHT else ()
        )
        return (*self.image.notes, *exif_notes)


def locate_upright_picture(
    picture: CocoImage, files: PictureFinder, exif: PixelFrame | None, name: str
) -> UprightPicture | DroppedRecord:
    """Locate a picture, and how its annotations map to its upright pixels.

    Args:
        coco_image: as the annotations list it.
        files: where it is looked for.
        exif: which pixels the annotations refer to; None: decided by the sizes.
        name: of the record.
    """
    image = files.find(picture.file_name, "coco")
    if isinstance(image, MissingImage):
        return DroppedRecord(name, image.reason, image.name)
    correction = exif_correction(picture.size, image.stored_size, image.orientation, exif)
    if correction.reason:
        return DroppedRecord(name, correction.reason, correction.detail)
    return UprightPicture(image, picture, correction.orientation)
