"""What a benchmark asks about one picture, what is right, and what was answered."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from segue.errors import InputError
from segue.values.box import Box, Size

EntryId = int | str


@dataclass(frozen=True, slots=True)
class MaskTruth:
    """Which pixels one item asks for."""

    target: np.ndarray
    """(H, W) bool; no pixel: there is no target."""
    ignore: np.ndarray | None = None
    """(H, W) bool, pixels that the data set marks as not scored."""
    overlap: np.ndarray | None = None
    """(H, W) bool, target pixels that several polygons of one object cover."""


InstanceTruth = tuple[tuple[Mapping[str, Any], ...], ...]
"""One entry an annotator: the COCO RLE of each instance."""


@dataclass(frozen=True, slots=True)
class VideoTruth:
    """Which pixels the phrases of one item ask for, frame by frame."""

    n_objects: int
    """Objects that the data set marks in the video."""
    objects_of_phrase: tuple[tuple[int, ...], ...]
    """For each phrase the indices of the objects that it means; () means nothing there."""
    read_frame: Callable[[int], np.ndarray]
    """Index of a frame -> (n_objects, H, W) bool; one frame is in memory at a time."""
    read_void: Callable[[int], np.ndarray] | None = None
    """Index of a frame -> (H, W) bool, pixels that the data set gives to no object and leaves out;
    None: it has none."""

    def target(self, phrase: int, objects: np.ndarray) -> np.ndarray:
        """Return the pixels that a phrase asks for, (H, W) bool.

        Args:
            phrase: its index.
            objects: what `read_frame` returned for the frame.
        """
        return np.any(objects[list(self.objects_of_phrase[phrase])], axis=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkItem:
    """One question of a benchmark: phrases to look for on a picture."""

    id: str
    image_name: str
    """As the annotation file writes it; found by `BenchmarkDataset.locate`."""
    phrases: tuple[str, ...]
    """One referring expression or noun phrase, or the names of all categories to look for."""
    category: str = ""
    """For the breakdown of a report."""
    subset: str = ""
    """The part of the benchmark that it belongs to, where there are several."""
    size: Size | None = None
    """Of the picture, where the annotations state it."""
    image_id: EntryId = 0
    category_ids: tuple[EntryId, ...] = ()
    """Of `phrases`, where these are categories."""
    boxes: tuple[Box, ...] = ()
    """True boxes, in pixels of the picture."""
    box_category_ids: tuple[EntryId, ...] = ()
    """Of the true boxes, where categories are looked for."""
    frame_names: tuple[str, ...] = ()
    """Of the frames of a video, in order, the first is `image_name`; (): it is a picture."""
    read_truth: Callable[[Size], MaskTruth | InstanceTruth | VideoTruth] | None = None
    """Makes the true masks for a picture of that size; they are made when they are scored, so that
    memory does not grow with the data set."""

    def mask_truth(self, size: Size) -> MaskTruth:
        """Return which pixels are asked for.

        Raises:
            InputError: the annotation makes no sense, or is of another size.
        """
        truth = self.read_truth(size) if self.read_truth is not None else None
        if not isinstance(truth, MaskTruth):
            raise InputError(f"The item {self.id} has no true mask.")
        return truth

    def instance_truth(self, size: Size) -> InstanceTruth:
        """Return the true instances, by annotator.

        Raises:
            InputError: the annotation makes no sense, or is of another size.
        """
        truth = self.read_truth(size) if self.read_truth is not None else None
        if truth is None or isinstance(truth, MaskTruth | VideoTruth):
            raise InputError(f"The item {self.id} has no true instances.")
        return truth

    def video_truth(self, size: Size) -> VideoTruth:
        """Return which pixels of the frames are asked for.

        Raises:
            InputError: the annotation makes no sense, or is of another size.
        """
        truth = self.read_truth(size) if self.read_truth is not None else None
        if not isinstance(truth, VideoTruth):
            raise InputError(f"The item {self.id} has no true masks of a video.")
        return truth


@dataclass(frozen=True, slots=True)
class AnsweredRegion:
    """One region of an answer."""

    phrase: int
    """Index into the phrases of the item."""
    box: Box
    score: float | None = None
    """Confidence in [0, 1]; chat models give none."""
    rle: Mapping[str, Any] | None = None
    """COCO RLE of its mask."""
    frame: int = 0
    """Index of the frame on which it is; of a picture 0."""

    def to_json(self) -> list[Any]:
        """Return plain JSON values, which `from_json` reads."""
        value = [self.phrase, list(self.box.corners), self.score, self.rle]
        return [*value, self.frame] if self.frame else value

    @classmethod
    def from_json(cls, value: Sequence[Any]) -> "AnsweredRegion":
        """Read what `to_json` wrote.

        Raises:
            LookupError, TypeError, ValueError: it is not that.
        """
        phrase, corners, score, mask, *frame = value
        confidence = None if score is None else float(score)
        return cls(int(phrase), Box(*corners), confidence, mask, int(frame[0]) if frame else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkAnswer:
    """What the models answered to one item; one line of the journal."""

    id: str
    size: Size
    """Of the picture, or of each frame of the video."""
    regions: tuple[AnsweredRegion, ...] = ()
    raw: str = ""
    """The reply of a chat model, markup included."""
    error: str | None = None
    """Why there is no answer; None: there is one."""
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, which `from_json` reads."""
        value: dict[str, Any] = {
            "id": self.id,
            "size": list(self.size),
            "regions": [region.to_json() for region in self.regions],
            "raw": self.raw,
            "seconds": round(self.seconds, 4),
        }
        return value if self.error is None else {**value, "error": self.error}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "BenchmarkAnswer":
        """Read what `to_json` wrote.

        Raises:
            InputError: it is anything else.
        """
        try:
            return cls(
                id=str(value["id"]),
                size=Size(*map(int, value["size"])),
                regions=tuple(map(AnsweredRegion.from_json, value["regions"])),
                raw=str(value["raw"]),
                error=value.get("error"),
                seconds=float(value["seconds"]),
            )
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"An answer must have id, size and regions ({type(error).__name__}: {error})."
            ) from error


@dataclass(frozen=True, slots=True)
class ItemScore:
    """What one item adds to the figures of a protocol."""

    values: Mapping[str, float]
    """Column -> number; the figures follow from the sums of the columns."""
    quality: float
    """In [0, 1], for the order from worst to best and for paired comparisons."""
    is_correct: bool
    """Whether the item counts as solved, as the protocol or its usual threshold has it."""
    area: float | None = None
    """Pixels of what is asked for, for the breakdown by size; None: nothing, or not known."""
