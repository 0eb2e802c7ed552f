"""Pictures, captions and targets for training the detector, each one a pure function of a seed.

A caption names nouns that are in the picture and nouns that are not, in any order and wording,
separated by full stops, as Grounding DINO reads them. Pictures of one batch share one shape,
different from batch to batch, because the shipped processor keeps a picture's proportions.
"""

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from lab.detector.losses import Target
from lab.detector.network import PIXEL_MEAN, PIXEL_STD
from lab.detector.tokenizer import FIXED_IDS, noun_called, phrase_ids, write_phrase
from lab.scenes.scene import Scene, SceneRecipe, render
from lab.scenes.sprites import SpriteBank
from lab.scenes.vocabulary import nouns

STRANGERS = (
    "person", "man", "woman", "child", "baby", "table", "bottle", "window", "road", "river",
    "mountain", "cloud", "sky", "grass", "sand", "wolf", "deer", "dragon", "dinosaur",
    "kangaroo", "ant", "spider", "lobster", "pear", "peach", "lemon", "onion", "potato",
    "tomato", "cheese", "egg", "rice", "soup", "spoon", "fork", "knife", "plate", "lamp",
    "desk", "mirror", "carpet", "pencil", "bag", "ring", "crown", "shirt", "trousers", "violin",
    "piano", "drum", "trumpet", "bridge", "tower", "castle", "tent", "anchor", "kite", "robot",
    "skateboard", "scooter", "人", "桌子", "瓶子", "山", "云", "狼", "龙", "梨", "鸡蛋", "刀",
)  # fmt: skip
"""Nouns outside the vocabulary. They stand in captions so that an unknown word is not taken for
whatever is there."""


AKIN = 6
"""Nouns this near to one another in the vocabulary are of one kind (animals, vehicles, food …)."""


@dataclass(frozen=True)
class LabelledImage:
    """The part of a scene that the detector learns from."""

    pixels: NDArray[np.uint8]
    """(H, W, 3)."""
    nouns: tuple[int, ...]
    """Of its n objects."""
    boxes: NDArray[np.float32]
    """(n, 4), x0 y0 x1 y1 in pixels, half-open."""

    def boxes_of(self, noun: int) -> NDArray[np.float32]:
        """Return the boxes (k, 4) of the objects of a noun."""
        return self.boxes[[index == noun for index in self.nouns]]


def labelled_image(scene: Scene) -> LabelledImage:
    """Return the part of a scene that the detector learns from."""
    return LabelledImage(
        scene.image,
        tuple(o.noun for o in scene.objects),
        np.array([o.box for o in scene.objects], np.float32).reshape(-1, 4),
    )


class TokenCaption(NamedTuple):
    """A caption as tokens.

    `ids` are its tokens, `spans[k]` first and last + 1 token of phrase k, `nouns[k]` what it names,
    -1 for none.
    """

    ids: list[int]
    spans: list[tuple[int, int]]
    nouns: list[int]


def write_caption(phrases: list[str], caption_nouns: list[int]) -> TokenCaption:
    """Join phrases as Grounding DINO's processor does: `[CLS] phrase . phrase . [SEP]`."""
    ids, spans = [FIXED_IDS["[CLS]"]], []
    for phrase in phrases:
        start = len(ids)
        ids += phrase_ids(phrase)
        spans.append((start, len(ids)))
        ids.append(FIXED_IDS["."])
    return TokenCaption([*ids, FIXED_IDS["[SEP]"]], spans, caption_nouns)


def random_caption(
    rng: np.random.Generator, present: set[int], longest: int, room: int
) -> TokenCaption:
    """Write a caption of up to `longest` phrases within `room` tokens.

    Two captions in five are a single phrase, as a tag asks; half of those are absent, and mostly
    akin to something that is present.
    """
    noun_count = len(nouns())
    absent = [int(i) for i in rng.permutation(noun_count) if i not in present]
    if rng.random() < 0.4:
        if present and rng.random() < 0.5:
            chosen_nouns = [int(rng.choice(sorted(present)))]
        else:
            akin = [
                i for i in absent if any(abs(i - present_noun) <= AKIN for present_noun in present)
            ]
            chosen_nouns = akin[:1] if akin and rng.random() < 0.6 else absent[:1]
    else:
        present_nouns = [noun for noun in present if rng.random() > 0.08]
        chosen_nouns = (
            present_nouns + absent[: max(1, int(rng.integers(2, longest + 1)) - len(present_nouns))]
        )
        chosen_nouns = [chosen_nouns[int(i)] for i in rng.permutation(len(chosen_nouns))]
    phrases: list[str] = []
    kept_names: list[int] = []
    used = 2
    language = rng.random()  # all English, all Chinese, or mixed
    for noun in chosen_nouns:
        chinese = rng.random() < 0.5 if language > 0.85 else language < 0.25
        phrase = write_phrase(rng, nouns()[noun], chinese)
        if noun not in present and rng.random() < 0.08:
            phrase, noun = _stranger(rng), -1
        used += len(phrase_ids(phrase)) + 1
        if used > room:
            break
        phrases.append(phrase)
        kept_names.append(noun)
    return write_caption(phrases, kept_names)


def _stranger(rng: np.random.Generator) -> str:
    if rng.random() < 0.6:
        return STRANGERS[int(rng.integers(len(STRANGERS)))]
    letters = rng.choice(list("abcdefghijklmnoprstuvwy"), int(rng.integers(3, 8)))
    word = "".join(letters)
    return word if noun_called(word) is None else "person"


class DetectorBatch(NamedTuple):
    """One training step's input.

    `pixels` (B, 3, H, W) float32 are normalised; `ids` and `attention` are (B, T) int64; each image
    has a target and a caption. `all_boxes` (n, 4), as in targets, and `all_nouns` (n,) int64 are
    every object of each image, asked for or not.
    """

    pixels: Tensor
    ids: Tensor
    attention: Tensor
    targets: list[Target]
    captions: list[TokenCaption]
    all_boxes: list[Tensor]
    all_nouns: list[Tensor]


def make_detector_batch(
    pictures: list[LabelledImage], captions: list[TokenCaption], height: int, width: int
) -> DetectorBatch:
    """Bring the images to one shape and say which tokens name each box.

    Objects without a name are left out.
    """
    length = max(len(c.ids) for c in captions)
    ids = torch.zeros(len(captions), length, dtype=torch.long)
    attention = torch.zeros_like(ids)
    targets = []
    pixels = np.zeros((len(pictures), 3, height, width), np.float32)
    for row, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        ids[row, : len(caption.ids)] = torch.tensor(caption.ids)
        attention[row, : len(caption.ids)] = 1
        pixels[row] = normalised_picture(picture.pixels, height, width)
        targets.append(_target(picture, caption, length))
    all_boxes = [torch.from_numpy(_centred(picture)) for picture in pictures]
    all_nouns = [torch.tensor(picture.nouns, dtype=torch.long) for picture in pictures]
    return DetectorBatch(
        torch.from_numpy(pixels), ids, attention, targets, captions, all_boxes, all_nouns
    )


def normalised_picture(picture: NDArray[np.uint8], height: int, width: int) -> NDArray[np.float32]:
    """Resize and normalise as Grounding DINO's processor does: (3, height, width) float32."""
    if picture.shape[:2] != (height, width):
        resized = Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR)
        picture = np.asarray(resized)
    scaled = picture.astype(np.float32) / np.float32(255)
    mean, std = np.array(PIXEL_MEAN, np.float32), np.array(PIXEL_STD, np.float32)
    return np.asarray(((scaled - mean) / std).transpose(2, 0, 1))


def _centred(picture: LabelledImage) -> NDArray[np.float32]:
    """Return the boxes (n, 4) as centre x, centre y, width, height in shares of the image."""
    high, wide = picture.pixels.shape[:2]
    low, high_corner = picture.boxes[:, :2], picture.boxes[:, 2:]
    centre_boxes = np.concatenate([(low + high_corner) / 2, high_corner - low], 1)
    return np.asarray(centre_boxes / np.array([wide, high, wide, high], np.float32), np.float32)


def _target(picture: LabelledImage, caption: TokenCaption, length: int) -> Target:
    asked_rows = [row for row, noun in enumerate(picture.nouns) if noun in caption.nouns]
    words = torch.zeros(len(asked_rows), length)
    for row, index in enumerate(asked_rows):
        start, end = caption.spans[caption.nouns.index(picture.nouns[index])]
        words[row, start:end] = 1
    return Target(torch.from_numpy(_centred(picture))[asked_rows], words)


SHAPES = ((1.0, 1.0), (1.0, 1.0), (1.0, 1.0), (0.75, 1.0), (1.0, 0.75), (0.67, 1.0))


CROWDED = (0.08, 0.14, 0.22, 0.26, 0.3)
"""Weights of scenes with 1 to 5 objects: more than in use, because a picture costs the same."""


class ImagePool:
    """The latest `size` scenes of each shape of an endless, seeded sequence.

    Batches draw some new scenes and replay others.
    """

    def __init__(
        self,
        bank: SpriteBank,
        seed: int,
        longest: int,
        size: int = 200,
        fresh: float = 0.4,
        restyle: float = 0.3,
    ) -> None:
        self.bank, self.seed, self.longest = bank, seed, longest
        self.size, self.fresh, self.restyle = size, fresh, restyle
        self.drawn = [0] * len(SHAPES)
        self.pixelss: list[deque[LabelledImage]] = [deque(maxlen=size) for _ in SHAPES]

    def shape(self, number: int) -> tuple[int, int]:
        """Return height and width of the network's input for shape `number`."""
        return round(SHAPES[number][0] * self.longest), round(SHAPES[number][1] * self.longest)

    def advance(self, number: int) -> LabelledImage:
        """Draw the next scene of this shape.

        Half of them are a third larger than the input, so that they get resized.
        """
        rng = np.random.default_rng([self.seed, 3, number, self.drawn[number]])
        height, width = self.shape(number)
        scale = 1.0 if rng.random() < 0.5 else 4 / 3
        recipe = SceneRecipe(
            round(height * scale),
            round(width * scale),
            counts=CROWDED,
            smallest=0.12,
            restyle=self.restyle,
        )
        scene = labelled_image(render(rng, self.bank, recipe))
        small = Image.fromarray(scene.pixels).resize((width, height), Image.Resampling.BILINEAR)
        ratio = np.array([width, height] * 2, np.float32) / np.array(
            [scene.pixels.shape[1], scene.pixels.shape[0]] * 2, np.float32
        )
        boxes = cast(NDArray[np.float32], scene.boxes * ratio)
        self.pixelss[number].append(LabelledImage(np.asarray(small), scene.nouns, boxes))
        self.drawn[number] += 1
        return self.pixelss[number][-1]

    def state_dict(self) -> list[int]:
        """Return how many scenes of each shape have been drawn."""
        return list(self.drawn)

    def load_state_dict(self, state: list[int]) -> None:
        """Draw the pool again as it was after so many scenes of each shape."""
        for number, count in enumerate(state):
            self.pixelss[number].clear()
            self.drawn[number] = max(0, count - self.size)
            while self.drawn[number] < count:
                self.advance(number)

    def batch(self, step: int, count: int, phrases: int, room: int) -> DetectorBatch:
        """Draw batch number `step`."""
        rng = np.random.default_rng([self.seed, 4, step])
        number = int(rng.integers(len(SHAPES)))
        pictures = []
        for _ in range(count):
            pool = self.pixelss[number]
            if len(pool) < 8 or rng.random() < self.fresh:
                picture = self.advance(number)
            else:
                picture = pool[int(rng.integers(len(pool)))]
            pictures.append(_augmented(rng, picture))
        captions = [random_caption(rng, set(p.nouns), phrases, room) for p in pictures]
        return make_detector_batch(pictures, captions, *self.shape(number))


def _augmented(rng: np.random.Generator, labelled: LabelledImage) -> LabelledImage:
    """Mirror an image in one of two cases, and change its light a little."""
    picture, boxes = labelled.pixels, labelled.boxes
    if rng.random() < 0.5:
        width = picture.shape[1]
        picture = picture[:, ::-1]
        boxes = boxes.copy()
        boxes[:, [0, 2]] = width - boxes[:, [2, 0]]
    if rng.random() < 0.5:
        table = np.arange(256)[:, None] * rng.uniform(0.8, 1.2) + rng.uniform(-15, 15, 3)
        table = np.clip(table, 0, 255).astype(np.uint8)
        picture = np.stack([table[picture[..., c], c] for c in range(3)], -1)
    return LabelledImage(np.ascontiguousarray(picture), labelled.nouns, boxes)
