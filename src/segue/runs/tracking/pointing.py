"""What is pointed at on one frame, as masks: by phrase, question, box, click, or shown already."""

from collections.abc import Sequence
from dataclasses import dataclass

from segue.assistant import Assistant
from segue.detect import Exemplar
from segue.errors import InputError
from segue.runs.tracking.entries import Corners, Target
from segue.values.box import Box
from segue.values.image import Image
from segue.values.mask import Mask
from segue.values.region import Click


@dataclass(frozen=True, slots=True)
class PointedOut:
    """What was pointed at on a frame, in the order in which it was asked for."""

    masks: tuple[tuple[str, Mask], ...]
    """Phrase and mask of each; one that shows nothing is empty."""
    not_found: tuple[str, ...] = ()
    """Phrases of which there is nothing on the frame."""
    notices: tuple[str, ...] = ()


def point_out(
    assistant: Assistant,
    image: Image,
    *,
    phrases: Sequence[str] = (),
    exemplars: Sequence[Exemplar] = (),
    question: str | None = None,
    boxes: Sequence[Corners] = (),
    clicks: Sequence[Click] = (),
    targets: Sequence[Target] = (),
) -> PointedOut:
    """Return the masks of what is pointed at on a frame.

    Args:
        assistant: whose models find and segment it.
        image: the frame.
        phrases: what the detector looks for.
        exemplars: boxes on what it looks for, and on what it does not; one phrase at most.
        question: what the chat model is asked.
        boxes: one object each.
        clicks: of one object, all together.
        targets: one object each.

    Raises:
        InputError: a stage that is needed is missing, or a mask has another size than the frame.
        SegueError: a model failed.
    """
    masks: list[tuple[str, Mask | None]] = []
    not_found: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    if phrases or exemplars:
        regions, sentences = assistant.segment_with_notices(image, phrases, exemplars=exemplars)
        masks += [(region.phrase, region.mask) for region in regions]
        not_found, notices = regions.not_found, tuple(sentences)
    if question is not None:
        answer = assistant.open(image).ask(question)
        masks += [(region.phrase, region.mask) for region in answer.regions]
        not_found += answer.not_found
        notices += tuple(answer.notices)
    if boxes:
        view = assistant.grounder.view(image)
        masks += [("", mask) for mask in view.mask(boxes=[Box(*corners) for corners in boxes])]
    if clicks:
        masks.append(("", target_mask(assistant, image, Target("", None, tuple(clicks)))))
    masks += [(target.phrase, target_mask(assistant, image, target)) for target in targets]
    known = tuple((phrase, mask) for phrase, mask in masks if mask is not None)
    return PointedOut(known, not_found, notices)


def target_mask(assistant: Assistant, image: Image, target: Target) -> Mask:
    """Return the pixels of a target: its own, or what the segmenter makes of box and clicks.

    Raises:
        InputError: its mask has another size than the frame.
    """
    if target.mask is not None:
        if target.mask.size != image.size:
            height, width = image.size
            got = target.mask.size
            raise InputError(
                f"The mask of a target must have the size of the frame, {width} x {height} "
                f"pixels, got {got.width} x {got.height}."
            )
        return target.mask
    boxes = None if target.box is None else [Box(*target.box)]
    points = [[(x, y) for x, y, _ in target.clicks]] if target.clicks else None
    labels = [[label for _, _, label in target.clicks]] if target.clicks else None
    (mask,) = assistant.grounder.view(image).mask(boxes, points, labels)
    return mask
