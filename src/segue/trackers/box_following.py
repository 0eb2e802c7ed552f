"""Follows an object with any segmenter: its box, moved by the motion seen, is the next prompt.

A frame costs one call of the segmenter. The follower gives up where the mask is not to be trusted
(its area jumps, the segmenter is unsure of it, its colours are others, it leaves the picture), says
why, and then looks for what the object looked like, ever farther from where it was last.

Limits: it knows one appearance and no identity. Things that look alike and cross may be exchanged,
what turns round is lost, and behind another thing it is followed for as long as a part is seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import hypot
from typing import Any

import numpy as np

from segue.segment import Segmenter, View
from segue.trackers import UNSEEN, TrackEstimate
from segue.trackers.motion import Motion, find_template, point_motion
from segue.trackers.start_check import check_start
from segue.values.box import Box, Size
from segue.values.image import Image
from segue.values.mask import Mask


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxFollowingOptions:
    """When a box follower moves on, and when it gives up."""

    margin: float = 0.08
    """The prompt is the moved box, larger by this share of its sides, so that masks can grow."""
    min_score: float = 0.5
    """The object is lost where the segmenter scores the mask lower than this."""
    max_growth: float = 1.8
    """The object is lost where its area grows by more from one frame to the next."""
    max_shrinkage: float = 0.4
    """The object is lost where its area falls below this share from one frame to the next."""
    min_visible: float = 0.12
    """The object is lost where less of its whole area is seen."""
    max_outgrowth: float = 0.1
    """A mask may stand out from the shape of the object by this share of its longer side."""
    whole_agreement: float = 0.75
    """The object is wholly seen where its mask agrees with its shape so well (IoU)."""
    min_agreement: float = 0.5
    """The object is partly hidden where its mask agrees less with its shape (IoU)."""
    max_hidden: int = 15
    """The object is lost where it is partly hidden on more frames one after the other."""
    min_similarity: float = 0.55
    """The object is lost where its colours agree less with those it began with, in [0, 1]."""
    min_fit: float = 0.72
    """A lost object is found again where its picture correlates at least so much."""


class BoxTracker:
    """Any segmenter as a tracker."""

    def __init__(self, segmenter: Segmenter, options: BoxFollowingOptions | None = None) -> None:
        self.segmenter = segmenter
        self.options = options or BoxFollowingOptions()

    @property
    def name(self) -> str:
        """That of the method; the segmenter has its own."""
        return "box_following"

    def look(self, image: Image) -> "BoxFrame":
        """Prepare a frame; it is encoded when the first object asks for its mask."""
        return BoxFrame(image, self.segmenter)

    def start(self, frame: "BoxFrame", mask: Mask) -> "BoxFollower":
        """Begin to follow an object. See `segue.trackers.Tracker.start`."""
        check_start(mask, frame.image.size)
        return BoxFollower(frame, mask, self.options)


@dataclass(frozen=True)
class BoxFrame:
    """A frame, and what followers need of it."""

    image: Image
    segmenter: Segmenter

    @cached_property
    def view(self) -> View:
        """The frame, encoded by the segmenter."""
        return self.segmenter.look(self.image)

    @cached_property
    def grey(self) -> np.ndarray:
        """(H, W) uint8."""
        import cv2

        return np.asarray(cv2.cvtColor(self.image.array, cv2.COLOR_RGB2GRAY))


class BoxFollower:
    """Follows one object from box to box.

    It remembers the shape and colours that the object had when it was pointed at. The shape moves
    and grows with the object, also while a part of it is hidden.
    """

    def __init__(self, frame: BoxFrame, mask: Mask, options: BoxFollowingOptions) -> None:
        self._options = options
        self.prompt(frame, mask)

    def prompt(self, frame: BoxFrame, mask: Mask, memory: Mapping[str, Any] | None = None) -> None:
        """Take the object to be there. See `segue.trackers.Follower.prompt`."""
        assert mask.box is not None, "what is followed covers a pixel"
        if memory is None:
            self._colours = _colour_histogram(frame.image, mask.array)
            self._template = _cut_out(frame.image.array, mask.box)
            self._shape = _cut_out(mask.array, mask.box)
            memory = {"box": mask.box.corners, "speed": (0.0, 0.0), "n_hidden": 0, "n_lost": 0}
        self._frame, self._mask = frame, mask
        self._box = Box(*map(float, memory["box"]))
        """Of the whole object, hidden parts included; it may reach out of the picture."""
        self._speed = (float(memory["speed"][0]), float(memory["speed"][1]))
        self._n_hidden, self._n_lost = int(memory["n_hidden"]), int(memory["n_lost"])
        self._before = (frame, mask, self._box, self._speed)
        self._counts_before = (self._n_hidden, self._n_lost)

    def advance(self, frame: BoxFrame) -> TrackEstimate:
        """Find the object on the next frame. See `segue.trackers.Follower.advance`."""
        self._before = (self._frame, self._mask, self._box, self._speed)
        self._counts_before = (self._n_hidden, self._n_lost)
        if self._n_lost:
            return self._search(frame)
        motion = point_motion(self._frame.grey, frame.grey, self._mask.array)
        estimate = self._segment(frame, motion or self._template_motion(frame))
        if estimate.mask is None:
            self._n_lost = 1
            return self._report_loss(estimate.lost_because)
        return estimate

    def reject(self, reason: str) -> TrackEstimate:
        """Take the object to be lost. See `segue.trackers.Follower.reject`."""
        self._frame, self._mask, self._box, self._speed = self._before
        self._n_hidden, self._n_lost = self._counts_before
        self._n_lost += 1
        return self._report_loss(reason)

    def _template_motion(self, frame: BoxFrame) -> Motion:
        """Return the motion of the object's picture; its speed goes on where that fits nowhere."""
        moved = Motion(*self._speed, 1.0).apply(self._box)
        reach = max(self._box.width, self._box.height) * 0.5 + 2 * hypot(*self._speed)
        latest = _cut_out(self._frame.image.array, self._box)
        here = find_template(frame.image.array, latest, moved, 1)
        found = find_template(frame.image.array, latest, moved, reach)
        if found is None or found[1] < 0.5:
            return Motion(*self._speed, 1.0)
        # What repeats itself fits in many places; the nearest is the likeliest.
        is_better = here is None or found[1] > here[1] + 0.1
        return self._motion_to(found[0] if is_better or here is None else here[0])

    def _motion_to(self, box: Box) -> Motion:
        dx, dy = box.centre[0] - self._box.centre[0], box.centre[1] - self._box.centre[1]
        return Motion(dx, dy, box.width / max(self._box.width, 1e-6))

    def _segment(self, frame: BoxFrame, motion: Motion) -> TrackEstimate:
        """Ask for the mask where the object should be, and trust it or say why not."""
        options, size = self._options, frame.image.size
        expected = motion.apply(self._box)
        dx, dy = expected.width * options.margin / 2 + 1, expected.height * options.margin / 2 + 1
        prompt = Box(expected.x0 - dx, expected.y0 - dy, expected.x1 + dx, expected.y1 + dy)
        if not _is_inside(expected, size.width, size.height) or prompt.clipped(size).area < 16:
            return TrackEstimate(None, lost_because="it leaves the picture")
        (raw,) = frame.view.mask(boxes=[prompt.clipped(size)])
        score = float(raw.score or 0.0)
        if raw.is_empty or score < options.min_score:
            return TrackEstimate(None, lost_because=f"the segmenter is unsure (score {score:.2f})")
        whole = _place_shape(self._shape, expected, size)
        pixels = self._without_strangers(frame, raw.array, whole)
        area, n_whole = int(pixels.sum()), max(int(whole.sum()), 1)
        if area == 0:
            return TrackEstimate(None, lost_because="nothing of its shape and colours is there")
        growth = area / max(self._mask.area * motion.scale**2, 1.0)
        was_whole = self._n_hidden == 0 and self._n_lost == 0
        is_jump = growth > options.max_growth or growth < options.max_shrinkage
        if was_whole and is_jump:
            return TrackEstimate(
                None, lost_because=f"its area jumped to {growth:.2f} times what it was"
            )
        if area < options.min_visible * n_whole:
            return TrackEstimate(None, lost_because="it is hidden but for a small part")
        similarity = _similarity(self._colours, _colour_histogram(frame.image, pixels))
        if similarity < options.min_similarity:
            return TrackEstimate(
                None, lost_because=f"its colours are others (agreement {similarity:.2f})"
            )
        agreement = (pixels & whole).sum() / max((pixels | whole).sum(), 1)
        n_hidden = self._n_hidden + 1 if agreement < options.min_agreement else 0
        if n_hidden > options.max_hidden:
            return TrackEstimate(None, lost_because="it was partly hidden for long")
        weight = 0.0 if self._n_lost else 0.5
        self._speed = (weight * (self._speed[0] + motion.dx), weight * (self._speed[1] + motion.dy))
        self._n_lost, self._n_hidden = 0, n_hidden
        mask = Mask(pixels, score * similarity**0.5)
        is_whole = agreement >= options.whole_agreement and mask.box is not None
        self._box = mask.box if is_whole and mask.box is not None else expected
        self._frame, self._mask = frame, mask
        return TrackEstimate(mask, mask.score or 0.0, memory=self._memory())

    def _without_strangers(
        self, frame: BoxFrame, pixels: np.ndarray, whole: np.ndarray
    ) -> np.ndarray:
        """Take off what stands out from the shape of the object, or has not its colours there."""
        import cv2

        reach = max(1, round(self._options.max_outgrowth * max(self._box.width, self._box.height)))
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
        near = cv2.dilate(whole.astype(np.uint8), kernel).astype(bool)
        likely = _over_neighbours(self._colours)[_colour_numbers(frame.image.array)] > 1e-3
        known = pixels & near & likely
        # A spot of another colour inside is the object's; a large piece of it is something else.
        size = max(1, reach // 2)
        closing = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * size + 1, 2 * size + 1))
        closed = cv2.morphologyEx(known.astype(np.uint8), cv2.MORPH_CLOSE, closing).astype(bool)
        return np.asarray(closed & pixels & near)

    def _search(self, frame: BoxFrame) -> TrackEstimate:
        """Look for the picture of a lost object, ever farther from where it was."""
        n_frames = self._n_lost
        moved = Motion(n_frames * self._speed[0], n_frames * self._speed[1], 1.0).apply(self._box)
        side = max(self._box.width, self._box.height)
        reach = side * (0.5 + 0.15 * n_frames) + n_frames * hypot(*self._speed)
        self._n_lost += 1
        found = find_template(frame.image.array, self._template, moved, reach, self._shape)
        if found is not None and found[1] >= self._options.min_fit:
            estimate = self._segment(frame, self._motion_to(found[0]))
            if estimate.mask is not None:
                return estimate
        return self._report_loss(UNSEEN)

    def _report_loss(self, reason: str) -> TrackEstimate:
        return TrackEstimate(None, lost_because=reason, memory=self._memory())

    def _memory(self) -> dict[str, Any]:
        return {
            "box": list(self._box.corners),
            "speed": list(self._speed),
            "n_hidden": self._n_hidden,
            "n_lost": self._n_lost,
        }


def _place_shape(shape: np.ndarray, box: Box, size: Size) -> np.ndarray:
    """Return a shape (h, w) bool stretched to a box, as a mask (H, W) bool."""
    import cv2

    height, width = shape.shape
    x_scale, y_scale = box.width / width, box.height / height
    matrix = np.array(
        [[x_scale, 0, box.x0 + (x_scale - 1) / 2], [0, y_scale, box.y0 + (y_scale - 1) / 2]]
    )
    placed = cv2.warpAffine(shape.astype(np.uint8) * 255, matrix, (size.width, size.height))
    return np.asarray(placed > 127)


def _is_inside(box: Box, width: int, height: int) -> bool:
    """Whether at least an eighth of a box lies in the picture."""
    across = min(box.x1, width) - max(box.x0, 0)
    down = min(box.y1, height) - max(box.y0, 0)
    return across > 0 and down > 0 and across * down >= box.area / 8


def _cut_out(pixels: np.ndarray, box: Box) -> np.ndarray:
    """Return a copy of the part (h, w, …) of pixels (H, W, …) in a box."""
    x0, y0, x1, y1 = (round(v) for v in box.clipped(Size(*pixels.shape[:2])).corners)
    return pixels[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)].copy()


def _colour_numbers(pixels: np.ndarray) -> np.ndarray:
    """Return the number of the colour, of 8 x 8 x 8, of each pixel (…, 3) uint8."""
    return np.asarray((pixels >> 5) @ np.array([64, 8, 1]))


def _colour_histogram(image: Image, mask: np.ndarray) -> np.ndarray:
    """Return the shares of the colours among the pixels of a mask, (512,) float32."""
    numbers = _colour_numbers(image.array[mask])
    counts = np.bincount(numbers, minlength=512).astype(np.float32)
    return counts / max(counts.sum(), 1)


def _similarity(one: np.ndarray, other: np.ndarray) -> float:
    """Return the Bhattacharyya coefficient of two blurred histograms, in [0, 1]."""
    smooth_one, smooth_other = _over_neighbours(one), _over_neighbours(other)
    return float(np.sqrt(smooth_one * smooth_other).sum())


def _over_neighbours(histogram: np.ndarray) -> np.ndarray:
    """Spread each colour over its neighbours, so that a shade does not matter."""
    cube = histogram.reshape(8, 8, 8)
    for axis in range(3):
        padded = np.pad(cube, [(1, 1) if a == axis else (0, 0) for a in range(3)], "edge")
        before, after = padded.take(range(8), axis), padded.take(range(2, 10), axis)
        cube = 0.25 * before + 0.5 * cube + 0.25 * after
    flat = cube.ravel()
    return flat / max(flat.sum(), 1e-9)
