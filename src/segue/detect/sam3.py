"""SAM 3 as a detector: every instance of what a phrase names, with its mask, in one call.

Runs `transformers.Sam3Model` on its folders and hub ids, facebook/sam3 (gated) among them. Weights
and method: Carion et al. 2025, arXiv:2511.16719; SAM License.

A picture is encoded once; its features are kept by content, those of a phrase too, so a further
phrase costs the small part of the network only. Encoders may run in half precision; what decides
on scores, boxes and masks is in float32.

The score of an instance is the network's score of a place times its presence score, which says
whether there is any instance at all. Nothing is suppressed: the network was trained to give each
object once.

Limits: 32 word pieces for a phrase, the rest is cut; short noun phrases in English. The memory for
videos in the published files is left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from segue.detect import Detection, Exemplar
from segue.detect.captions import normalize_phrase
from segue.detect.concept_network import ConceptNetwork
from segue.detect.sam3_exemplars import exemplar_boxes, use_own_pooling
from segue.detect.suppression import (
    clip_boxes,
    group_by_phrase,
    read_phrases,
    read_threshold,
    score_floor,
)
from segue.errors import InputError, ModelError
from segue.models.sam3 import BOTH, Sam3Pixels
from segue.runtime import device as devices
from segue.runtime.prepared_inputs import PreparedInputs
from segue.runtime.weights import (
    load_pretrained,
    load_tokenizer,
    locate,
    read_options,
    require_model_type,
)
from segue.values.box import Box, Size
from segue.values.image import Image
from segue.values.mask import Mask

_PICTURES_AT_ONCE = {"cpu": 1}  # one picture keeps all cores busy
_PICTURES_AT_ONCE_ELSEWHERE = 4
_NO_PHRASE = "visual"
"""What the network was trained to read where boxes alone say what is meant."""


@dataclass(frozen=True, kw_only=True)
class Sam3Options:
    """Settings that travel with the weights, in `segue.json`."""

    box_threshold: float = 0.5
    """Instances that score above this count, as in the original program."""
    mask_threshold: float = 0.5
    """Pixels whose probability is above this belong to an instance."""
    presence_threshold: float = 0.5
    """A phrase whose presence score reaches this is in the picture."""

    @classmethod
    def read(cls, place: Path) -> "Sam3Options":
        """Read the settings beside the weights at `place`; those of the published model else.

        Raises:
            InputError: one of them is not in [0, 1].
        """
        settings = read_options(place)
        return cls(
            **{
                name: read_threshold(float(settings[name]), 0.5, name)
                for name in cls.__dataclass_fields__
                if name in settings
            }
        )


@dataclass(frozen=True, eq=False)
class ConceptAnswer:
    """What the network makes of one phrase on one picture, for each of its Q queries."""

    scores: np.ndarray
    """(Q,) float32 in [0, 1], the presence score already in them."""
    corners: np.ndarray
    """(Q, 4) float32, x0 y0 x1 y1 in fractions of the picture."""
    mask_logits: Tensor
    """(Q, h, w) float32, on the model's device; the map covers the whole picture."""
    presence_score: float
    """Whether there is any instance at all, in [0, 1]."""


def load(
    source: str | Path,
    *,
    device: str = "auto",
    dtype: str | None = None,
    name: str | None = None,
) -> "Sam3":
    """Load SAM 3 as a detector.

    Args:
        source: what `segue.runtime.weights.locate` takes: a folder or hub id in transformers' form,
            of the whole model or of its detector.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".
        dtype: number format of the encoders; None: as `segue.runtime.device.pick_for_encoder` says.
        name: what to call it; None: `source`.

    Raises:
        InputError: `source` is nothing that can name weights.
        ModelError: the weights are missing, damaged, gated, or not of this model.
    """
    from transformers.models.sam3.modeling_sam3 import Sam3Model  # needs no torchvision from here

    path = locate(source)
    require_model_type(path, "sam3", BOTH)
    model = load_pretrained(Sam3Model, path)
    tokenizer = load_tokenizer(path)
    pixels = Sam3Pixels.read(path, model.config.vision_config.image_size)
    place = devices.pick_for_encoder(device, dtype, model.vision_encoder.num_parameters())
    return Sam3(model, tokenizer, pixels, Sam3Options.read(path), place, name or str(source))


class Sam3(ConceptNetwork):
    """SAM 3, ready to find and segment what phrases name. See `segue.detect.ConceptDetector`."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        pixels: Sam3Pixels,
        options: Sam3Options,
        place: devices.Placement,
        name: str,
    ) -> None:
        self.name = name
        self.tokenizer = tokenizer
        self.pixels = pixels
        self.options = options
        self.device, self.dtype = place
        self.model = model.eval().requires_grad_(False).to(self.device)
        use_own_pooling(self.model.geometry_encoder)
        super().__init__(options, PreparedInputs(pixels.resized))
        self._positions: tuple[Tensor, ...] = ()  # of the maps, the same for every picture

    def find(
        self,
        image: Image,
        phrases: Sequence[str],
        box_threshold: float | None = None,
        text_threshold: float | None = None,
    ) -> list[Detection]:
        """Find and segment every instance of every phrase. See `segue.detect.Detector.find`.

        The default of `box_threshold` is 0.5 and that of `text_threshold` 0: each phrase is asked
        for by itself, so there is nothing for the second one to tell apart.
        """
        return self.find_many([image], phrases, box_threshold, text_threshold)[0]

    def find_many(
        self,
        images: Sequence[Image],
        phrases: Sequence[str],
        box_threshold: float | None = None,
        text_threshold: float | None = None,
    ) -> list[list[Detection]]:
        """`find` for several pictures, which are encoded together where the device gains by it.

        Raises:
            InputError: a threshold is not in [0, 1].
            ModelError: the network gave numbers that are not finite.
        """
        wanted_phrases = read_phrases(phrases)
        floor = score_floor(box_threshold, text_threshold, self.options.box_threshold, 0.0)
        step = _PICTURES_AT_ONCE.get(self.device.type, _PICTURES_AT_ONCE_ELSEWHERE)
        found: list[list[Detection]] = []
        for start in range(0, len(images), step):
            group = images[start : start + step]
            for image, maps in zip(group, self.encode(group)):
                found.append(self._find(image, maps, wanted_phrases, floor))
        return found

    def find_like(
        self,
        image: Image,
        exemplars: Sequence[Exemplar],
        phrase: str = "",
        box_threshold: float | None = None,
    ) -> list[Detection]:
        """Find every instance of what boxes show. See `segue.detect.ConceptDetector.find_like`."""
        floor = score_floor(box_threshold, None, self.options.box_threshold, 0.0)
        if not exemplars:
            raise InputError("There must be one example at least, got none. Use find for phrases.")
        (maps,) = self.encode([image])
        name = normalize_phrase(phrase) or _NO_PHRASE
        answer = self.answer(maps, name, exemplar_boxes(exemplars, image.size))
        return self._detections(answer, phrase, image.size, floor)

    def _measure_presence(self, image: Image, name: str) -> float:
        (maps,) = self.encode([image])
        return self.answer(maps, name).presence_score

    @torch.inference_mode()
    def encode(self, images: Sequence[Image]) -> list[tuple[Tensor, ...]]:
        """Return what the image encoder makes of pictures; those that are new go together.

        Returns:
            For each picture its maps, (1, C, h, w) each, fine to coarse.

        Raises:
            ModelError: the encoder gave numbers that are not finite.
        """
        maps_of = {image.digest: self._features.get(image.digest) for image in images}
        new_images = {image.digest: image for image in images if maps_of[image.digest] is None}
        if new_images:
            squares = np.stack([self._inputs.get(image) for image in new_images.values()])
            pixels = self.pixels.normalized(torch.from_numpy(squares).to(self.device))
            with devices.autocast(self.device, self.dtype):
                out = self.model.vision_encoder(pixels)
            levels = out.fpn_hidden_states[:-1]  # the network leaves the coarsest one out
            self._positions = tuple(p[:1].float() for p in out.fpn_position_encoding[:-1])
            self._check_finite(*levels)
            for row, digest in enumerate(new_images):
                maps = tuple(level[row : row + 1].clone() for level in levels)
                maps_of[digest] = maps
                self._features.put(digest, maps)
        return [maps_of[image.digest] or () for image in images]

    @torch.inference_mode()
    def answer(
        self,
        maps: Sequence[Tensor],
        name: str,
        exemplars: tuple[Tensor, Tensor] | None = None,
    ) -> ConceptAnswer:
        """Run the network on one encoded picture and one phrase.

        Args:
            maps: of the picture, from `encode`.
            name: the phrase, cleaned.
            exemplars: centre and size of N boxes in fractions of the picture, (1, N, 4), and 1 or 0
                for each, (1, N).

        Raises:
            ModelError: the network gave numbers that are not finite.
        """
        embedded, attention = self._phrases.get_or_compute(name, lambda: self._encode_phrase(name))
        prompts: dict[str, Tensor] = {}
        if exemplars is not None:
            boxes, labels = (part.to(self.device) for part in exemplars)
            prompts = {"input_boxes": boxes, "input_boxes_labels": labels}
        out = self.model(
            vision_embeds=SimpleNamespace(
                fpn_hidden_states=(*(level.float() for level in maps), None),
                fpn_position_encoding=(*self._positions, None),
                hidden_states=None,
                attentions=None,
            ),
            text_embeds=SimpleNamespace(pooler_output=embedded),
            attention_mask=attention,
            **prompts,
        )
        self._check_finite(out.pred_logits, out.presence_logits, out.pred_boxes, out.pred_masks)
        presence = out.presence_logits.float().sigmoid()
        return ConceptAnswer(
            scores=(out.pred_logits.float().sigmoid() * presence)[0].cpu().numpy(),
            corners=out.pred_boxes[0].float().cpu().numpy(),
            mask_logits=out.pred_masks[0].float(),
            presence_score=float(presence.reshape(-1)[0]),
        )

    def _encode_phrase(self, name: str) -> tuple[Tensor, Tensor]:
        """Return what the text encoder makes of a phrase, (1, T, C), and which of T count."""
        words = self.tokenizer(
            [name],
            padding="max_length",
            truncation=True,
            max_length=self.model.config.text_config.max_position_embeddings,
            return_tensors="pt",
        ).to(self.device)
        ids, attention = words["input_ids"], words["attention_mask"]
        with devices.autocast(self.device, self.dtype):
            out = self.model.get_text_features(input_ids=ids, attention_mask=attention)
        return out.pooler_output.float(), attention

    def _find(
        self, image: Image, maps: Sequence[Tensor], phrases: Sequence[str], floor: float
    ) -> list[Detection]:
        """Find phrases in an encoded picture; "Dog" and "dog." are asked for once."""
        answers: dict[str, ConceptAnswer] = {}
        detections: dict[str, list[Detection]] = {}
        for phrase in dict.fromkeys(phrases):
            if not (name := normalize_phrase(phrase)):
                continue
            if name not in answers:
                answers[name] = self.answer(maps, name)
                key = (image.digest, name)
                self._presence_scores.put(key, answers[name].presence_score)
            detections[phrase] = self._detections(answers[name], phrase, image.size, floor)
        return group_by_phrase(phrases, detections)

    def _detections(
        self, answer: ConceptAnswer, phrase: str, size: Size, floor: float
    ) -> list[Detection]:
        return instances(answer, phrase, size, floor, self.options.mask_threshold)

    def _check_finite(self, *tensors: Tensor) -> None:
        if not all(bool(tensor.isfinite().all()) for tensor in tensors):
            raise ModelError(
                f"The detector {self.name!r} gave numbers that are not finite in {self.dtype}. "
                "Load it with dtype='float32'; if it was, the weights are damaged."
            )


def instances(
    answer: ConceptAnswer, phrase: str, size: Size, floor: float, mask_threshold: float
) -> list[Detection]:
    """Return the instances in an answer, best first, as transformers' processor gives them.

    Args:
        answer: of the network.
        phrase: what they answer.
        size: of the upright picture.
        floor: those that score above it count.
        mask_threshold: of the probability of a pixel, after it was enlarged bilinearly.
    """
    corners = clip_boxes(answer.corners * (size.width, size.height, size.width, size.height), size)
    has_area = (corners[:, 2] > corners[:, 0]) & (corners[:, 3] > corners[:, 1])
    rows = np.flatnonzero((answer.scores > floor) & has_area)
    found = []
    for row in rows[np.argsort(-answer.scores[rows], kind="stable")]:
        # One at a time: all masks of a large picture at once would take gigabytes.
        probabilities = answer.mask_logits[row].sigmoid()[None, None]
        enlarged = F.interpolate(probabilities, tuple(size), mode="bilinear", align_corners=False)
        found.append(
            Detection(
                phrase,
                Box(*map(float, corners[row])),
                float(answer.scores[row]),
                Mask((enlarged[0, 0] > mask_threshold).cpu().numpy()),
                answer.presence_score,
            )
        )
    return found
