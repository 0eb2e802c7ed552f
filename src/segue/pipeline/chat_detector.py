"""A chat model as a detector: asked with words where a phrase is, read by its dialect."""

import re
from collections.abc import Callable, Sequence

import numpy as np

from segue.chat import ChatModel, thinks
from segue.detect import Detection
from segue.detect.captions import normalize_phrase
from segue.detect.suppression import detections_of, group_by_phrase, read_phrases, score_floor
from segue.dialects import DIALECTS, BoxMention, Dialect, drop_retracted
from segue.errors import InputError
from segue.pipeline.coordinates import CoordinateMapping
from segue.prompting.grounding_prompts import grounding_prompt
from segue.values.box import Box
from segue.values.frames import EitherFrame
from segue.values.image import Image
from segue.values.message import Message, Sampling

DIALECTS_WITHOUT_BOXES = ("molmo", "gsam")
"""Dialects that give points, or tags, and no boxes."""

_ARTICLE = re.compile(r"^(the|an?)\s+", re.IGNORECASE)

Ask = Callable[[Image, str], Sequence[Box]]
"""Picture and phrase -> the boxes that the model gave, in pixels of the upright picture."""


class ChatDetector:
    """Any chat model that answers "where is …?" with boxes.

    Limits: a chat model states no confidence, so every score is 1 and thresholds change nothing;
    it is asked once for each phrase, which costs a reply each.
    """

    def __init__(self, ask: Ask, name: str = "chat", max_iou: float = 0.9) -> None:
        """Wrap a chat model.

        Args:
            ask: puts the question; no boxes mean that the phrase is not in the picture.
            name: of the chat model, for reports.
            max_iou: of two boxes for one phrase that overlap more, the first one stays.
        """
        self.ask = ask
        self.name = name
        self.max_iou = max_iou

    def find(
        self,
        image: Image,
        phrases: Sequence[str],
        box_threshold: float | None = None,
        text_threshold: float | None = None,
    ) -> list[Detection]:
        """Ask for each phrase. See `segue.detect.Detector.find`."""
        score_floor(box_threshold, text_threshold)
        wanted_phrases, answers = read_phrases(phrases), {}
        for phrase in dict.fromkeys(wanted_phrases):
            boxes = self.ask(image, phrase) if normalize_phrase(phrase) else []
            corners = np.array([box.corners for box in boxes], np.float64).reshape(-1, 4)
            scores = np.ones(len(corners))
            answers[phrase] = detections_of(phrase, corners, scores, image.size, self.max_iou)
        return group_by_phrase(wanted_phrases, answers)


def chat_as_detector(
    chat: ChatModel, question: str | None = None, dialect: str | None = None
) -> ChatDetector:
    """Make a detector of a chat model; it is asked in a conversation of its own for each phrase.

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
    if name in DIALECTS_WITHOUT_BOXES:
        raise InputError(
            f"A chat model of the dialect {name!r} gives no boxes, so it cannot be the detector. "
            "Name a detector: segue.load(detect=…)."
        )
    reader: Dialect = DIALECTS.load(name)
    coordinates = CoordinateMapping.of(chat)

    def ask(image: Image, phrase: str) -> list[Box]:
        message = Message("user", _question(phrase, question, name), (image,))
        reply = chat.stream([message], Sampling(temperature=0))
        events = drop_retracted(reader.read(reply, thinks=thinks(chat), grounded=True))
        mentions = [coordinates.reframe(event) for event in events if isinstance(event, BoxMention)]
        return [
            mention.box.to_box(image.size, coordinates.resized(image.size))
            for mention in mentions
            if not isinstance(mention.box.frame, EitherFrame)
        ]

    return ChatDetector(ask, name=chat.name)


def _question(phrase: str, question: str | None, dialect: str) -> str:
    if question is not None:
        return question.format(phrase)
    noun_phrase = _ARTICLE.sub("", phrase.strip()).rstrip(" .")
    # Qwen-VL was trained to frame what its singular question names, be it one or several.
    return grounding_prompt(dialect, [noun_phrase], every=dialect != "qwen_vl")
