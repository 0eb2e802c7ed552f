"""Masks from a segmenter network for boxes and points in a picture, the way the shipped settings
ask for them.

Two settings, kept beside the weights in ``segue.json``, are applied here and in the package's SAM
backend alike:

``zoom``         a box is looked at through a window of that many times its longest side (0: the
whole picture is used).
                 A point is answered on the whole picture first and then, through its mask's box, a
                 second time.
``clip_to_box``  nothing outside the prompt box is part of the mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from transformers import SamModel

from segue.embedded.segmenter_network import Prompts, run_segmenter
from segue.embedded.segmenter_samples import fitted, normalised, tight_box, window_around

Box = tuple[float, float, float, float]
Picture = NDArray[np.uint8]
BoolMask = NDArray[np.bool_]


@dataclass(frozen=True)
class LookSettings:
    """How boxes are looked at; see the module's text."""

    zoom: float = 1.3
    clip_to_box: bool = True


def masks_for_boxes(
    model: SamModel, picture: Picture, boxes: Sequence[Box], settings: LookSettings
) -> list[BoolMask]:
    """One (H, W) bool mask for each half-open pixel box of an (H, W, 3) uint8 picture."""
    height, width = picture.shape[:2]
    whole = (0, 0, width, height)
    if settings.zoom:
        windows = [window_around(box, width, height, settings.zoom) for box in boxes]
    else:
        windows = [whole]
    answers: list[BoolMask] = []
    embeddings = {w: _embed(model, picture, w) for w in dict.fromkeys(windows)}
    for index, box in enumerate(boxes):
        window = windows[index if settings.zoom else 0]
        logits = _ask_box(model, embeddings[window], window, box)
        mask = _paste(logits[0], window, (height, width), model.config.vision_config.image_size)
        answers.append(_clipped(mask, box) if settings.clip_to_box else mask)
    return answers


def mask_for_point(
    model: SamModel, picture: Picture, point: tuple[float, float], settings: LookSettings
) -> BoolMask:
    """The (H, W) bool mask of what lies under a point: the reading the network itself thinks best,
    looked at again."""
    height, width = picture.shape[:2]
    whole = (0, 0, width, height)
    scale = model.config.vision_config.image_size / max(height, width)
    clicks = torch.tensor(point, dtype=torch.float32).reshape(1, 1, 1, 2) * scale
    prompts = Prompts(None, clicks, torch.ones(1, 1, 1, dtype=torch.long))
    logits, quality = _decode(model, _embed(model, picture, whole), prompts)
    best = 1 + int(quality[1:].argmax())
    mask = _paste(logits[best], whole, (height, width), model.config.vision_config.image_size)
    box = tight_box(mask)
    if box is None or not settings.zoom:
        return mask
    again = LookSettings(settings.zoom, clip_to_box=False)
    x0, y0, x1, y1 = map(float, box)
    return masks_for_boxes(model, picture, [(x0, y0, x1, y1)], again)[0]


@torch.no_grad()
def _embed(model: SamModel, picture: Picture, window: tuple[int, int, int, int]) -> Tensor:
    x0, y0, x1, y1 = window
    side = model.config.vision_config.image_size
    cut = Image.fromarray(np.ascontiguousarray(picture[y0:y1, x0:x1]))
    seen = cut.resize(fitted(x1 - x0, y1 - y0, side), Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(normalised(np.asarray(seen), side))[None]
    embedding: Tensor = model.vision_encoder(pixels.to(model.device)).last_hidden_state
    return embedding


@torch.no_grad()
def _decode(model: SamModel, embedding: Tensor, prompts: Prompts) -> tuple[Tensor, Tensor]:
    output = run_segmenter(model, embedding, prompts, embedded=True)
    return output.logits[0, 0], output.quality[0, 0]


def _ask_box(
    model: SamModel, embedding: Tensor, window: tuple[int, int, int, int], box: Box
) -> Tensor:
    x0, y0, x1, y1 = window
    scale = model.config.vision_config.image_size / max(x1 - x0, y1 - y0)
    shifted = (np.array(box) - np.array([x0, y0, x0, y0])) * scale
    asked = torch.tensor(shifted, dtype=torch.float32).reshape(1, 1, 4)
    return _decode(model, embedding, Prompts(asked, None, None))[0]


def _paste(
    logits: Tensor, window: tuple[int, int, int, int], size: tuple[int, int], side: int
) -> BoolMask:
    """Low-resolution logits (M, M) of a window, enlarged, unpadded, put in place and cut at 0."""
    x0, y0, x1, y1 = window
    wide, high = fitted(x1 - x0, y1 - y0, side)
    grown = F.interpolate(logits[None, None], size=(side, side), mode="bilinear")[..., :high, :wide]
    grown = F.interpolate(grown, size=(y1 - y0, x1 - x0), mode="bilinear")[0, 0]
    mask = np.zeros(size, bool)
    mask[y0:y1, x0:x1] = (grown > 0).cpu().numpy()
    return mask


def _clipped(mask: BoolMask, box: Box) -> BoolMask:
    x0, y0 = int(np.floor(box[0])), int(np.floor(box[1]))
    x1, y1 = int(np.ceil(box[2])), int(np.ceil(box[3]))
    kept = np.zeros_like(mask)
    kept[max(0, y0) : y1, max(0, x0) : x1] = mask[max(0, y0) : y1, max(0, x0) : x1]
    return kept


def mask_iou(a: BoolMask, b: BoolMask) -> float:
    """Intersection over union of two masks of one shape; 0 where both are empty."""
    union = int((a | b).sum())
    return int((a & b).sum()) / union if union else 0.0
