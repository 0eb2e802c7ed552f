"""Draw textured random shapes in cluttered pictures, for objects that are no drawings.

A *leaves* picture (a "dead leaves" model: shapes of many sizes dropped on one another) has the edge
statistics of a photograph without being one. Objects are silhouettes (blobs, polygons, jointed
figures, or the outline of a drawing) filled with textures of one or of several parts, so that an
object is often not one colour and its surroundings often share a colour with it. Everything is
drawn by NumPy and Pillow from a `numpy.random.Generator` and nothing else.

Pictures are (H, W, 3) float32 in [0, 255]; silhouettes and masks are (H, W) float32 coverages in
[0, 1].
"""

import math
from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter

Floats = NDArray[np.float32]


def colour(rng: np.random.Generator, low: float = 10, high: float = 245) -> Floats:
    """Choose one random RGB colour, (3,) float32."""
    return rng.uniform(low, high, 3).astype(np.float32)


def noise(rng: np.random.Generator, side: int, base: int, octaves: int = 4) -> Floats:
    """Make smooth colour noise (side, side, 3) in about [0, 1].

    Args:
        rng: of the noise.
        side: in pixels.
        base: cells along a side of the coarsest octave.
        octaves: each is twice as fine as the one before.
    """
    total, amplitude, weight = np.zeros((side, side, 3), np.float32), 1.0, 0.0
    for octave in range(octaves):
        cells = base * 2**octave
        if cells > side:
            break
        grain = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        total += amplitude * np.asarray(grain.resize((side, side), Image.Resampling.BICUBIC))
        weight += amplitude
        amplitude *= float(rng.uniform(0.4, 0.8))
    return total / np.float32(255 * max(weight, 1e-6))


def ramp(side: int, angle: float) -> Floats:
    """Make a linear ramp (side, side, 1) from 0 to 1 in the direction `angle` (radians)."""
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) / side - 0.5
    return np.clip((x * math.cos(angle) + y * math.sin(angle)) * 1.2 + 0.5, 0, 1)[..., None]


def stripes(rng: np.random.Generator, side: int) -> Floats:
    """Make two-valued stripes or checks (side, side, 1)."""
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    angle, period = rng.uniform(0, math.pi), rng.uniform(4, max(6.0, side / 4))
    u = (x * math.cos(angle) + y * math.sin(angle)) // period
    v = (y * math.cos(angle) - x * math.sin(angle)) // period if rng.random() < 0.4 else 0
    return ((u + v) % 2).astype(np.float32)[..., None]


def texture(rng: np.random.Generator, side: int, around: Floats | None = None) -> Floats:
    """Make a square fill (side, side, 3).

    `around` gives a colour to stay near, which makes hard, low-contrast objects.
    """
    first = colour(rng) if around is None else around + rng.normal(0, 22, 3).astype(np.float32)
    second = first + rng.normal(0, 45, 3).astype(np.float32)
    kind = rng.integers(5)
    if kind == 0:
        mix: Floats | float = 0.0
    elif kind == 1:
        mix = ramp(side, rng.uniform(0, 2 * math.pi))
    elif kind == 2:
        mix = np.clip(noise(rng, side, int(rng.integers(2, 14))) * 2 - 0.5, 0, 1)
    elif kind == 3:
        mix = stripes(rng, side)
    else:
        mix = noise(rng, side, int(rng.integers(8, 40)), 2)
    fill = first * (1 - np.float32(mix) if isinstance(mix, float) else 1 - mix) + second * mix
    fill = np.broadcast_to(fill, (side, side, 3))
    grain = float(rng.uniform(0, 40)) if rng.random() < 0.6 else 0.0
    if grain:
        fill = fill + grain * (noise(rng, side, int(rng.integers(4, 32)), 3) - 0.5)
    return np.array(fill, np.float32)


def _ellipse(rng: np.random.Generator, draw: ImageDraw.ImageDraw, side: int) -> None:
    short = rng.uniform(0.3, 1.0) * side
    low, high = (side - short) / 2, (side + short) / 2
    draw.ellipse((1, low, side - 2, high), fill=255)


def _polygon(rng: np.random.Generator, draw: ImageDraw.ImageDraw, side: int) -> None:
    count = int(rng.integers(3, 9))
    angles = np.sort(rng.uniform(0, 2 * math.pi, count))
    radii = rng.uniform(0.25, 0.5, count) * side
    _fill(draw, side / 2 + radii * np.cos(angles), side / 2 + radii * np.sin(angles))


def _blob(rng: np.random.Generator, draw: ImageDraw.ImageDraw, side: int) -> None:
    angles = np.linspace(0, 2 * math.pi, 72, endpoint=False)
    radii = np.ones(72)
    for frequency in range(2, 8):
        radii += rng.normal(0, 0.5 / frequency) * np.cos(frequency * angles + rng.uniform(0, 6.3))
    radii = np.clip(radii, 0.25, None)
    radii *= side * 0.49 / radii.max()
    squash = rng.uniform(0.5, 1)
    _fill(draw, side / 2 + radii * np.cos(angles), side / 2 + squash * radii * np.sin(angles))


def _rectangle(rng: np.random.Generator, draw: ImageDraw.ImageDraw, side: int) -> None:
    half = rng.uniform(0.15, 0.48) * side
    draw.rectangle((1, side / 2 - half, side - 2, side / 2 + half), fill=255)


def _branches(rng: np.random.Generator, draw: ImageDraw.ImageDraw, side: int) -> None:
    at = rng.uniform(0.3, 0.7, 2) * side
    for _ in range(int(rng.integers(2, 7))):
        to = np.clip(at + rng.normal(0, 0.3, 2) * side, side * 0.1, side * 0.9)
        _capsule(draw, at, to, side * float(rng.uniform(0.06, 0.3)))
        at = to if rng.random() < 0.7 else at


def _figure(rng: np.random.Generator, draw: ImageDraw.ImageDraw, side: int) -> None:
    """Draw an upright jointed figure: head, trunk, two arms, two legs, loosely posed."""
    middle, wide = side / 2, side * float(rng.uniform(0.09, 0.16))
    head = side * float(rng.uniform(0.06, 0.09))
    neck, hip = np.array([middle, side * 0.22]), np.array([middle, side * rng.uniform(0.48, 0.56)])
    draw.ellipse((middle - head, side * 0.02, middle + head, side * 0.02 + 2.4 * head), fill=255)
    _capsule(draw, neck, hip, 2 * wide)
    for sign in (-1, 1):
        foot = np.array([middle + sign * side * rng.uniform(0.02, 0.2), side * 0.96])
        knee = (hip + foot) / 2 + np.array([sign * side * rng.uniform(-0.04, 0.08), 0])
        _capsule(draw, hip + np.array([sign * wide * 0.5, 0]), knee, wide * 1.2)
        _capsule(draw, knee, foot, wide * 0.9)
        shoulder = neck + np.array([sign * wide * 0.8, side * 0.03])
        hand = np.array(
            [middle + sign * side * rng.uniform(0.05, 0.3), side * rng.uniform(0.3, 0.55)]
        )
        _capsule(draw, shoulder, hand, wide * 0.75)


def _fill(draw: ImageDraw.ImageDraw, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
    draw.polygon([(float(a), float(b)) for a, b in zip(x, y, strict=True)], fill=255)


def _capsule(
    draw: ImageDraw.ImageDraw, a: NDArray[np.float64], b: NDArray[np.float64], thick: float
) -> None:
    radius = max(1.0, thick / 2)
    draw.line((a[0], a[1], b[0], b[1]), fill=255, width=max(1, round(thick)))
    for x, y in (a, b):
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)


Sketch = Callable[[np.random.Generator, ImageDraw.ImageDraw, int], None]
SKETCHES: tuple[Sketch, ...] = (_ellipse, _polygon, _blob, _rectangle, _branches, _figure)


def silhouette(
    rng: np.random.Generator, side: int, outlines: Sequence[NDArray[np.uint8]] = ()
) -> Image.Image:
    """Draw a randomly turned, antialiased silhouette, cropped to its ink.

    It is an `L` image, its longest side about `side`.

    `outlines` are alpha channels of drawings, (h, w) uint8; where given, about two silhouettes in
    five are one.
    """
    if outlines and rng.random() < 0.4:
        shape = Image.fromarray(outlines[int(rng.integers(len(outlines)))])
        turn = rng.normal(0, 15)
    else:
        sketch = SKETCHES[int(rng.integers(len(SKETCHES)))]
        shape = Image.new("L", (2 * side, 2 * side))
        sketch(rng, ImageDraw.Draw(shape), 2 * side)
        turn = rng.normal(0, 12) if sketch is _figure else rng.uniform(0, 360)
    shape = shape.rotate(float(turn), Image.Resampling.BILINEAR, expand=True)
    shape = shape.crop(shape.point(lambda v: 255 if v > 40 else 0).getbbox())
    scale = side / max(shape.size)
    wide, high = (max(4, round(n * scale * rng.uniform(0.85, 1.15))) for n in shape.size)
    return shape.resize(
        (wide, high), Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR
    )


def leaves(rng: np.random.Generator, side: int = 320, count: int = 70) -> Floats:
    """Draw a "dead leaves" picture (side, side, 3).

    Its shapes have power-law sizes; each is textured, lit and slightly blurred.
    """
    picture = Image.fromarray(np.clip(texture(rng, side), 0, 255).astype(np.uint8))
    palette = [colour(rng) for _ in range(int(rng.integers(2, 7)))]
    sheets = [
        Image.fromarray(np.clip(texture(rng, side, p), 0, 255).astype(np.uint8)) for p in palette
    ]
    smallest = rng.uniform(0.02, 0.08)
    for _ in range(int(rng.integers(count // 4, count))):
        size = int(side * smallest * (1 - rng.random()) ** -0.7)
        shape = silhouette(rng, int(np.clip(size, 6, side * 0.9)))
        sheet = sheets[int(rng.integers(len(sheets)))]
        x, y = (int(v) for v in rng.uniform(-0.2, 1.0, 2) * side)
        left, top = (int(rng.integers(0, max(1, side - n))) for n in shape.size)
        fill = sheet.crop((left, top, left + shape.width, top + shape.height))
        if rng.random() < 0.7:
            gain = float(rng.uniform(0.6, 1.35))
            fill = fill.point(lambda v, g=gain: min(255, int(v * g)))
        picture.paste(fill, (x, y), shape)
    if rng.random() < 0.6:
        picture = picture.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 2.5))))
    return shade(rng, np.asarray(picture, np.float32))


def shade(rng: np.random.Generator, picture: Floats, strength: float = 0.35) -> Floats:
    """Light a square picture unevenly: a ramp and soft noise, multiplied in."""
    side = picture.shape[0]
    light = 1 + strength * (ramp(side, rng.uniform(0, 2 * math.pi)) - 0.5)
    light = light * (1 + strength * (noise(rng, side, 3, 2)[..., :1] - 0.5))
    return np.asarray(picture * light, np.float32)


def filled(rng: np.random.Generator, shape: Image.Image, around: Floats | None) -> Floats:
    """Make the texture of a silhouette, (h, w, 3): one fill, or several for its parts."""
    wide, high = shape.size
    side = max(wide, high)
    fill = texture(rng, side, around)
    for _ in range(int(rng.integers(1, 5)) if rng.random() < 0.65 else 0):
        part = texture(rng, side, around if rng.random() < 0.3 else None)
        if rng.random() < 0.5:  # a band across, as clothes are
            edge = np.sort(rng.uniform(0, side, 2)).astype(int)
            fill[edge[0] : edge[1]] = part[edge[0] : edge[1]]
        else:
            spot = Image.new("L", (side, side))
            spot.paste(
                silhouette(rng, max(4, int(side * rng.uniform(0.2, 0.6)))), _anywhere(rng, side)
            )
            cover = cast(Floats, np.asarray(spot, np.float32)[..., None] / 255)
            fill = fill * (1 - cover) + part * cover
    if rng.random() < 0.6:
        fill = shade(rng, fill, float(rng.uniform(0.2, 0.8)))
    return fill[:high, :wide]


def _anywhere(rng: np.random.Generator, side: int) -> tuple[int, int]:
    x, y = rng.uniform(-0.1, 0.8, 2) * side
    return int(x), int(y)


def drop_shapes(
    rng: np.random.Generator,
    picture: Floats,
    masks: list[Floats],
    count: int,
    outlines: Sequence[NDArray[np.uint8]] = (),
) -> Floats:
    """Put `count` filled silhouettes on the picture.

    `masks` loses what they cover and gains their coverage.

    One shape in three stays near the colour of what lies beneath it. Returns the new picture;
    `masks` is changed.
    """
    high, wide = picture.shape[:2]
    picture = picture.copy()
    for _ in range(count):
        side = int(min(high, wide) * math.exp(rng.uniform(math.log(0.13), math.log(0.75))))
        shape = silhouette(rng, max(16, side), outlines)
        if rng.random() < 0.3:
            shape = shape.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 1.2))))
        x = int(rng.uniform(-0.08, 1.08) * max(1, wide - shape.width))
        y = int(rng.uniform(-0.08, 1.08) * max(1, high - shape.height))
        cover = Image.new("L", (wide, high))
        cover.paste(shape, (x, y))
        box = cover.getbbox()
        if box is None:
            continue
        near = (
            picture[box[1] : box[3], box[0] : box[2]].mean((0, 1)) if rng.random() < 0.35 else None
        )
        sheet = np.zeros((high, wide, 3), np.float32)
        fill = filled(rng, shape, near)
        x0, y0, x1, y1 = box
        sheet[y0:y1, x0:x1] = fill[y0 - y : y1 - y, x0 - x : x1 - x]
        if rng.random() < 0.2:
            _cast_shadow(rng, picture, cover, side)
        alpha = cast(Floats, np.asarray(cover, np.float32) / 255)
        picture = picture * (1 - alpha[..., None]) + sheet * alpha[..., None]
        for index, mask in enumerate(masks):
            masks[index] = mask * (1 - alpha)
        masks.append(alpha)
    return picture


def _cast_shadow(rng: np.random.Generator, picture: Floats, cover: Image.Image, side: int) -> None:
    shift = int(2 + side * rng.uniform(0.02, 0.1))
    soft = ImageChops.offset(cover, shift // 2, shift).filter(ImageFilter.GaussianBlur(3))
    picture *= 1 - float(rng.uniform(0.2, 0.5)) * np.asarray(soft, np.float32)[..., None] / 255


def cluttered_scene(
    rng: np.random.Generator, side: int = 256, outlines: Sequence[NDArray[np.uint8]] = ()
) -> tuple[Floats, list[Floats]]:
    """Draw 1 to 5 filled silhouettes on leaves: the photograph-like training scene.

    Returns:
        The picture, and the visible coverage of each silhouette.
    """
    back = leaves(rng, side) if rng.random() < 0.75 else shade(rng, texture(rng, side))
    masks: list[Floats] = []
    picture = drop_shapes(rng, back, masks, int(rng.integers(1, 6)), outlines)
    return photographic(rng, picture), masks


def photographic(rng: np.random.Generator, picture: Floats) -> Floats:
    """Change colours and pixels as a camera does: paler, contrast, blur, grain.

    The result is clipped to [0, 255].
    """
    if rng.random() < 0.7:
        grey = picture.mean(2, keepdims=True)
        picture = grey + (picture - grey) * np.float32(rng.uniform(0.0, 0.8))
    picture = (picture - 128) * np.float32(rng.uniform(0.6, 1.2)) + 128 + rng.uniform(-25, 25)
    picture = np.clip(picture, 0, 255)
    if rng.random() < 0.3:
        soft = Image.fromarray(picture.astype(np.uint8))
        soft = soft.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.4, 1.2))))
        picture = np.asarray(soft, np.float32)
    if rng.random() < 0.4:
        grain = rng.standard_normal(picture.shape, np.float32)
        picture = picture + np.float32(rng.uniform(2, 12)) * grain
    return np.asarray(np.clip(picture, 0, 255), np.float32)
