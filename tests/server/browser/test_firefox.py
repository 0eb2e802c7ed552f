"""The main way through the page in Firefox, where there is one: `apt-get install firefox-esr`."""

import os
import shutil

import pytest

from server.browser.bidi import Firefox

PROGRAM = os.environ.get("SEGUE_FIREFOX") or shutil.which("firefox-esr") or shutil.which("firefox")
SETTINGS = {
    "intl.accept_languages": "en-GB",
    "dom.w3c_touch_events.enabled": 1,
    "ui.prefersReducedMotion": 1,
    "browser.shell.checkDefaultBrowser": False,
}
WATCH = """void (window.troubles = [],
  addEventListener("error", (event) => troubles.push(event.message)),
  addEventListener("unhandledrejection", (event) => troubles.push(String(event.reason))))"""


@pytest.fixture
def firefox(tmp_path):
    """A Firefox with a fresh profile."""
    if PROGRAM is None:
        pytest.skip("Firefox is missing. Run: apt-get install firefox-esr")
    profile = tmp_path / "profile"
    profile.mkdir()
    running = Firefox(PROGRAM, profile, SETTINGS)
    yield running
    running.close()


def count(selector):
    return f"document.querySelectorAll({selector!r}).length"


def test_the_main_way_through_the_page_works_in_firefox(firefox, server):
    page = firefox
    page.resize(1280, 800)
    page.goto(server.url)
    page.wait_for("document.documentElement.dataset.ready")
    page.evaluate(WATCH)
    page.click('#start [data-key="meadow"]')
    page.wait_for("!document.querySelector('#question').disabled")
    page.click("#question")
    page.press(*"Frame the dog in the picture.", "Enter")
    page.wait_for(f"{count('.chip')} === 1 && !document.querySelector('#reply')")
    page.click(".phrase")
    assert page.evaluate("document.querySelector('.chip').getAttribute('aria-pressed')") == "true"

    page.click('[data-action="blur"]')
    page.wait_for("!document.querySelector('#edit-form').hidden")
    page.click("#edit-form .primary")
    page.wait_for(f"{count('#edits button')} === 1")
    page.press("Control+z")
    page.wait_for(f"{count('#edits button')} === 0")
    page.press("/")
    page.wait_for(f"{count('dialog .entries li')} > 0")
    page.press(*"dog")
    page.wait_for("/found/.test(document.querySelector('dialog .search p').textContent)")
    page.press("Escape", "Escape")
    page.wait_for(f"{count('dialog')} === 0")

    page.resize(390, 844)
    page.click("#export summary")
    menu = page.evaluate("document.querySelector('.choices').getBoundingClientRect().toJSON()")
    assert 0 <= menu["left"] < menu["right"] <= 390
    page.press("Escape", "Escape", "p")
    x, y = page.place_of("#canvas")
    page.point("touch", (x, y), hold_ms=700)  # takes away
    page.wait_for("/area/.test(document.querySelector('#draft-words').textContent)")
    page.press("Escape", "v")
    page.point("touch", [(x - 20, y), (x - 60, y)], [(x + 20, y), (x + 60, y)])  # zooms
    page.click("#language")
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate("troubles") == []
