"""What a chat model gets to see of a conversation about several pictures.

Most chat models tell pictures apart by their numbers. One that cannot (`SupportsPictureLimit`) is
shown the one picture that a question is about, and the turns about it, as if there were no other.
"""

from collections.abc import Sequence
from dataclasses import replace

from segue.pipeline.answer import Answer
from segue.prompting.intent import is_chinese
from segue.prompting.picture_reference import PictureReference, find_picture_reference
from segue.values.image import Image
from segue.values.message import Message

Turn = tuple[Message, Message]


def reference_in(question: str, images: Sequence[Image]) -> PictureReference:
    """Find the pictures that a question names, among those shown so far.

    Raises:
        InputError: it names one by a number that does not exist.
    """
    return find_picture_reference(question, [image.name for image in images])


def about_picture(reference: PictureReference, index: int) -> PictureReference:
    """Return what a question names, or one picture where it names none."""
    if reference.indexes:
        return reference
    question = reference.numbered
    is_han = is_chinese(question)
    numbered = f"图{index + 1}:{question}" if is_han else f"In picture {index + 1}: {question}"
    return replace(reference, indexes=(index,), numbered=numbered)


def turns_about(
    index: int, turns: Sequence[Turn], answers: Sequence[Answer], images: Sequence[Image]
) -> list[tuple[int, Turn]]:
    """Return the turns about one picture, with no other picture in them, and their indexes.

    Args:
        index: of the picture.
        turns: all so far.
        answers: of the same turns.
        images: all pictures.

    Returns:
        The turns whose questions were about the picture, worded as if it were the only one; the
        first of them shows it.
    """
    about: list[tuple[int, Turn]] = []
    for number, ((user, reply), answer) in enumerate(zip(turns, answers)):
        shown = images[: len(answer.images)]
        reference = reference_in(answer.question, shown)
        if index not in (reference.indexes or (len(shown) - 1,)):
            continue
        text = user.text if user.text != answer.question else reference.neutral
        pictures = () if about else (images[index],)
        about.append((number, (replace(user, text=text, images=pictures), reply)))
    return about
