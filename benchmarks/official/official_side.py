"""The official processors' side. Runs where torchvision is installed, without this package.

    python official_side.py FOLDER KIND...

FOLDER holds `pictures/` and, for each kind, `model/`, `package.npz` and `package.json`. What
differs is printed, a line of JSON for each kind.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import transformers
from transformers import AutoProcessor
from transformers.image_utils import load_image

SYSTEM = "Be brief."
PIXELS = ("flattened_patches",)
"""Pixel values under another name."""


def load_official(folder: Path) -> Any:
    """Return the official processor of a miniature."""
    try:
        return AutoProcessor.from_pretrained(folder)
    except Exception:
        from transformers import AutoImageProcessor, AutoTokenizer
        from transformers.models.auto.processing_auto import processor_class_from_name

        name = json.loads((folder / "processor_config.json").read_text())["processor_class"]
        parts = {"image_processor": AutoImageProcessor.from_pretrained(folder),
                 "tokenizer": AutoTokenizer.from_pretrained(folder)}  # fmt: skip
        official = processor_class_from_name(name)
        return official(**parts, **_parts_for_videos(official, folder))


def _parts_for_videos(official: Any, folder: Path) -> dict[str, Any]:
    """Return default parts where the folder holds no settings of them."""
    from transformers.models.auto.video_processing_auto import VIDEO_PROCESSOR_MAPPING_NAMES

    parts: dict[str, Any] = {}
    model_type = json.loads((folder / "config.json").read_text())["model_type"]
    names = VIDEO_PROCESSOR_MAPPING_NAMES.get(model_type.removesuffix("_thinker"))
    if names and "video_processor" in official.get_attributes():
        parts["video_processor"] = getattr(transformers, names["torchvision"])()
    if "feature_extractor" in official.get_attributes():
        parts["feature_extractor"] = transformers.WhisperFeatureExtractor()
    return parts


def compare(folder: Path, files: list[Path]) -> dict[str, Any]:
    """Return what differs between the official processor and the package's inputs."""
    processor = load_official(folder / "model")
    ours = np.load(folder / "package.npz")
    facts = json.loads((folder / "package.json").read_text())
    levels = _grey_levels(processor.image_processor)
    told: dict[str, Any] = {
        "class": type(processor.image_processor).__name__, "levels": 0.0, "at": "", "mean": 0.0,
        "shapes": [], "ids": [], "seen": [], "refused": {}, "compared": 0,
    }  # fmt: skip
    means = []
    for file in files:
        if file.name in facts["refused"]:
            told["refused"][file.name] = "package: " + facts["refused"][file.name]
        try:
            theirs = _inputs(processor, _prompt(processor, one_question()), [load_image(str(file))])
        except Exception as error:
            who = "both" if file.name in told["refused"] else "official"
            told["refused"][file.name] = f"{who}: {str(error)[:160]}"
            continue
        if file.name in facts["refused"]:
            continue
        told["compared"] += 1
        for name, value in theirs.items():
            value = np.asarray(value)
            key = f"{file.name}/{name}"
            if key not in ours.files:
                told["shapes"].append(f"{key} is not given")
                continue
            mine = ours[key]
            if mine.shape != value.shape:
                told["shapes"].append(f"{key}: {mine.shape}, official {value.shape}")
            elif name == "input_ids" and (mine != value).any():
                told["ids"].append(file.name)
            elif name in PIXELS or ("pixel_values" in name and value.dtype.kind == "f"):
                difference = np.abs(mine - value) * levels
                if file.name != "rgba.png":
                    means.append(float(difference.mean()))
                    if difference.max() > told["levels"]:
                        told["levels"], told["at"] = float(difference.max()), file.name
                else:
                    told["rgba"] = float(difference.max())
            elif (mine != value).any():
                told["shapes"].append(f"{key} has other values")
        _compare_seen(processor, theirs, file.name, facts, told)
    told["mean"] = max(means, default=0.0)
    _compare_prompts(processor, files, facts, told)
    return told


def _grey_levels(image_processor: Any) -> float:
    """One unit of pixel values in grey levels."""
    std = getattr(image_processor, "image_std", None) or [1.0]
    std = std if getattr(image_processor, "do_normalize", True) else [1.0]
    scale = getattr(image_processor, "rescale_factor", None) or 1 / 255
    rescales = getattr(image_processor, "do_rescale", True)
    return float(np.mean(std)) / (scale if rescales else 1.0)


def _compare_seen(processor: Any, theirs: Any, name: str, facts: Any, told: Any) -> None:
    grid, side = theirs.get("image_grid_thw"), getattr(processor.image_processor, "patch_size", 0)
    if grid is None or not isinstance(side, int):
        return
    official = [int(v) * side for v in np.asarray(grid)[0][1:]]
    if facts["seen"][name] != official:
        told["seen"].append(f"{name}: {facts['seen'][name]}, official {official}")


def one_question() -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "what?"}]}]


def _compare_prompts(processor: Any, files: list[Path], facts: Any, told: Any) -> None:
    talk = [
        {"role": "system", "content": [{"type": "text", "text": SYSTEM}]},
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is this?"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "A plane."}]},
        {"role": "user",
         "content": [{"type": "image"}, {"type": "text", "text": "And this? Compare."}]},
        {"role": "assistant", "content": [{"type": "text", "text": "A beach, with more sand."}]},
        {"role": "user", "content": [{"type": "text", "text": "Are you sure?"}]},
    ]  # fmt: skip
    if "prompt" not in facts:
        told["prompt"] = "package: " + facts["prompt_refused"]
        return
    try:
        text = _prompt(processor, talk)
        ids = _inputs(processor, text, [load_image(str(file)) for file in files[:2]])["input_ids"]
    except Exception as error:
        told["prompt"] = "official: " + str(error)[:160]
        return
    same = text == facts["prompt"]
    told["prompt"] = "equal" if same else f"{facts['prompt'][:200]!r}, official {text[:200]!r}"
    if same and np.asarray(ids)[0].tolist() != facts["prompt_ids"]:
        told["prompt"] = "equal text, other ids"


def _prompt(processor: Any, messages: list[dict[str, Any]]) -> str:
    template = processor.chat_template or getattr(processor.tokenizer, "chat_template", None)
    if template is None:  # one question about one picture: the mark of its family and the text
        mark = "<image>" if "PaliGemma" in type(processor).__name__ else ""
        return mark + messages[-1]["content"][-1]["text"]
    return processor.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=True, chat_template=template
    )


def _inputs(processor: Any, text: str, pictures: list[Any]) -> dict[str, np.ndarray]:
    options: dict[str, Any] = {"return_tensors": "pt"}
    begin = processor.tokenizer.bos_token
    if begin and text.startswith(begin):
        options["add_special_tokens"] = False
    try:
        inputs = processor(text=[text], images=[pictures], **options)
    except Exception:
        inputs = processor(text=[text], images=pictures, **options)
    return {
        name: value.numpy() for name, value in inputs.items()
        if hasattr(value, "numpy") and name != "labels"
    }  # fmt: skip


def print_comparisons(compare_kind: Callable[[Path, list[Path]], dict[str, Any]]) -> None:
    """Compare each kind that the command line names, and print a line of JSON for it."""
    root = Path(sys.argv[1])
    pictures = sorted((root / "pictures").iterdir())
    for kind in sys.argv[2:]:
        try:
            result = compare_kind(root / kind, pictures)
        except Exception as error:
            result = {"failed": f"official: {type(error).__name__}: {str(error)[:300]}"}
        print(json.dumps({"kind": kind, **result}), flush=True)


if __name__ == "__main__":
    print_comparisons(compare)
