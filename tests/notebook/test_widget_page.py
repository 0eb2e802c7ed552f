"""The page side of the widget in a real browser, with a stand-in for the notebook."""

import json
from pathlib import Path

import PIL.Image
import pytest

import segue.notebook

SOURCE = Path(segue.notebook.__file__).parent
STATE = {
    "size": [2000, 1000], "regions": [], "clicks": [], "box": None, "can_undo": False, "error": "",
}  # fmt: skip
OPEN = """async ([code, state, picture]) => {
  const module = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  const { default: widget } = await import(module);
  const values = { _state: state, _picture: new DataView(Uint8Array.from(picture).buffer) };
  const listeners = {};
  window.sent = [];
  window.show = (changed) => {
    values._state = { ...values._state, ...changed };
    listeners["change:_state"]();
  };
  widget.render({
    model: {
      get: (name) => values[name],
      on: (event, listener) => { listeners[event] = listener; },
      off: () => {},
      send: (message) => window.sent.push(message),
    },
    el: document.body,
  });
}"""


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    file = tmp_path_factory.mktemp("picture") / "picture.jpg"
    PIL.Image.new("RGB", (1000, 500), "white").save(file)
    page = browser.new_page(viewport={"width": 700, "height": 600})
    page.set_content(f"<style>{(SOURCE / 'widget.css').read_text('utf-8')}</style>")
    code = (SOURCE / "widget.js").read_text("utf-8")
    page.evaluate(OPEN, [code, STATE, list(file.read_bytes())])
    page.wait_for_function("document.querySelector('img').naturalWidth === 1000")
    yield page
    page.close()


def sent(page) -> list[dict]:
    """The messages since the last look, without them that came before."""
    return json.loads(page.evaluate("JSON.stringify(window.sent.splice(0))"))


def on_screen(page, x: float, y: float) -> tuple[float, float]:
    """Where a pixel of the picture of 2000 x 1000 is on the screen."""
    box = page.locator("img").bounding_box()
    return box["x"] + x / 2000 * box["width"], box["y"] + y / 1000 * box["height"]


def test_clicks_count_in_pixels_of_the_original_and_shift_means_not_on_it(page):
    page.mouse.click(*on_screen(page, 1500, 250))
    page.keyboard.down("Shift")
    page.mouse.click(*on_screen(page, 500, 750))
    page.keyboard.up("Shift")
    first, second = sent(page)
    assert (first["kind"], first["label"], second["label"]) == ("click", 1, 0)
    assert (first["x"], first["y"]) == pytest.approx((1500, 250), abs=3)
    assert (second["x"], second["y"]) == pytest.approx((500, 750), abs=3)


def test_dragging_draws_a_box_that_ends_at_the_edge_of_the_picture(page):
    page.mouse.move(*on_screen(page, 1000, 500))
    page.mouse.down()
    page.mouse.move(*on_screen(page, 2100, 990), steps=3)
    page.mouse.up()
    (message,) = sent(page)
    assert message["kind"] == "box"
    assert message["box"] == pytest.approx([1000, 500, 2000, 990], abs=3)


def test_a_draft_can_be_named_and_kept_and_an_error_is_shown(page):
    draft = {"id": "preview", "phrase": "", "is_draft": True, "is_selected": False}
    kept = {"id": "r1", "phrase": "<b>cup</b>", "is_draft": False, "is_selected": False}
    page.evaluate("show", {"regions": [kept, draft], "error": "It lies outside."})
    assert page.locator(".segue-error").inner_text() == "It lies outside."
    page.get_by_text("r1 <b>cup</b>").click()
    page.locator("input").fill("dog")
    page.keyboard.press("Enter")
    select, *named, keep = sent(page)
    assert select == {"kind": "select", "id": "r1"}
    assert named[0] == {"kind": "name", "phrase": "dog"}
    assert keep == {"kind": "keep"}
