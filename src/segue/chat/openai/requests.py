"""From messages to the body of a request: pictures at a size that no server changes."""

import base64
import io
import re
from collections.abc import Callable, Sequence
from typing import Any

import PIL.Image

from segue.dialects.parsing.thoughts import without_thoughts
from segue.values.box import Size
from segue.values.image import Image
from segue.values.message import Message, Sampling

PNG_BYTES = 1_000_000
"""Larger pictures are sent as JPEG, quality 95."""

_SPECIAL = re.compile(
    r"<\|(?!/?ref\||grounding\|)[^|<>\s]{1,40}\|>"
    r"|</?(?:img|image|video|IMG_CONTEXT)[^<>\s]{0,20}>"
)
"""What a server might take for more than letters; marks that only ask for boxes may pass."""
_BREAK = "\u2060"
"""Word joiner: invisible, and enough to make a special token ordinary text."""


def request_body(
    model: str,
    messages: Sequence[Message],
    sampling: Sampling,
    sent_size: Callable[[Size], Size],
    *,
    pictures: int | None = None,
    official: bool = False,
) -> dict[str, Any]:
    """Return the JSON of a request to /chat/completions, streaming.

    Args:
        model: as the server calls it.
        messages: the conversation.
        sampling: how to pick words; what is None is left to the server.
        sent_size: the size at which a picture is sent.
        pictures: send only so many, the newest; None: all.
        official: leave out what OpenAI's own service does not know.
    """
    total = sum(len(message.images) for message in messages)
    skip = 0 if pictures is None else max(total - pictures, 0)
    turns = []
    for message in messages:
        images = message.images[min(skip, len(message.images)) :]
        skip -= len(message.images) - len(images)
        if message.role == "assistant" and not without_thoughts(message.text).strip():
            continue  # some services refuse an empty turn
        turns.append(_turn(message, images, sent_size))
    settings = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": sampling.seed,
        "max_completion_tokens" if official else "max_tokens": sampling.max_new_tokens,
    }
    stated_settings = {key: value for key, value in settings.items() if value is not None}
    extra = {} if official else {"skip_special_tokens": False}
    return {"model": model, "messages": turns, "stream": True, **stated_settings, **extra}


def _turn(
    message: Message, images: Sequence[Image], sent_size: Callable[[Size], Size]
) -> dict[str, Any]:
    if message.role == "assistant":
        return {"role": "assistant", "content": without_thoughts(message.text)}
    text = _SPECIAL.sub(lambda match: match[0][0] + _BREAK + match[0][1:], message.text)
    if not images:
        return {"role": message.role, "content": text}
    parts: list[dict[str, Any]] = [
        {"type": "image_url", "image_url": {"url": data_url(image, sent_size(image.size))}}
        for image in images
    ]
    return {"role": message.role, "content": [*parts, {"type": "text", "text": text}]}


def data_url(image: Image, size: Size) -> str:
    """Return a picture, resized, as a data: URL."""
    picture = image.to_pil()
    if size != image.size:
        picture = picture.resize((size.width, size.height), PIL.Image.Resampling.BICUBIC)
    kind, data = "png", _encode(picture, "PNG", compress_level=3)
    if len(data) > PNG_BYTES:
        kind, data = "jpeg", _encode(picture, "JPEG", quality=95, subsampling=0)
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _encode(picture: PIL.Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()
