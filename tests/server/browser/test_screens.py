"""Every menu and dialog on every screen, in both languages: inside the screen, nothing sideways."""

import pytest

from page_steps import drop, expect, talked_about
from server.browser.test_review import ReviewServer, write_source

SCREENS = [(360, 640), (390, 844), (844, 390), (768, 1024), (1400, 900)]
OUTSIDE = """(selector) => {
  const boxes = [...document.querySelectorAll(selector)].filter((node) => node.checkVisibility());
  const scrolls = (node) => {
    for (let up = node.parentElement; up; up = up.parentElement) {
      const may = /auto|scroll/.test(getComputedStyle(up).overflowY);
      if (may && up.scrollHeight > up.clientHeight) return true;
    }
    return false;
  };
  const wrong = boxes.map((node) => [node, node.getBoundingClientRect()]).filter(([node, box]) =>
    box.left < -0.5 || box.right > innerWidth + 0.5
    || (!scrolls(node) && (box.top < -0.5 || box.bottom > innerHeight + 0.5)));
  return [boxes.length, wrong.map(([node, box]) => [node.outerHTML.slice(0, 80), box.toJSON()])];
}"""
SIDEWAYS = """(selector) => [...document.querySelectorAll(`html, body, ${selector}`)]
  .filter((node) => node.scrollWidth > node.clientWidth + 1 && node.checkVisibility())
  .map((node) => node.outerHTML.slice(0, 80))"""
CONTROLS = "dialog, dialog :is(button, input, select)"


def check(page, selector: str, *, least: int = 1) -> None:
    """Check boxes that are on the screen."""
    count, wrong = page.evaluate(OUTSIDE, selector)
    assert count >= least, selector
    assert wrong == []
    assert page.evaluate(SIDEWAYS, "dialog, .sheet, .choices, .start, .log, .notices") == []


@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
@pytest.mark.parametrize("screen", SCREENS)
def test_menus_and_dialogs_are_inside_the_screen(open_page, screen, locale):
    width, height = screen
    touch = {"has_touch": True, "is_mobile": True} if width < 1000 else {}
    page = open_page(locale=locale, viewport={"width": width, "height": height}, **touch)
    check(page, ".welcome button, .composer > *")
    talked_about(page, "meadow", "Frame the sheep in the picture.", "框出图片中狗的位置")
    expect(page.locator(".chip")).to_have_count(2)
    check(page, ".bar > *, .tools button, #question, #ask, #canvas", least=10)
    assert page.locator("#canvas").bounding_box()["height"] >= 130  # of the picture

    page.locator("#export summary").click()
    check(page, "#export-choices, #export-choices button", least=10)
    page.keyboard.press("Escape")
    for opens in ("#about-button", "#pictures button", "#list-button"):
        page.locator(opens).first.click()
        page.locator("dialog .entries li, dialog .facts, dialog .samples").first.wait_for()
        check(page, CONTROLS, least=2)
        page.keyboard.press("Escape")
    page.locator("#list-button").click()
    page.locator("dialog li .quiet").first.click()  # asks first
    check(page, CONTROLS, least=6)
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")

    page.locator(".chip").first.click()
    page.locator('[data-action="rename"]').click()
    check(page, CONTROLS, least=4)
    page.keyboard.press("Escape")
    page.locator('[data-action="blur"]').click()
    check(page, "#edit-form, #edit-form :is(button, input, select)", least=4)
    page.locator("#edit-form button:not(.primary)").click()
    for name in ("notes.png", f"{'a long name ' * 20}.png"):
        drop(page, name, b"this is not a picture")
    expect(page.locator(".notice")).to_have_count(2)
    check(page, ".notice, .notice button", least=4)
    talk = page.locator(".talk-side").bounding_box()
    notices = page.locator("#notices").bounding_box()
    is_above = notices["y"] + notices["height"] <= talk["y"]
    assert is_above or notices["x"] + notices["width"] <= talk["x"]  # covers no answer


@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_dialogs_of_the_review_page_are_inside_the_screen(open_page, tmp_path, locale):
    running = ReviewServer(write_source(tmp_path / "scenes"), tmp_path / "data")
    try:
        for width, height in SCREENS:
            touch = {"has_touch": True, "is_mobile": True} if width < 1000 else {}
            size = {"width": width, "height": height}
            page = open_page("/", url=running.url, locale=locale, viewport=size, **touch)
            check(page, CONTROLS, least=3)  # the reviewer's name
            page.locator("dialog input").fill("Ann")
            page.keyboard.press("Enter")
            page.locator('#canvas[data-complete="true"]').wait_for()
            check(page, ".bar > *, .decisions button, .tools button", least=10)
            for opens in ("#help", ".classes .add"):
                page.locator(opens).click()
                page.locator("dialog").wait_for()
                check(page, CONTROLS)
                page.keyboard.press("Escape")
            page.close()
    finally:
        running.stop()
