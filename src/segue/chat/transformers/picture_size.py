"""The size that a family's own code resizes a picture to, where it keeps the sides' ratio."""

import inspect
import sys
from typing import Any

from segue.chat.resizing import not_too_long
from segue.values.box import Size


def published_size(image_processor: Any, size: Size) -> Size | None:
    """Return what `smart_resize` beside the class of an image processor makes of a size.

    Families count differently: GLM takes a picture for two frames of a film, so that its limits
    are reached at half the pixels.

    Returns:
        None where there is no such function, or it takes what is not known here.
    """
    resize = getattr(sys.modules.get(type(image_processor).__module__), "smart_resize", None)
    if resize is None:
        return None
    frames = getattr(image_processor, "temporal_patch_size", 1)
    limits = image_processor.size
    known = {
        "factor": image_processor.patch_size * image_processor.merge_size,
        "min_pixels": limits.shortest_edge,
        "max_pixels": limits.longest_edge,
        "num_frames": frames,
        "temporal_factor": frames,
    }
    height, width = not_too_long(size)
    parameters = inspect.signature(resize).parameters
    try:
        made = resize(
            height=height, width=width, **{k: v for k, v in known.items() if k in parameters}
        )
    except (TypeError, ValueError):  # another function of that name, or a size it refuses
        return None
    return Size(int(made[0]), int(made[1]))
