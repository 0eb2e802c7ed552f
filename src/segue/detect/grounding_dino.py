"""Grounding DINO and MM-Grounding-DINO: find what a phrase names, for any number of phrases.

Reads folders and hub ids in transformers' form, and the original `groundingdino_*.pth`. Weights
and method: Liu et al. 2023, arXiv:2303.05499; Zhao et al. 2024, arXiv:2401.02361; Apache-2.0.

The caption is built here and its columns are read per phrase. Weights stay in float32: places
and boxes are wrong, or not finite, in half precision. The parts that bear it, and take most of the
time, use it where the device is quick in it.

Limits: the text encoder was trained on English; a phrase of which it knows no word is not found.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from segue.detect import Detection
from segue.detect.captions import Caption, captions, normalize_phrase
from segue.detect.grounding_dino_attention import use_half_precision, use_lean_attention
from segue.detect.kept_features import KeptCaptions, KeptPictures
from segue.detect.original_grounding_dino import (
    config_of,
    is_original_grounding_dino,
    rename_tensors,
)
from segue.detect.resizing import DetectorResizing
from segue.detect.suppression import detections_of, group_by_phrase, read_phrases, score_floor
from segue.detect.vocabulary import load_bert_tokenizer
from segue.errors import InputError, ModelError
from segue.runtime import device as devices
from segue.runtime.prepared_inputs import PreparedInputs
from segue.runtime.weights import (
    load_pretrained,
    locate,
    read_options,
    read_tensors,
    require_model_type,
)
from segue.values.box import Size
from segue.values.image import Image

_MODELS = {
    "grounding-dino": "GroundingDinoForObjectDetection",
    "mm-grounding-dino": "MMGroundingDinoForObjectDetection",
}
_PIXELS_AT_ONCE = {"cpu": 1_200_000}  # one picture of full size; small ones go together
_PIXELS_AT_ONCE_ELSEWHERE = 16_000_000


@dataclass(frozen=True, kw_only=True)
class DinoOptions:
    """Settings that travel with the weights, in `segue.json`."""

    box_threshold: float = 0.3
    text_threshold: float = 0.25
    nms_iou: float = 0.7
    """Of two boxes for one phrase that overlap more, the better one stays."""

    @classmethod
    def read(cls, place: Path) -> "DinoOptions":
        """Read the settings beside the weights at `place`; those of the published models else."""
        settings = read_options(place)
        return cls(**{k: float(settings[k]) for k in cls.__dataclass_fields__ if k in settings})


def load(
    source: str | Path,
    *,
    device: str = "auto",
    dtype: str | None = None,
    name: str | None = None,
    vocabulary: str | Path | None = None,
) -> "GroundingDino":
    """Load a Grounding DINO model.

    Args:
        source: what `segue.runtime.weights.locate` takes: a folder or hub id in transformers'
            form, or an original `groundingdino_*.pth` by path or URL.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".
        dtype: number format of the parts that bear half precision; None: as
            `segue.runtime.device.pick_for_encoder` says.
        name: what to call it; None: `source`.
        vocabulary: `vocab.txt` of bert-base-uncased, or a folder with it, for an original
            checkpoint; None: looked for beside the checkpoint and in the hub's cache.

    Raises:
        InputError: `source` is nothing that can name weights.
        ModelError: the weights or the vocabulary are missing, damaged, or not of this model.
    """
    path = locate(source)
    tokenizer = load_bert_tokenizer(path, vocabulary)
    model = read_grounding_dino(path)
    place = devices.pick_for_encoder(device, dtype, model.num_parameters())
    return GroundingDino(
        model,
        tokenizer,
        DetectorResizing.read(path),
        DinoOptions.read(path),
        place,
        name or str(source),
    )


def read_grounding_dino(path: Path) -> Any:
    """Read the transformers model in a folder or an original checkpoint, float32, on the processor.

    Raises:
        ModelError: the weights are missing, damaged, or not of this model.
    """
    import transformers

    if path.is_dir():
        kind = require_model_type(path, *_MODELS)
        return load_pretrained(getattr(transformers, _MODELS[kind]), path)
    tensors = read_tensors(path)
    if not is_original_grounding_dino(tensors):
        raise ModelError(
            f"{path} must be an original Grounding DINO checkpoint (groundingdino_*.pth), but its "
            f"first tensor is {next(iter(tensors))!r}."
        )
    config = config_of(tensors, read_options(path).get("heads"))
    return load_pretrained(
        transformers.GroundingDinoForObjectDetection, config=config, tensors=rename_tensors(tensors)
    )


class GroundingDino:
    """A Grounding DINO model, ready to find things."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        resizing: DetectorResizing,
        options: DinoOptions,
        place: devices.Placement,
        name: str,
    ) -> None:
        self.name = name
        self.tokenizer = tokenizer
        self.resizing = resizing
        self.options = options
        self.device, self.dtype = place
        self.model = model.eval().requires_grad_(False).to(self.device)
        self.model.config.disable_custom_kernels = True
        use_lean_attention(self.model, self.device)
        if self.dtype != torch.float32:
            use_half_precision(self.model, self.dtype)
        visual = self.model.model.backbone.conv_encoder
        visual.model = self._pictures = KeptPictures(visual.model)
        self.model.model.text_backbone = KeptCaptions(self.model.model.text_backbone)
        self._inputs = PreparedInputs(lambda image: self.resizing.pixels(image))
        self.max_tokens = min(
            model.config.max_text_len, model.config.text_config.max_position_embeddings
        )

    def limit_memory(self, *, features: int) -> None:
        """Set how many bytes the features of pictures may hold that were searched before."""
        self._pictures.kept.budget_bytes = features

    def memory_bytes(self) -> int:
        """Return how many bytes they hold now."""
        return self._pictures.kept.size_bytes

    def find(
        self,
        image: Image,
        phrases: Sequence[str],
        box_threshold: float | None = None,
        text_threshold: float | None = None,
    ) -> list[Detection]:
        """Find every instance of every phrase. See `segue.detect.Detector.find`."""
        return self.find_many([image], phrases, box_threshold, text_threshold)[0]

    def prepare(self, image: Image) -> None:
        """Resize a picture ahead, in any thread. See `segue.detect.BatchDetector.prepare`."""
        self._inputs.prepare(image)

    def find_many(
        self,
        images: Sequence[Image],
        phrases: Sequence[str] | Sequence[Sequence[str]],
        box_threshold: float | None = None,
        text_threshold: float | None = None,
    ) -> list[list[Detection]]:
        """`find` for several pictures; those of equal size share a run of the network.

        Args:
            images: N pictures.
            phrases: the phrases for all of them, or N lists, one for each picture.
            box_threshold: as for `find`.
            text_threshold: as for `find`.

        Returns:
            N lists, as from `find`.

        Raises:
            InputError: counts differ, or a threshold is not in [0, 1].
            ModelError: the network gave numbers that are not finite.
        """
        phrases_per_image = _phrases_per_image(images, phrases)
        defaults = self.options
        floor = score_floor(
            box_threshold, text_threshold, defaults.box_threshold, defaults.text_threshold
        )
        detections: list[dict[str, list[Detection]]] = [{} for _ in images]
        runs = [
            (row, caption)
            for row, names in enumerate(phrases_per_image)
            for caption in self.captions(names)
        ]
        for batch in self._batches(images, runs):
            scores, boxes = self.run_network(
                [images[row] for row, _ in batch], [c for _, c in batch]
            )
            for (row, caption), score, box in zip(batch, scores, boxes):
                detections[row] |= self._objects(images[row].size, caption, score, box, floor)
        return [
            group_by_phrase(names, _under_original_phrases(names, answers))
            for names, answers in zip(phrases_per_image, detections)
        ]

    def captions(self, phrases: Sequence[str]) -> list[Caption]:
        """Return the captions that ask for these phrases, without equal, empty and unknown ones."""
        return captions(
            dict.fromkeys(normalize_phrase(phrase) for phrase in phrases),
            lambda phrase: self.tokenizer.encode(phrase, add_special_tokens=False),
            self.max_tokens,
            self.tokenizer.unk_token_id,
        )

    def run_network(
        self, images: Sequence[Image], captions: Sequence[Caption]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Run the network on N pictures, with a caption each.

        Returns:
            scores (N, Q, T) in [0, 1] for each query and column of the caption, and boxes
            (N, Q, 4), centre and size in fractions of the picture; both float32.

        Raises:
            ModelError: the network gave numbers that are not finite.
        """
        length = max(len(caption.ids) for caption in captions)
        ids = torch.zeros(len(captions), length, dtype=torch.long)
        for row, caption in enumerate(captions):
            ids[row, : len(caption.ids)] = torch.tensor(caption.ids)
        pixels, inside = self._pad([self._inputs.get(image) for image in images])
        logits, boxes = self.forward(pixels, inside, ids, (ids > 0).long())
        return logits[..., :length].sigmoid().cpu().numpy(), boxes.cpu().numpy()

    @torch.inference_mode()
    def forward(
        self, pixels: Tensor, inside: Tensor, ids: Tensor, attention: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Run the bare network.

        Args:
            pixels: (N, 3, h, w) float32, normalised.
            inside: (N, h, w) int64, 1 on the picture, 0 on padding.
            ids: (N, T) token ids.
            attention: (N, T), 1 on tokens, 0 on padding.

        Returns:
            logits (N, Q, max_text_len), -inf beyond a caption, and boxes (N, Q, 4) in fractions.
        """
        out = self.model(
            pixel_values=pixels.to(self.device),
            pixel_mask=inside.to(self.device),
            input_ids=ids.to(self.device),
            attention_mask=attention.to(self.device),
        )
        logits, boxes = out.logits.float(), out.pred_boxes.float()
        if bool(logits.isnan().any()) or not bool(boxes.isfinite().all()):
            raise ModelError(
                f"The detector {self.name!r} gave numbers that are not finite in {self.dtype}. "
                "Load it with dtype='float32'; if it was, the weights are damaged."
            )
        return logits, boxes

    def _pad(self, pictures: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
        """One batch of pictures, and where in it they are. Pads the right and the bottom."""
        room = Size(*(max(p.shape[axis] for p in pictures) for axis in (1, 2)))
        room = self._room_for_queries(room)
        pixels = torch.zeros(len(pictures), 3, *room)
        inside = torch.zeros(len(pictures), *room, dtype=torch.long)
        for row, picture in enumerate(pictures):
            _, height, width = picture.shape
            pixels[row, :, :height, :width] = torch.from_numpy(picture)
            inside[row, :height, :width] = 1
        return pixels, inside

    def _room_for_queries(self, size: Size) -> Size:
        """Return a size with at least as many places as the network has queries."""
        config = self.model.config
        finest = getattr(config.backbone_config, "patch_size", 4)
        steps = [finest * 2 ** (index - 1) for index in config.backbone_config.out_indices]
        while len(steps) < config.num_feature_levels:
            steps.append(steps[-1] * 2)
        while sum(-(-size.height // s) * -(-size.width // s) for s in steps) < config.num_queries:
            longer = max(32, min(size) * 2)
            size = Size(max(size.height, longer), max(size.width, longer))
        return size

    def _batches(
        self, images: Sequence[Image], runs: Sequence[tuple[int, Caption]]
    ) -> Iterator[list[tuple[int, Caption]]]:
        """Yield runs whose pictures become equally large, as many at once as memory allows.

        Pictures of different sizes never share a run: the backbone does not know of padding, so
        what is found in one picture would depend on its company.
        """
        groups: dict[Size, list[tuple[int, Caption]]] = defaultdict(list)
        for run_network in runs:
            groups[self.resizing.size_for(images[run_network[0]].size)].append(run_network)
        budget = _PIXELS_AT_ONCE.get(self.device.type, _PIXELS_AT_ONCE_ELSEWHERE)
        for size, members in groups.items():
            step = max(1, budget // (size.height * size.width))
            for start in range(0, len(members), step):
                yield members[start : start + step]

    def _objects(
        self, size: Size, caption: Caption, scores: np.ndarray, boxes: np.ndarray, floor: float
    ) -> dict[str, list[Detection]]:
        """Return the objects by normalised phrase; a query answers the phrase it fits best only."""
        per_phrase = np.stack([scores[:, a:b].max(1) for a, b in caption.spans], 1)  # (Q, P)
        best = per_phrase.argmax(1)
        centres, sides = boxes[:, :2], boxes[:, 2:]
        corners = np.concatenate([centres - sides / 2, centres + sides / 2], 1)
        corners = corners * (size.width, size.height, size.width, size.height)
        by_phrase = {}
        for column, phrase in enumerate(caption.phrases):
            phrase_scores = per_phrase[:, column]
            is_best = (best == column) & (phrase_scores > floor)
            by_phrase[phrase] = detections_of(
                phrase, corners[is_best], phrase_scores[is_best], size, self.options.nms_iou
            )
        return by_phrase


def _phrases_per_image(images: Sequence[Image], phrases: Sequence[Any]) -> list[list[str]]:
    if isinstance(phrases, str) or not phrases or isinstance(phrases[0], str):
        return [read_phrases(phrases)] * len(images)
    if len(phrases) != len(images):
        raise InputError(
            f"There must be one list of phrases for each picture, got {len(phrases)} lists for "
            f"{len(images)} pictures."
        )
    return [read_phrases(phrase_list) for phrase_list in phrases]


def _under_original_phrases(
    phrases: Sequence[str], by_normalized_phrase: dict[str, list[Detection]]
) -> dict[str, list[Detection]]:
    """Return the objects by phrase as the caller wrote it; "Dog" and "dog." share theirs."""
    return {
        phrase: [
            Detection(phrase, detection.box, detection.score)
            for detection in by_normalized_phrase.get(normalize_phrase(phrase), ())
        ]
        for phrase in phrases
    }
