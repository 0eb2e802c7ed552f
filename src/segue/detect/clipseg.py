"""CLIPSeg: a heat map for what a phrase names, cut into regions. Rough, small, knows any word.

Runs `transformers.CLIPSegForImageSegmentation` on its folders and hub ids. Weights and method:
Lüddecke and Ecker 2022, arXiv:2112.10003, Apache-2.0 (the weights in transformers' form).

The network gives each pixel a probability that it belongs to what is meant. Pixels above a
threshold are joined to regions (eight neighbours); specks are dropped; a region's box encloses it
and its score is the mean probability inside. The presence score of a phrase is the highest
probability.

Rough: objects of a kind that touch are one region, thin and small things are lost (the map has 352
x 352 pixels), and the probabilities are not made to be compared between phrases. A fall-back where
nothing better can be had.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from segue.detect import Detection, Exemplar
from segue.detect.captions import distinct_names, normalize_phrase
from segue.detect.concept_network import ConceptNetwork
from segue.detect.resizing import DetectorResizing
from segue.detect.sam3_exemplars import exemplar_boxes
from segue.detect.suppression import group_by_phrase, read_phrases, read_threshold, score_floor
from segue.errors import InputError, ModelError
from segue.runtime import device as devices
from segue.runtime.prepared_inputs import PreparedInputs
from segue.runtime.weights import (
    load_pretrained,
    load_tokenizer,
    locate,
    read_json,
    read_options,
    require_model_type,
)
from segue.values.box import Box, Size
from segue.values.image import Image
from segue.values.mask import Mask

_PUBLISHED_SIDE = 352
_PHRASES_AT_ONCE = 16


@dataclass(frozen=True, kw_only=True)
class ClipSegOptions:
    """Settings that travel with the weights, in `segue.json`."""

    box_threshold: float = 0.4
    """Regions whose mean probability is above this count."""
    mask_threshold: float = 0.3
    """Pixels whose probability is above this belong to a region."""
    presence_threshold: float = 0.5
    """A phrase whose highest probability reaches this is in the picture."""
    min_area: float = 0.001
    """Regions of a smaller part of the picture are dropped."""
    template: str = "{}"
    """How a phrase is put to the text encoder."""

    @classmethod
    def read(cls, place: Path) -> "ClipSegOptions":
        """Read the settings beside the weights at `place`; those above where there are none.

        Raises:
            InputError: one of the numbers is not in [0, 1].
        """
        settings = read_options(place)
        numbers = {
            name: read_threshold(float(settings[name]), 0.0, name)
            for name in ("box_threshold", "mask_threshold", "presence_threshold", "min_area")
            if name in settings
        }
        return cls(**numbers, template=str(settings.get("template", cls.template)))


def load(
    source: str | Path,
    *,
    device: str = "auto",
    dtype: str | None = None,
    name: str | None = None,
) -> "ClipSeg":
    """Load a CLIPSeg model.

    Args:
        source: what `segue.runtime.weights.locate` takes: a folder or hub id in transformers' form.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".
        dtype: number format of the image encoder; None: as
            `segue.runtime.device.pick_for_encoder` says.
        name: what to call it; None: `source`.

    Raises:
        InputError: `source` is nothing that can name weights.
        ModelError: the weights are missing, damaged, or not of this model.
    """
    from transformers import CLIPSegForImageSegmentation

    path = locate(source)
    require_model_type(path, "clipseg")
    model = load_pretrained(CLIPSegForImageSegmentation, path)
    tokenizer = load_tokenizer(path)
    resizing = _resizing(path, int(model.config.vision_config.patch_size))
    place = devices.pick_for_encoder(device, dtype, model.clip.vision_model.num_parameters())
    options = ClipSegOptions.read(path)
    return ClipSeg(model, tokenizer, resizing, options, place, name or str(source))


def _resizing(path: Path, patch: int) -> DetectorResizing:
    """Read the square that the network sees: 352 pixels where nothing is stated."""
    settings = read_json(path, "preprocessor_config.json") or read_json(
        path, "processor_config.json"
    ).get("image_processor", {})
    size = settings.get("size") or _PUBLISHED_SIDE
    sides = {size} if isinstance(size, int) else {size.get("height"), size.get("width")}
    side = sides.pop()
    if sides or not isinstance(side, int) or side % patch:
        raise ModelError(
            f"CLIPSeg must see a square whose side is a multiple of {patch} pixels, but the "
            f"processor in {path} makes {size!r}."
        )
    colours: dict[str, Any] = {
        field: tuple(settings[key])
        for field, key in (("mean", "image_mean"), ("std", "image_std"))
        if settings.get(key)
    }
    return DetectorResizing(fixed=Size(side, side), **colours)


class ClipSeg(ConceptNetwork):
    """A CLIPSeg model, ready to find and segment. See `segue.detect.ConceptDetector`."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        resizing: DetectorResizing,
        options: ClipSegOptions,
        place: devices.Placement,
        name: str,
    ) -> None:
        self.name = name
        self.tokenizer = tokenizer
        self.resizing = resizing
        self.options = options
        self.device, self.dtype = place
        self.model = model.eval().requires_grad_(False).to(self.device)
        super().__init__(options, PreparedInputs(resizing.pixels))

    def find(
        self,
        image: Image,
        phrases: Sequence[str],
        box_threshold: float | None = None,
        text_threshold: float | None = None,
    ) -> list[Detection]:
        """Find and segment every region of every phrase. See `segue.detect.Detector.find`.

        The default of `box_threshold` is 0.4 and that of `text_threshold` 0: each phrase is asked
        for by itself, so there is nothing for the second one to tell apart.

        Raises:
            InputError: a threshold is not in [0, 1].
            ModelError: the network gave numbers that are not finite.
        """
        wanted_phrases = read_phrases(phrases)
        floor = score_floor(box_threshold, text_threshold, self.options.box_threshold, 0.0)
        names = distinct_names(wanted_phrases)
        maps = dict(zip(names, self.heat_maps(image, names)))
        answers = {}
        for phrase in dict.fromkeys(wanted_phrases):
            if (name := normalize_phrase(phrase)) in maps:
                answers[phrase] = self._regions(maps[name], phrase, image.size, floor)
                presence_score = float(maps[name].max())
                self._presence_scores.put((image.digest, name), presence_score)
        return group_by_phrase(wanted_phrases, answers)

    def find_many(
        self,
        images: Sequence[Image],
        phrases: Sequence[str],
        box_threshold: float | None = None,
        text_threshold: float | None = None,
    ) -> list[list[Detection]]:
        """`find` for several pictures, one after the other."""
        return [self.find(image, phrases, box_threshold, text_threshold) for image in images]

    def find_like(
        self,
        image: Image,
        exemplars: Sequence[Exemplar],
        phrase: str = "",
        box_threshold: float | None = None,
    ) -> list[Detection]:
        """Find every region like what boxes show. See `segue.detect.ConceptDetector.find_like`.

        What is meant is the mean of what the network makes of the phrase and of the boxes, which
        are cut out. Pixels that resemble an example of what is not meant more do not count.

        Raises:
            InputError: there are no examples, one does not lie in the picture, or there is neither
                a phrase nor an example of what is meant.
        """
        floor = score_floor(box_threshold, None, self.options.box_threshold, 0.0)
        if not exemplars:
            raise InputError("There must be one example at least, got none. Use find for phrases.")
        exemplar_boxes(exemplars, image.size)  # says what is wrong with a box
        name = normalize_phrase(phrase)
        meant = [self._encode_box(image, one.box) for one in exemplars if one.is_positive]
        if not (meant or name):
            raise InputError("There must be a phrase or an example of what is meant, got neither.")
        if name:
            meant = [
                self._phrase(name),
                *([torch.cat(meant).mean(0, keepdim=True)] if meant else []),
            ]
        others = [self._encode_box(image, one.box) for one in exemplars if not one.is_positive]
        heat, *other_heat = self._decode(
            image, torch.cat([torch.cat(meant).mean(0, keepdim=True), *others])
        )
        for other in other_heat:
            heat = torch.where(other > heat, 0.0, heat)
        return self._regions(heat, phrase, image.size, floor)

    def _measure_presence(self, image: Image, name: str) -> float:
        (heat,) = self.heat_maps(image, [name])
        return float(heat.max())

    def heat_maps(self, image: Image, names: Sequence[str]) -> list[Tensor]:
        """Return the probability of each pixel for each of cleaned phrases, (h, w) float32 each.

        Raises:
            ModelError: the network gave numbers that are not finite.
        """
        return self._decode(image, torch.cat([self._phrase(n) for n in names])) if names else []

    @torch.inference_mode()
    def _decode(self, image: Image, conditions: Tensor) -> list[Tensor]:
        """Return heat maps for what is meant, embedded, (N, C)."""
        activations = self._features.get_or_compute(image.digest, lambda: self._encode(image))
        maps: list[Tensor] = []
        for start in range(0, len(conditions), _PHRASES_AT_ONCE):
            group = conditions[start : start + _PHRASES_AT_ONCE]
            several = tuple(level.float().expand(len(group), -1, -1) for level in activations)
            logits = self.model.decoder(several, group).logits
            if not bool(logits.isfinite().all()):
                raise ModelError(
                    f"The detector {self.name!r} gave numbers that are not finite in "
                    f"{self.dtype}. Load it with dtype='float32'; if it was, the weights are "
                    "damaged."
                )
            maps += logits.sigmoid()
        return maps

    def _encode(self, image: Image) -> tuple[Tensor, ...]:
        """Return what the layers that the decoder reads make of a picture, (1, T, D) each."""
        pixels = torch.from_numpy(self._inputs.get(image))[None].to(self.device)
        with devices.autocast(self.device, self.dtype):
            out = self.model.clip.get_image_features(pixels, output_hidden_states=True)
        return tuple(out.hidden_states[layer + 1] for layer in self.model.extract_layers)

    def _phrase(self, name: str) -> Tensor:
        """Return a cleaned phrase, embedded, (1, C)."""
        return self._phrases.get_or_compute(name, lambda: self._encode_phrase(name))

    @torch.inference_mode()
    def _encode_phrase(self, name: str) -> Tensor:
        words = self.tokenizer(
            [self.options.template.format(name)],
            padding="max_length",
            truncation=True,
            max_length=self.model.config.text_config.max_position_embeddings,
            return_tensors="pt",
        ).to(self.device)
        return self.model.get_conditional_embeddings(
            1, words["input_ids"], attention_mask=words["attention_mask"]
        ).float()

    @torch.inference_mode()
    def _encode_box(self, image: Image, box: Box) -> Tensor:
        """Return what a box shows, cut out and embedded, (1, C)."""
        x0, y0, x1, y1 = box.clipped(image.size).corners
        rows, columns = slice(int(y0), int(np.ceil(y1))), slice(int(x0), int(np.ceil(x1)))
        pixels = torch.from_numpy(self.resizing.pixels(Image(image.array[rows, columns])))[None]
        with devices.autocast(self.device, self.dtype):
            shown = self.model.get_conditional_embeddings(
                1, conditional_pixel_values=pixels.to(self.device)
            )
        return shown.float()

    def _regions(self, heat: Tensor, phrase: str, size: Size, floor: float) -> list[Detection]:
        return regions(heat, phrase, size, floor, self.options)


def regions(
    heat: Tensor, phrase: str, size: Size, floor: float, options: ClipSegOptions
) -> list[Detection]:
    """Cut a heat map into regions, best first.

    Args:
        heat: (h, w) probabilities; the map covers the whole picture.
        phrase: what they answer.
        size: of the upright picture, to which the map is enlarged bilinearly.
        floor: regions whose mean probability is above it count.
        options: thresholds of pixels and of areas.
    """
    enlarged = F.interpolate(heat[None, None], tuple(size), mode="bilinear", align_corners=False)
    probabilities = enlarged[0, 0].cpu().numpy()
    belongs = (probabilities > options.mask_threshold).astype(np.uint8)
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(belongs, connectivity=8)
    presence_score = float(heat.max())
    found = []
    for label, (x0, y0, width, height, area) in enumerate(boxes.tolist()):
        if label == 0 or area < options.min_area * size.width * size.height:  # 0: the rest
            continue
        part = slice(y0, y0 + height), slice(x0, x0 + width)
        score = min(1.0, float(probabilities[part][labels[part] == label].mean(dtype=np.float64)))
        if score > floor:
            box = Box(float(x0), float(y0), float(x0 + width), float(y0 + height))
            found.append(Detection(phrase, box, score, Mask(labels == label), presence_score))
    return sorted(found, key=lambda one: -one.score)
