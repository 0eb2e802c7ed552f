"""Rewards for reinforcement learning: how well the boxes of a reply fit the true ones."""

from collections.abc import Sequence

from segue.dialects import DIALECTS, BoxMention
from segue.errors import InputError
from segue.values.box import Box, Size


def box_reward(
    reply: str, boxes: Sequence[Box], *, dialect: str, size: Size, seen: Size | None = None
) -> float:
    """Score a reply by the mean IoU of its boxes with the true ones, matched one to one.

    Pairs are formed from the highest IoU down. A true box without a partner counts as 0, and so
    does a box too many, so that neither silence nor boxes everywhere pay. Names are not compared.

    Args:
        reply: what the model wrote, markup included.
        boxes: the true ones, in pixels of the upright picture.
        dialect: the markup of the model; see `segue.dialects`.
        size: of the upright picture.
        seen: the size at which the model saw it; None: it was not resized.

    Returns:
        In [0, 1]; 1 where there is nothing to find and no box in the reply.

    Raises:
        UnknownName: there is no such dialect.

    Example:
        >>> reply = "<ref>cup</ref><box>(0,0),(500,1000)</box>"
        >>> size = Size(height=100, width=100)
        >>> box_reward(reply, [Box(0, 0, 100, 100)], dialect="qwen_vl", size=size)
        0.5
    """
    mentions = [
        event.box for event in DIALECTS.load(dialect).read([reply]) if isinstance(event, BoxMention)
    ]
    overlaps = []
    for number, mention in enumerate(mentions):
        try:
            box = mention.to_box(size, seen)
        except InputError:  # no box of this picture: one too many
            continue
        overlaps += [(box.iou(true), number, place) for place, true in enumerate(boxes)]
    total, matched_mentions, matched_boxes = 0.0, set(), set()
    for overlap, number, place in sorted(overlaps, reverse=True):
        if number not in matched_mentions and place not in matched_boxes:
            matched_mentions.add(number)
            matched_boxes.add(place)
            total += overlap
    most = max(len(mentions), len(boxes))
    return total / most if most else 1.0
