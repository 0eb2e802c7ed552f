"""A chat model that points at things, used as a detector: asked with words, read by its dialect."""

import re

from segue.chat import ChatModel, thinks
from segue.detect.chat import ChatGrounding
from segue.dialects import DIALECTS, Dialect, Pointed, drop_retracted
from segue.errors import InputError
from segue.pipeline.coordinates import Sight
from segue.prompting.grounding_prompts import ask_for
from segue.values.box import Box
from segue.values.frames import EitherFrame
from segue.values.image import Image
from segue.values.message import Message, Sampling

WITHOUT_BOXES = ("molmo", "gsam")
"""Dialects that give points, or tags, and no boxes."""

_ARTICLE = re.compile(r"^(the|an?)\s+", re.IGNORECASE)


def detector_of(
    chat: ChatModel, question: str | None = None, dialect: str | None = None
) -> ChatGrounding:
    """The chat model as a detector; it answers in a conversation of its own, one per phrase.

    Args:
        chat: a model whose dialect has boxes.
        question: how it is asked, "{}" standing for the phrase; None: for every instance, in the
            form of its family and in the language of the phrase.
        dialect: the markup of its replies; None: as it says of itself.

    Raises:
        UnknownName: there is no dialect of the name that the model gives.
        InputError: its dialect has no boxes.
    """
    name = dialect or chat.dialect
    if name in WITHOUT_BOXES:
        raise InputError(
            f"A chat model of the dialect {name!r} gives no boxes, so it cannot be the detector. "
            "Name a detector: segue.load(detect=…)."
        )
    reader: Dialect = DIALECTS.load(name)
    sight = Sight.of(chat)

    def ask(image: Image, phrase: str) -> list[Box]:
        message = Message("user", _question(phrase, question, name), (image,))
        reply = chat.stream([message], Sampling(temperature=0))
        events = drop_retracted(reader.read(reply, thinks=thinks(chat), grounded=True))
        placed = [sight.framed(event) for event in events if isinstance(event, Pointed)]
        return [
            event.box.to_box(image.size, sight.seen(image.size))
            for event in placed
            if isinstance(event, Pointed) and not isinstance(event.box.frame, EitherFrame)
        ]

    return ChatGrounding(ask, name=chat.name)


def _question(phrase: str, question: str | None, dialect: str) -> str:
    if question is not None:
        return question.format(phrase)
    plain = _ARTICLE.sub("", phrase.strip()).rstrip(" .")
    # Qwen-VL was trained to frame what its singular question names, be it one or several.
    return ask_for(dialect, [plain], every=dialect != "qwen_vl")
