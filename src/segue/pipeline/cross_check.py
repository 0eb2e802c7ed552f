"""Ask each route about what the other found, and say how far they agree.

The detector is asked for what the chat model pointed at, and the chat model for what the detector
found, once for each phrase; the latter costs a reply. The agreement is an IoU, no probability: two
models may agree and both be wrong.
"""

from collections.abc import Sequence
from dataclasses import replace

from segue.chat import ChatModel
from segue.pipeline.chat_detector import DIALECTS_WITHOUT_BOXES, chat_as_detector
from segue.pipeline.grounder import Grounder
from segue.values.box import Box
from segue.values.image import Image
from segue.values.region import Region


def agreement(box: Box, others: Sequence[Box]) -> float:
    """Return how far another route agrees with a box: its best IoU with theirs, in [0, 1].

    >>> agreement(Box(0, 0, 2, 1), [Box(5, 5, 6, 6), Box(1, 0, 3, 1)])
    0.3333333333333333
    >>> agreement(Box(0, 0, 2, 1), [])
    0.0
    """
    return max((box.iou(other) for other in others), default=0.0)


def cross_check(
    regions: Sequence[Region],
    images: Sequence[Image],
    grounder: Grounder,
    chat: ChatModel | None,
    dialect: str,
) -> tuple[Region, ...]:
    """Return the regions with how far the other route agrees with each.

    Regions without a phrase, by hand, or without another route stay as they are.

    Args:
        regions: of an answer.
        images: all pictures of the conversation.
        grounder: whose detector is asked.
        chat: the chat model that is asked.
        dialect: of its replies.
    """

    def boxes_of_other_route(region: Region) -> list[Box] | None:
        image = images[region.image]
        if not region.phrase:
            return None
        if region.found_by == "chat" and grounder.detector is not None:
            return [other.box for other in grounder.detect(image, [region.phrase])]
        has_boxes = dialect not in DIALECTS_WITHOUT_BOXES
        if region.found_by == "detector" and chat is not None and has_boxes:
            detector = chat_as_detector(chat, dialect=dialect)
            return [detection.box for detection in detector.find(image, [region.phrase])]
        return None

    boxes_by_key: dict[tuple[int, str, str], list[Box] | None] = {}
    result = []
    for region in regions:
        key = (region.image, region.phrase, region.found_by)
        if key not in boxes_by_key:
            boxes_by_key[key] = boxes_of_other_route(region)
        boxes = boxes_by_key[key]
        result.append(
            region if boxes is None else replace(region, agreement=agreement(region.box, boxes))
        )
    return tuple(result)
