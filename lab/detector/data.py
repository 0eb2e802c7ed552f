"""Pictures, captions and targets for training the detector, each one a pure function of a seed.

A caption names nouns that are in the picture and nouns that are not, in any order and wording,
separated by full stops, as Grounding DINO reads them. Pictures of one batch share one shape,
different from batch to batch, because the shipped processor keeps a picture's proportions.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lab.detector.recipe import DetectorRecipe
from lab.detector.tokenizer import FIXED_IDS, noun_called, phrase_ids, write_phrase
from lab.scenes.scene import Scene, SceneRecipe
from lab.scenes.sprites import SpriteBank
from lab.scenes.vocabulary import nouns
from lab.scenes.worlds import render_some_world
from lab.training.replay import ReplayPool

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


Array = TypeVar("Array")
"""NumPy arrays where a batch is drawn, tensors where it is learned from."""


class DetectorBatch(NamedTuple, Generic[Array]):
    """One training step's input, padded to M objects an image.

    `images` (B, H, W, 3) are uint8; `ids` and `attention` (B, T) int64. `boxes` (B, M, 4) float32
    and `nouns` (B, M) int64 are every object of each image, -1 where there is none; `words` (B, M,
    T) float32 are 1 on the tokens of the phrase that asks for an object, all 0 where none does.
    Boxes are centre x, centre y, width, height as shares of the image.
    """

    images: Array
    ids: Array
    attention: Array
    boxes: Array
    nouns: Array
    words: Array


def make_detector_batch(
    pictures: list[LabelledImage], captions: list[TokenCaption], height: int, width: int
) -> DetectorBatch[NDArray[Any]]:
    """Bring the images to one shape and say which tokens name each box."""
    length = max(len(c.ids) for c in captions)
    most = max(1, *(len(picture.nouns) for picture in pictures))
    count = len(pictures)
    ids, attention = np.zeros((2, count, length), np.int64)
    images = np.zeros((count, height, width, 3), np.uint8)
    boxes, words = np.zeros((count, most, 4), np.float32), np.zeros((count, most, length), "f4")
    object_nouns = np.full((count, most), -1, np.int64)
    for row, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        ids[row, : len(caption.ids)] = caption.ids
        attention[row, : len(caption.ids)] = 1
        images[row] = resized(picture.pixels, height, width)
        boxes[row, : len(picture.nouns)] = _centred(picture)
        object_nouns[row, : len(picture.nouns)] = picture.nouns
        for number, noun in enumerate(picture.nouns):
            if noun in caption.nouns:
                start, end = caption.spans[caption.nouns.index(noun)]
                words[row, number, start:end] = 1
    return DetectorBatch(images, ids, attention, boxes, object_nouns, words)


def resized(picture: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Resize as Grounding DINO's processor does: (height, width, 3) uint8."""
    if picture.shape[:2] == (height, width):
        return picture
    image = Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image)


def _centred(picture: LabelledImage) -> NDArray[np.float32]:
    """Return the boxes (n, 4) as centre x, centre y, width, height in shares of the image."""
    high, wide = picture.pixels.shape[:2]
    low, high_corner = picture.boxes[:, :2], picture.boxes[:, 2:]
    centre_boxes = np.concatenate([(low + high_corner) / 2, high_corner - low], 1)
    return np.asarray(centre_boxes / np.array([wide, high, wide, high], np.float32), np.float32)


SHAPES = ((1.0, 1.0), (1.0, 1.0), (1.0, 1.0), (0.75, 1.0), (1.0, 0.75), (0.67, 1.0))


CROWDED = (0.08, 0.14, 0.22, 0.26, 0.3)
"""Weights of scenes with 1 to 5 objects: more than in use, because a picture costs the same."""


class LabelledImages:
    """Draws the batches that the detector learns from.

    Each has one shape; each shape has a pool of scenes.
    """

    def __init__(self, bank: SpriteBank, recipe: DetectorRecipe) -> None:
        self.bank, self.recipe, self.size = bank, recipe, recipe.size
        self.pools = [
            ReplayPool(self._draw(number), (recipe.seed, 3, number), recipe.pool, recipe.fresh)
            for number in range(len(SHAPES))
        ]

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Height and width of every shape."""
        return [self.shape(number) for number in range(len(SHAPES))]

    def shape(self, number: int) -> tuple[int, int]:
        """Return height and width of the network's input for shape `number`."""
        longest = self.size.image
        return round(SHAPES[number][0] * longest), round(SHAPES[number][1] * longest)

    def _draw(self, number: int) -> Callable[[np.random.Generator], LabelledImage]:
        return partial(_draw_image, bank=self.bank, shape=self.shape(number), recipe=self.recipe)

    def branch(self, number: int) -> None:
        """Turn to scenes of its own, as worker `number`."""
        for pool in self.pools:
            pool.branch(number)

    def state_dict(self) -> list[int]:
        """Return how many scenes of each shape have been drawn."""
        return [pool.state_dict() for pool in self.pools]

    def load_state_dict(self, state: list[int]) -> None:
        """Draw the pools again as they were after so many scenes of each shape."""
        for pool, drawn in zip(self.pools, state, strict=True):
            pool.load_state_dict(drawn)

    def batch(self, step: int) -> DetectorBatch[NDArray[Any]]:
        """Draw batch number `step`."""
        recipe = self.recipe
        rng = np.random.default_rng([recipe.seed, 4, step])
        number = int(rng.integers(len(SHAPES)))
        pictures = [_augmented(rng, self.pools[number].take(rng)) for _ in range(recipe.batch)]
        captions = [
            random_caption(rng, set(p.nouns), recipe.phrases, self.size.text_length)
            for p in pictures
        ]
        return make_detector_batch(pictures, captions, *self.shape(number))


def _draw_image(
    rng: np.random.Generator, bank: SpriteBank, shape: tuple[int, int], recipe: DetectorRecipe
) -> LabelledImage:
    """Draw a scene; half of them are a third larger than the input, so that they get resized."""
    height, width = shape
    scale = 1.0 if rng.random() < 0.5 else 4 / 3
    drawn_height, drawn_width = round(height * scale), round(width * scale)
    scene_recipe = SceneRecipe(
        drawn_height, drawn_width, counts=CROWDED, smallest=0.12, restyle=recipe.restyle
    )
    scene = labelled_image(render_some_world(rng, bank, scene_recipe))
    ratio = np.array([width / drawn_width, height / drawn_height] * 2, np.float32)
    return LabelledImage(resized(scene.pixels, height, width), scene.nouns, scene.boxes * ratio)


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
