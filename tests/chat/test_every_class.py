"""Every image-text-to-text class of transformers, in miniature, is asked about one picture.

    SEGUE_EVERY_CLASS=1 python -m pytest tests/chat/test_every_class.py

asks all of them; without the variable a sample is asked. A class that begins to work, that stops
working or that is new fails here: then `REASONS`, `SAMPLE` and the table in docs/models.md change.
"""

import os
from importlib.util import find_spec
from pathlib import Path

import pytest
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

from builders import an_image
from segue.chat.transformers import load
from segue.chat.transformers.families import FAMILIES
from segue.dialects import DIALECTS
from segue.errors import MissingExtra, SegueError
from segue.values.box import Size
from segue.values.message import Message, Sampling
from tiny_any_chat import tiny_chat_of

KINDS = tuple(MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES)
TORCHVISION = "needs torchvision"
TIMM = "needs timm"
REASONS: dict[str, str] = {
    **dict.fromkeys(
        (
            "cohere2_vision", "gemma4_unified", "inkling2", "inkling_mm_model", "kimi_k25",
            "lfm2_vl", "llama4", "minicpm_ocr", "minimax_m3_vl", "mistral3", "mistral4",
            "mistral_large4", "molmo2", "muse_glimmer", "muse_spark", "nemotron_h_omni", "pi0",
            "pp_formulanet", "step3p7", "unlimited_ocr",
        ),
        TORCHVISION,
    ),
    **dict.fromkeys(("fast_vlm", "gemma3n"), TIMM),
    "perception_lm": TORCHVISION,
    "udop": "needs pytesseract: it reads the text of a page first",
    "evolla": "takes proteins, not pictures",
    "instructblipvideo": "takes videos only",
    "shieldgemma2": "a classifier: its class answers no questions",
    "vision-encoder-decoder": "has no processor and no chat template",
    "diffusion_gemma": "no miniature can be made of its defaults; it writes by diffusion",
    **dict.fromkeys(
        ("deepseek_ocr2", "dots3_note", "granite4_vision"),
        "no miniature can be made of its defaults",
    ),
    "fuyu": "its processor fails in Pillow's form",
}  # fmt: skip
"""What cannot be asked here, and why."""
SAMPLE = (
    "blip-2", "cosmos3_edge", "exaone4_5", "gemma4", "glm_ocr", "got_ocr2", "hunyuan_vl",
    "lfm3_vl", "minicpmv4_7", "ovis2", "qwen2_5_omni_thinker", "qwen4_exp",
)  # fmt: skip
"""Asked at every run: whose files are of a shape that no other has, and which nobody listed."""
ALL = os.environ.get("SEGUE_EVERY_CLASS") == "1"


def reply_from(folder: Path, kind: str) -> str:
    """What a miniature says about a picture."""
    chat = load(folder, device="cpu", name=kind)
    assert chat.dialect in DIALECTS
    question = Message("user", "what?", (an_image(Size(40, 60), 1),))
    return "".join(chat.stream([question], Sampling(temperature=0, max_new_tokens=6)))


@pytest.mark.parametrize("kind", [k for k in KINDS if k not in REASONS and (ALL or k in SAMPLE)])
def test_it_answers_a_question_about_a_picture(kind, tmp_path) -> None:
    assert reply_from(tiny_chat_of(kind, tmp_path), kind) is not None


@pytest.mark.parametrize("kind", [k for k, reason in REASONS.items() if reason == TORCHVISION])
def test_what_needs_torchvision_says_so(kind, tmp_path) -> None:
    if find_spec("torchvision") is not None:
        pytest.skip("torchvision is installed")
    with pytest.raises(MissingExtra, match="torchvision"):
        reply_from(tiny_chat_of(kind, tmp_path), kind)


@pytest.mark.parametrize("kind", [k for k, reason in REASONS.items() if reason != TORCHVISION])
def test_what_cannot_be_asked_still_cannot(kind, tmp_path) -> None:
    """Either no miniature is made, or segue says in a sentence what is wrong."""
    try:
        folder = tiny_chat_of(kind, tmp_path)
    except Exception:
        return
    with pytest.raises(SegueError):
        reply_from(folder, kind)


def test_every_reason_is_of_a_class_that_exists() -> None:
    assert set(REASONS) <= set(KINDS)
    assert set(SAMPLE) <= set(KINDS) - set(REASONS) - set(FAMILIES)


def test_the_documentation_has_the_reasons() -> None:
    page = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
    table = page.partition("<!-- every class -->")[2].partition("<!-- end -->")[0]
    assert f"{len(KINDS) - len(REASONS)} of {len(KINDS)}" in table
    for kind, reason in REASONS.items():
        line = next(line for line in table.splitlines() if f"`{kind}`" in line)
        assert reason in line, line
