"""What a person does on the page, in words."""

import json
from base64 import b64encode
from pathlib import Path

import numpy as np

from segue.embedded.samples import sample
from segue.values.mask import rle

try:
    from playwright.sync_api import expect

    expect.set_options(timeout=20_000)  # a busy machine is slow, not wrong
except ModuleNotFoundError:  # the fixture `browser` says so
    expect = None

ANSWER_MS = 40_000
"""How long an answer of the embedded models may take on a busy machine."""

DROP = """async (files) => {
  const dataTransfer = new DataTransfer();
  for (const { bytes, name, type } of files) {
    const content = Uint8Array.from(atob(bytes), (letter) => letter.charCodeAt(0));
    dataTransfer.items.add(new File([content], name, { type }));
  }
  const event = (kind) => new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true });
  document.body.dispatchEvent(event("dragenter"));
  document.body.dispatchEvent(event("drop"));
}"""


def drop(page, name: str, content: bytes, kind: str = "image/png") -> None:
    """Drop a file on the page."""
    drop_all(page, [(name, content)], kind)


def drop_all(page, files: list[tuple[str, bytes]], kind: str = "image/png") -> None:
    """Drop several files at once on the page."""
    coded = [
        {"name": name, "bytes": b64encode(content).decode(), "type": kind}
        for name, content in files
    ]
    page.evaluate(DROP, coded)


def begin(page, name: str) -> None:
    """Begin a conversation about a sample scene."""
    page.locator(f'#start [data-key="{name}"]').click()
    page.locator("#workbench").wait_for()


_SESSIONS: dict[tuple[str, ...], bytes] = {}
"""Session files of conversations had before, so that not every test waits for the models."""


def talked_about(page, name: str, *questions: str) -> None:
    """Open a conversation about a sample scene in which questions have been answered."""
    server = page.url.split("/#")[0].rstrip("/")
    key = (name, *questions)
    if key not in _SESSIONS:
        at = f"{server}/v1/conversations"
        at += f"/{page.request.post(at, data={}).json()['id']}"
        page.request.post(f"{at}/images", data={"sample": name})
        for question in questions:
            page.request.post(f"{at}/ask", data={"question": question}, timeout=ANSWER_MS)
        _SESSIONS[key] = page.request.get(f"{at}/export?format=session").body()
    file = {"name": f"{name}.zip", "mimeType": "application/zip", "buffer": _SESSIONS[key]}
    opened = page.request.post(f"{server}/v1/conversations/import", multipart={"file": file})
    page.evaluate("(id) => { location.hash = `#c=${id}`; }", opened.json()["id"])
    page.locator("#workbench").wait_for()


def ask(page, question: str) -> None:
    """Type a question as soon as the page takes one, and wait until it is answered."""
    page.locator("#question").fill(question)
    expect(page.locator("#ask")).to_be_enabled(timeout=ANSWER_MS)
    page.locator("#question").press("Enter")
    answered(page, question)


def answered(page, question: str) -> None:
    """Wait for the finished answer to the newest question."""
    turn = page.locator("#log article:not(#reply)").filter(has_text=question)
    turn.last.wait_for(timeout=ANSWER_MS)
    page.locator("#reply").wait_for(state="detached")


def state(page) -> dict:
    """The conversation that is open, as the server keeps it."""
    identity = page.evaluate("new URLSearchParams(location.hash.slice(1)).get('c')")
    return page.evaluate(
        "(id) => fetch(`/v1/conversations/${id}`).then((answer) => answer.json())", identity
    )


def export(page, kind: str, folder: Path) -> Path:
    """Save something through the menu."""
    page.locator("#export summary").click()
    with page.expect_download() as waiting:
        page.locator(f'[data-format="{kind}"]').click()
    download = waiting.value
    file = folder / download.suggested_filename
    download.save_as(file)
    return file


def on_canvas(page, x: float, y: float) -> tuple[float, float]:
    """Where a pixel of the picture is on the screen, while the whole picture is shown."""
    picture = state(page)["images"][-1]
    canvas = page.locator("#canvas").bounding_box()
    tools = page.locator(".tools").bounding_box()
    lying = tools["width"] > tools["height"]
    left = 0 if lying else tools["x"] + tools["width"] - canvas["x"]
    top = tools["y"] + tools["height"] - canvas["y"] if lying else 0
    width, height = canvas["width"] - left, canvas["height"] - top
    scale = min((width - 24) / picture["width"], (height - 24) / picture["height"], 16)
    return (
        canvas["x"] + left + (width - picture["width"] * scale) / 2 + x * scale,
        canvas["y"] + top + (height - picture["height"] * scale) / 2 + y * scale,
    )


def true_mask(name: str, noun: str) -> np.ndarray:
    """The mask of an object of a sample scene, (H, W) bool."""
    (one,) = [one for one in sample(name).objects if one.english == noun]
    return rle.decode(one.rle)


def middle(mask: np.ndarray) -> tuple[float, float]:
    """The pixel of a mask that is nearest to its centre, (x, y)."""
    ys, xs = np.nonzero(mask)
    nearest = int(np.argmin((ys - ys.mean()) ** 2 + (xs - xs.mean()) ** 2))
    return float(xs[nearest]) + 0.5, float(ys[nearest]) + 0.5


def iou(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two masks."""
    return float((one & other).sum() / (one | other).sum())


def read_json(file: Path) -> dict:
    """The content of an exported file."""
    return json.loads(file.read_text("utf-8"))
