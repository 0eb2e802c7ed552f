"""Make docs/images/page-video.webp: a real run of the page of films with the bundled models.

    apt-get install chromium && pip install playwright
    PYTHONPATH=.:tests python scripts/picture_film_page.py docs/images/page-video.webp

The film is a clip of `benchmarks/video_tracking.py`. The giraffe passes behind the train and is
lost there; it is corrected with a box. Then the chat model is asked for the train, which can be
added to what is followed.
"""

import io
import sys
import tempfile
from pathlib import Path

import numpy as np
import PIL.Image
from playwright.sync_api import Page, ViewportSize, expect
from record_tour import open_page

from lab.scenes.clips import HEIGHT, WIDTH, draw_clip
from lab.scenes.sprites import shipped_bank
from segue.values.box import Box, Size
from segue.values.mask import Mask
from segue.video.writing import write_film

SIZE: ViewportSize = {"width": 1400, "height": 900}
SEED = (2027, 0)
"""Of the clip: a giraffe passes behind a train, a dog goes its own way."""
CORRECTED = 46
"""The frame on which the giraffe is seen again, and corrected."""
FOLLOW_MS = 120_000


def write_clip(file: Path) -> Box:
    """Write the clip as a film of 25 frames a second; the giraffe's box on `CORRECTED`."""
    clip = draw_clip(np.random.default_rng(SEED), shipped_bank())
    giraffe = clip.names.index("giraffe")
    with write_film(file, Size(HEIGHT, WIDTH)) as film:
        for number, (pixels, labels) in enumerate(clip.frames()):
            film.add(pixels, number / 25)
            if number == CORRECTED:
                box = Mask(labels == giraffe).box
    assert box is not None
    return box


def go_to(page: Page, number: int) -> None:
    """Show a frame."""
    page.locator("#slider").fill(str(number))
    page.locator(f'#canvas[data-shown="{number}"]').wait_for()


def on_screen(page: Page, x: float, y: float) -> tuple[float, float]:
    """Return where a pixel of the frame is on the screen, while the whole frame is shown."""
    canvas, tools = page.locator("#canvas").bounding_box(), page.locator(".tools").bounding_box()
    assert canvas is not None
    assert tools is not None
    left = tools["x"] + tools["width"] - canvas["x"]
    width = canvas["width"] - left
    scale = min((width - 24) / WIDTH, (canvas["height"] - 24) / HEIGHT, 16)
    return (
        canvas["x"] + left + (width - WIDTH * scale) / 2 + x * scale,
        canvas["y"] + (canvas["height"] - HEIGHT * scale) / 2 + y * scale,
    )


def wait_until_followed(page: Page) -> None:
    """Wait until nothing is being followed any more."""
    page.locator(".track").first.wait_for(timeout=FOLLOW_MS)
    page.locator('body[data-following="false"]').wait_for(timeout=FOLLOW_MS)


def follow_correct_and_ask(page: Page, film: Path, giraffe: Box) -> None:
    """Do on the page what the picture shows."""
    page.set_input_files("#file", film)
    page.locator('#canvas[data-shown="0"]').wait_for()
    page.locator("#phrases").fill("dog, giraffe")
    page.keyboard.press("Enter")
    wait_until_followed(page)
    go_to(page, CORRECTED)
    page.locator(".track", has_text="giraffe").click()
    page.locator('[data-tool="box"]').click()
    page.mouse.move(*on_screen(page, giraffe.x0, giraffe.y0))
    page.mouse.down()
    page.mouse.move(*on_screen(page, giraffe.x1, giraffe.y1), steps=4)
    page.mouse.up()
    page.locator("#draft-keep").click()
    expect(page.locator('.strip canvas[aria-label*="corrected"]')).to_have_count(1)
    wait_until_followed(page)
    go_to(page, 59)
    page.locator("#question").fill("Frame the train.")
    page.keyboard.press("Enter")
    page.locator("#answer .phrase").first.click(timeout=FOLLOW_MS)
    expect(page.locator("#things .chip")).to_have_attribute("data-state", "seen")
    page.mouse.move(0, 0)
    page.wait_for_load_state("networkidle")


def main(target: Path) -> None:
    """Start a server, use the page, and write the picture."""
    with tempfile.TemporaryDirectory() as folder, open_page("/video", SIZE) as page:
        film = Path(folder) / "clip.mp4"
        follow_correct_and_ask(page, film, write_clip(film))
        picture = PIL.Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        picture.save(target, quality=80, method=6)
        print(f"{target}: {picture.width} x {picture.height}, {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
