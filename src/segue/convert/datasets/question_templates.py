"""Templates of questions and answers, in Chinese and English, for data with names only.

`{thing}` is the name. A share of the questions has a typo, never in the name.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from segue.convert.datasets.typos import add_typo
from segue.errors import InputError

GroundingRoute = Literal["box", "tag"]

_QUESTIONS: Mapping[tuple[GroundingRoute, str], tuple[str, ...]] = {
    ("box", "en"): (
        "Where is the {thing}?",
        "Find the {thing} in this picture.",
        "Please locate the {thing}.",
        "Draw a box around the {thing}.",
        "Can you show me where the {thing} is?",
        "Give the bounding box of the {thing}.",
        "Point out the {thing} in the image.",
        "Box the {thing}.",
        "I am looking for the {thing}. Where is it?",
        "Detect the {thing}, please.",
    ),
    ("box", "zh"): (
        "框出图中的{thing}",
        "框出图片中{thing}的位置",
        "{thing}在哪里?",
        "请找出图中的{thing}。",
        "请标出{thing}的位置",
        "图里的{thing}在什么地方？",
        "给我{thing}的检测框",
        "帮我把{thing}圈出来",
        "定位图片里的{thing}",
        "找一下{thing}",
    ),
    ("tag", "en"): (
        "Segment the {thing}.",
        "Can you segment the {thing} in this image?",
        "Please cut out the {thing}.",
        "Give me a mask of the {thing}.",
        "Outline the {thing}, please.",
        "I need the pixels of the {thing}.",
        "Could you mask the {thing} in this picture?",
        "Separate the {thing} from the background.",
    ),
    ("tag", "zh"): (
        "分割图中的{thing}",
        "请把{thing}抠出来",
        "帮我分割出{thing}",
        "给出{thing}的掩码",
        "我需要{thing}的分割结果。",
        "把图片里的{thing}分割出来",
        "请勾勒出{thing}的轮廓",
        "对{thing}做像素级分割",
    ),
}
_ABSENT: Mapping[str, tuple[str, ...]] = {
    "en": (
        "There is no {thing} in this picture.",
        "I cannot see any {thing} here.",
        "No {thing} can be seen in the image.",
    ),
    "zh": ("图中没有{thing}。", "我没有在图片里看到{thing}。", "这张图里没有{thing}。"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionStyle:
    """How questions are phrased."""

    route: GroundingRoute = "box"
    """Ask for boxes, or for masks through the tag."""
    chinese_share: float = 0.5
    """Share of questions in Chinese."""
    typo_share: float = 0.1
    """Share of questions with a typo."""

    def __post_init__(self) -> None:
        for name in ("chinese_share", "typo_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} must lie in [0, 1], got {getattr(self, name)}.")
        if self.route not in ("box", "tag"):
            raise InputError(f"route must be 'box' or 'tag', got {self.route!r}.")

    def choose_language(self, rng: random.Random) -> str:
        """Choose "zh" or "en" at random."""
        return "zh" if rng.random() < self.chinese_share else "en"

    def make_question(self, thing: str, language: str, rng: random.Random) -> str:
        """Make a question for a thing."""
        sentence = rng.choice(_QUESTIONS[self.route, language])
        if rng.random() < self.typo_share:
            sentence = add_typo(sentence, rng)
        return sentence.replace("{thing}", thing)


def absence_answer(thing: str, language: str, rng: random.Random) -> str:
    """Make an answer that says a thing is absent."""
    return rng.choice(_ABSENT[language]).replace("{thing}", thing)
