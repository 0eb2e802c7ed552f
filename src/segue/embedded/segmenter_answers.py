"""Masks from a segmenter network for boxes and points in a picture, the way the shipped settings
ask for them.

Two settings, kept beside the weights in ``segue.json``, are applied here and in the package's SAM
backend alike:

``zoom``         a box is looked at through a window of that many times its longest side (0: the
whole picture is used).
                 A point has three answers on the whole picture; each is looked at again through its
                 mask's box, and the closer look of which the network thinks best is the answer.
``clip_to_box``  nothing outside the prompt box is part of the mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

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
    return [answer.mask for answer in _answers_for_boxes(model, picture, boxes, settings)]


def masks_for_points(
    model: SamModel,
    picture: Picture,
    points: Sequence[tuple[float, float]],
    settings: LookSettings,
) -> list[BoolMask]:
    """The (H, W) bool mask of what lies under each point: of its three readings, looked at again,
    the one that the network itself thinks best."""
    height, width = picture.shape[:2]
    whole = (0, 0, width, height)
    side = model.config.vision_config.image_size
    embedding = _embed(model, picture, whole)
    again = LookSettings(settings.zoom, clip_to_box=False)
    masks: list[BoolMask] = []
    for point in points:
        click = torch.tensor(point, dtype=torch.float32).reshape(1, 1, 1, 2) * side
        prompts = Prompts(None, click / max(height, width), torch.ones(1, 1, 1, dtype=torch.long))
        logits, quality = _decode(model, embedding, prompts)
        readings = [_paste(one, whole, (height, width), side) for one in logits[1:]]
        boxes: list[Box] = [
            (x0, y0, x1, y1) for x0, y0, x1, y1 in filter(None, map(tight_box, readings))
        ]
        if boxes and settings.zoom:
            closer = _answers_for_boxes(model, picture, boxes, again)
            masks.append(max(closer, key=lambda answer: answer.quality).mask)
        else:
            masks.append(readings[int(quality[1:].argmax())])
    return masks


class _Answer(NamedTuple):
    mask: BoolMask
    quality: float
    """IoU with the truth, as the network estimates it."""


def _answers_for_boxes(
    model: SamModel, picture: Picture, boxes: Sequence[Box], settings: LookSettings
) -> list[_Answer]:
    height, width = picture.shape[:2]
    if settings.zoom:
        windows = [window_around(box, width, height, settings.zoom) for box in boxes]
    else:
        windows = [(0, 0, width, height)] * len(boxes)
    answers: list[_Answer] = []
    embeddings = {w: _embed(model, picture, w) for w in dict.fromkeys(windows)}
    for window, box in zip(windows, boxes, strict=True):
        logits, quality = _ask_box(model, embeddings[window], window, box)
        mask = _paste(logits[0], window, (height, width), model.config.vision_config.image_size)
        mask = _clipped(mask, box) if settings.clip_to_box else mask
        answers.append(_Answer(mask, float(quality[0])))
    return answers


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
) -> tuple[Tensor, Tensor]:
    x0, y0, x1, y1 = window
    scale = model.config.vision_config.image_size / max(x1 - x0, y1 - y0)
    shifted = (np.array(box) - np.array([x0, y0, x0, y0])) * scale
    asked = torch.tensor(shifted, dtype=torch.float32).reshape(1, 1, 4)
    return _decode(model, embedding, Prompts(asked, None, None))


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
