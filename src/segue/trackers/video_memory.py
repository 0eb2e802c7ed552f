"""Video models with a memory of frames, through transformers, one frame at a time.

`sam2_video` (also published as SAM 2 and 2.1), `sam3_tracker_video` and `edgetam_video` have the
same inference session; they differ in their networks alone. Of a folder with the whole SAM 3
(`sam3_video`, a detector and a tracker that share a backbone) the tracker's part is taken. The
model sees a frame when its turn comes (streaming), and of what lies behind it keeps a bounded
number of memories an object: those that its attention reads, and of the frames that were prompted
the first and the latest. By itself the session of transformers keeps every frame, every mask and
every memory; what is no longer read is taken out of it after each frame.

The prompt of an object is its mask. The picture is stretched to a square, as for SAM 2;
transformers' own preprocessing for it needs torchvision.

Weights and methods: Ravi et al. 2024, arXiv:2408.00714 (SAM 2, Apache-2.0); Carion et al. 2025,
arXiv:2511.16719 (SAM 3); Zhou et al. 2025, arXiv:2501.07256 (EdgeTAM, Apache-2.0).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import torch
from torch import Tensor

from segue.errors import ModelError
from segue.models.sam3 import BOTH, Sam3Pixels
from segue.runtime import device as devices
from segue.runtime.weights import load_pretrained, locate, read_json, require_model_type
from segue.trackers import TrackEstimate
from segue.trackers.start_check import check_start
from segue.values.box import Size
from segue.values.image import Image
from segue.values.mask import Mask

MODEL_CLASSES: Mapping[str, str] = {
    "sam2_video": "Sam2Video",
    "sam3_tracker_video": "Sam3TrackerVideo",
    "edgetam_video": "EdgeTamVideo",
}
"""How transformers calls the classes of a model type, before "Model" and "InferenceSession"."""
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of pixels in [0, 1]
MAX_PROMPTED_FRAMES = 4
"""Prompted frames whose memories are kept: the first one, and the latest."""


def load(
    source: str | Path,
    *,
    device: str = "auto",
    dtype: str | None = None,
    name: str | None = None,
) -> "MemoryTracker":
    """Load a video model.

    Args:
        source: what `segue.runtime.weights.locate` takes: a folder or hub id in transformers' form,
            of a tracker or of the whole SAM 3.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".
        dtype: number format of the network; None: as `segue.runtime.device.pick` says, under
            autocast.
        name: what to call it; None: `source`.

    Raises:
        InputError: `source` is nothing that can name weights.
        ModelError: the weights are missing, damaged, or not of these models.
    """
    import transformers

    path = locate(source)
    kind = require_model_type(path, *MODEL_CLASSES, BOTH)
    prefix = MODEL_CLASSES["sam3_tracker_video" if kind == BOTH else kind]
    config = _tracker_config(path) if kind == BOTH else None
    model = load_pretrained(getattr(transformers, f"{prefix}Model"), path, config=config)
    session_class = getattr(transformers, f"{prefix}InferenceSession", None)
    if session_class is None:  # not among the public names of every version
        module = __import__(type(model).__module__, fromlist=["*"])
        session_class = getattr(module, f"{prefix}InferenceSession")
    mean, std = _pixel_statistics(path, prefix, model.config.prompt_encoder_config.image_size)
    return MemoryTracker(
        model, session_class, devices.pick(device, dtype), name or str(source), mean=mean, std=std
    )


def _tracker_config(path: Path) -> Any:
    """Return the configuration of the tracker in a folder that holds the whole SAM 3.

    Raises:
        ModelError: it states none.
    """
    import transformers

    settings = read_json(path, "config.json").get("tracker_config")
    if not isinstance(settings, Mapping):
        raise ModelError(
            f"{path} is of type {BOTH!r}, but its config.json has no 'tracker_config', so it holds "
            "no tracker. Name a folder with both, as facebook/sam3, or one of type "
            "'sam3_tracker_video'."
        )
    return transformers.Sam3TrackerVideoConfig(**settings)


def _pixel_statistics(
    path: Path, prefix: str, side: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of pixels in [0, 1], as the processor's files say."""
    if prefix == MODEL_CLASSES["sam3_tracker_video"]:
        square = Sam3Pixels.read(path, side)
        return square.mean, square.std
    pixels = read_json(path, "preprocessor_config.json")
    if not pixels:
        pixels = read_json(path, "video_preprocessor_config.json")
    return tuple(pixels.get("image_mean") or _MEAN), tuple(pixels.get("image_std") or _STD)


class MemoryFrame:
    """A frame at the size of the network; the first object that asks has it encoded."""

    def __init__(self, pixels: Tensor, size: Size) -> None:
        self.pixels = pixels
        """(1, 3, S, S) float32."""
        self.size = size
        """Of the upright picture."""
        self.features: dict[str, Any] | None = None
        """As the cache of a session holds them."""


class MemoryTracker:
    """A video model as a tracker. Each object has a session; all share a frame's features."""

    def __init__(
        self,
        model: Any,
        session_class: Any,
        place: devices.Placement,
        name: str,
        *,
        mean: tuple[float, ...] = _MEAN,
        std: tuple[float, ...] = _STD,
    ) -> None:
        self.name = name
        self.device, self.dtype = place
        self.model = model.eval().requires_grad_(False).to(self.device)
        self.session_class = session_class
        self.side = int(model.config.prompt_encoder_config.image_size)
        """Of the square that the network sees, in pixels."""
        config = model.config
        self.n_memories = max(int(config.num_maskmem), int(config.max_object_pointers_in_encoder))
        """Frames behind the latest one that attention may read."""
        self._mean = torch.tensor(mean, device=self.device)[:, None, None]
        self._std = torch.tensor(std, device=self.device)[:, None, None]

    def look(self, image: Image) -> MemoryFrame:
        """Resize and normalise a frame."""
        square = image.resized(Size(self.side, self.side), PIL.Image.Resampling.BILINEAR)
        values = torch.from_numpy(square).to(self.device).permute(2, 0, 1).float() / 255
        return MemoryFrame(((values - self._mean) / self._std)[None], image.size)

    def start(self, frame: MemoryFrame, mask: Mask) -> "MemoryFollower":
        """Begin to follow an object. See `segue.trackers.Tracker.start`."""
        check_start(mask, frame.size)
        return MemoryFollower(self, frame, mask)


class MemoryFollower:
    """Follows one object in a session of its own."""

    def __init__(self, tracker: MemoryTracker, frame: MemoryFrame, mask: Mask) -> None:
        self._tracker = tracker
        self._session = tracker.session_class(
            video=None,
            video_height=frame.size.height,
            video_width=frame.size.width,
            inference_device=tracker.device,
            inference_state_device=tracker.device,
            video_storage_device=tracker.device,
            dtype=torch.float32,
        )
        self._next = 0
        self.prompt(frame, mask)

    def prompt(
        self, frame: MemoryFrame, mask: Mask, memory: Mapping[str, Any] | None = None
    ) -> None:
        """Take the object to be there. See `segue.trackers.Follower.prompt`.

        The mask becomes a prompted frame of the session. `memory` is empty: after an interruption
        the session knows the first mask and the latest one, not the frames between.
        """
        tracker, session = self._tracker, self._session
        index = session.obj_id_to_idx(1)
        values = torch.from_numpy(mask.array.copy())[None, None].float()
        square = torch.nn.functional.interpolate(
            values, size=(tracker.side, tracker.side), mode="bilinear", antialias=True
        )
        inside = (square >= 0.5).float().to(tracker.device)  # not every device resizes like this
        session.add_mask_inputs(index, self._next, inside)
        session.obj_with_new_inputs = [1]
        self._run(frame)

    def advance(self, frame: MemoryFrame) -> TrackEstimate:
        """Find the object on the next frame. See `segue.trackers.Follower.advance`."""
        output = self._run(frame)
        logit = float(output.object_score_logits.float().reshape(-1)[0])
        if not np.isfinite(logit):
            raise ModelError(
                f"The video model {self._tracker.name!r} gave numbers that are not finite in "
                f"{self._tracker.dtype}. Load it with dtype='float32'."
            )
        score = 1 / (1 + float(np.exp(-logit)))
        if logit <= 0:
            return TrackEstimate(None, score, f"the model does not see it (score {score:.2f})")
        logits = torch.nn.functional.interpolate(
            output.pred_masks.float(), size=tuple(frame.size), mode="bilinear", align_corners=False
        )
        mask = Mask((logits[0, 0] > 0).cpu().numpy(), score)
        if mask.is_empty:
            return TrackEstimate(None, score, "its mask is empty")
        return TrackEstimate(mask, score)

    def reject(self, reason: str) -> TrackEstimate:
        """Say that it is lost; the session keeps what it saw. See `segue.trackers.Follower`."""
        return TrackEstimate(None, 0.0, reason)

    @property
    def n_kept(self) -> int:
        """Frames of which the session keeps anything."""
        outputs = self._session.output_dict_per_obj[0]
        return sum(map(len, outputs.values())) + len(self._session.processed_frames or ())

    @torch.inference_mode()
    def _run(self, frame: MemoryFrame) -> Any:
        """Show the session a frame, and take out of it what nobody reads any more."""
        tracker, session, number = self._tracker, self._session, self._next
        if frame.features is not None:
            session.cache.cache_vision_features(number, frame.features)
        with devices.autocast(tracker.device, tracker.dtype):
            output = tracker.model(inference_session=session, frame_idx=number, frame=frame.pixels)
        if frame.features is None:
            frame.features = session.cache.get_vision_features(number)
        self._next += 1
        self._prune(number)
        return output

    def _prune(self, number: int) -> None:
        session, oldest = self._session, number - self._tracker.n_memories
        session.processed_frames.clear()
        session.cache.clear_all()
        outputs = session.output_dict_per_obj[0]
        prompted, others = outputs["cond_frame_outputs"], outputs["non_cond_frame_outputs"]
        kept = sorted(prompted)
        for key in kept[1 : len(kept) - MAX_PROMPTED_FRAMES + 1]:
            del prompted[key]
        for key in [key for key in others if key < oldest]:
            del others[key]
        latest = prompted.get(number) or others.get(number) or {}
        latest.pop("high_res_masks", None)
        session.frames_tracked_per_obj[0].clear()
        for inputs in (session.mask_inputs_per_obj[0], session.point_inputs_per_obj[0]):
            inputs.clear()
