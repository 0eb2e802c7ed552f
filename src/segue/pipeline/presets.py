"""Names for models, and for combinations of them.

A *card* is one set of weights: nickname, where it is, how big, which licence. A *preset* fills
the three stages with cards. Sizes count parameters; licences are those the makers state.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from segue.chat import CHATS
from segue.detect import DETECTORS
from segue.errors import UnknownName
from segue.runtime.catalog import Catalog, unknown_name_message
from segue.segment import SEGMENTERS

Kind = Literal["chat", "detect", "segment"]
STAGES: Mapping[str, Catalog] = {"chat": CHATS, "detect": DETECTORS, "segment": SEGMENTERS}


@dataclass(frozen=True, slots=True)
class Card:
    """One set of weights."""

    kind: Kind
    backend: str
    """The name in its stage's catalogue."""
    source: str
    """Hub id, or "embedded/<part>" for what is shipped in the package."""
    parameters: str
    """For people: "9.7 B"."""
    licence: str
    gated: bool = False
    """True when the hub asks for an account and consent first."""
    note: str = ""
    scores: str = ""
    """What was measured on held-out scenes; docs/embedded.md has all of it."""


@dataclass(frozen=True, slots=True)
class Preset:
    """A nickname for each stage; None leaves the stage out."""

    chat: str | None
    detect: str | None
    segment: str | None
    box_threshold: float | None = None
    text_threshold: float | None = None
    summary: str = ""


CARDS: Mapping[str, Card] = {
    "embedded-chat": Card(
        "chat",
        "qwen_vl",
        "embedded/chat",
        "7 M",
        "Apache-2.0",
        note="bundled; knows drawn scenes only",
        scores="frames the one thing asked for .88 (style never trained on: .77; a world never "
        "trained on: .27), says that an absent thing is not there .93 (.92; .84), describes 1 to "
        "3 things without a mistake .53 (.34; .12)",
    ),
    "embedded-detector": Card(
        "detect",
        "grounding_dino",
        "embedded/detector",
        "4 M",
        "Apache-2.0",
        note="bundled; knows drawn scenes only",
        scores="AP50 .97 (style never trained on: .92; a world never trained on: .65)",
    ),
    "embedded-segmenter": Card(
        "segment",
        "sam",
        "embedded/segmenter",
        "4 M",
        "Apache-2.0",
        note="bundled; trained on drawn scenes",
        scores="mean IoU from a tight box .94 (style never trained on: .93; a world never trained "
        "on: .90), from a click .86 (.85; .75), from a tight box on photographs .62",
    ),
    "qwen-vl-chat": Card(
        "chat",
        "qwen_vl",
        "Qwen/Qwen-VL-Chat",
        "9.7 B",
        "Tongyi Qianwen",
        note="needs about 20 GB in bfloat16",
    ),
    "qwen-vl": Card(
        "chat",
        "qwen_vl",
        "Qwen/Qwen-VL",
        "9.7 B",
        "Tongyi Qianwen",
        note="the base model: completion prompts",
    ),
    "qwen3-vl-2b": Card(
        "chat",
        "transformers",
        "Qwen/Qwen3-VL-2B-Instruct",
        "2.1 B",
        "Apache-2.0",
        note="4.3 GB in bfloat16, 8.5 GB in float32",
    ),
    "qwen3-vl-4b": Card(
        "chat",
        "transformers",
        "Qwen/Qwen3-VL-4B-Instruct",
        "4.4 B",
        "Apache-2.0",
        note="8.9 GB in bfloat16; 3.5 GB with ?quantize=4bit",
    ),
    "qwen3-vl-8b": Card(
        "chat",
        "transformers",
        "Qwen/Qwen3-VL-8B-Instruct",
        "8.8 B",
        "Apache-2.0",
        note="17.5 GB in bfloat16; 7.3 GB with ?quantize=4bit",
    ),
    "qwen2.5-vl-7b": Card(
        "chat",
        "transformers",
        "Qwen/Qwen2.5-VL-7B-Instruct",
        "8.3 B",
        "Apache-2.0",
        note="16.6 GB in bfloat16; boxes in pixels",
    ),
    "qwen2-vl-2b": Card("chat", "transformers", "Qwen/Qwen2-VL-2B-Instruct", "2.2 B", "Apache-2.0"),
    "grounding-dino-tiny": Card(
        "detect", "grounding_dino", "IDEA-Research/grounding-dino-tiny", "172 M", "Apache-2.0"
    ),
    "grounding-dino-base": Card(
        "detect", "grounding_dino", "IDEA-Research/grounding-dino-base", "233 M", "Apache-2.0"
    ),
    "mm-grounding-dino-tiny": Card(
        "detect",
        "grounding_dino",
        "openmmlab-community/mm_grounding_dino_tiny_o365v1_goldg_v3det",
        "173 M",
        "Apache-2.0",
    ),
    "owlv2-base": Card(
        "detect", "owlv2", "google/owlv2-base-patch16-ensemble", "154 M", "Apache-2.0"
    ),
    "omdet-turbo-tiny": Card(
        "detect",
        "omdet_turbo",
        "omlab/omdet-turbo-swin-tiny-hf",
        "115 M",
        "Apache-2.0",
        note="quick with many phrases at once",
    ),
    "sam3": Card(
        "detect",
        "sam3",
        "facebook/sam3",
        "840 M",
        "SAM License",
        gated=True,
        note="gives masks too; 3.4 GB in float32, one file with sam3-tracker",
    ),
    "clipseg": Card(
        "detect",
        "clipseg",
        "CIDAS/clipseg-rd64-refined",
        "151 M",
        "Apache-2.0",
        note="rough masks from a heat map; things of a kind that touch are one",
    ),
    "sam-vit-base": Card("segment", "sam", "facebook/sam-vit-base", "94 M", "Apache-2.0"),
    "sam-vit-large": Card("segment", "sam", "facebook/sam-vit-large", "312 M", "Apache-2.0"),
    "sam-vit-huge": Card("segment", "sam", "facebook/sam-vit-huge", "641 M", "Apache-2.0"),
    "sam-hq-vit-base": Card(
        "segment", "sam_hq", "syscv-community/sam-hq-vit-base", "95 M", "Apache-2.0"
    ),
    "sam-hq-vit-large": Card(
        "segment", "sam_hq", "syscv-community/sam-hq-vit-large", "314 M", "Apache-2.0"
    ),
    "sam-hq-vit-huge": Card(
        "segment", "sam_hq", "syscv-community/sam-hq-vit-huge", "643 M", "Apache-2.0"
    ),
    "sam2.1-hiera-tiny": Card(
        "segment",
        "sam2",
        "facebook/sam2.1-hiera-tiny",
        "39 M",
        "Apache-2.0",
        note="four times faster than ViT-B on a CPU",
    ),
    "sam2.1-hiera-large": Card(
        "segment", "sam2", "facebook/sam2.1-hiera-large", "224 M", "Apache-2.0"
    ),
    "edgetam": Card(
        "segment",
        "edgetam",
        "yonigozlan/EdgeTAM-hf",
        "9 M",
        "Apache-2.0",
        note="the smallest encoder: 5 M, convolutions only",
    ),
    "sam3-tracker": Card(
        "segment",
        "sam3",
        "facebook/sam3",
        "458 M",
        "SAM License",
        gated=True,
        note="for boxes and clicks; 1.8 GB in float32, one file with sam3",
    ),
}

PRESETS: Mapping[str, Preset] = {
    "embedded": Preset(
        "embedded-chat",
        "embedded-detector",
        "embedded-segmenter",
        summary="everything bundled, nothing downloaded; knows drawn scenes",
    ),
    "qwen3-vl-2b": Preset(
        "qwen3-vl-2b",
        "grounding-dino-tiny",
        "sam2.1-hiera-tiny",
        summary="small, for a laptop: Qwen3-VL 2B + Grounding DINO + SAM 2.1 tiny",
    ),
    "qwen3-vl-4b": Preset(
        "qwen3-vl-4b",
        "grounding-dino-tiny",
        "sam2.1-hiera-large",
        summary="middle, for a GPU of 12 GB: Qwen3-VL 4B + Grounding DINO + SAM 2.1 large",
    ),
    "qwen3-vl-4b-sam3": Preset(
        "qwen3-vl-4b",
        "sam3",
        "sam3-tracker",
        summary="for a GPU of 16 GB: Qwen3-VL 4B + SAM 3, whose masks need no segmenter; gated",
    ),
    "qwen3-vl-8b": Preset(
        "qwen3-vl-8b",
        "grounding-dino-base",
        "sam2.1-hiera-large",
        summary="large, for a GPU of 24 GB: Qwen3-VL 8B + Grounding DINO base + SAM 2.1 large",
    ),
    "qwen-vl-chat": Preset(
        "qwen-vl-chat",
        "grounding-dino-tiny",
        "sam-vit-huge",
        box_threshold=0.3,
        summary="Qwen-VL-Chat + Grounding DINO + SAM ViT-H at full size",
    ),
}


def preset_of(name: str) -> Preset:
    """Return the preset of that name.

    Raises:
        UnknownName: there is none; the message offers the nearest.
    """
    if name not in PRESETS:
        raise UnknownName(unknown_name_message("preset", name, PRESETS))
    return PRESETS[name]


def nicknames(kind: str) -> list[str]:
    """Return the nicknames of the cards of a stage."""
    return [name for name, card in CARDS.items() if card.kind == kind]
