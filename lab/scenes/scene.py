"""Drawn scenes: sprites composited on a background, with the truth about every object.

`render(rng, bank)` makes one scene; the same generator state gives the same scene. What may
appear, how large and how many is a `SceneRecipe`. A fixed composition (the sample scenes) is a
list of `SpritePlacement` given to `compose`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import cos, exp, log, radians, sin

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from lab.scenes import backgrounds
from lab.scenes.finish import finished, put_in_front
from lab.scenes.looks import MARGIN, Look
from lab.scenes.restyle import jitter, restyle
from lab.scenes.scenery import paint_scenery
from lab.scenes.sprites import Sprite, SpriteBank
from lab.scenes.vocabulary import nouns
from segue.errors import InputError

Shape = Callable[[np.random.Generator, int], NDArray[np.uint8]]
"""Draws an anonymous object of about the given longest side: (h, w, 4) uint8 RGBA."""


@dataclass(frozen=True)
class SceneObject:
    """One visible object. `noun` is its index in the vocabulary, -1 for an anonymous shape.

    `box` is x0, y0, x1, y1 of the *visible* part, in pixels, half-open.
    """

    noun: int
    style: str
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class Scene:
    """A picture and its truth.

    `image` is (H, W, 3) uint8 RGB. `labels` is (H, W) int8: the index in `objects` of what is
    seen at each pixel, -1 for the background. `background` is one of `backgrounds.NAMES`.
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.int8]
    objects: tuple[SceneObject, ...]
    background: str

    @cached_property
    def masks(self) -> NDArray[np.bool_]:
        """The visible pixels of each object: (N, H, W) bool."""
        numbers = np.arange(len(self.objects), dtype=np.int8)[:, None, None]
        return np.asarray(self.labels[None] == numbers)


@dataclass(frozen=True)
class World:
    """How a picture is made, beside what is in it; the plain world adds nothing.

    `scenery` names a generator of `scenery.py`, which replaces the background; every drawing is
    drawn in `look`; `in_front` is how many anonymous shapes lie before the objects, as part of the
    background; `finish` names what is done to the whole picture, in order (see `finish.py`).
    """

    scenery: str | None = None
    look: Look | None = None
    in_front: int = 0
    finish: tuple[str, ...] = ()


@dataclass(frozen=True)
class SceneRecipe:
    """What `render` draws. Lengths are shares of the shorter side of the picture.

    `counts[k]` is the weight of scenes with k + 1 objects and `largest[k]` their largest object;
    `repeat` the chance that an object is of a noun already present; `overlap` the largest share
    of the smaller of two boxes that may be covered; `cut` the chance that an object may leave the
    frame a little; `any_angle` the chance of a free rotation; `restyle` the chance that a drawing
    is turned into another style (see `restyle.py`); `squeeze` the chance that the whole scene looks
    like a 4:3 or 3:4 picture pressed into the frame, as Qwen-VL presses pictures; `shape` draws
    anonymous objects, which replace a sprite with chance `shape_share`; `world` is how the picture
    is made.
    """

    height: int = 192
    width: int = 192
    counts: tuple[float, ...] = (0.22, 0.26, 0.24, 0.17, 0.11)
    smallest: float = 0.17
    largest: tuple[float, ...] = (0.72, 0.6, 0.5, 0.44, 0.4)
    repeat: float = 0.28
    overlap: float = 0.15
    cut_share: float = 0.12
    any_angle: float = 0.15
    restyle: float = 0.5
    squeeze: float = 0.4
    shape_share: float = 0.0
    shape: Shape | None = None
    noun_indices: tuple[int, ...] | None = None
    background: str | None = None
    world: World = World()


@dataclass(frozen=True)
class SpritePlacement:
    """Where one object goes: `centre` (x, y) and `side` (its longest side) in pixels.

    `angle` is in degrees, clockwise as seen; `stretch` multiplies the width and divides the height.
    """

    sprite: Sprite
    centre: tuple[float, float]
    side: float
    angle: float = 0.0
    flip: bool = False
    stretch: float = 1.0

    @cached_property
    def half(self) -> tuple[float, float]:
        """Half the width and height of the rotated drawing, in pixels."""
        height, width = self.sprite.pixels.shape[:2]
        scale = self.side / max(height, width) / 2
        x, y = width * scale * self.stretch, height * scale / self.stretch
        c, s = abs(cos(radians(self.angle))), abs(sin(radians(self.angle)))
        return c * x + s * y, s * x + c * y

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The box around the rotated drawing, before occlusion and clipping."""
        (x, y), (w, h) = self.centre, self.half
        return x - w, y - h, x + w, y + h


def render(rng: np.random.Generator, bank: SpriteBank, recipe: SceneRecipe | None = None) -> Scene:
    """Draw one scene with at least one object; the same `rng` state gives the same scene."""
    recipe = recipe or SceneRecipe()
    while True:
        background = recipe.background or (
            backgrounds.choose(rng) if recipe.world.scenery is None else ""
        )
        scene = compose(
            rng,
            background,
            plan(rng, bank, recipe),
            (recipe.height, recipe.width),
            restyle_share=recipe.restyle,
            degrade=True,
            world=recipe.world,
        )
        if scene.objects:
            return scene


def plan(rng: np.random.Generator, bank: SpriteBank, recipe: SceneRecipe) -> list[SpritePlacement]:
    """Choose drawings, sizes and places that do not cover one another too much."""
    weights = np.array(recipe.counts) / sum(recipe.counts)
    count = int(rng.choice(len(weights), p=weights)) + 1
    chosen_nouns: list[int] = []
    placements: list[SpritePlacement] = []
    squeezed = rng.random() < recipe.squeeze
    squeeze = float(rng.choice([0.75, 0.75, 4 / 3])) ** 0.5 if squeezed else 1.0
    for _ in range(count):
        sprite = _pick_sprite(rng, bank, recipe, chosen_nouns)
        placement = _find_place(rng, sprite, recipe, count, placements, squeeze)
        if placement is not None:
            placements.append(placement)
            chosen_nouns.append(sprite.noun)
    return placements


def _pick_sprite(
    rng: np.random.Generator, bank: SpriteBank, recipe: SceneRecipe, chosen_nouns: list[int]
) -> Sprite:
    if recipe.shape is not None and rng.random() < recipe.shape_share:
        return Sprite(-1, "shape", recipe.shape(rng, int(0.45 * min(recipe.height, recipe.width))))
    named_nouns = [noun for noun in chosen_nouns if noun >= 0]
    for _ in range(1000):
        if named_nouns and rng.random() < recipe.repeat:
            noun = int(named_nouns[rng.integers(len(named_nouns))])
        elif recipe.noun_indices is not None:
            noun = int(rng.choice(recipe.noun_indices))
        else:
            noun = int(rng.integers(len(nouns())))
        drawings = bank.of(noun, bank.styles[rng.integers(len(bank.styles))])
        if drawings:
            return drawings[rng.integers(len(drawings))]
    raise InputError(
        f"None of {len(bank.sprites)} sprites shows a noun of the recipe. Use a larger bank."
    )


def _find_place(
    rng: np.random.Generator,
    sprite: Sprite,
    recipe: SceneRecipe,
    count: int,
    placements: Sequence[SpritePlacement],
    squeeze: float,
) -> SpritePlacement | None:
    short = min(recipe.height, recipe.width)
    largest = recipe.largest[min(count, len(recipe.largest)) - 1]
    side = short * exp(rng.uniform(log(recipe.smallest), log(largest)))
    free = rng.random() < recipe.any_angle
    angle = rng.uniform(-180, 180) if free else rng.normal(0, 8)
    flip, stretch = bool(rng.random() < 0.5), squeeze * exp(rng.normal(0, 0.08))
    half_x, half_y = SpritePlacement(sprite, (0, 0), side, angle, flip, stretch).half
    inset = 0.76 if rng.random() < recipe.cut_share else 1.0
    room_x, room_y = recipe.width - half_x * inset, recipe.height - half_y * inset
    if room_x <= half_x * inset or room_y <= half_y * inset:
        return None
    for _ in range(12):
        centre = (rng.uniform(half_x * inset, room_x), rng.uniform(half_y * inset, room_y))
        placement = SpritePlacement(sprite, centre, side, angle, flip, stretch)
        if all(_covered(placement.box, earlier.box) <= recipe.overlap for earlier in placements):
            return placement
    return None


def _covered(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Return the share of the smaller box that lies in the other."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    smaller = min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]))
    return width * height / smaller


def compose(
    rng: np.random.Generator,
    background: str,
    placements: Sequence[SpritePlacement],
    size: tuple[int, int],
    *,
    restyle_share: float = 0.0,
    degrade: bool = False,
    world: World | None = None,
) -> Scene:
    """Draw the placements, in order, on a background of `size` (height, width).

    `degrade` adds what training wants: colour changes, soft shadows, blur, grain. The scenery of
    the `world`, where it has one, replaces `background`.
    """
    height, width = size
    world = world or World()
    if world.scenery is None:
        picture = backgrounds.paint(rng, background, height, width)
    else:
        picture, background = paint_scenery(rng, world.scenery, height, width)
    labels = np.full((height, width), -1, np.int8)
    for number, placement in enumerate(placements):
        _paste(rng, picture, labels, number, placement, restyle_share, degrade, world.look)
    put_in_front(rng, picture, labels, world.in_front)
    if degrade:
        picture = _degrade(rng, picture)
    picture = finished(rng, picture, world.finish)
    objects, labels = visible_objects(placements, labels)
    return Scene(np.clip(picture, 0, 255).astype(np.uint8), labels, objects, background)


def _warp(placement: SpritePlacement, frame: tuple[int, int, int, int]) -> NDArray[np.float32]:
    """Return the drawing as seen in `frame` (x0, y0, x1, y1): (h, w, 4), premultiplied."""
    level = 0
    levels = placement.sprite.levels
    while level + 1 < len(levels) and max(levels[level + 1].size) >= placement.side:
        level += 1
    source = levels[level]
    scale = placement.side / max(source.size)
    c, s = cos(radians(placement.angle)), sin(radians(placement.angle))
    mirror = -1.0 if placement.flip else 1.0
    x_scale, y_scale = scale * placement.stretch * mirror, scale / placement.stretch
    # Pillow wants the inverse: from a pixel of the frame to a pixel of the drawing.
    a, b = c / x_scale, s / x_scale
    d, e = -s / y_scale, c / y_scale
    x, y = placement.centre[0] - frame[0], placement.centre[1] - frame[1]
    offset_x = source.width / 2 - (a * x + b * y)
    offset_y = source.height / 2 - (d * x + e * y)
    warped = source.transform(
        (frame[2] - frame[0], frame[3] - frame[1]),
        Image.Transform.AFFINE,
        (a, b, offset_x, d, e, offset_y),
        Image.Resampling.BILINEAR,
    )
    return np.asarray(warped).astype(np.float32)


def as_seen(
    placement: SpritePlacement, size: tuple[int, int], margin: int
) -> tuple[NDArray[np.float32], slice, slice] | None:
    """Return a drawing as it lies in a picture of `size` (height, width), and where it lies.

    Returns:
        The patch, (h, w, 4) float32 premultiplied, with `margin` empty pixels around the drawing
        where the picture has room for them; its rows; its columns. None: it is out of sight.
    """
    x0, y0, x1, y1 = placement.box
    left, top = max(0, int(x0) - margin), max(0, int(y0) - margin)
    right, bottom = min(size[1], int(x1) + margin + 1), min(size[0], int(y1) + margin + 1)
    if right - left < 4 or bottom - top < 4:
        return None
    patch = _warp(placement, (left, top, right, bottom))
    return patch, slice(top, bottom), slice(left, right)


def _paste(
    rng: np.random.Generator,
    picture: NDArray[np.float32],
    labels: NDArray[np.int8],
    number: int,
    placement: SpritePlacement,
    restyle_share: float,
    degrade: bool,
    look: Look | None,
) -> None:
    seen = as_seen(placement, labels.shape, MARGIN if look else 3)
    if seen is None:
        return
    patch, rows, columns = seen
    if degrade:
        patch = jitter(rng, patch)
    if rng.random() < restyle_share:
        patch = restyle(rng, patch)
    if look:
        patch = look.draw(rng, patch)
    alpha = patch[..., 3:] / 255
    under = picture[rows, columns]
    if look and (light := look.light_beside(rng, patch[..., 3])) is not None:
        under *= light[..., None]
    if degrade and rng.random() < 0.25:
        blurred = Image.fromarray(patch[..., 3].astype(np.uint8)).filter(ImageFilter.BoxBlur(3))
        under *= 1 - 0.4 * np.roll(np.asarray(blurred) / 255.0, (2, 2), (0, 1))[..., None]
    picture[rows, columns] = under * (1 - alpha) + patch[..., :3]
    labels[rows, columns][alpha[..., 0] > 0.5] = number


def _degrade(rng: np.random.Generator, picture: NDArray[np.float32]) -> NDArray[np.float32]:
    if rng.random() < 0.2:
        image = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
        blurred = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 1.0)))
        picture = np.asarray(blurred).astype(np.float32)
    if rng.random() < 0.4:
        grain = rng.standard_normal(picture.shape, dtype=np.float32)
        picture = picture + grain * np.float32(rng.uniform(2, 9))
    return picture * np.float32(rng.normal(1, 0.06)) + np.float32(rng.normal(0, 5))


def visible_objects(
    placements: Sequence[SpritePlacement], labels: NDArray[np.int8]
) -> tuple[tuple[SceneObject, ...], NDArray[np.int8]]:
    """Return the objects that are visible enough, and the labels renumbered to them."""
    objects: list[SceneObject] = []
    renumber = np.full(len(placements) + 1, -1, np.int8)
    min_pixels = 0.0008 * labels.size
    for number, placement in enumerate(placements):
        mask = labels == number
        if mask.sum() < min_pixels:
            continue
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        box = (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
        renumber[number] = len(objects)
        objects.append(SceneObject(placement.sprite.noun, placement.sprite.style, box))
    return tuple(objects), renumber[labels]
