"""EdgeTAM: SAM 2 with a small convolutional image encoder, made for phones.

Runs `transformers.EdgeTamModel` on its folders and hub ids. Weights and method: Zhou et al. 2025,
arXiv:2501.07256, Apache-2.0. transformers runs the image backbone through timm; here it is
`segue.models.repvit`, so neither timm nor torchvision is needed. A picture is prepared, and masks
are made, as for SAM 2.

Limits: pictures only; the memory for videos in the published files is left out.
"""

from pathlib import Path
from typing import Any

from segue.errors import ModelError
from segue.models.repvit import RepVitConfig
from segue.runtime import device as devices
from segue.runtime.weights import load_pretrained, locate, read_json, require_model_type
from segue.segment.sam2 import Sam2
from segue.segment.sam_network import SamOptions

_KINDS = ("edgetam", "edgetam_video")


def load(
    source: str | Path,
    *,
    device: str = "auto",
    dtype: str | None = None,
    name: str | None = None,
    engine: str = "torch",
) -> "EdgeTam":
    """Load an EdgeTAM model.

    Args:
        source: what `segue.runtime.weights.locate` takes: a folder or hub id in transformers' form.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".
        dtype: number format of the image encoder; None: as
            `segue.runtime.device.pick_for_encoder` says.
        name: what to call it; None: `source`.
        engine: what runs the image encoder: one of `segue.runtime.engines.ENGINES`.

    Raises:
        InputError: `source` is nothing that can name weights.
        ModelError: the weights are missing, damaged, or not of this model.
    """
    from transformers import EdgeTamModel

    path = locate(source)
    require_model_type(path, *_KINDS)
    model = load_pretrained(EdgeTamModel, path, config=_read_config(path))
    place = devices.pick_for_encoder(device, dtype, model.vision_encoder.num_parameters())
    return EdgeTam(model, SamOptions.read(path), place, name or str(source), engine)


def _read_config(path: Path) -> Any:
    """Read the configuration of the network for pictures, with a backbone that needs no timm."""
    from transformers import EdgeTamConfig

    settings = read_json(path, "config.json")
    parts = ("vision_config", "prompt_encoder_config", "mask_decoder_config")
    if absent := [part for part in parts if not isinstance(settings.get(part) or {}, dict)]:
        raise ModelError(f"{absent[0]!r} in {path / 'config.json'} must be a JSON object.")
    vision, prompts, decoder = (settings.get(part) or {} for part in parts)
    backbone = RepVitConfig.read(vision.get("backbone_config") or {})
    return EdgeTamConfig(
        vision_config={
            **vision,
            "model_type": "edgetam_vision_model",
            "backbone_config": backbone,
        },
        prompt_encoder_config=prompts,
        mask_decoder_config=decoder,
    )


class EdgeTam(Sam2):
    """An EdgeTAM model, ready to look at pictures."""
