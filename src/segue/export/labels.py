"""The labels of a data set: which phrase is which class, and regions read back from files."""

from collections.abc import Iterable

from segue.box import Box
from segue.errors import InputError
from segue.export import Annotated
from segue.mask import Mask
from segue.region import Region

UNNAMED = "object"
"""The label of regions without a phrase; formats want one."""


def label_of(region: Region) -> str:
    """The region's phrase without line breaks and outer spaces, or "object"."""
    return " ".join(region.phrase.split()) or UNNAMED


def labels_of(pictures: Iterable[Annotated]) -> list[str]:
    """All labels, in the order in which they first occur."""
    return list(dict.fromkeys(label_of(r) for picture in pictures for r in picture.regions))


def region_of(
    number: int, label: str, mask: Mask | None, box: Box | None, score: float | None = None
) -> Region:
    """A region read from a file that does not know who found it: a person, one has to assume.

    Raises:
        InputError: there is neither a mask with pixels nor a box.
    """
    box = box or (mask.box if mask is not None else None)
    if box is None:
        raise InputError(f"Annotation {number} ({label!r}) has neither a box nor pixels.")
    return Region(f"r{number}", label, box, "person", mask=mask, score=score)
