"""Reads and writes Qwen-VL checkpoints in the published layout.

A folder holds config.json, one *.tiktoken vocabulary, generation_config.json (optional) and
weights: safetensors or pickled .bin, whole or in shards with an index. Pickled files are read
without running what they contain.
"""

import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig

from segue.errors import InputError, ModelError
from segue.models.qwen_vl.configuration import QwenVLConfig
from segue.models.qwen_vl.modeling import QwenVLForCausalLM
from segue.models.qwen_vl.processor import QwenVLProcessor
from segue.models.qwen_vl.tokenizer import QwenVLTokenizer
from segue.runtime.device import pick_for_chat
from segue.runtime.weights import locate, read_json, read_tensors

HEAD, EMBEDDING = "lm_head.weight", "transformer.wte.weight"
COMPUTED = ("inv_freq", "masked_bias", "logn_tensor")
"""Endings of names that some re-uploads carry and that are computed here."""
SHARD_BYTES = 4 * 1024**3
_WEIGHTS = re.compile(r"model(-\d+-of-\d+)?\.safetensors(\.index\.json)?")
_NOT_FOR_TRANSFORMERS = ("chat_format", "max_window_size", "default_system")


def load(
    folder_or_id: str | Path,
    dtype: str | torch.dtype | None = None,
    device: str | torch.device | None = "auto",
) -> tuple[QwenVLForCausalLM, QwenVLProcessor]:
    """Load a Qwen-VL and what belongs to it.

    Args:
        folder_or_id: a local folder (which never touches the network), `"embedded/chat"`, or a
            hub id such as `"Qwen/Qwen-VL-Chat"`.
        dtype: "float32", "bfloat16", "float16"; None picks what the device is good at.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".

    Returns:
        The model in evaluation mode, and its processor.

    Raises:
        InputError: no device, dtype or place is meant by the arguments.
        ModelError: files are missing or damaged, or the weights do not fit the configuration.
    """
    folder = locate(folder_or_id)
    config = read_config(folder)
    processor = read_processor(folder, config)
    place = pick_for_chat(device, dtype)
    with torch.device("meta"):
        model = QwenVLForCausalLM(config)
    _fill(model, folder, place.device, place.dtype)
    settings = {k: v for k, v in processor.generation.items() if k not in _NOT_FOR_TRANSFORMERS}
    model.generation_config = GenerationConfig(**settings)
    config.dtype = place.dtype
    model.eval()
    return model, processor


def read_config(folder: Path) -> QwenVLConfig:
    """Read `config.json` of a folder.

    Raises:
        ModelError: there is none, it is of another kind of model, or of a quantised one.
    """
    values = read_json(folder, "config.json") if folder.is_dir() else {}
    if not values:
        raise ModelError(
            f"{folder} must be the folder of a Qwen-VL checkpoint, but holds no config.json. "
            "Give the folder with config.json, the weights and qwen.tiktoken."
        )
    if values.get("model_type") != "qwen" or "visual" not in values:
        raise ModelError(
            f"{folder / 'config.json'} must describe a Qwen-VL of 2023 (model_type 'qwen' with a "
            f"'visual' entry), got model_type {values.get('model_type')!r}."
        )
    if "quantization_config" in values:
        raise ModelError(
            f"{folder} holds a quantised checkpoint, which cannot be read here. "
            "Use the unquantised weights, for example Qwen/Qwen-VL-Chat."
        )
    return QwenVLConfig.from_dict(values)


def read_processor(folder: Path, config: QwenVLConfig | None = None) -> QwenVLProcessor:
    """Read vocabulary and generation settings of a folder.

    Raises:
        ModelError: files are missing, or the vocabulary does not fit the configuration.
    """
    config = config or read_config(folder)
    tokenizer = QwenVLTokenizer.read(folder)
    visual = config.visual_config
    if visual.image_start_id != tokenizer.picture_start_id or len(tokenizer) > config.vocab_size:
        raise ModelError(
            f"The vocabulary in {folder} does not fit config.json: <img> is "
            f"{tokenizer.picture_start_id} of {len(tokenizer)}, expected {visual.image_start_id} "
            f"of at most {config.vocab_size}. Take both files from the same checkpoint."
        )
    return QwenVLProcessor(tokenizer, visual, read_json(folder, "generation_config.json"))


def _fill(model: QwenVLForCausalLM, folder: Path, device: torch.device, dtype: torch.dtype) -> None:
    """Put the weights of a folder in place of a model's meta tensors."""
    expected = {name: weight.shape for name, weight in model.state_dict().items()}
    tied = bool(model.config.tie_word_embeddings)
    tensors: dict[str, Tensor] = {}
    for path in weight_files(folder):
        for name, weight in read_tensors(path).items():
            if name.endswith(COMPUTED) or (tied and name == HEAD):
                continue
            if name not in expected or weight.shape != expected[name]:
                raise ModelError(
                    f"{path} holds {name!r} of shape {tuple(weight.shape)}, expected "
                    f"{tuple(expected.get(name, ())) or 'no such tensor'}. "
                    "Are config.json and weights of the same checkpoint?"
                )
            tensors[name] = weight.to(device=device, dtype=dtype)
    missing = sorted(expected.keys() - tensors.keys() - ({HEAD} if tied else set()))
    if missing:
        raise ModelError(
            f"The weights in {folder} lack {len(missing)} tensors, the first is {missing[0]!r}. "
            "Download the files that are missing."
        )
    if tied:
        tensors[HEAD] = tensors[EMBEDDING]
    model.load_state_dict(tensors, assign=True)
    if tied:
        model.tie_weights()


def weight_files(folder: Path) -> list[Path]:
    """Return the files that hold the weights of a folder; safetensors where there are both kinds.

    Raises:
        ModelError: there are none, or shards that the index names are missing.
    """
    for stem, suffix in (("model", "safetensors"), ("pytorch_model", "bin")):
        index = read_json(folder, f"{stem}.{suffix}.index.json")
        names = sorted(set(index.get("weight_map", {}).values()))
        single = folder / f"{stem}.{suffix}"
        if not names and single.is_file():
            return [single]
        if names:
            missing = [name for name in names if not (folder / name).is_file()]
            if missing:
                raise ModelError(
                    f"{folder} lacks {len(missing)} of {len(names)} weight files, the first is "
                    f"{missing[0]!r}. Download them again."
                )
            return [folder / name for name in names]
    raise ModelError(
        f"{folder} holds no weights: neither model.safetensors nor pytorch_model.bin, nor an "
        "index of shards. Download the checkpoint again."
    )


def save(
    model: QwenVLForCausalLM,
    processor: QwenVLProcessor,
    folder: str | Path,
    dtype: torch.dtype | None = None,
) -> None:
    """Write a model and its processor in the published layout, as safetensors.

    Files that are there already are replaced one by one, each only when it is whole; a model
    that was loaded from the same folder stays usable.

    Args:
        model: a plain model; merge adapters into it first.
        processor: its processor.
        folder: made if it is not there.
        dtype: store in this format, for example `torch.float16`; None: as it is.

    Raises:
        InputError: the model is wrapped or its weights are elsewhere (meta, sharded).
    """
    weights = _published_names(model)
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target, prefix=".saving-") as temporary:
        staging = Path(temporary)
        _write_weights(weights, staging, dtype)
        config = {"architectures": ["QWenLMHeadModel"], "model_type": model.config.model_type}
        for name in QwenVLConfig.__annotations__:
            if getattr(model.config, name) is not None:
                config[name] = getattr(model.config, name)
        config["torch_dtype"] = str(dtype or model.dtype).removeprefix("torch.")
        _write_json(config, staging / "config.json")
        processor.write(staging)
        for path in staging.glob("*.safetensors"):  # their writer keeps other users out
            shutil.copymode(staging / "config.json", path)
        stale = {path for path in target.iterdir() if _WEIGHTS.fullmatch(path.name)}
        for path in sorted(staging.iterdir()):
            os.replace(path, target / path.name)
            stale.discard(target / path.name)
        for path in stale:
            path.unlink()


def _published_names(model: QwenVLForCausalLM) -> dict[str, Tensor]:
    state = dict(model.state_dict())
    if model.config.tie_word_embeddings:
        state.pop(HEAD, None)
    with torch.device("meta"):
        expected = set(QwenVLForCausalLM(model.config).state_dict())
    if model.config.tie_word_embeddings:
        expected.discard(HEAD)
    mismatched = sorted(state.keys() ^ expected)
    if mismatched or any(weight.is_meta for weight in state.values()):
        raise InputError(
            "Only a plain Qwen-VL with all its weights can be saved, got "
            f"{mismatched[:3] or 'none'}. Merge adapters first: model.merge_and_unload()."
        )
    return state


def _write_weights(state: dict[str, Tensor], folder: Path, dtype: torch.dtype | None) -> None:
    """Write weights in one file, or in shards with an index."""
    from safetensors.torch import save_file

    groups: list[dict[str, Tensor]] = [{}]
    room = SHARD_BYTES
    for name, weight in state.items():
        size = weight.numel() * (dtype or weight.dtype).itemsize
        if size > room and groups[-1]:
            groups.append({})
            room = SHARD_BYTES
        groups[-1][name] = weight
        room -= size
    where: dict[str, str] = {}
    for number, group in enumerate(groups, start=1):
        file = f"model-{number:05}-of-{len(groups):05}.safetensors"
        file = file if len(groups) > 1 else "model.safetensors"
        where |= dict.fromkeys(group, file)
        ready = {
            name: weight.detach().to(device="cpu", dtype=dtype or weight.dtype).contiguous()
            for name, weight in group.items()
        }
        save_file(ready, folder / file, metadata={"format": "pt"})
    if len(groups) > 1:
        index = {"metadata": {}, "weight_map": where}
        _write_json(index, folder / "model.safetensors.index.json")


def _write_json(value: Any, path: Path) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
