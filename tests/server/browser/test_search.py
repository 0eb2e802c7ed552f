"""Search in conversations: titles and words, both languages, by keyboard."""

import re

from page_steps import begin, expect, state, talked_about


def test_conversations_are_found_by_their_words_with_the_keyboard(open_page):
    page = open_page()
    talked_about(page, "airport", "框出图片中飞机的位置")
    plane = state(page)["id"]
    page.evaluate("location.hash = ''")
    talked_about(page, "table", "Frame the apple in the picture.")
    apple = state(page)["id"]
    page.locator("#log").focus()

    page.keyboard.press("/")
    field = page.locator("dialog input[type=search]")
    expect(field).to_be_focused()
    page.keyboard.type("飞机")
    entries = page.locator("dialog li .open")
    expect(page.locator(f'dialog [data-id="{apple}"]')).to_have_count(0)
    expect(page.locator(f'dialog [data-id="{plane}"]')).to_have_count(1)
    expect(page.get_by_role("status").last).to_have_text(re.compile(r"^\d+ conversations? found"))

    field.fill("APPLE frame")
    expect(page.locator(f'dialog [data-id="{plane}"]')).to_have_count(0)
    field.fill("no such words anywhere")
    expect(entries).to_have_count(0)
    expect(page.locator("dialog .search p")).to_contain_text("Nothing found")
    field.fill("飞机 位置")
    expect(page.locator(f'dialog [data-id="{plane}"]')).to_have_count(1)
    page.keyboard.press("ArrowDown")
    expect(entries.first).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(field).to_be_focused()
    newest = entries.first.get_attribute("data-id")
    page.keyboard.press("Enter")
    expect(page.locator("dialog")).to_have_count(0)
    page.wait_for_function("(id) => location.hash.includes(id)", arg=newest)


def test_a_word_of_an_answer_shows_where_it_stands(open_page):
    page = open_page(locale="zh-CN")
    begin(page, "beach")
    page.locator("#conversation-title").click()
    page.locator("dialog input").fill("海边的一天")
    page.keyboard.press("Enter")
    expect(page.locator("#conversation-title")).to_have_text("海边的一天")
    page.locator("#list-button").click()
    page.keyboard.type("beach.png")
    mine = page.locator("dialog li").filter(has_text="海边的一天")
    expect(mine.locator(".excerpt")).to_have_text(re.compile("beach"))
    page.locator("dialog input").fill("海边")
    expect(mine).to_have_count(1)
    expect(mine.locator(".excerpt")).to_have_count(0)
