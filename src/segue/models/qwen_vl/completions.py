"""What the base model (Qwen-VL, not -Chat) is asked: text that it goes on with.

Each function returns parts for `PromptBuilder.sequence`. The model ends with `<|endoftext|>`.

Source: the prompts of the published evaluation scripts and of Bai et al. 2023, arXiv:2308.12966.
"""

from collections.abc import Sequence

from segue.models.qwen_vl.pictures import Picture
from segue.models.qwen_vl.prompts import Markup, Part, PictureAt
from segue.values.box import Box, Size

GRID = 1000


def caption(image: Picture, *, language: str = "English") -> list[Part]:
    """Ask for a caption."""
    return [PictureAt(image), f"Describe the image in {language}:"]


def grounded_caption(image: Picture, *, language: str = "English") -> list[Part]:
    """Ask for a caption in which each thing has its box."""
    return [PictureAt(image), f"Generate the caption in {language} with grounding:"]


def grounding(image: Picture, phrase: str) -> list[Part]:
    """Ask where `phrase` is; the model goes on with the coordinates of its box."""
    return [PictureAt(image), Markup("<ref>"), phrase, Markup("</ref><box>")]


def region_caption(image: Picture, box: Box, size: Size) -> list[Part]:
    """Ask what is in a box, given in pixels of a picture of that size."""
    corners = (
        (round(x / size.width * GRID), round(y / size.height * GRID))
        for x, y in ((box.x0, box.y0), (box.x1, box.y1))
    )
    text = ",".join(f"({x},{y})" for x, y in corners)
    return [PictureAt(image), Markup(f"<ref>This</ref><box>{text}</box>"), " is"]


def answer(images: Sequence[Picture], question: str) -> list[Part]:
    """Ask a question that a few words answer."""
    return [*(PictureAt(image) for image in images), f"{question} Answer:"]


def choice(image: Picture, question: str, options: Sequence[str], hint: str = "") -> list[Part]:
    """Ask a multiple-choice question; options become A, B, ... and the answer is one letter."""
    lines = "\n".join(f"{chr(ord('A') + i)}. {option}" for i, option in enumerate(options))
    text = f"Context: {hint}\nQuestion: {question}\nOptions: {lines}\nAnswer:"
    return [PictureAt(image), text]


def read_text(image: Picture) -> list[Part]:
    """Ask for all writing in the picture, each piece with its four corners."""
    return [PictureAt(image), "OCR with grounding:"]
