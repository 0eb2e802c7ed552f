"""How values show themselves in a notebook: HTML with the picture in it.

Everything that comes from a model or a file is escaped. Pictures are made smaller for the page; the
values keep theirs.
"""

import base64
from collections.abc import Iterable, Sequence
from html import escape

import PIL.Image

from segue.draw import draw_regions
from segue.draw.palette import contrast_colour, palette
from segue.files.counts import count_noun
from segue.values.image import Image
from segue.values.image.conversion import png_thumbnail
from segue.values.region import Region

LONGEST_SIDE = 640
"""Of a picture in a notebook, in pixels."""


def picture_html(image: Image, regions: Sequence[Region] = ()) -> str:
    """Return an `<img>` of a picture with its regions drawn on it."""
    picture = draw_regions(image, regions) if regions else image.to_pil()
    alternative = f"{image.name or 'picture'}, {count_noun(len(regions), 'region')}"
    return _img(picture, alternative)


def words_html(text: str, regions: Iterable[Region]) -> str:
    """Return words in which phrases have the colours that their regions are drawn in.

    >>> words_html("A dog & a cat.", [])
    'A dog &amp; a cat.'
    """
    regions = list(regions)
    colours = palette(region.phrase for region in regions)
    spans = {region.span: colours[region.phrase] for region in regions if region.span is not None}
    parts, at = [], 0
    for (start, end), colour in sorted(spans.items()):
        if start < at or end > len(text):
            continue
        red, green, blue = colour
        ink = contrast_colour(colour)
        parts.append(escape(text[at:start]))
        parts.append(
            f'<span style="background:rgb({red},{green},{blue});color:rgb{ink};'
            f'padding:0 .2em;border-radius:.2em">{escape(text[start:end])}</span>'
        )
        at = end
    return "".join([*parts, escape(text[at:])])


def region_table_html(regions: Sequence[Region]) -> str:
    """Return a table of regions: id, phrase, score, box and area."""
    rows = []
    for region in regions:
        score = "" if region.score is None else f"{region.score:.2f}"
        box = ", ".join(f"{value:.0f}" for value in region.box.corners)
        area = "" if region.mask is None else f"{region.mask.area:,} px"
        cells = (region.id, region.phrase, score, box, area)
        rows.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    head = "".join(f"<th>{name}</th>" for name in ("id", "phrase", "score", "box", "area"))
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>" if rows else ""


def not_found_html(phrases: Iterable[str]) -> str:
    """Return a line that says what is not in the picture; nothing where there is nothing to say."""
    names = ", ".join(escape(phrase) for phrase in phrases)
    return f"<p>not in the picture: {names}</p>" if names else ""


def figure_html(*parts: str) -> str:
    """Return parts one below the other, as one block."""
    return '<div style="max-width:50em">' + "".join(part for part in parts if part) + "</div>"


def _img(picture: PIL.Image.Image, alternative: str) -> str:
    data = base64.b64encode(png_thumbnail(picture, LONGEST_SIDE)).decode("ascii")
    return f'<img alt="{escape(alternative)}" src="data:image/png;base64,{data}">'
