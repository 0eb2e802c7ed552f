"""Talking about what was found on the page: choices, edits by words, marking, a new topic."""

from page_steps import ask, begin, expect, state, talked_about


def test_objects_are_spoken_of_and_edited_by_words(open_page):
    page = open_page()
    talked_about(page, "meadow", "Segment the sheep.", "Segment the dog.")
    ask(page, "the left one")
    expect(page.locator("#log article .phrase").last).to_have_text("dog")
    ask(page, "blur all but the dog")
    expect(page.locator("#edits")).to_contain_text("Blur")
    (edit,) = state(page)["edits"]
    assert (edit["operation"], edit["parameters"]) == ("blur", {"where": "rest"})
    ask(page, "undo that")
    expect(page.locator("#log article").last).to_contain_text("Undone: blur all but the dog.")
    assert state(page)["edits"] == []
    assert len(state(page)["regions"]) == 2


def test_a_choice_is_a_click(open_page):
    page = open_page()
    talked_about(page, "meadow", "Segment the sheep.", "Segment the dog.")
    ask(page, "blur the middle one")
    choices = page.locator(".offered button")
    expect(choices).to_have_text(["sheep r1", "dog r2"])
    choices.nth(1).click()
    expect(page.locator("#log article").last).to_contain_text("Blurred dog r2")
    expect(choices).to_have_count(0)
    assert [edit["regions"] for edit in state(page)["edits"]] == [["r2"]]


def test_an_answer_in_words_is_marked_with_a_button(open_page):
    page = open_page()
    talked_about(page, "meadow", "What is in the picture?")
    page.locator('[data-key="turn-0-mark"]').click()
    expect(page.locator("#log .phrase").first).to_be_visible()
    assert {region["phrase"] for region in state(page)["regions"]} >= {"dog"}


def test_a_new_topic_leaves_the_regions_and_says_what_is_no_longer_read(open_page):
    page = open_page()
    talked_about(page, "meadow", "Segment the dog.")
    page.locator('[data-key="new-topic"]').click()
    expect(page.locator(".forgotten")).to_be_visible()
    expect(page.locator('[data-key="new-topic"]')).to_have_count(0)
    assert (state(page)["history_start"], len(state(page)["regions"])) == (1, 1)


def test_a_question_that_names_a_picture_shows_that_picture(open_page):
    page = open_page()
    begin(page, "airport")
    identity = page.evaluate("new URLSearchParams(location.hash.slice(1)).get('c')")
    page.request.post(f"{page.url.split('/#')[0]}/v1/conversations/{identity}/images",
                      data={"sample": "meadow"})  # fmt: skip
    page.reload()
    page.locator("#workbench").wait_for()
    ask(page, "Segment the airplane in picture 1.")
    (region,) = state(page)["regions"]
    assert (region["phrase"], region["image"]) == ("airplane", 0)
