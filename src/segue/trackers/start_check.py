"""What is refused where a tracker starts."""

from segue.errors import InputError
from segue.values.box import Size
from segue.values.mask import Mask


def check_start(mask: Mask, size: Size) -> None:
    """Refuse a mask that no tracker can follow.

    Raises:
        InputError: it is empty, or not of the size of the frame.
    """
    if mask.size != size:
        raise InputError(
            f"A mask to follow must have the size of its frame, {size.width} x {size.height} "
            f"pixels, got {mask.size.width} x {mask.size.height}."
        )
    if mask.is_empty:
        raise InputError("An object to follow must cover a pixel, got an empty mask.")
