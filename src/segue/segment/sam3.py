"""SAM 3's tracker on single pictures: masks for boxes and clicks, as SAM 2 gives them.

Runs `transformers.Sam3TrackerModel` on its folders and hub ids, facebook/sam3 (gated) among them,
of whose file it takes what it needs. Weights and method: Carion et al. 2025, arXiv:2511.16719; SAM
License.

Limits: pictures only; the memory for videos in the published files is left out, and so is the
detector, which is a stage of its own.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from segue.models.sam3 import BOTH, Sam3Pixels
from segue.runtime import device as devices
from segue.runtime.weights import load_pretrained, locate, require_model_type
from segue.segment.sam2 import Sam2
from segue.segment.sam_network import SamOptions
from segue.values.image import Image


def load(
    source: str | Path,
    *,
    device: str = "auto",
    dtype: str | None = None,
    name: str | None = None,
) -> "Sam3Tracker":
    """Load the tracker of SAM 3 as a segmenter.

    Args:
        source: what `segue.runtime.weights.locate` takes: a folder or hub id in transformers' form,
            of the whole model or of its tracker.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".
        dtype: number format of the image encoder; None: as
            `segue.runtime.device.pick_for_encoder` says.
        name: what to call it; None: `source`.

    Raises:
        InputError: `source` is nothing that can name weights.
        ModelError: the weights are missing, damaged, gated, or not of this model.
    """
    from transformers.models.sam3_tracker.modeling_sam3_tracker import Sam3TrackerModel

    path = locate(source)
    require_model_type(path, "sam3_tracker", BOTH)
    model = load_pretrained(Sam3TrackerModel, path)
    pixels = Sam3Pixels.read(path, model.config.prompt_encoder_config.image_size)
    place = devices.pick_for_encoder(device, dtype, model.vision_encoder.num_parameters())
    return Sam3Tracker(model, SamOptions.read(path), pixels, place, name or str(source))


class Sam3Tracker(Sam2):
    """The tracker of SAM 3, ready to look at pictures."""

    def __init__(
        self,
        model: Any,
        options: SamOptions,
        pixels: Sam3Pixels,
        place: devices.Placement,
        name: str,
    ) -> None:
        self._pixels = pixels
        options = replace(options, mean=pixels.mean, std=pixels.std)
        super().__init__(model, options, place, name)

    def _resized(self, image: Image) -> np.ndarray:
        return self._pixels.resized(image)
