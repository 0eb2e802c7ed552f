"""Segment Anything: one look at a picture, then masks for any number of boxes and clicks.

Runs `transformers.SamModel`. Reads folders and hub ids in that form, and the original
`sam_vit_{b,l,h}_*.pth`. Weights and method: Kirillov et al. 2023, arXiv:2304.02643, Apache-2.0.

The image encoder takes nearly all of the time and may run in half precision. Prompt encoder and
mask decoder always run in float32: they take a hundredth of it, and half precision there costs
accuracy at the borders.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import torch
from torch import Tensor

from segue import device as devices
from segue.box import Box, Size
from segue.errors import ModelError
from segue.image import Image
from segue.mask import Mask
from segue.segment import Point
from segue.segment.enlarge import cut_to_boxes, full_masks, memory_budget
from segue.segment.original_sam import config_of, is_original_sam, renamed
from segue.segment.prompts import Prompt, check_prior, read_prompts
from segue.weights import locate, pretrained, read_json, read_options, read_tensors

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of pixels in [0, 1]
_COPIES_PER_OBJECT = 20  # arrays of an embedding's size that the decoder holds for one object
_NEVER = -32.0  # logit of the mask of an empty box


@dataclass(frozen=True, kw_only=True)
class SamOptions:
    """Settings that travel with the weights, in `segue.json` and `preprocessor_config.json`."""

    mean: tuple[float, ...] = _MEAN
    std: tuple[float, ...] = _STD
    clip_to_box: bool = False
    """Nothing outside its box belongs to an object that was asked for by box."""

    @classmethod
    def read(cls, place: Path) -> "SamOptions":
        """The settings beside the weights at `place`; those of the published models else."""
        pixels = read_json(place, "preprocessor_config.json")
        return cls(
            mean=tuple(pixels.get("image_mean") or _MEAN),
            std=tuple(pixels.get("image_std") or _STD),
            clip_to_box=bool(read_options(place).get("clip_to_box", False)),
        )


def load(
    source: str | Path,
    *,
    device: str = "auto",
    dtype: str | None = None,
    name: str | None = None,
) -> "Sam":
    """Load a Segment Anything model.

    Args:
        source: what `segue.weights.locate` takes: a folder or hub id in transformers' form, or an
            original `sam_vit_*.pth` by path or URL.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".
        dtype: number format of the image encoder; None: as `segue.device.pick` says.
        name: what to call it; None: `source`.

    Raises:
        InputError: `source` is nothing that can name weights.
        ModelError: the weights are missing, damaged, or not of this model.
    """
    place = devices.pick(device, dtype)
    path = locate(source)
    return Sam(read_sam(path), SamOptions.read(path), place, name or str(source))


def read_sam(path: Path) -> Any:
    """The `transformers.SamModel` in a folder or an original checkpoint, float32, on the processor.

    Raises:
        ModelError: the weights are missing, damaged, or not of this model.
    """
    from transformers import SamModel

    if path.is_dir():
        kind = read_json(path, "config.json").get("model_type", "nothing known")
        if kind != "sam":
            raise ModelError(f"{path} must hold a 'sam' model, but its config.json says {kind!r}.")
        return pretrained(SamModel, path)
    tensors = read_tensors(path)
    if not is_original_sam(tensors):
        raise ModelError(
            f"{path} must be an original Segment Anything checkpoint (sam_vit_*.pth), but its "
            f"first tensor is {next(iter(tensors))!r}."
        )
    return pretrained(SamModel, config=config_of(tensors), tensors=renamed(tensors))


class Sam:
    """A Segment Anything model, ready to look at pictures."""

    padded = True
    """A picture keeps its shape inside the square that the network sees."""

    def __init__(
        self, model: Any, options: SamOptions, place: devices.Placement, name: str
    ) -> None:
        self.name = name
        self.options = options
        self.device, self.dtype = place
        self.model = model.eval().requires_grad_(False).to(self.device)
        config = model.config.prompt_encoder_config
        self.side = int(config.image_size)
        """Of the square that the network sees, in pixels."""
        self.logits_side = 4 * (self.side // int(config.patch_size))
        """Of the square low-resolution logits: four for each patch of the encoder."""
        self._prepare()

    @torch.inference_mode()
    def look(self, image: Image) -> "SamView":
        """Encode `image` once.

        Raises:
            ModelError: the encoder gave numbers that are not finite.
        """
        pixels, inner = self.pixels(image)
        maps = self._encode(pixels)
        if not all(bool(torch.isfinite(one).all()) for one in maps):
            raise ModelError(
                f"The image encoder of {self.name!r} gave numbers that are not finite in "
                f"{self.dtype}. Load it with dtype='float32'."
            )
        return SamView(self, maps, image.size, inner)

    def pixels(self, image: Image) -> tuple[Tensor, Size]:
        """The network's input (1, 3, S, S) float32, and the picture's size inside that square.

        The longer side becomes S; the rest, right or below, is filled with the mean colour.
        """
        inner = self._inner(image.size)
        small = image.to_pil().resize(inner[::-1], PIL.Image.Resampling.BILINEAR)
        values = torch.from_numpy(np.array(small)).to(self.device).permute(2, 0, 1).float() / 255
        mean = values.new_tensor(self.options.mean)[:, None, None]
        std = values.new_tensor(self.options.std)[:, None, None]
        square = values.new_zeros(1, 3, self.side, self.side)
        square[0, :, : inner.height, : inner.width] = (values - mean) / std
        return square, inner

    def answer(self, maps: Sequence[Tensor], **asked: Any) -> tuple[Tensor, Tensor]:
        """Logits (1, N, M, s, s) and predicted IoU (1, N, M) for prompts in the network's frame."""
        out = self.model(image_embeddings=self._embedding(maps), **asked)
        return out.pred_masks.float(), out.iou_scores.float()

    def _prepare(self) -> None:
        self.model.vision_encoder.to(self.dtype)

    def _inner(self, size: Size) -> Size:
        scale = self.side / max(size)
        return Size(*(max(1, int(length * scale + 0.5)) for length in size))

    def _encode(self, pixels: Tensor) -> tuple[Tensor, ...]:
        return (self.model.vision_encoder(pixels.to(self.dtype))[0].float(),)

    def _embedding(self, maps: Sequence[Tensor]) -> Any:
        return maps[0]


@dataclass(frozen=True, eq=False)
class SamView:
    """One picture, encoded."""

    sam: Sam
    maps: tuple[Tensor, ...]
    """What the encoder made of it: (1, C, g, g) float32 each, on the model's device."""
    size: Size
    """Of the upright picture."""
    inner: Size
    """Of the picture inside the network's square input."""

    @property
    def size_bytes(self) -> int:
        """Memory of the encoded picture."""
        return sum(one.nbytes for one in self.maps)

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
        side = self.sam.logits_side
        before = None if prior is None else check_prior(prior, prompts, side)
        logits = torch.full((len(prompts), side, side), _NEVER, device=self.sam.device)
        scores = torch.zeros(len(prompts))
        for rows, vague in _alike(prompts, before is not None):
            found, iou = self.decode([prompts[row] for row in rows], before, multimask=vague)
            best = iou.argmax(1)
            pick = torch.arange(len(rows), device=best.device)
            logits[rows] = found[pick, best]
            scores[rows] = iou[pick, best].clamp(0, 1).cpu()
        return self._full(prompts, logits, scores)

    def decode(
        self, prompts: Sequence[Prompt], prior: np.ndarray | None, *, multimask: bool
    ) -> tuple[Tensor, Tensor]:
        """Raw answers of the network, for prompts that have equally many points.

        Returns:
            logits (N, M, s, s) and predicted IoU (N, M), float32; M is 3 with `multimask`, else 1.
        """
        step = max(1, memory_budget(self.sam.device) // (_COPIES_PER_OBJECT * self.size_bytes))
        parts = [
            self._decode(prompts[start : start + step], prior, multimask)
            for start in range(0, len(prompts), step)
        ]
        return torch.cat([p[0] for p in parts]), torch.cat([p[1] for p in parts])

    def _decode(
        self, prompts: Sequence[Prompt], prior: np.ndarray | None, multimask: bool
    ) -> tuple[Tensor, Tensor]:
        new = self.maps[0].new_tensor
        scale = new([self.inner.width / self.size.width, self.inner.height / self.size.height])
        asked: dict[str, Tensor] = {}
        if prompts[0].box is not None:
            corners = [p.box.corners for p in prompts if p.box is not None]
            asked["input_boxes"] = new(corners)[None] * scale.repeat(2)  # (1, N, 4)
        if prompts[0].points:
            asked["input_points"] = new([p.points for p in prompts])[None] * scale  # (1, N, K, 2)
            asked["input_labels"] = torch.tensor(
                [p.labels for p in prompts], device=self.sam.device
            )[None]
        if prior is not None:
            asked["input_masks"] = new(prior)[None, None]
        logits, iou = self.sam.answer(self.maps, multimask_output=multimask, **asked)
        return logits[0], iou[0]

    def _full(self, prompts: Sequence[Prompt], logits: Tensor, scores: Tensor) -> list[Mask]:
        budget = memory_budget(logits.device)
        square = self.sam.side if self.sam.padded else 0
        arrays = list(full_masks(logits, self.size, budget, square, self.inner))
        if self.sam.options.clip_to_box:
            cut_to_boxes(arrays, [prompt.box for prompt in prompts])
        low = logits.cpu().numpy()
        return [
            Mask(array, score=float(score), logits=one)
            for array, score, one in zip(arrays, scores, low)
        ]


def _alike(prompts: Sequence[Prompt], refined: bool) -> Iterator[tuple[list[int], bool]]:
    """Rows of prompts that one call can answer, and whether they are a single, vague click."""
    groups: dict[tuple[bool, int], list[int]] = {}
    for row, prompt in enumerate(prompts):
        if not prompt.is_empty:
            groups.setdefault((prompt.box is not None, len(prompt.points)), []).append(row)
    for (boxed, clicks), rows in groups.items():
        yield rows, clicks == 1 and not boxed and not refined
