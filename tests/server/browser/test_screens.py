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
LATIN = """() => {
  const names = /^(segue|English|Switch to English|[\\w-]+[.]png)$/;
  const attributes = ["title", "aria-label", "aria-roledescription", "aria-valuetext", "alt"];
  const found = [];
  for (const node of document.querySelectorAll("*")) {
    for (const name of [...attributes, "placeholder"]) {
      const words = node.getAttribute(name) ?? "";
      const isChinese = /[\\u3400-\\u9fff]/.test(words) || !/[A-Za-z]{2}/.test(words);
      if (!isChinese && !names.test(words)) found.push(`${name}: ${words}`);
    }
  }
  return found;
}"""
"""Words for people that are in no Chinese, apart from names."""
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


def test_dialogs_of_the_review_page_are_inside_the_screen(open_page, tmp_path):
    running = ReviewServer(write_source(tmp_path / "scenes"), tmp_path / "data")
    try:
        for n, (width, height) in enumerate(SCREENS):
            locale = ("zh-CN", "en-GB")[n % 2]  # each on a narrow screen and on a wide one
            touch = {"has_touch": True, "is_mobile": True} if width < 1000 else {}
            size = {"width": width, "height": height}
            page = open_page("/", url=running.url, locale=locale, viewport=size, **touch)
            check(page, CONTROLS, least=3)  # the reviewer's name
            page.locator("dialog input").fill("Ann")
            page.keyboard.press("Enter")
            page.locator('#canvas[data-complete="true"]').wait_for()
            check(page, ".bar > *, .decisions button, .tools button", least=10)
            assert locale != "zh-CN" or page.evaluate(LATIN) == []
            for opens in ("#help", ".classes .add"):
                page.locator(opens).click()
                page.locator("dialog").wait_for()
                check(page, CONTROLS)
                assert locale != "zh-CN" or page.evaluate(LATIN) == []
                page.keyboard.press("Escape")
            page.close()
    finally:
        running.stop()


PAINTED = """() => new Promise((done) => {
  const canvas = document.getElementById("canvas");
  const look = () => {
    const { width, height } = canvas;
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
    let [x0, y0, x1, y1] = [width, height, 0, 0];
    for (let i = 3, n = 0; i < data.length; i += 4, n++) if (data[i]) {
      const [x, y] = [n % width, Math.floor(n / width)];
      [x0, y0] = [Math.min(x0, x), Math.min(y0, y)];
      [x1, y1] = [Math.max(x1, x + 1), Math.max(y1, y + 1)];
    }
    const isSized = width === Math.round(canvas.clientWidth * devicePixelRatio)
      && height === Math.round(canvas.clientHeight * devicePixelRatio);
    if (x1 <= x0 || !isSized) return requestAnimationFrame(look);
    const { left, top } = canvas.getBoundingClientRect();
    const scale = canvas.clientWidth / width;
    done([x0 * scale + left, y0 * scale + top, x1 * scale + left, y1 * scale + top]);
  };
  look();
})"""
"""Where on the screen the picture is painted: the canvas is clear around it."""


@pytest.mark.parametrize("screen", [(844, 390), (667, 375), (932, 430)])
def test_tools_lie_beside_the_picture_on_a_phone_that_lies_on_its_side(open_page, screen):
    width, height = screen
    viewport = {"width": width, "height": height}
    page = open_page(viewport=viewport, has_touch=True, is_mobile=True)
    talked_about(page, "meadow", "Frame the sheep in the picture.")
    expect(page.locator(".chip")).to_have_count(1)
    x0, y0, x1, y1 = page.evaluate(PAINTED)
    tools = page.locator(".tools").bounding_box()
    stage = page.locator("#stage").bounding_box()
    assert tools["x"] + tools["width"] <= x0
    assert tools["y"] + tools["height"] <= stage["y"] + stage["height"]
    assert y1 - y0 >= 0.75 * stage["height"]
    assert x1 <= stage["x"] + stage["width"]
    page.locator('[data-tool="click"]').click()  # the hint leaves the tools free
    hint = page.locator("#hint").bounding_box()
    assert hint["x"] >= tools["x"] + tools["width"]


def test_no_words_of_the_chinese_page_are_left_in_english(open_page):
    page = open_page(locale="zh-CN")
    assert page.evaluate(LATIN) == []
    talked_about(page, "meadow", "Frame the sheep in the picture.", "框出图片中狗的位置")
    expect(page.locator(".chip")).to_have_count(2)
    page.locator("#export summary").click()
    expect(page.locator("#export-choices [data-format]").first).to_be_visible()
    assert page.locator("#export-choices [title]").count() >= 10
    assert page.evaluate(LATIN) == []
    page.keyboard.press("Escape")
    for opens in ("#about-button", "#pictures button", "#list-button"):
        page.locator(opens).first.click()
        page.locator("dialog .entries li, dialog .facts, dialog .samples").first.wait_for()
        assert page.evaluate(LATIN) == []
        page.keyboard.press("Escape")
    page.locator(".chip").first.click()
    page.locator('[data-action="background"]').click()
    expect(page.locator("#edit-form")).to_be_visible()
    assert page.evaluate(LATIN) == []
    page.locator("#edit-form button.primary").click()
    expect(page.locator("#edits button")).not_to_have_count(0)
    assert page.evaluate(LATIN) == []
