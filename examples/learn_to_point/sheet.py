"""Answers side by side: the picture with what came back, what was asked, what was said."""

from collections.abc import Sequence

from PIL import Image, ImageDraw

from segue.draw.lettering import font_for

SIDE, MARGIN, LINE, ROW = 224, 12, 18, 3


def sheet(answers: Sequence[tuple[str, str, Image.Image]]) -> Image.Image:
    """Draw a sheet of (question, reply, picture), three in a row."""
    rows = -(-len(answers) // ROW)
    wide, high = SIDE + MARGIN, SIDE + 4 * LINE + MARGIN
    page = Image.new("RGB", (ROW * wide + MARGIN, rows * high + MARGIN), "white")
    pen = ImageDraw.Draw(page)
    for number, (question, reply, picture) in enumerate(answers):
        left, top = MARGIN + number % ROW * wide, MARGIN + number // ROW * high
        page.paste(picture.convert("RGB").resize((SIDE, SIDE)), (left, top))
        for line, text in enumerate([question, *_lines(reply)]):
            place = (left, top + SIDE + 2 + line * LINE)
            pen.text(place, text, fill="black" if line == 0 else "#444", font=font_for(text, 12))
    return page


def _lines(text: str, width: int = 36, most: int = 2) -> list[str]:
    flat = " ".join(text.split())
    return [flat[start : start + width] for start in range(0, len(flat), width)][:most]
