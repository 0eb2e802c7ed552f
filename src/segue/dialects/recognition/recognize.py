"""Which dialect is it? From what is known of the model, from a reply, or from both.

`dialect_of` goes by the model's type and name. `recognize` looks at a reply as well: most markup
shows at once whose it is. JSON does not: the same reply means other places on a 0-1000 grid than in
pixels of the resized picture. When two frames fit and nothing tells which, the answer is ambiguous,
and no guess is made.
"""

import re
from dataclasses import dataclass

from segue.dialects import DetectRequest
from segue.dialects.parsing.thoughts import without_thoughts
from segue.dialects.recognition.probe import Probe

_MODEL_TYPES = {
    "qwen": "qwen_vl",
    "qwen2_vl": "qwen2_vl",
    "qwen2_5_vl": "qwen2_5_vl",
    "qwen2_5_omni": "qwen2_5_vl",
    "qwen3_vl": "qwen3_vl",
    "qwen3_vl_moe": "qwen3_vl",
    "qwen3_5": "qwen3_vl",
    "qwen3_5_moe": "qwen3_vl",
    "internvl": "internvl",
    "internvl_chat": "internvl",
    "glm4v": "glm_v",
    "glm4v_moe": "glm_v",
    "glm46v": "glm_v",
    "deepseek_vl_v2": "deepseek_vl2",
    "deepseek_ocr": "deepseek_vl2",
    "deepseek_ocr2": "deepseek_vl2",
    "deepseekocr": "deepseek_vl2",
    "paligemma": "paligemma",
    "florence2": "florence2",
    "kosmos-2": "kosmos2",
    "molmo": "molmo",
    "molmo2": "molmo",
    "gemma3": "gemini",
    "gemma3n": "gemini",
    "gemma4": "gemini",
    "moondream1": "moondream",
    "moondream3": "moondream",
}
_NAMES = (
    (r"qwen[-_.]?2[-_.]5[-_.]?(?:vl|omni)", "qwen2_5_vl"),
    (r"qwen[-_.]?2[-_.]?vl|qvq", "qwen2_vl"),
    (r"qwen[-_.]?3[-_.]?(?:vl|omni)|qwen[-_.]?3[-_.][5-9]", "qwen3_vl"),
    (r"qwen[-_.]?vl[-_.]?(?:max|plus|ocr)", "qwen2_5_vl"),
    (r"rex[-_.]?(?:omni|seek)", "qwen2_vl"),
    (r"ui[-_.]?tars[-_.]?1\.5|holo1(?!\.)|infigui|mimo[-_.]?vl", "qwen2_5_vl"),
    (r"ui[-_.]?tars(?![-_.]?2)", "qwen2_vl"),
    (r"qwen[-_.]?vl", "qwen_vl"),
    (r"intern[-_.]?(?:vl|s1)|vlaser", "internvl"),
    (r"glm[-_.]?[4-9](?:[-_.][0-9]+)?(?:[-_.]?v|[-_.]flash)(?![a-z])|glm[-_.]?v|autoglm", "glm_v"),
    (r"deepseek[-_.]?(?:vl2|ocr)", "deepseek_vl2"),
    (r"pali[-_.]?gemma", "paligemma"),
    (r"florence[-_.]?2", "florence2"),
    (r"kosmos[-_.]?2", "kosmos2"),
    (r"molmo", "molmo"),
    (r"gemini|gemma[-_.]?[3-9]", "gemini"),
    (r"moondream", "moondream"),
)
_UNSETTLED = ("qwen2_5_vl", "qwen3_vl")
_SETTLED_BY = "the model's name or --dialect settles it"
OVERSHOOT = 1100
"""Numbers on a grid 0-1000 may lie a little beyond it: only larger ones must be pixels."""


@dataclass(frozen=True, slots=True)
class Recognition:
    """What was found out."""

    dialect: str
    """A name of `DIALECTS`; "ambiguous" when two frames fit; "auto" when nothing is known."""
    evidence: tuple[str, ...] = ()
    """Why, in words."""
    candidates: tuple[str, ...] = ()
    """Those that fit, when it is ambiguous."""

    @property
    def is_ambiguous(self) -> bool:
        return self.dialect == "ambiguous"


def dialect_of(model_type: str | None = None, name: str = "") -> Recognition:
    """Return the dialect of a model, by what it calls itself; "auto" for one that is not known.

    Args:
        model_type: of its config.json, where there is one.
        name: hub id, folder, or the name at an endpoint.

    >>> dialect_of("qwen3_vl").dialect, dialect_of(name="Qwen/Qwen2.5-VL-7B-Instruct-AWQ").dialect
    ('qwen3_vl', 'qwen2_5_vl')
    """
    if model_type is not None and model_type in _MODEL_TYPES:
        return Recognition(_MODEL_TYPES[model_type], (f"the model type {model_type!r}",))
    for pattern, dialect in _NAMES:
        if match := re.search(pattern, name, re.IGNORECASE):
            return Recognition(dialect, (f"{match.group()!r} in the model's name",))
    return Recognition("auto", ("neither the model's type nor its name is known",))


def recognize(
    reply: str, model_type: str | None = None, name: str = "", *, grounded: bool = False
) -> Recognition:
    """Return the dialect of a reply, with what is known of the model that wrote it.

    Args:
        reply: as the model wrote it.
        model_type: of the model's config.json; None: not known.
        name: of the model; "": not known.
        grounded: the question asked for places.

    >>> recognize("<|ref|>dog<|/ref|><|det|>[[1, 2, 3, 4]]<|/det|>").dialect
    'deepseek_vl2'
    >>> recognize('[{"bbox_2d": [10, 20, 300, 400], "label": "dog"}]').dialect
    'ambiguous'
    >>> recognize('[{"bbox_2d": [10, 20, 300, 400]}]', name="qwen3-vl-4b").dialect
    'qwen3_vl'
    """
    probe = Probe(grounded)
    events = [*probe.feed(without_thoughts(reply)), *probe.end()]
    by_name = dialect_of(model_type, name)
    if probe.signs or probe.founds:
        return judge(probe, by_name)
    if by_name.dialect != "auto":
        return by_name
    if any(isinstance(event, DetectRequest) for event in events):
        return Recognition("gsam", ("<gsam> and no other markup",))
    return Recognition("auto", ("no markup in the reply", *by_name.evidence))


def judge(probe: Probe, by_name: Recognition | None = None) -> Recognition:
    """Return what a probe that has read a whole reply, and found places in it, says of its dialect.

    Args:
        probe: it has signs or places.
        by_name: what the model calls itself.
    """
    by_name = by_name or dialect_of()
    return _by_signs(probe, by_name) if probe.signs else _by_json(probe, by_name)


def _by_signs(probe: Probe, by_name: Recognition) -> Recognition:
    """Tokens and tags that only one family writes."""
    signs = probe.signs
    dialect = next((d for d in signs if d != "qwen2_vl_stripped"), "qwen2_vl_stripped")
    if dialect == "ambiguous":
        if by_name.dialect != "auto":
            return by_name
        return Recognition("ambiguous", ("points as XML beyond 100; " + _SETTLED_BY,), _UNSETTLED)
    if "qwen2_vl" in signs and dialect == "qwen_vl":
        dialect = "qwen2_vl"  # it reads the tags of Qwen-VL as well
    evidence = [f"{signs[dialect]} in the reply"]
    if dialect == "qwen2_vl" and by_name.dialect in _UNSETTLED:
        dialect = by_name.dialect  # tuned on the tokens of Qwen2-VL, in its own frame
    if dialect == "qwen_vl" and (probe.lists or by_name.dialect == "internvl"):
        dialect = "internvl"
        evidence.append("a box is a list in square brackets")
    if by_name.dialect == dialect:
        evidence += by_name.evidence
    elif by_name.dialect != "auto":
        evidence.append(f"although {by_name.evidence[0]} speaks for {by_name.dialect}")
    return Recognition(dialect, tuple(evidence))


def _by_json(probe: Probe, by_name: Recognition) -> Recognition:
    """JSON: by its keys and numbers, else by the model, else ambiguous."""
    keys = probe.keys
    if by_name.dialect != "auto":
        return Recognition(by_name.dialect, ("JSON with places in the reply", *by_name.evidence))
    if re.search(r"[\"']box_2d", keys):
        return Recognition("gemini", ('the key "box_2d", which some models write x first',))
    if re.search(r"[\"']<[A-Z_]{2,40}>[\"']", keys):
        return Recognition("florence2", ("a task of Florence-2 as a key",))
    numbers = probe.numbers
    if max(numbers) <= 1.5 and any(number % 1 for number in numbers):
        return Recognition("moondream", ("all numbers are fractions",))
    if max(numbers) > OVERSHOOT:
        reason = f"{max(numbers):g} lies beyond a grid 0-1000, so the numbers are pixels"
        return Recognition("qwen2_5_vl", (reason,))
    candidates: tuple[str, ...] = _UNSETTLED
    if not re.search(r"bbox|x_?min|x1", keys):
        candidates = (*_UNSETTLED, "gemini")
    return Recognition(
        "ambiguous",
        ("JSON whose numbers fit a grid 0-1000 as well as pixels of the picture; " + _SETTLED_BY,),
        candidates,
    )
