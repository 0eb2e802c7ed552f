"""How a family is asked so that it points at things: the grounding prompts.

Each family was trained with questions of its own form. Where only one object is meant, its singular
question is asked; "all X" asks for every instance. A question that is no request for a phrase keeps
its words and is followed by the sentence that asks for places.

Sources: model cards and cookbooks of the families, as in their dialect's file; Florence-2's tasks
as transformers' processor spells them out. Where a family has no such form the wording is our own.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from segue.prompting.intent import Intent, is_chinese, parse_intent


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundingPrompts:
    """The questions of one family in one language; "{}" stands for the phrase."""

    single: str
    all_instances: str
    suffix: str
    """Follows a question that asks for no phrase; "{}", if any, stands for that question."""
    separator: str = ", "
    """Between several phrases."""


_BOXES_2D = '[{"bbox_2d": [x1, y1, x2, y2], "label": "…"}]'
_BOX_2D = '[{"box_2d": [ymin, xmin, ymax, xmax], "label": "…"}]'
_QWEN_JSON = (
    GroundingPrompts(
        single=f"Locate the {{}} in the image and output its bbox coordinates in JSON: {_BOXES_2D}",
        all_instances="Locate every instance that belongs to the following categories: {}. "
        f"Report bbox coordinates in JSON: {_BOXES_2D}",
        suffix=f"Report the bbox coordinates of what you mean in JSON: {_BOXES_2D}",
    ),
    GroundingPrompts(
        single=f"框出图中的{{}}，以JSON格式输出bbox坐标：{_BOXES_2D}",
        all_instances=f"框出图中所有的{{}}，以JSON格式输出每一个的bbox坐标：{_BOXES_2D}",
        suffix=f"请以JSON格式输出所指物体的bbox坐标：{_BOXES_2D}",
        separator="、",
    ),
)

GROUNDINGS: dict[str, tuple[GroundingPrompts, GroundingPrompts | None]] = {
    "qwen_vl": (
        GroundingPrompts(
            single="Find the {} in the picture.",
            all_instances="Find all the {} in the picture.",
            suffix="Frame it in the picture.",
            separator=" and the ",
        ),
        GroundingPrompts(
            single="框出图片中{}的位置",
            all_instances="框出图片中所有{}的位置",
            suffix="请在图中框出来。",
            separator="和",
        ),
    ),
    "qwen2_vl": (
        GroundingPrompts(
            single="Detect the bounding box of the {} in the picture.",
            all_instances="Detect the bounding boxes of all the {} in the picture.",
            suffix="Give the bounding boxes of what you mean.",
            separator=" and the ",
        ),
        GroundingPrompts(
            single="框出图中{}的位置",
            all_instances="框出图中所有{}的位置",
            suffix="请给出所指物体的边界框。",
            separator="和",
        ),
    ),
    "qwen2_5_vl": _QWEN_JSON,
    "qwen3_vl": _QWEN_JSON,
    "internvl": (
        GroundingPrompts(
            single="Please provide the bounding box coordinate of the region this sentence "
            "describes: <ref>{}</ref>",
            all_instances="Please detect and label all instances of the following objects in the "
            "image: <ref>{}</ref>",
            suffix="Mark what you mean with <ref>…</ref><box>[[x1, y1, x2, y2]]</box>.",
            separator="</ref>, <ref>",
        ),
        None,
    ),
    "glm_v": (
        GroundingPrompts(
            single="Where is the {} in the image? "
            "Provide its coordinates in [[xmin,ymin,xmax,ymax]] format.",
            all_instances="Find every {} in the image. Answer with a JSON list: "
            '[{{"label": "…", "bbox_2d": [xmin, ymin, xmax, ymax]}}]',
            suffix="Provide the coordinates of what you mean in [[xmin,ymin,xmax,ymax]] format.",
        ),
        GroundingPrompts(
            single="图中的{}在哪里？请以[[xmin,ymin,xmax,ymax]]格式给出坐标。",
            all_instances="找出图中所有的{}，以JSON列表回答："
            '[{{"label": "…", "bbox_2d": [xmin, ymin, xmax, ymax]}}]',
            suffix="请以[[xmin,ymin,xmax,ymax]]格式给出所指物体的坐标。",
            separator="、",
        ),
    ),
    "deepseek_vl2": (
        GroundingPrompts(
            single="<|ref|>The {}<|/ref|>.",
            all_instances="<|ref|>All {}<|/ref|>.",
            suffix="<|grounding|>{}",
            separator="<|/ref|><|ref|>",
        ),
        None,
    ),
    "paligemma": (
        GroundingPrompts(
            single="detect {}", all_instances="detect {}", suffix="detect {}", separator=" ; "
        ),
        None,
    ),
    "florence2": (
        GroundingPrompts(
            single="Locate the phrases in the caption: {}",
            all_instances="Locate {} in the image.",
            suffix="Locate the phrases in the caption: {}",
        ),
        None,
    ),
    "kosmos2": (
        GroundingPrompts(
            single="<grounding><phrase>the {}</phrase>",
            all_instances="<grounding><phrase>all {}</phrase>",
            suffix="<grounding>{}",
            separator="</phrase> and <phrase>the ",
        ),
        None,
    ),
    "molmo": (
        GroundingPrompts(
            single="Point to the {}.",
            all_instances="Point to all the {}.",
            suffix="Point to what you mean.",
            separator=" and the ",
        ),
        None,
    ),
    "gemini": (
        GroundingPrompts(
            single=f"Detect the {{}}. Answer in JSON, normalized to 0-1000: {_BOX_2D}",
            all_instances=f"Detect all {{}}. Answer in JSON, normalized to 0-1000: {_BOX_2D}",
            suffix=f"Detect what you mean. Answer in JSON, normalized to 0-1000: {_BOX_2D}",
        ),
        GroundingPrompts(
            single=f"检测图中的{{}}。以JSON回答，坐标归一化到0-1000：{_BOX_2D}",
            all_instances=f"检测图中所有的{{}}。以JSON回答，坐标归一化到0-1000：{_BOX_2D}",
            suffix=f"检测所指的物体。以JSON回答，坐标归一化到0-1000：{_BOX_2D}",
            separator="、",
        ),
    ),
    "moondream": (
        GroundingPrompts(
            single='Detect: {}. Answer in JSON, in fractions: {{"objects": [{{"x_min": 0.1, '
            '"y_min": 0.2, "x_max": 0.3, "y_max": 0.4}}]}}',
            all_instances='Detect: all {}. Answer in JSON, in fractions: {{"objects": '
            '[{{"x_min": 0.1, "y_min": 0.2, "x_max": 0.3, "y_max": 0.4}}]}}',
            suffix='Answer in JSON, in fractions: {"objects": [{"x_min": 0.1, "y_min": 0.2, '
            '"x_max": 0.3, "y_max": 0.4}]}',
        ),
        None,
    ),
    "gsam": (
        GroundingPrompts(
            single="Segment the {}.",
            all_instances="Segment all the {}.",
            suffix="Segment what you mean.",
            separator=" and the ",
        ),
        GroundingPrompts(
            single="分割图片中的{}",
            all_instances="分割图片中所有的{}",
            suffix="请分割出来。",
            separator="和",
        ),
    ),
}
"""Dialect -> its questions in English, and in Chinese where the family is asked in it."""

_TAG = re.compile(r"</?[a-z]+>|<\|/?[a-z]+\|>")

QUESTION_TAGS = frozenset(
    tag
    for forms in GROUNDINGS.values()
    for form in forms
    if form is not None
    for text in (form.single, form.all_instances, form.suffix, form.separator)
    for tag in _TAG.findall(text)
)
"""The tags in these questions. Chat models whose tokenizers have them must read them as such."""

_ASKED_LIKE = {"qwen2_vl_stripped": "qwen2_vl", "auto": "qwen3_vl"}

TAG_PROMPTS = {
    "en": (
        "When you are asked to find, segment, cut out or mark something, do not give coordinates. "
        "Write what to look for between tags: <gsam>phrase</gsam>. A detector then finds every "
        "instance of the phrase. Use a short noun phrase, in the words of the question, and one "
        "pair of tags for each kind of thing. If it is not in the picture, say so without a tag. "
        "For all other questions answer as usual, without tags.\n"
        "Example. Question: Can you segment the dogs? Answer: Sure: <gsam>dogs</gsam>."
    ),
    "zh": (
        "当用户要求查找、分割、抠出或标出某个物体时，不要给出坐标，而是把要找的东西写在标签里："
        "<gsam>短语</gsam>。检测器会找到该短语的所有实例。请使用问题中的简短名词短语，每种物体用一对标签。"
        "如果图中没有，就直接说明，不要用标签。其他问题照常回答，不要用标签。\n"
        "例如，问：请分割图中的狗。答：好的：<gsam>狗</gsam>。"
    ),
}
"""A system prompt that teaches the tag to a model that was not tuned to it."""


def grounding_prompts_of(dialect: str, chinese: bool = False) -> GroundingPrompts:
    """Return the questions of a dialect; English ones where a family is not asked in Chinese."""
    english, han = GROUNDINGS[_ASKED_LIKE.get(dialect, dialect)]
    return han if chinese and han is not None else english


def grounding_prompt(dialect: str, phrases: Sequence[str], all_instances: bool = False) -> str:
    """Write the question that makes a family point at phrases.

    >>> grounding_prompt("qwen_vl", ["飞机"])
    '框出图片中飞机的位置'
    >>> grounding_prompt("paligemma", ["cat", "dog"], all_instances=True)
    'detect cat ; dog'
    """
    words = grounding_prompts_of(dialect, any(map(is_chinese, phrases)))
    # Not str.format: a phrase and the example of an answer may hold braces.
    form = (
        (words.all_instances if all_instances else words.single)
        .replace("{{", "{")
        .replace("}}", "}")
    )
    return form.replace("{}", words.separator.join(phrases), 1)


def grounding_question(question: str, dialect: str, intent: Intent | None = None) -> str:
    """Write a question in the form that makes a family point at what it asks for.

    Args:
        question: what the user typed.
        dialect: of the chat model.
        intent: what it asks for; None: read from its words.

    >>> grounding_question("Can you find all the dogs?", "molmo")
    'Point to all the dogs.'
    >>> grounding_question("Which dog is asleep?", "molmo")
    'Which dog is asleep? Point to what you mean.'
    """
    intent = intent or parse_intent(question)
    if intent.phrases:
        return grounding_prompt(dialect, intent.phrases, intent.all_instances)
    suffix = grounding_prompts_of(dialect, intent.chinese).suffix
    if "{}" in suffix:
        return suffix.replace("{}", question.strip(), 1)
    return f"{question.strip()} {suffix}"
