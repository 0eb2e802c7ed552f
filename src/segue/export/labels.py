"""The labels of a data set: which phrase is which class, and regions read back from files."""

import re
from collections.abc import Iterable, Sequence

from segue.errors import InputError
from segue.export import AnnotatedImage
from segue.values.box import Box
from segue.values.mask import Mask
from segue.values.region import Region

UNNAMED = "object"
"""The label of regions without a phrase; formats want one."""


def label_of(region: Region) -> str:
    """Return the region's phrase without line breaks and outer spaces, or "object"."""
    return label_text(region.phrase) or UNNAMED


def label_text(phrase: str) -> str:
    """Return a phrase on one line; spaces of other scripts and joiners stay as they are."""
    return re.sub(r"[ \t\r\n\v\f\x1c-\x1f\x85\u2028\u2029]+", " ", phrase).strip(" ")


def labels_of(
    pictures: Iterable[AnnotatedImage], categories: Sequence[str] | None = None
) -> list[str]:
    """All labels in the order of their numbers.

    Args:
        pictures: what is written.
        categories: the classes in their order, those without any object too; None: the labels in
            the order in which they first occur, which differs between parts of a data set.

    Raises:
        InputError: a class is listed twice or has no name, or a region has a label that is not in
            the list.
    """
    found_labels = list(dict.fromkeys(label_of(r) for picture in pictures for r in picture.regions))
    if categories is None:
        return found_labels
    category_labels = [label_text(name) for name in categories]
    duplicates = sorted(
        {name for name in category_labels if category_labels.count(name) > 1 or not name}
    )
    if duplicates:
        raise InputError(f"Each category must have a name of its own, got {duplicates[0]!r} again.")
    if unknown := [label for label in found_labels if label not in set(category_labels)]:
        raise InputError(
            f"The categories given lack {', '.join(map(repr, unknown[:5]))}. Add what regions are "
            "called, or leave those regions out."
        )
    return category_labels


def region_of(
    number: int, label: str, mask: Mask | None, box: Box | None, score: float | None = None
) -> Region:
    """Return a region read from a file that does not say who found it: the user, we assume.

    Raises:
        InputError: there is neither a mask with pixels nor a box.
    """
    box = box or (mask.box if mask is not None else None)
    if box is None:
        raise InputError(f"Annotation {number} ({label!r}) has neither a box nor pixels.")
    return Region(f"r{number}", label, box, "user", mask=mask, score=score)
