"""Record docs/images/tour.webp: a real run of the web page with the bundled models, about 20 s.

    apt-get install chromium && pip install playwright
    PYTHONPATH=tests python scripts/record_tour.py docs/images/tour.webp

Answers, masks and edits are those of the models, at the speed at which they came on the machine
that recorded; a frame is shown for as long as it took, and at least 60 ms. Only the mouse pointer,
which screenshots leave out, is drawn in, and pauses give time to read.
"""

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import PIL.Image
from PIL import ImageChops, ImageDraw
from playwright.sync_api import Locator, Page, ViewportSize, expect, sync_playwright

from page_steps import on_canvas

SIZE: ViewportSize = {"width": 960, "height": 600}
SCENE = "meadow"
MOST_BYTES = 1_500_000
FRAME_MS = 60
POINTER = [(0, 0), (0, 17), (4, 13), (7, 20), (10, 19), (7, 12), (13, 12)]
"""Corners of the mouse pointer, from its tip."""


class Recorder:
    """Collects pictures of a page, each with the time that it is shown."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.pointer = (SIZE["width"] * 0.7, SIZE["height"] * 0.8)
        self.frames: list[PIL.Image.Image] = []
        self.times_ms: list[int] = []
        self._screen = self._screenshot()

    def hold(self, shown_ms: int) -> None:
        """Show the page as it is for a while."""
        self._screen = self._screenshot()
        self._add(shown_ms)

    def move(self, x: float, y: float, steps: int = 8) -> None:
        """Bring the mouse somewhere."""
        x0, y0 = self.pointer
        for step in range(1, steps + 1):
            share = step / steps
            share = share * share * (3 - 2 * share)  # it starts and ends slowly
            self.pointer = (x0 + (x - x0) * share, y0 + (y - y0) * share)
            self._add(FRAME_MS)
        self.page.mouse.move(x, y)
        self.hold(200)

    def click(self, place: Locator) -> None:
        """Bring the mouse to the middle of something, and click."""
        box = place.bounding_box()
        self.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        self.page.mouse.click(*self.pointer)

    def type(self, text: str) -> None:
        """Type a question, a few letters a frame, and send it."""
        self.click(self.page.locator("#question"))
        for at in range(0, len(text), 3):
            self.page.keyboard.type(text[at : at + 3])
            self.hold(2 * FRAME_MS)
        expect(self.page.locator("#ask")).to_be_enabled(timeout=40_000)
        self.hold(300)
        self.page.keyboard.press("Enter")

    def watch(self, end: Locator, *, state: str = "visible") -> None:
        """Record what happens until something is there (or gone), at its own speed."""
        until = time.monotonic() + 60
        while time.monotonic() < until:
            started = time.monotonic()
            is_over = end.is_visible() == (state == "visible")
            self._screen = self._screenshot()
            self._add(max(FRAME_MS, round((time.monotonic() - started) * 1000)))
            if is_over:
                return
        raise TimeoutError(f"{end} did not become {state}")

    def save(self, file: Path) -> None:
        """Write the animation, as good as it may be within its size."""
        for quality in (80, 65, 50, 35):
            self.frames[0].save(
                file, save_all=True, append_images=self.frames[1:], duration=self.times_ms,
                loop=0, quality=quality, method=4, minimize_size=True,
            )  # fmt: skip
            if file.stat().st_size <= MOST_BYTES:
                seconds = sum(self.times_ms) / 1000
                print(f"{file}: {len(self.frames)} frames, {seconds:.1f} s, quality {quality}, "
                      f"{file.stat().st_size:,} bytes")  # fmt: skip
                return
        raise SystemExit(f"{file} is larger than {MOST_BYTES:,} bytes. Record less.")

    def _screenshot(self) -> PIL.Image.Image:
        return PIL.Image.open(io.BytesIO(self.page.screenshot())).convert("RGB")

    def _add(self, shown_ms: int) -> None:
        frame = self._screen.copy()
        x, y = self.pointer
        corners = [(x + dx, y + dy) for dx, dy in POINTER]
        ImageDraw.Draw(frame).polygon(corners, fill="black", outline="white")
        if self.frames and ImageChops.difference(frame, self.frames[-1]).getbbox() is None:
            self.times_ms[-1] += shown_ms
            return
        self.frames.append(frame)
        self.times_ms.append(shown_ms)


def tour(page: Page) -> Recorder:
    """Do on the page what the animation shows."""
    record = Recorder(page)
    finished = page.locator("#log article:not(#reply)")
    record.hold(900)
    record.click(page.locator(f'#start [data-key="{SCENE}"]'))
    page.locator("#workbench").wait_for()
    record.hold(800)
    record.type("Frame the dog in the picture.")
    record.watch(finished.nth(0))
    record.watch(page.locator("#reply"), state="hidden")
    record.hold(1500)
    record.click(page.locator('button[data-tool="click"]'))
    record.move(*on_canvas(page, 455, 270))
    page.mouse.click(*record.pointer)
    expect(page.locator("#draft-keep")).to_be_enabled()
    record.hold(700)
    page.locator("#draft-name").fill("sheep")
    record.hold(500)
    record.click(page.locator("#draft-keep"))
    expect(page.locator(".chip")).to_have_count(2)
    record.hold(1000)
    record.type("blur all but the dog")
    record.watch(finished.nth(1))
    record.watch(page.locator("#reply"), state="hidden")
    page.wait_for_load_state("networkidle")
    record.hold(1800)
    record.click(page.locator("#export summary"))
    record.hold(2000)
    return record


@contextmanager
def open_page(path: str, size: ViewportSize) -> Iterator[Page]:
    """Open a page of a server with the bundled models that keeps nothing; both end with the block.

    Args:
        path: of the page, "/" or "/video".
        size: of the window.
    """
    chromium = os.environ.get("SEGUE_CHROMIUM") or shutil.which("chromium")
    with tempfile.TemporaryDirectory() as data, sync_playwright() as playwright:
        command = [sys.executable, "-m", "segue.cli", "serve", "--no-key", "--port", "0"]
        server = subprocess.Popen(
            [*command, "--data", data],
            stdout=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "200"},
        )  # fmt: skip
        try:
            address = next(
                found[1] for line in server.stdout
                if (found := re.search(r"Listening on (http://[\d.:]+)", line))
            )  # fmt: skip
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page(viewport=size, locale="en-GB")
            page.goto(address + path)
            page.wait_for_selector("html[data-ready]")
            yield page
            browser.close()
        finally:
            server.terminate()
            server.wait(30)


def main(target: Path) -> None:
    """Start a server, record, and write the animation."""
    with open_page("/", SIZE) as page:
        page.locator(f'#start [data-key="{SCENE}"]').wait_for()
        page.wait_for_load_state("networkidle")
        tour(page).save(target)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
