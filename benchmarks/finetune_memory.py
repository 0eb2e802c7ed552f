"""How much memory a fine-tuning run takes, beside what `--preflight` says it would take.

Networks of random weights, float32, two steps of the optimiser with gradient accumulation, each
case in a fork of its own. Measured is the peak of the resident memory above what the process had
after a run in miniature, with everything imported. Linux only; MALLOC_MMAP_THRESHOLD_=65536 in the
environment lets what was freed go back at once.
"""

import ctypes
import json
import os
import shutil
import sys
import tempfile
from itertools import product
from pathlib import Path
from typing import Any

from segue.finetune.preflight import preflight
from segue.finetune.recipe import Recipe, make_recipe
from segue.finetune.train import finetune

SIZES = {  # width, layers, width of the MLP, vocabulary
    "5M": (192, 6, 512, 4096),
    "30M": (448, 9, 1216, 8192),
    "100M": (768, 10, 2048, 16384),
}
FAMILIES = ("qwen-vl", "qwen2.5-vl")
TOKENS = 640
"""Of each conversation, about."""


def main(*chosen: str) -> None:
    """Print a table; names of sizes choose among them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for family in FAMILIES:  # imports everything, so that cases pay for themselves only
            base = _base(folder / family, family, (32, 2, 96, 600))
            finetune(_recipe(folder, base, folder / f"warm-{family}", "lora", True))
        print(
            "family      size  method checkpointing  measured MB  estimated MB  ratio", flush=True
        )
        for size, family in product(chosen or SIZES, FAMILIES):
            for method, checkpointing in product(("lora", "full"), (True, False)):
                found = _forked(folder, family, size, method, checkpointing)
                measured, estimated = found["measured"] / 1e6, found["estimated"]["all"] / 1e6
                print(
                    f"{family:11} {size:5} {method:6} {checkpointing!s:13} {measured:12.0f} "
                    f"{estimated:13.0f} {estimated / measured:6.2f}  {_parts(found)}",
                    flush=True,
                )


def _parts(found: dict[str, Any]) -> str:
    parts = found["estimated"].items()
    listed = ", ".join(f"{name} {value / 1e6:.0f}" for name, value in parts if name != "all")
    return f"{found['parameters'] / 1e6:.1f} M: {listed}"


def _forked(folder: Path, *case: Any) -> dict[str, Any]:
    """Run one case in a copy of this process."""
    result = folder / "result.json"
    child = os.fork()
    if child == 0:
        try:
            result.write_text(json.dumps(_case(folder, *case)))
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    found: dict[str, Any] = json.loads(result.read_text())
    result.unlink()
    return found


def _case(folder: Path, family: str, size: str, method: str, checkpointing: bool) -> dict[str, Any]:
    place = folder / "-".join([family, size, method, str(checkpointing)])
    base = _base(place / "base", family, SIZES[size])
    recipe = _recipe(place, base, place / "run", method, checkpointing)
    expected = preflight(recipe, draw=0)
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = resident_memory("VmRSS")
    finetune(recipe)
    measured = resident_memory("VmHWM") - before
    shutil.rmtree(place)
    return {
        "measured": measured, "estimated": expected.memory, "parameters": expected.parameters,
    }  # fmt: skip


def _recipe(folder: Path, base: Path, output: Path, method: str, checkpointing: bool) -> Recipe:
    values: dict[str, Any] = {
        "base": str(base), "data": str(_conversations(folder)), "output": str(output),
        "device": "cpu", "max_steps": 2, "batch_size": 1, "gradient_accumulation_steps": 2,
        "save_steps": 100, "method": method, "lora_r": 16, "gradient_checkpointing": checkpointing,
    }  # fmt: skip
    return make_recipe(values)


def resident_memory(what: str) -> int:
    """Bytes: "VmRSS" is what the process has now, "VmHWM" the most it had."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(what))


def _conversations(folder: Path) -> Path:
    import numpy as np

    from segue.values.image import Image

    picture = folder / "p.png"
    Image(np.zeros((56, 56, 3), np.uint8)).to_pil().save(picture)
    turns = [
        {"from": "user", "value": f"Picture 1: <img>{picture}</img>\nSegment the dog."},
        {"from": "assistant", "value": "<gsam>dog</gsam>" + "." * (TOKENS - 120)},
    ]
    path = folder / "data.json"
    path.write_text(json.dumps([{"id": str(n), "conversations": turns} for n in range(8)]))
    return path


def _base(folder: Path, family: str, shape: tuple[int, int, int, int]) -> Path:
    """Make a network of random weights in a folder."""
    make = _qwen_vl if family == "qwen-vl" else _qwen2_5_vl
    make(folder, *shape)
    return folder


def _qwen_vl(folder: Path, width: int, layers: int, mlp: int, vocabulary: int) -> None:
    from segue.models.qwen_vl import (
        QwenVLConfig,
        QwenVLForCausalLM,
        QwenVLProcessor,
        QwenVLTokenizer,
        save,
    )

    tokenizer = QwenVLTokenizer({bytes([value]): value for value in range(256)})
    config = QwenVLConfig(
        vocab_size=vocabulary, hidden_size=width, num_hidden_layers=layers, num_attention_heads=4,
        kv_channels=width // 4, intermediate_size=2 * mlp,
        visual={
            "image_size": 56, "patch_size": 7, "width": 64, "layers": 2, "heads": 2,
            "mlp_ratio": 2, "output_dim": width, "n_queries": 16, "positional_grid": 3,
            "resampler_heads": 2, "image_start_id": tokenizer.picture_start_id,
        },
    )  # fmt: skip
    processor = QwenVLProcessor(tokenizer, config.visual_config, {"chat_format": "chatml"})
    save(QwenVLForCausalLM(config).eval(), processor, folder)


def _qwen2_5_vl(folder: Path, width: int, layers: int, mlp: int, vocabulary: int) -> None:
    """Make the miniature of the tests, with a larger language model."""
    from transformers import AutoConfig, AutoModelForImageTextToText

    sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
    from tiny_chats import tiny_qwen2_5_vl

    tiny_qwen2_5_vl(folder)
    config = AutoConfig.from_pretrained(str(folder))
    text = config.get_text_config()
    text.hidden_size, text.num_hidden_layers, text.intermediate_size = width, layers, mlp
    text.vocab_size, text.num_attention_heads, text.num_key_value_heads = vocabulary, 4, 4
    text.layer_types = ["full_attention"] * layers
    text.rope_parameters["mrope_section"] = [width // 32, width // 32, width // 16]
    text.initializer_range = config.initializer_range = 0.02
    config.vision_config.out_hidden_size = width
    AutoModelForImageTextToText.from_config(config).save_pretrained(str(folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
