"""segue: talk about a picture, get pixel-accurate masks.

    import segue

    conversation = segue.load("embedded").open("airport.png")
    answer = conversation.ask("框出图片中飞机的位置")
    answer.draw().save("overlay.png")

The names below are imported only when they are used, so that `import segue` is instant.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from segue.deprecated import find_moved_modules

if TYPE_CHECKING:
    from segue.assistant import Assistant, load
    from segue.assistant.replay import replay
    from segue.conversation import Conversation
    from segue.conversation.session.read import resume
    from segue.errors import InputError, MissingExtra, ModelError, SegueError, UnknownName
    from segue.pipeline.answer import (
        Answer,
        Done,
        Event,
        MarkupBroken,
        MaskReady,
        NotFound,
        Notice,
        RegionFound,
        TextAdded,
        ThoughtEnded,
    )
    from segue.runs.annotate import annotate
    from segue.runs.tracking.run import track
    from segue.values.box import Box, Size
    from segue.values.image import Image
    from segue.values.mask import Mask
    from segue.values.message import Message, Sampling
    from segue.values.region import Region
    from segue.version import __version__

_HOME = {
    "Answer": "pipeline.answer",
    "Assistant": "assistant",
    "Box": "values.box",
    "Conversation": "conversation",
    "Done": "pipeline.answer",
    "Event": "pipeline.answer",
    "Image": "values.image",
    "InputError": "errors",
    "MarkupBroken": "pipeline.answer",
    "Mask": "values.mask",
    "MaskReady": "pipeline.answer",
    "Message": "values.message",
    "MissingExtra": "errors",
    "ModelError": "errors",
    "NotFound": "pipeline.answer",
    "Notice": "pipeline.answer",
    "Region": "values.region",
    "RegionFound": "pipeline.answer",
    "Sampling": "values.message",
    "SegueError": "errors",
    "Size": "values.box",
    "TextAdded": "pipeline.answer",
    "ThoughtEnded": "pipeline.answer",
    "UnknownName": "errors",
    "__version__": "version",
    "annotate": "runs.annotate",
    "load": "assistant",
    "replay": "assistant.replay",
    "resume": "conversation.session.read",
    "track": "runs.tracking.run",
}

__all__ = [
    "Answer",
    "Assistant",
    "Box",
    "Conversation",
    "Done",
    "Event",
    "Image",
    "InputError",
    "MarkupBroken",
    "Mask",
    "MaskReady",
    "Message",
    "MissingExtra",
    "ModelError",
    "NotFound",
    "Notice",
    "Region",
    "RegionFound",
    "Sampling",
    "SegueError",
    "Size",
    "TextAdded",
    "ThoughtEnded",
    "UnknownName",
    "__version__",
    "annotate",
    "load",
    "replay",
    "resume",
    "track",
]

find_moved_modules()


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'segue' has no attribute {name!r}")
    return getattr(import_module(f"segue.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
