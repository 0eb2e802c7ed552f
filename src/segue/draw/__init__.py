"""Draw regions on a picture: soft fills, crisp outlines, boxes, and labels that stay legible.

Lines and letters grow with the picture, so that a thumbnail and a photograph look alike. Phrases
have colours (palette.py); several objects of one phrase get shades of it and numbers.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
import PIL.Image
from PIL import ImageDraw

from segue.draw.label import Label, draw_labels
from segue.draw.palette import Colour, contrast_colour, key, palette, shade
from segue.errors import InputError
from segue.values.box import Box, Size
from segue.values.image import Image
from segue.values.mask import Mask
from segue.values.region import Region


@dataclass(frozen=True, slots=True)
class _RegionStyle:
    """How one region is drawn."""

    region: Region
    fill: Colour
    """The colour of its phrase."""
    colour: Colour
    """A shade of it, its own among the objects of the phrase."""
    label: Label


def draw_regions(
    image: Image,
    regions: Sequence[Region],
    *,
    masks: bool = True,
    boxes: bool = True,
    labels: bool = True,
    alpha: float = 0.4,
    colours: Mapping[str, Colour] | None = None,
) -> PIL.Image.Image:
    """Draw regions on a copy of a picture.

    Args:
        image: the picture.
        regions: what to draw; all on this picture, whatever their `image` index.
        masks: fill and outline the masks.
        boxes: draw the boxes (or quadrilaterals).
        labels: write the phrases; left out on pictures too small to hold a letter.
        alpha: opacity of the fills, 0 to 1.
        colours: of regions by their ids, which stand behind the phrases then; None: by phrase.

    Returns:
        A PIL image of the same size, mode RGB.

    Raises:
        InputError: alpha is out of range, or a mask has not the size of the picture.
    """
    if not 0 <= alpha <= 1:
        raise InputError(f"alpha must lie between 0 and 1, got {alpha}.")
    for region in regions:
        if region.mask is not None and region.mask.size != image.size:
            raise InputError(
                f"The mask of region {region.id} has the size {tuple(region.mask.size)}, the "
                f"picture {tuple(image.size)} (height, width). Draw it on its own picture."
            )
    styles = _region_styles(regions) if colours is None else _styles_by_id(regions, colours)
    picture = image.to_pil()
    line = line_width(image.size)
    if masks:
        masked = [(style.region.mask, style) for style in styles if style.region.mask is not None]
        masked.sort(key=lambda pair: -pair[0].area)  # small ones on top
        for mask, style in masked:
            _fill(picture, mask, style.fill, alpha)
        for mask, style in masked:
            _outline(picture, mask, style.colour, line)
    if boxes:
        for style in styles:
            _frame(picture, style, line, thin=masks and style.region.mask is not None)
    if labels:
        draw_labels(picture, [style.label for style in styles])
    return picture


def line_width(size: Size) -> float:
    """Width of outlines for a picture, in pixels."""
    return max(1.2, sqrt(size.height * size.width) / 300)


def _region_styles(regions: Sequence[Region]) -> list[_RegionStyle]:
    colours = palette(region.phrase for region in regions)
    totals = Counter(key(region.phrase) for region in regions)
    counts: Counter[str] = Counter()
    styles = []
    for region in regions:
        kind = key(region.phrase)
        colour = shade(colours[region.phrase], counts[kind])
        counts[kind] += 1
        text = region.phrase.strip() or region.id
        number = f" {counts[kind]}" if totals[kind] > 1 and kind else ""
        label = Label(text, number, region.box, colour)
        styles.append(_RegionStyle(region, colours[region.phrase], colour, label))
    return styles


def _styles_by_id(regions: Sequence[Region], colours: Mapping[str, Colour]) -> list[_RegionStyle]:
    """Return styles in which a region looks alike on every picture it is on."""
    styles = []
    for region in regions:
        phrase, colour = region.phrase.strip(), colours[region.id]
        label = Label(phrase or region.id, f" {region.id}" if phrase else "", region.box, colour)
        styles.append(_RegionStyle(region, colour, colour, label))
    return styles


def _window(mask: Mask, margin: int) -> tuple[slice, slice] | None:
    """Rows and columns around a mask's pixels; None when it is empty."""
    box = mask.box
    if box is None:
        return None
    y0, x0 = max(int(box.y0) - margin, 0), max(int(box.x0) - margin, 0)
    return slice(y0, int(box.y1) + margin), slice(x0, int(box.x1) + margin)


def _fill(picture: PIL.Image.Image, mask: Mask, colour: Colour, alpha: float) -> None:
    window = _window(mask, 0)
    if window is not None:
        _paint(picture, mask.array[window] * np.uint8(round(alpha * 255)), window, colour)


def _outline(picture: PIL.Image.Image, mask: Mask, colour: Colour, line: float) -> None:
    """Draw a coloured line along the mask's edge between two thin contrasting ones, antialiased."""
    import cv2

    halo = max(line * 0.5, 0.8)
    window = _window(mask, int(line + 2 * halo) + 3)
    if window is None:
        return
    inside = np.pad(mask.array[window].astype(np.uint8), 1)
    within = cv2.distanceTransform(inside, cv2.DIST_L2, 5)
    without = cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5)
    # Signed distance of a pixel's centre to the edge; blurring it takes the steps out of slants.
    distance = within - without + (np.float32(0.5) - inside)
    distance = abs(cv2.GaussianBlur(distance, (0, 0), max(line * 0.4, 0.6))[1:-1, 1:-1])
    for half, ink in ((line / 2 + halo, contrast_colour(colour)), (line / 2, colour)):
        cover = np.clip((half + 0.5 - distance) * 255, 0, 255).astype(np.uint8)
        _paint(picture, cover, window, ink)


def _paint(
    picture: PIL.Image.Image, cover: np.ndarray, window: tuple[slice, slice], colour: Colour
) -> None:
    """Lay a colour over a part of the picture; `cover` is (h, w) uint8, 255 is opaque."""
    rows, columns = window
    picture.paste(colour, (columns.start, rows.start), PIL.Image.fromarray(cover))


def _frame(picture: PIL.Image.Image, style: _RegionStyle, line: float, thin: bool) -> None:
    draw = ImageDraw.Draw(picture)
    width = max(1, round(line * (0.6 if thin else 1)))
    edge = max(1, round(line * 0.35))
    if style.region.quad and len(style.region.quad) >= 3:
        corners = [*style.region.quad, style.region.quad[0]]
        draw.line(corners, contrast_colour(style.colour), width + 2 * edge, joint="curve")
        draw.line(corners, style.colour, width, joint="curve")
        return
    box = style.region.box.clipped(Size(picture.height, picture.width))
    x0, y0, x1, y1 = _pixel_corners(box, picture)
    draw.rectangle(
        (x0 - edge, y0 - edge, x1 + edge, y1 + edge),
        outline=contrast_colour(style.colour),
        width=width + 2 * edge,
    )
    draw.rectangle((x0, y0, x1, y1), outline=style.colour, width=width)


def _pixel_corners(box: Box, picture: PIL.Image.Image) -> tuple[int, int, int, int]:
    """First and last pixel covered, as Pillow wants them; at least one pixel."""
    x0 = min(int(box.x0 + 0.5), picture.width - 1)
    y0 = min(int(box.y0 + 0.5), picture.height - 1)
    return x0, y0, max(int(box.x1 + 0.5) - 1, x0), max(int(box.y1 + 0.5) - 1, y0)
