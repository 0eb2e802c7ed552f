"""Names for models, and for combinations of them.

A *card* is one set of weights: nickname, where it is, how big, which licence. A *preset* fills
the three stages with cards. Sizes count parameters; licences are those the makers state.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl

from segue.chat import CHATS
from segue.detect import DETECTORS
from segue.errors import InputError, ModelError, UnknownName
from segue.runtime.catalog import Catalog, unknown
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
        note="on board; knows drawn scenes only",
        scores="frames the one thing asked for .85 (style never trained on: .68), says that an "
        "absent thing is not there .95 (.92), describes 1 to 3 things without a mistake .46 (.25)",
    ),
    "embedded-detector": Card(
        "detect",
        "grounding_dino",
        "embedded/detector",
        "4 M",
        "Apache-2.0",
        note="on board; knows drawn scenes only",
        scores="AP50 .89 (style never trained on: .83)",
    ),
    "embedded-segmenter": Card(
        "segment",
        "sam",
        "embedded/segmenter",
        "4 M",
        "Apache-2.0",
        note="on board; trained on drawn scenes",
        scores="mean IoU from a tight box .92 (style never trained on: .91), from a click .82 "
        "(.81), from a tight box on photographs .59",
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
        note="8.9 GB in bfloat16; about 3 GB with ?quantize=4bit",
    ),
    "qwen3-vl-8b": Card(
        "chat",
        "transformers",
        "Qwen/Qwen3-VL-8B-Instruct",
        "8.8 B",
        "Apache-2.0",
        note="17.5 GB in bfloat16; about 7 GB with ?quantize=4bit",
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
    "sam-vit-base": Card("segment", "sam", "facebook/sam-vit-base", "94 M", "Apache-2.0"),
    "sam-vit-large": Card("segment", "sam", "facebook/sam-vit-large", "312 M", "Apache-2.0"),
    "sam-vit-huge": Card("segment", "sam", "facebook/sam-vit-huge", "641 M", "Apache-2.0"),
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
}

PRESETS: Mapping[str, Preset] = {
    "embedded": Preset(
        "embedded-chat",
        "embedded-detector",
        "embedded-segmenter",
        summary="everything on board, nothing downloaded; knows drawn scenes",
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

_BACKEND_OF_MODEL_TYPE: Mapping[str, Mapping[str, str]] = {
    "chat": {"qwen": "qwen_vl"},
    "detect": {
        "grounding-dino": "grounding_dino",
        "mm-grounding-dino": "grounding_dino",
        "owlv2": "owlv2",
    },
    "segment": {"sam": "sam", "sam2": "sam2", "sam2_video": "sam2"},
}
_BACKEND_OF_ORIGINAL: Mapping[str, str] = {"detect": "grounding_dino", "segment": "sam"}
"""Which program wrote the single-file checkpoints (.pth) of a stage."""


def preset(name: str) -> Preset:
    """The preset of that name.

    Raises:
        UnknownName: there is none; the message offers the nearest.
    """
    if name not in PRESETS:
        raise UnknownName(unknown("preset", name, PRESETS))
    return PRESETS[name]


def load_stage(
    kind: str, source: str | Path, *, device: str = "auto", dtype: str | None = None
) -> Any:
    """Load one stage by name.

    Args:
        kind: "chat", "detect" or "segment".
        source: a nickname, "backend:source", a folder, an original checkpoint file, a URL of
            one, or a hub id; behind it "?option=value" where the backend takes options. For "chat"
            also "base+adapter", with any of these as the base and the folder of a LoRA adapter;
            or that folder alone, which knows its base.
        device: "auto", "cpu", "cuda", "mps".
        dtype: "float32", "bfloat16", "float16"; None: as the model likes on the device.

    Raises:
        UnknownName: not a nickname, a path or a hub id.
        InputError: the nickname belongs to another stage.
        ModelError: the weights are missing, unreadable, or of a kind this stage does not know.
    """
    catalog, name = STAGES[kind], str(source)
    backend, colon, rest = name.partition(":")
    if colon and backend in catalog and catalog[backend].stand_in:
        return catalog.load(backend, *([rest] if rest else []))
    if colon and backend in catalog and catalog[backend].remote:
        return catalog.load(backend, rest, name=name)
    if kind == "chat" and (pair := _base_and_adapter(name)):
        return _adapted(*pair, name=name, device=device, dtype=dtype)
    source, options = _split_options(name)
    backend, place = _resolve(kind, source)
    known = catalog[backend].options
    if unknown_ones := sorted(set(options) - set(known)):
        raise InputError(
            f"The {kind} model {source!r} takes no option {unknown_ones[0]!r}. "
            f"Known: {', '.join(known) or 'none'}."
        )
    return catalog.load(backend, place, name=name, device=device, dtype=dtype, **options)


def _split_options(name: str) -> tuple[str, dict[str, str]]:
    """What stands before "?", and the options behind it; addresses and paths stay whole."""
    source, mark, query = name.partition("?")
    if not mark or name.startswith(("http://", "https://")) or Path(name).exists():
        return name, {}
    return source, dict(parse_qsl(query, keep_blank_values=True))


def _resolve(kind: str, name: str) -> tuple[str, Path]:
    """The backend that reads what is named, and where that lies on this machine."""
    from segue.runtime.weights import locate

    catalog = STAGES[kind]
    if name in CARDS:
        card = CARDS[name]
        if card.kind != kind:
            raise InputError(
                f"{name!r} is a model for the {card.kind!r} stage, not for {kind!r}. "
                f"For {kind!r} there are: {', '.join(_nicknames(kind))}."
            )
        return card.backend, locate(card.source)
    backend, colon, rest = name.partition(":")
    if colon and backend in catalog:
        return backend, locate(rest)
    if "/" not in name and not Path(name).exists() and not name.endswith((".pth", ".pt")):
        known = dict.fromkeys(_nicknames(kind), 0)
        raise UnknownName(
            f"{unknown(f'{kind} model', name, known)} A folder, a hub id (owner/name) or a "
            "checkpoint file will do as well."
        )
    path = locate(name)
    return backend_of(kind, path), path


def _base_and_adapter(name: str) -> tuple[str, Path] | None:
    """The two halves of "base+adapter"; None where `name` is something else."""
    from segue.chat.adapter import CONFIG, adapter_folder, base_of

    path = Path(name).expanduser()
    if any((folder / CONFIG).is_file() for folder in (path, path / "adapter")):
        folder = adapter_folder(path)
        return base_of(folder), folder
    base, plus, adapter = name.rpartition("+")
    return (base, adapter_folder(adapter)) if plus and base and not path.exists() else None


def _adapted(base: str, adapter: Path, *, name: str, device: str, dtype: str | None) -> Any:
    """A chat model with an adapter added to its weights."""
    from segue.chat.adapter import attach

    chat = load_stage("chat", base, device=device, dtype=dtype)
    attach(chat.model, adapter)
    chat.name = name
    return chat


def backend_of(kind: str, path: Path) -> str:
    """Which backend of a stage reads the weights at `path`: by file type, else by config.json.

    Raises:
        ModelError: there is no config.json, or this stage does not know its model type.
    """
    if path.is_file():
        if kind in _BACKEND_OF_ORIGINAL:
            return _BACKEND_OF_ORIGINAL[kind]
        raise ModelError(f"A {kind} model is a folder with a config.json, got the file {path}.")
    config = path / "config.json"
    if not config.is_file():
        raise ModelError(f"{path} has no config.json, so it is not a folder of model weights.")
    try:
        model_type = json.loads(config.read_text(encoding="utf-8")).get("model_type")
    except (ValueError, AttributeError) as error:
        raise ModelError(f"{config} is not a JSON object: {error}.") from error
    known = _BACKEND_OF_MODEL_TYPE[kind]
    if kind == "chat" and model_type and model_type not in known:
        return "transformers"  # which says so when it does not know the type
    if model_type not in known:
        raise ModelError(
            f"{path} holds a model of type {model_type!r}; the {kind!r} stage knows "
            f"{', '.join(sorted(known))}."
        )
    return known[model_type]


def _nicknames(kind: str) -> list[str]:
    return [name for name, card in CARDS.items() if card.kind == kind]
