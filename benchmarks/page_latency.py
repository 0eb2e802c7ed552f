"""From a click on the page to its new mask on the screen, in a real browser.

Needs Chromium, Playwright and the extra `serve`; starts a server with the embedded models.
"""

import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

CLICKS = 30

WATCH = r"""() => {
  const words = document.getElementById("draft-words");
  const canvas = document.getElementById("canvas");
  window.times = [];
  let clicked = 0;
  canvas.addEventListener("pointerup", () => { clicked = performance.now(); }, true);
  new MutationObserver(() => {
    if (!clicked || !/\d|Nothing/.test(words.textContent)) return;
    const since = clicked;
    clicked = 0;
    // The canvas is painted in the next frame; the one after that has it on the screen.
    const seen = () => window.times.push(performance.now() - since);
    requestAnimationFrame(() => requestAnimationFrame(seen));
  }).observe(words, { childList: true });
}"""
"""Notes the time from each click to the frame that shows its mask."""


def main() -> None:
    """Print the median and the slowest of some clicks on one picture."""
    from playwright.sync_api import sync_playwright

    with served() as address, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = chromium.new_page(viewport={"width": 1280, "height": 800}, locale="en-GB")
        page.goto(address)
        page.locator('#start [data-key="table"]').click()
        page.locator('button[data-tool="click"]').click()
        page.evaluate(WATCH)
        times = [click(page, number) for number in range(CLICKS + 1)][1:]  # the first encodes
        chromium.close()
    print(
        f"click to new mask on the page: median {statistics.median(times):.0f} ms, "
        f"slowest {max(times):.0f} ms of {CLICKS}"
    )


def click(page: Any, number: int) -> float:
    """Click somewhere, wait for the mask, forget it; milliseconds from click to screen."""
    canvas = page.locator("#canvas").bounding_box()
    x = canvas["x"] + canvas["width"] * (0.25 + 0.5 * ((number * 0.618) % 1))
    y = canvas["y"] + canvas["height"] * (0.45 + 0.4 * ((number * 0.324) % 1))
    page.mouse.click(x, y)
    page.wait_for_function("(n) => window.times.length > n", arg=number)
    page.keyboard.press("Escape")
    return float(page.evaluate("window.times.at(-1)"))


@contextmanager
def served() -> Iterator[str]:
    """Start a server and yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as data:
        command = [sys.executable, "-m", "segue.cli", "serve", "--no-key", "--port", str(port)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(
            [*command, "--data", data], stdout=subprocess.DEVNULL, env=environment
        )
        try:
            wait_for(f"http://127.0.0.1:{port}", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


def wait_for(address: str, process: "subprocess.Popen[bytes]") -> None:
    """Return when the server is ready."""
    while True:
        try:
            urllib.request.urlopen(f"{address}/readyz").close()
            return
        except (urllib.error.URLError, ConnectionError):
            if process.poll() is not None:
                raise SystemExit("The server does not start; try: segue serve") from None
            time.sleep(0.1)


if __name__ == "__main__":
    main()
