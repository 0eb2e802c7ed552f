"""A chat model as a detector: it is asked where a phrase is, and its boxes are the answer.

Stages do not know one another, so the asking is a function that the caller brings: it puts the
question to a chat model and reads the reply with that model's dialect.
"""

from collections.abc import Callable, Sequence

import numpy as np

from segue.detect import Found
from segue.detect.captions import cleaned
from segue.detect.suppression import found_of, in_order_of, read_phrases, score_floor
from segue.values.box import Box
from segue.values.image import Image

Ask = Callable[[Image, str], Sequence[Box]]
"""Picture and phrase -> the boxes that the model gave, in pixels of the upright picture."""


class ChatGrounding:
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
    ) -> list[Found]:
        """Ask for each phrase. See `segue.detect.Detector.find`."""
        score_floor(box_threshold, text_threshold)
        asked, answers = read_phrases(phrases), {}
        for phrase in dict.fromkeys(asked):
            boxes = self.ask(image, phrase) if cleaned(phrase) else []
            corners = np.array([box.corners for box in boxes], np.float64).reshape(-1, 4)
            scores = np.ones(len(corners))
            answers[phrase] = found_of(phrase, corners, scores, image.size, self.max_iou)
        return in_order_of(asked, answers)
