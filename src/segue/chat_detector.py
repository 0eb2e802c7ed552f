"""A chat model that points at things, used as a detector: asked with words, read by its dialect."""

import re

from segue.box import Box, EitherFrame
from segue.chat import ChatModel
from segue.detect.chat import ChatGrounding
from segue.dialects import DIALECTS, Dialect, Pointed
from segue.image import Image
from segue.message import Message, Sampling
from segue.sight import Sight

CHINESE = "框出图片中{}的位置"
ENGLISH = "Find the {} in the picture."

_HAN = re.compile(r"[\u3400-\u9fff]")
_ARTICLE = re.compile(r"^(the|an?)\s+", re.IGNORECASE)


def detector_of(chat: ChatModel, question: str | None = None) -> ChatGrounding:
    """The chat model as a detector; it answers in a conversation of its own, one per phrase.

    Args:
        chat: a model whose dialect has boxes.
        question: how it is asked, "{}" standing for the phrase; None: `CHINESE` for phrases with
            Chinese characters, else `ENGLISH`.

    Raises:
        UnknownName: there is no dialect of the name that the model gives.
    """
    dialect: Dialect = DIALECTS.load(chat.dialect)
    sight = Sight.of(chat)

    def ask(image: Image, phrase: str) -> list[Box]:
        message = Message("user", _question(phrase, question), (image,))
        reply = chat.stream([message], Sampling(temperature=0))
        placed = [sight.framed(e) for e in dialect.read(reply) if isinstance(e, Pointed)]
        return [
            event.box.to_box(image.size, sight.seen(image.size))
            for event in placed
            if isinstance(event, Pointed) and not isinstance(event.box.frame, EitherFrame)
        ]

    return ChatGrounding(ask, name=chat.name)


def _question(phrase: str, question: str | None) -> str:
    if question is not None:
        return question.format(phrase)
    if _HAN.search(phrase):
        return CHINESE.format(phrase.strip())
    return ENGLISH.format(_ARTICLE.sub("", phrase.strip()).rstrip(" ."))
