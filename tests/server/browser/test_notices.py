"""Messages of the page: they name their file, speak the page's language, and go away."""

import re

import pytest

from page_steps import begin, drop, drop_all, expect, state, talked_about
from segue.embedded.samples import sample

NOT_A_PICTURE = b"this is not a picture"


@pytest.fixture
def timed(open_page):
    """A page whose clock the test moves."""
    page = open_page()
    page.clock.install()
    page.reload()
    page.wait_for_selector("html[data-ready]")
    return page


def test_a_notice_goes_away_after_a_while_and_stays_while_it_is_read(timed):
    drop(timed, "notes.png", NOT_A_PICTURE)
    notice = timed.locator(".notice.bad")
    expect(notice).to_be_visible()
    notice.locator("button").focus()
    timed.clock.fast_forward(60_000)
    expect(notice).to_be_visible()
    timed.locator("#canvas, #list-button").last.evaluate("node => node.focus()")
    timed.evaluate("document.activeElement.blur()")
    timed.clock.fast_forward(60_000)
    expect(notice).to_have_count(0)


def test_a_notice_can_be_closed(open_page):
    page = open_page()
    drop(page, "notes.png", NOT_A_PICTURE)
    page.locator(".notice").get_by_role("button", name="Dismiss").click()
    expect(page.locator(".notice")).to_have_count(0)


def test_good_files_come_in_although_others_are_refused(open_page):
    page = open_page()
    one, two = (sample(name).file.read_bytes() for name in ("airport", "beach"))
    bad = [(f"notes {n}.png", NOT_A_PICTURE) for n in range(1, 6)]
    drop_all(page, [("one.png", one), *bad, ("two.png", two)])
    page.locator("#workbench").wait_for()
    expect(page.locator("#pictures [aria-pressed]")).to_have_count(2)
    assert [image["name"] for image in state(page)["images"]] == ["one.png", "two.png"]
    expect(page.locator(".notice")).to_have_count(1)
    title = page.locator(".notice strong")
    expect(title).to_contain_text("notes 1.png, notes 2.png, notes 3.png and 2 more: This is not")


def test_files_that_are_too_large_together_come_in_one_by_one(open_page):
    page = open_page()
    one, two = (sample(name).file.read_bytes() for name in ("airport", "beach"))
    about = page.evaluate("fetch('/v1/about').then((answer) => answer.json())")
    about["limits"]["body_bytes"] = max(len(one), len(two)) + 10
    page.route("**/v1/about", lambda route: route.fulfill(json=about))
    page.reload()
    page.wait_for_selector("html[data-ready]")
    drop_all(page, [("one.png", one), ("two.png", two), ("huge.png", one + two)])
    page.locator("#workbench").wait_for()
    assert [image["name"] for image in state(page)["images"]] == ["one.png", "two.png"]
    expect(page.locator(".notice strong")).to_have_text("huge.png: The file is too large.")


def test_what_the_server_says_is_marked_as_english_on_the_chinese_page(open_page):
    page = open_page(locale="zh-CN")
    begin(page, "meadow")
    drop(page, "notes.png", NOT_A_PICTURE)
    notice = page.locator(".notice")
    expect(notice.locator("strong")).to_have_text("notes.png：这不是可以读取的图片。")
    expect(notice.locator("p")).to_have_text(re.compile("^服务器的说明（英文）："))
    expect(notice.locator('[lang="en"]')).to_contain_text("not a picture")
    page.locator("#about-button").click()
    expect(page.locator(".facts [lang='en']").first).to_contain_text("bundled")


def test_a_failure_behind_a_dialog_shows_in_the_dialog(open_page):
    page = open_page()
    talked_about(page, "meadow", "Frame the dog in the picture.")
    page.route("**/images", lambda route: route.fulfill(status=400, json=REFUSED))
    page.locator("#pictures button").last.click()
    page.locator("dialog [data-key=airport]").click()
    expect(page.locator("dialog .notice strong")).to_have_text(
        "airport: This is not a picture that can be read."
    )
    page.keyboard.press("Escape")
    expect(page.locator("#notices .notice")).to_be_visible()


REFUSED = {"error": {"message": "No.", "code": "picture_unreadable"}}


def test_a_broken_stream_is_one_notice_in_the_words_of_the_page(open_page, server):
    page = open_page()
    begin(page, "meadow")
    page.evaluate(
        """() => {
          const fetched = window.fetch;
          window.fetch = async (path, options) => {
            if (!String(path).endsWith("/ask")) return fetched(path, options);
            const fail = (controller) => controller.error(new TypeError("network error"));
            return new Response(new ReadableStream({ start: fail }), { status: 200 });
          };
        }"""
    )
    page.locator("#question").fill("What is in the picture?")
    page.locator("#question").press("Enter")
    expect(page.locator(".notice.bad")).to_have_count(1)
    expect(page.locator(".notice.bad")).to_contain_text("cannot be reached")
    expect(page.locator("#question")).to_have_value("What is in the picture?")
