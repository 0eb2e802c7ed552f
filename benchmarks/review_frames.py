"""Frame times of the review page, in a real browser: a small picture, and a large one.

The large picture has 6000 x 4000 pixels and 200 regions. Gestures are played to the page in each
frame, as fast as it draws; what is measured is the time from one frame to the next. Needs Chromium,
Playwright and the extra `serve`.
"""

import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

from benchmarks.page_latency import wait_for
from segue.export import AnnotatedImage
from segue.export.coco import write_coco
from segue.values.box import Size
from segue.values.mask import Mask
from segue.values.region import Region

FRAMES = 120
CLASSES = ["car", "tree", "person", "roof", "boat", "sign", "dog", "lamp"]
SCENES = {"large": (Size(4000, 6000), 200), "small": (Size(480, 640), 5)}

PLAY = """async ([kind, frames]) => {
  const canvas = document.getElementById("canvas");
  const { left, top, width, height } = canvas.getBoundingClientRect();
  const [x, y] = [left + width / 2, top + height / 2];
  const fire = (type, dx, dy, more = {}) => canvas.dispatchEvent(new PointerEvent(type, {
    pointerId: 1, pointerType: "mouse", button: type === "pointermove" ? -1 : 0, buttons: 1,
    clientX: x + dx, clientY: y + dy, bubbles: true, ...more }));
  const wheel = (delta) => canvas.dispatchEvent(new WheelEvent("wheel", {
    deltaY: delta, clientX: x, clientY: y, bubbles: true, cancelable: true }));
  const next = () => new Promise(requestAnimationFrame);
  const at = (n) => [160 * Math.sin(n / 9), 120 * Math.sin(n / 13)];
  const times = [];
  if (kind !== "zoom" && kind !== "hover") fire("pointerdown", 0, 0);
  await next();
  let before = performance.now();
  for (let n = 1; n <= frames; n++) {
    if (kind === "zoom") wheel(n <= frames / 2 ? -60 : 60);
    else fire("pointermove", ...at(n), kind === "hover" ? { buttons: 0 } : {});
    await next();
    const now = performance.now();
    times.push(now - before);
    before = now;
  }
  if (kind !== "zoom" && kind !== "hover") fire("pointerup", ...at(frames));
  await next();
  return [times, performance.now() - before];
}"""


def main() -> None:
    """Print frame times for each gesture and scene."""
    from playwright.sync_api import sync_playwright

    print("frame times in ms: median, 95 %, slowest of", FRAMES)
    for name, (size, count) in SCENES.items():
        with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
            source = write_scene(Path(folder) / "scene", size, count)
            with served(source, Path(folder) / "data") as address:
                chromium = playwright.chromium.launch(
                    executable_path=shutil.which("chromium"), args=["--no-sandbox"]
                )
                title = f"{name}, {size.width} x {size.height}, {count} regions"
                measure(chromium, address, title, count)
                chromium.close()


def measure(chromium: Any, address: str, title: str, count: int) -> None:
    """Print what one scene takes."""
    page = chromium.new_page(viewport={"width": 1400, "height": 900}, locale="en-GB")
    page.goto(address)
    page.locator("dialog input").fill("benchmark")
    page.keyboard.press("Enter")
    page.locator('#canvas:not([data-shown=""])[data-shown][data-complete="true"]').wait_for()
    shown = int(page.locator("#region-count").inner_text())
    assert shown == count, f"{shown} of {count} regions are shown"
    started = time.perf_counter()
    page.reload()
    page.locator('#canvas:not([data-shown=""])[data-shown][data-complete="true"]').wait_for()
    print(f"{title}; page and picture loaded in {time.perf_counter() - started:.1f} s")
    page.wait_for_timeout(1500)  # the smaller sizes of the picture are made meanwhile
    steps = [
        ("move the whole picture", "v", "f", "pan"),
        ("zoom in and out", "v", "f", "zoom"),
        ("point at regions", "v", "f", "hover"),
        ("paint, whole picture in view", "r", "f", "stroke"),
        ("move, close up", "v", "+", "pan"),
        ("paint, close up", "r", "+", "stroke"),
        ("erase, close up", "e", "+", "stroke"),
    ]
    for words, tool, zoom, kind in steps:
        page.locator("#canvas").focus()
        for key in ("Escape", "Escape", "f", "n", tool):
            page.keyboard.press(key)
        for _ in range(8 if zoom == "+" else 0):
            page.keyboard.press("+")
        page.locator('#canvas[data-complete="true"]').wait_for()
        page.wait_for_timeout(300)
        times, last = page.evaluate(PLAY, [kind, FRAMES])
        times.sort()
        slow = times[int(0.95 * len(times))]
        end = f"; letting go {last:.0f}" if kind == "stroke" else ""
        print(f"  {words}: {statistics.median(times):.1f}, {slow:.1f}, {times[-1]:.1f}{end}")
        page.locator('#saving[data-saving="saved"]').wait_for(state="attached")


def write_scene(folder: Path, size: Size, count: int) -> Path:
    """Write a picture of noise and blurs with ellipses of all sizes on it, as a COCO file."""
    folder.mkdir()
    rng = np.random.default_rng(3)
    small = rng.integers(0, 255, (size.height // 40, size.width // 40, 3)).astype(np.uint8)
    picture = PIL.Image.fromarray(small).resize(
        (size.width, size.height), PIL.Image.Resampling.BICUBIC
    )
    picture.save(folder / "scene.jpg", quality=90)
    regions = []
    for number in range(count):
        reach = size.height * rng.uniform(0.02, 0.12, 2)
        middle = rng.uniform((0, 0), (size.width, size.height))
        mask = ellipse(size, middle, reach)
        label = CLASSES[number % len(CLASSES)]
        assert mask.box is not None
        regions.append(Region(f"r{number}", label, mask.box, "detector", mask=mask, score=0.5))
    write_coco([AnnotatedImage("scene.jpg", size, tuple(regions))], folder / "instances.json")
    return folder / "instances.json"


def ellipse(size: Size, middle: np.ndarray, reach: np.ndarray) -> Mask:
    """Return an ellipse with a wavy edge."""
    y, x = np.ogrid[: size.height, : size.width]
    across, down = (x - middle[0]) / reach[0], (y - middle[1]) / reach[1]
    waves = 1 + 0.1 * np.sin(x / 17) * np.sin(y / 23)
    return Mask((across**2 + down**2) < waves)


@contextmanager
def served(source: Path, data: Path) -> Iterator[str]:
    """Start a review and yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "segue.cli", "review", str(source), "--no-key"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "SEGUE_DATA": str(data)}
    process = subprocess.Popen(
        [*command, "--port", str(port)], stdout=subprocess.DEVNULL, env=environment
    )
    try:
        wait_for(f"http://127.0.0.1:{port}", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
