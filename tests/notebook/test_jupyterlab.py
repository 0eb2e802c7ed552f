"""The widget in a real JupyterLab, clicked by a real browser.

Skipped where JupyterLab, anywidget, Chromium or Playwright is not installed. To run it:

    python -m venv --system-site-packages lab && lab/bin/pip install jupyterlab 'segue[notebook]'
    lab/bin/python -m pytest -n 0 tests/notebook/test_jupyterlab.py
"""

import os
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("jupyterlab")
pytest.importorskip("anywidget")
nbformat = pytest.importorskip("nbformat")
playwright = pytest.importorskip("playwright.sync_api")

CELLS = [
    "import segue\n"
    "from segue.embedded.samples import sample\n"
    "from segue.notebook import click_widget, show_answer\n"
    'assistant = segue.load("embedded")\n'
    'conversation = assistant.open(sample("meadow").image)\n'
    "widget = click_widget(conversation)\n"
    "widget",
    'print("kept", [(r.phrase, r.mask.area) for r in widget.conversation.regions])',
    'answer = show_answer(conversation, "Frame the sheep in the picture.")',
]


@pytest.fixture
def lab(tmp_path):
    """The address of a JupyterLab with one notebook."""
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=kernel)
    nbformat.write(notebook, tmp_path / "clicks.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += [f"--ServerApp.port={port}", "--IdentityProvider.token=", "--ip=127.0.0.1"]
    command += [f"--ServerApp.root_dir={tmp_path}"]
    folders = {f"JUPYTER_{kind}_DIR": str(tmp_path / kind) for kind in ("CONFIG", "RUNTIME")}
    with (tmp_path / "lab.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **folders})
    try:
        wait_for(f"http://127.0.0.1:{port}/api", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def wait_for(address: str, process: subprocess.Popen) -> None:
    """Wait until a server answers."""
    while process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            try:
                process.wait(0.3)
            except subprocess.TimeoutExpired:
                continue
    pytest.fail("JupyterLab does not start")


@pytest.fixture
def page(lab, browser):
    page = browser.new_page(viewport={"width": 1300, "height": 1400})
    page.set_default_timeout(60_000)
    page.goto(f"{lab}/lab/tree/clicks.ipynb?reset")
    yield page
    take_screenshot(page, "end")
    page.close()


def take_screenshot(page, name: str) -> None:
    """Keep a picture of the page in the folder $SEGUE_SCREENSHOTS, where that is set."""
    if folder := os.environ.get("SEGUE_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"jupyterlab-{name}.png")


def run_cell(page, number: int) -> None:
    """Run one cell of the notebook, counted from 0."""
    page.locator(".jp-CodeCell").nth(number).locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")


def on_picture(page, x: float, y: float) -> tuple[float, float]:
    """Where a pixel of the picture of 640 x 480 is on the screen."""
    box = page.locator(".segue-clicks img").bounding_box()
    return box["x"] + x / 640 * box["width"], box["y"] + y / 480 * box["height"]


def drag(page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw a box on the picture."""
    page.mouse.move(*on_picture(page, *start))
    page.mouse.down()
    page.mouse.move(*on_picture(page, *end), steps=4)
    page.mouse.up()


def test_clicks_in_jupyterlab_become_regions_in_python(page):
    expect = playwright.expect
    expect.set_options(timeout=60_000)
    root = page.locator(".segue-clicks")
    keep = root.get_by_text("Keep, next object")
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()  # else the cell runs nowhere
    run_cell(page, 0)
    page.wait_for_function("document.querySelector('.segue-clicks img')?.naturalWidth === 640")

    page.mouse.click(*on_picture(page, 200, 290))  # the dog
    expect(keep).to_be_enabled()
    expect(root.locator("circle")).to_have_count(1)
    page.keyboard.down("Shift")
    page.mouse.click(*on_picture(page, 430, 250))  # the sheep
    page.keyboard.up("Shift")
    expect(root.locator("circle")).to_have_count(2)
    assert root.locator("circle").last.get_attribute("fill") == "#c62828"
    page.keyboard.press("Control+z")
    expect(root.locator("circle")).to_have_count(1)
    drag(page, (106, 222), (324, 414))  # a box around the dog, and the click in it
    expect(root.locator("rect")).to_have_count(1)
    expect(root).not_to_have_attribute("data-busy", "")
    root.locator("input").fill("dog")
    page.keyboard.press("Enter")
    expect(root.get_by_text("r1 dog")).to_be_visible()

    drag(page, (320, 140), (540, 360))  # the sheep
    expect(keep).to_be_enabled()
    root.locator("input").fill("sheep")
    take_screenshot(page, "clicks")
    keep.click()
    expect(root.get_by_text("r2 sheep")).to_be_visible()

    run_cell(page, 1)
    printed = page.locator(".jp-CodeCell").nth(1).locator(".jp-OutputArea-output")
    expect(printed).to_contain_text("kept [('dog', ")
    assert "('sheep', " in printed.inner_text()

    run_cell(page, 2)
    answer = page.locator(".jp-CodeCell").nth(2).locator(".jp-OutputArea-output")
    expect(answer.locator("img")).to_be_visible()
    expect(answer).to_contain_text("sheep")
