"""What an edit can do: one function each, painting on a canvas through a mask."""

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite, sqrt
from typing import Any, Literal

import numpy as np
import PIL.Image
from PIL import ImageColor, ImageOps

from segue.draw.palette import Colour
from segue.edit.inpaint import Inpainter
from segue.errors import InputError
from segue.values.box import Box, Size
from segue.values.image import Image
from segue.values.mask import Mask

Where = Literal["object", "rest"]
"""Whether an effect goes onto the object or onto everything else."""


@dataclass
class Canvas:
    """A picture being edited, and what the operations may use."""

    colours: np.ndarray
    """(H, W, 3) uint8 RGB."""
    opacity: np.ndarray | None
    """(H, W) float32 in [0, 1]; None while everything is opaque."""
    pictures: dict[str, Image]
    """For new backgrounds, by name."""
    inpainter: Inpainter
    crop: Box | None = None
    """Cut to this box at the end."""

    @property
    def size(self) -> Size:
        height, width, _ = self.colours.shape
        return Size(height, width)

    def blend(self, painted: np.ndarray, cover: np.ndarray) -> None:
        """Lay (H, W, 3) colours over the canvas; `cover` is (H, W) float32 in [0, 1]."""
        mixed = self.colours + (painted - self.colours.astype(np.float32)) * cover[:, :, None]
        self.colours = np.rint(np.clip(mixed, 0, 255)).astype(np.uint8)

    def picture(self) -> PIL.Image.Image:
        """Return the result: mode RGB, or RGBA when something is transparent."""
        picture = PIL.Image.fromarray(self.colours)
        if self.opacity is not None:
            opacity = np.rint(self.opacity * 255).astype(np.uint8)
            picture.putalpha(PIL.Image.fromarray(opacity))
        if self.crop is not None:
            x0, y0, x1, y1 = (int(corner) for corner in self.crop.corners)
            picture = picture.crop((x0, y0, x1, y1))
        return picture


def cut_out(
    canvas: Canvas, mask: Mask, *, feather: float | None = None, crop: bool = False
) -> None:
    """Keep the object, make everything else transparent.

    Args:
        feather: width of the soft edge in pixels; by default a little, growing with the picture.
        crop: cut the picture to the object as well, once all edits are painted.
    """
    cover = _cover(mask, feather, "object")
    canvas.colours = _without_fringe(canvas.colours, mask, cover, feather)
    cover = cover if canvas.opacity is None else canvas.opacity * cover
    canvas.opacity = cover
    seen = cover >= 1 / 510
    canvas.colours[~seen] = 0  # what is cut away shall not be in the file
    if crop:
        canvas.crop = Mask(seen).box
        if canvas.crop is None:
            raise InputError("The mask is empty, there is nothing to crop to.")


def blur(
    canvas: Canvas,
    mask: Mask,
    *,
    strength: float | None = None,
    where: Where = "object",
    feather: float | None = None,
) -> None:
    """Blur the object, or everything else.

    Colours do not leak over the edge: what lies across it is left out of the blur.

    Args:
        strength: standard deviation of the blur in pixels; by default a fortieth of the picture.
        where: "object" or "rest".
    """
    sigma = _read_amount(
        "strength", strength, sqrt(mask.size.height * mask.size.width) / 40, 0.1, 1000
    )
    cover = _cover(mask, feather, where)
    inside = mask.array if where == "object" else ~mask.array
    canvas.blend(_spread(canvas.colours, inside, sigma), cover)


def recolour(
    canvas: Canvas,
    mask: Mask,
    *,
    colour: str | None = None,
    amount: float = 1.0,
    where: Where = "object",
    feather: float | None = None,
) -> None:
    """Give the object, or everything else, another colour; light and shade stay.

    Args:
        colour: a name or "#rrggbb"; None takes the colour out and leaves grey.
        amount: 0 changes nothing, 1 all.
        where: "object" or "rest".
    """
    import cv2

    share = _read_amount("amount", amount, 1.0, 0, 1)
    cover = _cover(mask, feather, where)
    inside = mask.array if where == "object" else ~mask.array
    lab = cv2.cvtColor(canvas.colours.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    if colour is None:
        lab[:, :, 1:] = 0
    elif inside.any():
        aim = np.array([[_read_colour(colour)]], np.float32) / 255
        light, *tint = cv2.cvtColor(aim, cv2.COLOR_RGB2LAB)[0, 0].tolist()
        lightness = lab[:, :, 0][inside]
        # Shift the lightness most of the way; keep its differences, which are the object's form.
        lab[:, :, 0] = np.clip(lab[:, :, 0] + 0.7 * (light - float(lightness.mean())), 0, 100)
        lab[:, :, 1:] = tint
    painted = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB) * 255
    canvas.blend(painted, cover * np.float32(share))


def erase(
    canvas: Canvas,
    mask: Mask,
    *,
    grow: float | None = None,
    prompt: str = "",
    seed: int | None = None,
    feather: float | None = None,
) -> None:
    """Take the object away and fill the hole with what may be behind it.

    Args:
        grow: widen the hole by so many pixels, for shadows and soft edges; by default a little.
        prompt: what should be there, for inpainters that read.
        seed: for inpainters that throw dice.
    """
    import cv2

    margin = _read_amount("grow", grow, max(3.0, 5 * _unit(mask.size)), 0, 1000)
    hole = mask.array
    if margin and hole.any():
        distance = cv2.distanceTransform((~hole).astype(np.uint8), cv2.DIST_L2, 5)
        hole = distance <= margin
    filled = canvas.inpainter.fill(canvas.colours, hole, prompt=str(prompt), seed=seed)
    # The fade lies on the hole's rim, in the margin, so that nothing of the object shines through.
    cover = _cover(Mask(hole), min(_width(feather, mask.size), margin), "object")
    canvas.blend(filled, np.maximum(cover, mask.array))


def background(
    canvas: Canvas,
    mask: Mask,
    *,
    colour: str | None = None,
    picture: str | None = None,
    feather: float | None = None,
) -> None:
    """Put the object before a plain colour or another picture.

    Args:
        colour: a name or "#rrggbb".
        picture: the name of one of the pictures given to `apply`; it is scaled to cover the canvas
            and cut in the middle.
    """
    if (colour is None) == (picture is None):
        raise InputError("Give either a 'colour' or a 'picture' for the background.")
    if picture is not None:
        if picture not in canvas.pictures:
            picture_names = ", ".join(canvas.pictures) or "none"
            raise InputError(
                f"There is no picture {picture!r} to put behind. Given: {picture_names}."
            )
        size_wh = (mask.size.width, mask.size.height)
        behind = ImageOps.fit(canvas.pictures[picture].to_pil(), size_wh)
        painted = np.asarray(behind)
    else:
        painted = np.broadcast_to(np.array(_read_colour(colour), np.uint8), canvas.colours.shape)
    cover = _cover(mask, feather, "object")
    canvas.colours = _without_fringe(canvas.colours, mask, cover, feather)
    if canvas.opacity is not None:
        cover = cover * canvas.opacity
        canvas.opacity = None
    canvas.blend(painted, 1 - cover)


OPERATIONS: dict[str, Callable[..., None]] = {
    "cut_out": cut_out,
    "blur": blur,
    "recolour": recolour,
    "erase": erase,
    "background": background,
}


def _cover(mask: Mask, feather: float | None, where: Where) -> np.ndarray:
    """How much of each pixel belongs to the object, or to the rest: (H, W) float32 in [0, 1]."""
    import cv2

    if where not in ("object", "rest"):
        raise InputError(f"'where' must be 'object' or 'rest', got {where!r}.")
    width = _width(feather, mask.size)
    cover = mask.array.astype(np.float32)
    if width > 0:
        cover = np.clip(cv2.GaussianBlur(cover, (0, 0), width / 2), 0, 1)
    return cover if where == "object" else 1 - cover


def _spread(colours: np.ndarray, inside: np.ndarray, sigma: float) -> np.ndarray:
    """Blur the colours of the pixels inside, and carry them outside: (H, W, 3) float32.

    A strong blur is made at a smaller scale, where it costs less and looks the same.
    """
    import cv2

    height, width = inside.shape
    scale = min(1.0, max(6 / sigma, 8 / min(height, width)))
    weight = inside.astype(np.float32) + np.float32(1e-6)
    sums = colours * weight[:, :, None]
    if scale < 1:
        size_wh = (max(1, round(width * scale)), max(1, round(height * scale)))
        sums = cv2.resize(sums, size_wh, interpolation=cv2.INTER_AREA)
        weight = cv2.resize(weight, size_wh, interpolation=cv2.INTER_AREA)
    sums = cv2.GaussianBlur(sums, (0, 0), sigma * scale)
    weight = cv2.GaussianBlur(weight, (0, 0), sigma * scale)
    spread = sums / np.maximum(weight, 1e-9)[:, :, None]
    return cv2.resize(spread, (width, height)) if scale < 1 else spread


def _without_fringe(
    colours: np.ndarray, mask: Mask, cover: np.ndarray, feather: float | None
) -> np.ndarray:
    """Give the soft edge outside the object the object's colours instead of its surroundings'."""
    fringe = (cover > 0) & ~mask.array
    if not fringe.any() or mask.is_empty:
        return colours.copy()
    mended = colours.copy()
    spread = _spread(colours, mask.array, max(1.0, _width(feather, mask.size)))
    mended[fringe] = np.rint(np.clip(spread[fringe], 0, 255)).astype(np.uint8)
    return mended


def _width(feather: float | None, size: Size) -> float:
    """Width of a soft edge; by default one that looks clean without looking blurred."""
    return _read_amount("feather", feather, max(1.2, 1.5 * _unit(size)), 0, 1000)


def _unit(size: Size) -> float:
    """Return the length that is one pixel on a picture 600 pixels wide."""
    return sqrt(size.height * size.width) / 600


def _read_amount(name: str, value: Any, default: float, low: float, high: float) -> float:
    if value is None:
        return default
    is_finite_number = (
        isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    )
    if not is_finite_number or not low <= value <= high:
        raise InputError(f"{name!r} must be a number from {low:g} to {high:g}, got {value!r}.")
    return float(value)


def _read_colour(text: Any) -> Colour:
    try:
        red, green, blue = ImageColor.getrgb(text)[:3]
    except (ValueError, AttributeError, TypeError) as error:
        raise InputError(
            f"{text!r} is not a colour. Give a name like 'teal' or a code like '#008080'."
        ) from error
    return red, green, blue
