"""One picture, encoded by Segment Anything, and the masks it gives for prompts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from segue.segment import Point
from segue.segment.enlarge import cut_to_boxes, full_masks, memory_budget
from segue.segment.prompts import SegmentPrompt, check_prior, read_prompts
from segue.segment.sam_network import SamNetwork
from segue.values.box import Box, Size
from segue.values.image import Image
from segue.values.mask import Mask

NEVER = -32.0
"""Logit of a pixel that is surely not on the object."""

_COPIES_PER_OBJECT = 20  # arrays of an embedding's size that the decoder holds for one object


@dataclass(frozen=True, eq=False)
class SamView:
    """One picture, encoded."""

    network: SamNetwork
    maps: tuple[Tensor, ...]
    """What the encoder made of it: (1, C, g, g) float32 each, on the model's device."""
    size: Size
    """Of the upright picture."""
    inner: Size
    """Of the picture inside the network's square input."""

    @property
    def size_bytes(self) -> int:
        """Memory of the encoded picture."""
        return sum(level.nbytes for level in self.maps)

    @torch.inference_mode()
    def mask(
        self,
        boxes: Sequence[Box] | None = None,
        points: Sequence[Point] | Sequence[Sequence[Point]] | None = None,
        labels: Sequence[int] | Sequence[Sequence[int]] | None = None,
        prior: np.ndarray | None = None,
    ) -> list[Mask]:
        """One mask per object. See `segue.segment.View.mask`.

        A single click, which may mean a part or the whole, gets the best of three masks by the
        network's own estimate; everything else gets the one mask made for clear prompts. A box of
        no area gets an empty mask with score 0.
        """
        prompts = read_prompts(self.size, boxes, points, labels)
        prior_logits = (
            None if prior is None else check_prior(prior, prompts, self.network.logits_side)
        )
        logits, scores = self.answers(prompts, prior_logits)
        arrays = self.arrays(logits)
        if self.network.options.clip_to_box:
            cut_to_boxes(arrays, [prompt.box for prompt in prompts])
        low = logits.cpu().numpy()
        return [
            Mask(array, score=float(score), logits=mask_logits)
            for array, score, mask_logits in zip(arrays, scores, low)
        ]

    def answers(
        self, prompts: Sequence[SegmentPrompt], prior: np.ndarray | None
    ) -> tuple[Tensor, Tensor]:
        """Logits (N, s, s) and score (N,) in [0, 1] of one mask for each prompt."""
        side = self.network.logits_side
        logits = torch.full((len(prompts), side, side), NEVER, device=self.network.device)
        scores = torch.zeros(len(prompts))
        for rows, vague in _alike(prompts, prior is not None):
            candidates, iou = self.decode([prompts[row] for row in rows], prior, multimask=vague)
            best = iou.argmax(1)
            pick = torch.arange(len(rows), device=best.device)
            logits[rows] = candidates[pick, best]
            scores[rows] = iou[pick, best].clamp(0, 1).cpu()
        return logits, scores

    def arrays(self, logits: Tensor) -> list[np.ndarray]:
        """Low-resolution logits (N, s, s) as masks, N arrays (H, W) bool."""
        square = self.network.side if self.network.padded else 0
        return list(full_masks(logits, self.size, memory_budget(logits.device), square, self.inner))

    def decode(
        self, prompts: Sequence[SegmentPrompt], prior: np.ndarray | None, *, multimask: bool
    ) -> tuple[Tensor, Tensor]:
        """Raw answers of the network, for prompts that have equally many points.

        Returns:
            logits (N, M, s, s) and predicted IoU (N, M), float32; M is 3 with `multimask`, else 1.
        """
        step = max(1, memory_budget(self.network.device) // (_COPIES_PER_OBJECT * self.size_bytes))
        parts = [
            self._decode(prompts[start : start + step], prior, multimask)
            for start in range(0, len(prompts), step)
        ]
        return torch.cat([p[0] for p in parts]), torch.cat([p[1] for p in parts])

    def _decode(
        self, prompts: Sequence[SegmentPrompt], prior: np.ndarray | None, multimask: bool
    ) -> tuple[Tensor, Tensor]:
        new = self.maps[0].new_tensor
        scale = new([self.inner.width / self.size.width, self.inner.height / self.size.height])
        network_prompts: dict[str, Tensor] = {}
        if prompts[0].box is not None:
            corners = [p.box.corners for p in prompts if p.box is not None]
            network_prompts["input_boxes"] = new(corners)[None] * scale.repeat(2)  # (1, N, 4)
        if prompts[0].points:
            network_prompts["input_points"] = (
                new([p.points for p in prompts])[None] * scale
            )  # (1, N, K, 2)
            network_prompts["input_labels"] = torch.tensor(
                [p.labels for p in prompts], device=self.network.device
            )[None]
        if prior is not None:
            network_prompts["input_masks"] = new(prior)[None, None]
        logits, iou = self.network.answer(self.maps, multimask_output=multimask, **network_prompts)
        return logits[0], iou[0]


def _alike(prompts: Sequence[SegmentPrompt], refined: bool) -> Iterator[tuple[list[int], bool]]:
    """Rows of prompts that one call can answer, and whether they are a single, vague click."""
    groups: dict[tuple[bool, int], list[int]] = {}
    for row, prompt in enumerate(prompts):
        if not prompt.is_empty:
            groups.setdefault((prompt.box is not None, len(prompt.points)), []).append(row)
    for rows in groups.values():
        yield rows, prompts[rows[0]].is_vague and not refined


def encode_views(network: SamNetwork, images: Sequence[Image]) -> list[SamView]:
    """Encode several pictures in one run; each is seen as a whole.

    Raises:
        ModelError: the encoder gave numbers that are not finite.
    """
    return [
        SamView(network, maps, image.size, inner)
        for image, (maps, inner) in zip(images, network.encode(images))
    ]
