"""Weights in transformers' layout: to start from, and to ship."""

import json
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from segue.errors import ModelError


def load_weights(model: PreTrainedModel, folder: Path) -> None:
    """Fill a network with the weights of a transformers folder, in float32.

    Raises:
        ModelError: the folder has no weights, or those of another network.
    """
    if not (folder / "model.safetensors").is_file():
        raise ModelError(f"{folder} has no model.safetensors. Give a folder of trained weights.")
    source = type(model).from_pretrained(folder, dtype="float32", trust_remote_code=False)
    tensors = source.state_dict()
    mismatches = [
        name
        for name, tensor in model.state_dict().items()
        if name not in tensors or tensors[name].shape != tensor.shape
    ]
    if mismatches:
        raise ModelError(
            f"The weights in {folder} are of another network: {mismatches[0]} does not fit. "
            "Train with the size they were made with."
        )
    model.load_state_dict(tensors)


def save_half_precision(model: PreTrainedModel, folder: Path, **config: Any) -> None:
    """Write an ordinary transformers folder, in half precision.

    Args:
        model: the network.
        folder: where to; made where necessary.
        config: entries of `config.json` to set, in it and in the configs of its parts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    halves = {
        name: value.half() if value.is_floating_point() else value
        for name, value in model.state_dict().items()
    }
    model.save_pretrained(folder, state_dict=halves)
    (folder / "model.safetensors").chmod(0o644)  # the library makes it readable for its owner only
    settings = json.loads((folder / "config.json").read_text("utf-8"))
    settings["dtype"] = "float16"
    for part in (settings, *(v for k, v in settings.items() if k.endswith("_config"))):
        part.update(config)
    (folder / "config.json").write_text(json.dumps(settings, indent=2) + "\n", "utf-8")
