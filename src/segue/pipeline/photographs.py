"""One sentence where the bundled models are asked about a photograph: they know drawn scenes only.

A pipeline whose chat model or detector is bundled looks at each picture once.
"""

from collections.abc import Iterable

from segue.values.image import Image
from segue.values.image.photograph import is_photograph

BUNDLED_PREFIX = "embedded"
"""How the names of the bundled models begin."""
SUGGESTED_PRESET = "qwen3-vl-2b"
"""What to load instead: the smallest preset that knows photographs."""


class PhotographWarning(UserWarning):
    """The bundled models are used on a photograph."""


def photograph_notice(stages: Iterable[object], image: Image) -> str | None:
    """Return the sentence for a picture; None where there is nothing to say.

    Args:
        stages: the chat model and the detector that are used; None where one is missing.
        image: the picture.
    """
    names = [getattr(stage, "name", "") for stage in stages if stage is not None]
    bundled = [name for name in names if str(name).startswith(BUNDLED_PREFIX)]
    if not bundled or not is_photograph(image):
        return None
    picture = f"{image.name!r}" if image.name else "The picture"
    return (
        f"{picture} looks like a photograph, and the bundled models know drawn scenes only. For "
        f"photographs use for example --preset {SUGGESTED_PRESET}, in Python "
        f'segue.load("{SUGGESTED_PRESET}").'
    )
