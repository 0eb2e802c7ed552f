"""The page for everybody: keyboard alone, screen readers, narrow screens, two languages, themes."""

import json
import re
from pathlib import Path

import pytest

from page_steps import (
    answered,
    begin,
    expect,
    iou,
    middle,
    on_canvas,
    state,
    talked_about,
    true_mask,
)
from segue.values.mask import rle

AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text("utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def check(page) -> None:
    """Let axe look for what shuts people out."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    found = page.evaluate("(tags) => axe.run({ runOnly: tags })", RULES)
    troubles = [
        f"{one['id']}: {one['help']}\n" + "\n".join(f"   {n['html'][:160]}" for n in one["nodes"])
        for one in found["violations"]
    ]
    assert not troubles, "\n".join(troubles)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(open_page, scheme):
    page = open_page(color_scheme=scheme, reduced_motion="reduce")
    check(page)
    talked_about(page, "meadow", "Frame the sheep in the picture.")
    page.locator(".chip").click()
    page.locator(".phrase").hover()
    check(page)
    page.locator("#export summary").click()
    page.locator('[data-action="blur"]').click()
    check(page)
    page.locator("#list-button").click()
    page.locator("dialog li").first.wait_for()
    check(page)
    page.keyboard.press("Escape")
    page.locator("#about-button").click()
    check(page)


def test_everything_can_be_done_with_the_keyboard(open_page):
    page = open_page()
    tab_to(page, '[data-key="table"]')
    page.keyboard.press("Enter")
    page.locator("#workbench").wait_for()
    tab_to(page, "#question")
    page.keyboard.type("Frame the apple in the picture.")
    page.keyboard.press("Enter")
    answered(page, "Frame the apple in the picture.")
    page.keyboard.press("Shift+Tab")
    while not page.evaluate("document.activeElement.matches('.phrase')"):
        page.keyboard.press("Shift+Tab")
    expect(page.locator(".chip")).to_have_attribute("data-lit", "")
    page.keyboard.press("Enter")
    expect(page.locator(".chip")).to_have_attribute("aria-pressed", "true")

    page.locator("#canvas").focus()
    page.keyboard.press("b")
    for key, times in [("Shift+ArrowLeft", 22), ("Shift+ArrowUp", 0)]:
        for _ in range(times):
            page.keyboard.press(key)
    expect(page.locator("#spoken")).to_have_text(re.compile(r"^\d+, \d+"))
    page.keyboard.press(" ")
    for _ in range(14):
        page.keyboard.press("Shift+ArrowRight")
        page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press(" ")
    expect(page.locator("#draft-keep")).to_be_enabled()
    page.keyboard.press("Enter")
    expect(page.locator(".chip")).to_have_count(2)
    page.keyboard.press("Control+z")
    expect(page.locator(".chip")).to_have_count(1)

    page.locator(".chip").focus()
    page.keyboard.press("Delete")
    expect(page.locator(".chip")).to_have_count(0)
    expect(page.locator("#canvas")).to_be_focused()  # never lost


def test_keys_work_wherever_the_focus_is_not_in_a_text_field(open_page):
    page = open_page()
    talked_about(page, "meadow", "Frame the dog in the picture.")
    tools = {key: page.locator(f'button[data-tool="{tool}"]') for key, tool in TOOLS.items()}
    for focused in ("#log", ".phrase", "#zoom-fit", ".chip", "#language", "#canvas"):
        page.locator(focused).focus()
        for key in "pbv":
            page.keyboard.press(key)
            expect(tools[key]).to_have_attribute("aria-pressed", "true")
    page.locator(".phrase").click()
    page.keyboard.press("h")
    expect(page.locator("#masks")).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("Delete")
    expect(page.locator(".chip")).to_have_count(0)
    page.locator("#question").fill("")
    page.locator("#question").focus()
    page.keyboard.type("pbvh+-0/")
    expect(page.locator("#question")).to_have_value("pbvh+-0/")
    expect(tools["v"]).to_have_attribute("aria-pressed", "true")
    page.locator("#log").click()
    page.keyboard.press("p")
    expect(tools["p"]).to_have_attribute("aria-pressed", "true")


TOOLS = {"v": "look", "p": "click", "b": "box"}


def tab_to(page, selector: str) -> None:
    """Press Tab until an element has the focus, and see that the focus shows."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("(s) => document.activeElement.matches(s)", selector):
            width = page.evaluate(
                "parseFloat(getComputedStyle(document.activeElement).outlineWidth)"
            )
            assert width >= 2
            return
    raise AssertionError(f"{selector} cannot be reached with Tab")


def test_the_page_speaks_chinese(open_page):
    page = open_page(locale="zh-CN")
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    expect(page.locator("#start h2")).to_have_text("聊聊一张图片")
    begin(page, "airport")
    suggestion = page.locator("#suggestions button", has_text="框出图片中飞机的位置")
    suggestion.click()
    answered(page, "框出图片中飞机的位置")
    expect(page.locator(".phrase")).to_have_text("飞机")
    (region,) = state(page)["regions"]
    assert iou(rle.decode(region["mask"]), true_mask("airport", "airplane")) > 0.85
    page.locator("#language").click()
    expect(page.locator("#question")).to_have_attribute("placeholder", "Ask about the picture")
    page.reload()
    expect(page.locator("#question")).to_have_attribute("placeholder", "Ask about the picture")


def test_the_theme_follows_the_system_until_somebody_chooses(open_page):
    page = open_page(color_scheme="dark")
    paper = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(paper)
    page.locator("#theme").click()
    light = page.evaluate(paper)
    assert (
        sum(map(int, re.findall(r"\d+", light)))
        > 600
        > 150
        > sum(map(int, re.findall(r"\d+", dark)))
    )
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert page.evaluate(paper) == light


def test_a_narrow_screen_has_room_for_everything(open_page):
    page = open_page(
        viewport={"width": 390, "height": 844},
        has_touch=True,
        is_mobile=True,
        device_scale_factor=2,
    )
    talked_about(page, "airport", "框出图片中飞机的位置")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    for selector in ["#canvas", "#question", "#ask", ".phrase", ".chip", "#export"]:
        box = page.locator(selector).bounding_box()
        assert box["x"] >= 0, selector
        assert box["x"] + box["width"] <= 390, selector
        assert box["y"] + box["height"] <= 844, selector
    page.locator('button[data-tool="click"]').click()
    page.touchscreen.tap(*on_canvas(page, *middle(true_mask("airport", "airplane"))))
    expect(page.locator("#draft-keep")).to_be_enabled()


def test_a_long_press_takes_away_and_two_fingers_zoom(open_page):
    page = open_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    begin(page, "airport")
    page.locator('button[data-tool="click"]').click()
    x, y = on_canvas(page, *middle(true_mask("airport", "airplane")))
    fingers = page.context.new_cdp_session(page)

    def touch(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": x, "y": y, "id": n} for n, (x, y) in enumerate(places)]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    with page.expect_request(lambda r: r.url.endswith("/regions")) as asked:
        touch("touchStart", (x, y))  # and hold
    touch("touchEnd")
    assert asked.value.post_data_json["labels"] == [0]
    page.keyboard.press("Escape")

    touch("touchStart", (x - 20, y))
    touch("touchStart", (x - 20, y), (x + 20, y))
    for reach in (30, 50, 60):
        touch("touchMove", (x - reach, y), (x + reach, y))
    touch("touchEnd")
    expect(page.locator("#draft")).to_be_hidden()  # a pinch is no click
    with page.expect_request(lambda r: r.url.endswith("/regions")) as asked:
        page.touchscreen.tap(x + 60, y)
    ((clicked, _),) = asked.value.post_data_json["points"]
    centre = middle(true_mask("airport", "airplane"))[0]
    canvas = page.locator("#canvas").bounding_box()
    scale = (canvas["width"] - 24) / 640
    assert clicked == pytest.approx(centre + 60 / (scale * 3), abs=3)  # three times as near


def test_words_of_the_page_are_valid_json_for_errors(open_page):
    page = open_page()
    page.route(
        "**/v1/conversations",
        lambda route: route.fulfill(
            status=429,
            headers={"Retry-After": "7"},
            content_type="application/json",
            body=json.dumps({"error": {"message": "The queue is full.", "code": "queue_full"}}),
        ),
    )
    page.locator('#start [data-key="table"]').click()
    notice = page.locator(".notice.bad")
    expect(notice).to_contain_text("Many people are asking at once.")
    expect(notice).to_contain_text("Try again in 7 seconds.")
    expect(page.locator("#alerts")).to_contain_text("Many people")
