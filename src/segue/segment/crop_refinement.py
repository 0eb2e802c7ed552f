"""A second look at each object through a window around it, for small Segment Anything networks.

A network that sees 256 x 256 pixels sees little of a small object. Here each box is answered
through a window of `zoom` times its longer side, at the network's full resolution; clicks are
answered on the whole picture first, and then through the box of that answer. A single click has
three answers, which may be a part, the whole, or what it lies on; each is looked at again, and
the network's estimate of the closer looks decides: it is much the better one.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import ceil, floor
from threading import Lock
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from segue.segment import Point
from segue.segment.enlarge import cut_to_boxes
from segue.segment.prompts import SegmentPrompt, check_prior, read_prompts
from segue.segment.sam_view import NEVER, SamView, encode_views
from segue.values.box import Box, Size
from segue.values.image import Image
from segue.values.mask import Mask

_MIN_SIDE = 8.0  # pixels: a smaller box gets the window of one of this size
_BATCH_SIZE = 8  # windows that the encoder sees in one run
_MAX_CACHED_WINDOWS = 16  # windows that a view keeps encoded

Window = tuple[int, int, int, int]
"""x0 y0 x1 y1 in whole pixels of the upright picture, half-open."""


class _Refinement(NamedTuple):
    """What to ask through a window."""

    row: int
    """Of the prompt that is answered."""
    prompt: SegmentPrompt
    reading: Mask | None
    """The first look's answer whose box is asked for; None for a box that was asked for."""


@dataclass(frozen=True, eq=False)
class CropRefinedView(SamView):
    """One picture, encoded, and kept to look closer."""

    image: Image
    _windows: OrderedDict[Window, SamView] = field(default_factory=OrderedDict, repr=False)
    """Those looked through lately: the next click on an object costs no encoding."""
    _lock: Lock = field(default_factory=Lock, repr=False)

    @property
    def size_bytes(self) -> int:
        """Memory of the encoded picture, of its pixels, and of windows of it."""
        windows = sum(view.size_bytes for view in tuple(self._windows.values()))
        return super().size_bytes + self.image.array.nbytes + windows

    @torch.inference_mode()
    def mask(
        self,
        boxes: Sequence[Box] | None = None,
        points: Sequence[Point] | Sequence[Sequence[Point]] | None = None,
        labels: Sequence[int] | Sequence[Sequence[int]] | None = None,
        prior: np.ndarray | None = None,
    ) -> list[Mask]:
        """One mask per object. See `segue.segment.View.mask`.

        `Mask.logits` are in the frame of the whole picture, whatever window they come from.
        """
        prompts = read_prompts(self.size, boxes, points, labels)
        prior_logits = (
            None if prior is None else check_prior(prior, prompts, self.network.logits_side)
        )
        first = self._first_look(prompts, prior_logits)
        windows: dict[Window, list[_Refinement]] = {}
        for closer in self._closer(prompts, first, refined=prior_logits is not None):
            window = window_around(closer.prompt, self.size, self.network.options.zoom)
            windows.setdefault(window, []).append(closer)
        answers: list[list[Mask]] = [[] for _ in prompts]
        for window, view in self._look_through(list(windows)):
            refinements = windows[window]
            for (row, _, reading), mask in zip(
                refinements, self._ask(view, window, refinements, prior_logits)
            ):
                answers[row].append(
                    mask if reading is None else replace(mask, logits=reading.logits)
                )
        return [max(refined or unrefined, key=_score) for refined, unrefined in zip(answers, first)]

    def _first_look(
        self, prompts: Sequence[SegmentPrompt], prior: np.ndarray | None
    ) -> list[list[Mask]]:
        """Answers to clicks on the whole picture, three to a single one; for boxes, whose turn is
        later, an empty mask."""
        first_prompts = [
            SegmentPrompt(Box(0, 0, 0, 0)) if p.box is not None else p for p in prompts
        ]
        vague = [row for row, p in enumerate(first_prompts) if p.is_vague and prior is None]
        clear = [row for row in range(len(first_prompts)) if row not in vague]
        answers: list[list[Mask]] = [[] for _ in prompts]
        masks = self._full_masks(*self.answers([first_prompts[row] for row in clear], prior))
        for row, mask in zip(clear, masks):
            answers[row] = [mask]
        if vague:
            logits, scores = self.decode(
                [first_prompts[row] for row in vague], None, multimask=True
            )
            for row, readings, estimates in zip(vague, logits, scores.clamp(0, 1)):
                answers[row] = self._full_masks(readings, estimates)
        return answers

    def _full_masks(self, logits: Tensor, scores: Tensor) -> list[Mask]:
        """Masks of the whole picture, from logits (N, s, s) and scores (N,) of the first look."""
        return [
            Mask(array, score=float(score), logits=mask_logits)
            for array, score, mask_logits in zip(self.arrays(logits), scores, logits.cpu().numpy())
        ]

    def _closer(
        self, prompts: Sequence[SegmentPrompt], first: Sequence[Sequence[Mask]], *, refined: bool
    ) -> Iterator[_Refinement]:
        """Yield what to look closer at: boxes, and the boxes of the answers to clicks."""
        for row, prompt in enumerate(prompts):
            if prompt.box is not None:
                if not prompt.is_empty:
                    yield _Refinement(row, prompt, None)
            elif not refined and all(prompt.labels):  # those that exclude are better heard once
                for reading in first[row]:
                    if reading.box is not None:
                        yield _Refinement(row, SegmentPrompt(reading.box), reading)

    def _look_through(self, windows: Sequence[Window]) -> list[tuple[Window, SamView]]:
        with self._lock:
            views = {w: self._windows[w] for w in windows if w in self._windows}
        missing = [window for window in windows if window not in views]
        for start in range(0, len(missing), _BATCH_SIZE):
            batch = missing[start : start + _BATCH_SIZE]
            pieces = [Image(self.image.array[y0:y1, x0:x1].copy()) for x0, y0, x1, y1 in batch]
            views.update(zip(batch, encode_views(self.network, pieces)))
        with self._lock:
            for window in windows[-_MAX_CACHED_WINDOWS:]:
                self._windows[window] = views[window]
                self._windows.move_to_end(window)
            while len(self._windows) > _MAX_CACHED_WINDOWS:
                self._windows.popitem(last=False)
        return [(window, views[window]) for window in windows]

    def _ask(
        self,
        view: SamView,
        window: Window,
        refinements: Sequence[_Refinement],
        prior: np.ndarray | None,
    ) -> list[Mask]:
        """Masks of the whole picture, from a view of a window of it."""
        x0, y0, x1, y1 = window
        local_prompts = [_shift_prompt(closer.prompt, x0, y0) for closer in refinements]
        if prior is not None:
            full_logits = torch.from_numpy(prior).to(self.network.device)[None]
            prior = resample_logits(full_logits, self, (0, 0), view, (x0, y0))[0].cpu().numpy()
        logits, scores = view.answers(local_prompts, prior)
        arrays = view.arrays(logits)
        if self.network.options.clip_to_box:
            clip_boxes = [
                p.box if one.reading is None else None for one, p in zip(refinements, local_prompts)
            ]
            cut_to_boxes(arrays, clip_boxes)  # the box of a first answer is only a guess
        full_logits_low = resample_logits(logits, view, (x0, y0), self, (0, 0)).cpu().numpy()
        masks = []
        for array, score, one in zip(arrays, scores, full_logits_low):
            full = np.zeros(self.size, bool)
            full[y0:y1, x0:x1] = array
            masks.append(Mask(full, score=float(score), logits=one))
        return masks


def _score(mask: Mask) -> float:
    return mask.score or 0.0


def window_around(prompt: SegmentPrompt, size: Size, zoom: float) -> Window:
    """Return the square of `zoom` times the longer side of a box, centred on it, cut at the border.

    Widened where a click of the prompt lies outside.
    """
    box = prompt.box or Box.whole(size)
    half = max(box.width, box.height, _MIN_SIDE) * zoom / 2
    x, y = box.centre
    xs = [x - half, x + half, *(point[0] for point in prompt.points)]
    ys = [y - half, y + half, *(point[1] for point in prompt.points)]
    return (
        max(0, floor(min(xs))),
        max(0, floor(min(ys))),
        min(size.width, ceil(max(xs))),
        min(size.height, ceil(max(ys))),
    )


def _shift_prompt(prompt: SegmentPrompt, x0: float, y0: float) -> SegmentPrompt:
    """Return the same prompt in the frame of a window that begins at (x0, y0)."""
    box = prompt.box
    if box is not None:
        box = Box(box.x0 - x0, box.y0 - y0, box.x1 - x0, box.y1 - y0)
    return replace(prompt, box=box, points=tuple((x - x0, y - y0) for x, y in prompt.points))


def resample_logits(
    logits: Tensor,
    source: SamView,
    source_at: tuple[float, float],
    target: SamView,
    target_at: tuple[float, float],
) -> Tensor:
    """Low-resolution logits (N, s, s) of one view, as another view would have them.

    Args:
        logits: in the square that `source` sees.
        source: the view they come from, and
        source_at: where its picture begins in the whole one, (x, y).
        target: the view they are for, and
        target_at: where its picture begins.
    """
    side = logits.shape[-1]
    centres = (torch.arange(side, device=logits.device) + 0.5) / side  # in the target's square
    axes = []
    for axis in (1, 0):  # x, then y; sizes are (height, width)
        start = target_at[1 - axis] - source_at[1 - axis]
        per_square = target.network.side * target.size[axis] / target.inner[axis]  # pixels
        visible_share = source.inner[axis] / (
            source.size[axis] * source.network.side
        )  # of it, for a pixel
        axes.append(2 * (start + centres * per_square) * visible_share - 1)
    grid = torch.stack(torch.meshgrid(axes[0], axes[1], indexing="xy"), -1)  # (s, s, 2), x first
    grids = grid[None].expand(len(logits), -1, -1, -1)
    values = F.grid_sample(logits[:, None] - NEVER, grids, align_corners=False)
    return values[:, 0] + NEVER
