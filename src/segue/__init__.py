"""segue: talk about a picture, get pixel-accurate masks.

    import segue

    conversation = segue.load("embedded").open("airport.png")
    answer = conversation.ask("框出图片中飞机的位置")
    answer.draw().save("overlay.png")

The names below are imported only when they are used, so that `import segue` is instant.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segue.assistant import Assistant, load
    from segue.conversation import Conversation
    from segue.conversation.session import replay
    from segue.errors import InputError, MissingExtra, ModelError, SegueError, UnknownName
    from segue.pipeline.answer import Answer
    from segue.values.box import Box, Size
    from segue.values.image import Image
    from segue.values.mask import Mask
    from segue.values.message import Message, Sampling
    from segue.values.region import Region
    from segue.version import __version__

_HOME = {
    "Answer": "message",
    "Assistant": "assistant",
    "Box": "box",
    "Conversation": "conversation",
    "Image": "image",
    "InputError": "errors",
    "Mask": "mask",
    "Message": "message",
    "MissingExtra": "errors",
    "ModelError": "errors",
    "Region": "region",
    "Sampling": "message",
    "SegueError": "errors",
    "Size": "box",
    "UnknownName": "errors",
    "__version__": "version",
    "load": "assistant",
    "replay": "session",
}

__all__ = [
    "Answer",
    "Assistant",
    "Box",
    "Conversation",
    "Image",
    "InputError",
    "Mask",
    "Message",
    "MissingExtra",
    "ModelError",
    "Region",
    "Sampling",
    "SegueError",
    "Size",
    "UnknownName",
    "__version__",
    "load",
    "replay",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'segue' has no attribute {name!r}")
    return getattr(import_module(f"segue.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
