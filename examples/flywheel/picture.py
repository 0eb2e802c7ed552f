"""Draw what the chat model found on the same pictures before and after: `before_after.png`.

python -m examples.flywheel.picture runs/flywheel
"""

import argparse
from pathlib import Path

import PIL.Image
from PIL import ImageDraw

from segue.draw import draw_regions
from segue.draw.lettering import font_for
from segue.runs.store import RunStore
from segue.values.image import Image

SIDE, MARGIN, COUNT = 192, 6, 6


def main() -> None:
    """Read the command line and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="the folder of a turn")
    parser.add_argument("--to", type=Path, default=Path(__file__).with_name("before_after.png"))
    options = parser.parse_args()
    sheet(options.out).quantize(128).save(options.to, optimize=True)


def sheet(out: Path) -> PIL.Image.Image:
    """Return a sheet of the first pictures, unselected: above before, below after."""
    size = ((SIDE + MARGIN) * COUNT + MARGIN, (SIDE + 22) * 2 + MARGIN)
    picture = PIL.Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(picture)
    for row, side in enumerate(("before", "after")):
        store = RunStore(out / f"second-{side}-chat")
        results = sorted(store.results(), key=lambda result: result.name)[:COUNT]
        for column, result in enumerate(results):
            image = Image.open(out / "second" / result.name)
            left, top = MARGIN + column * (SIDE + MARGIN), row * (SIDE + 22) + MARGIN
            drawn = draw_regions(image, result.regions).convert("RGB")
            picture.paste(drawn.resize((SIDE, SIDE)), (left, top))
            names = ", ".join(region.phrase for region in result.regions) or "nothing"
            text = f"{side}: {names}"
            pen.text((left, top + SIDE + 2), text[:30], fill="black", font=font_for(text, 12))
    return picture


if __name__ == "__main__":
    main()
