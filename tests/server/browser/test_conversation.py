"""The whole way on the page: a picture, questions, masks tied to words, and files to take away."""

import re
import zipfile

import numpy as np
import PIL.Image

from page_steps import (
    ask,
    begin,
    drop,
    expect,
    export,
    iou,
    middle,
    on_canvas,
    read_json,
    state,
    talked_about,
    true_mask,
)
from segue.embedded.samples import sample
from segue.values.mask import rle

LIT = ""
"""The attribute is there; it has no value."""


def test_a_dropped_picture_becomes_an_exported_mask_that_is_right(open_page, tmp_path):
    page = open_page()
    drop(page, "my plane.png", sample("airport").file.read_bytes())
    page.locator("#workbench").wait_for()
    ask(page, "Can you segment the airplane in this image?")
    expect(page.locator(".phrase")).to_have_text("airplane")

    exported = read_json(export(page, "coco", tmp_path))
    (annotation,) = exported["annotations"]
    assert exported["images"][0]["file_name"] == "my plane.png"
    assert iou(rle.decode(annotation["segmentation"]), true_mask("airport", "airplane")) > 0.85

    overlay = PIL.Image.open(export(page, "overlay", tmp_path)).convert("RGB")
    changed = (np.asarray(overlay) != sample("airport").image.array).any(2)
    assert iou(changed, true_mask("airport", "airplane")) > 0.6


def test_words_and_masks_light_each_other(open_page):
    page = open_page()
    talked_about(page, "meadow", "Frame the sheep in the picture.", "框出图片中狗的位置")
    sheep, dog = page.locator(".phrase").all()
    chips = page.locator(".chip")

    sheep.hover()
    expect(chips.nth(0)).to_have_attribute("data-lit", LIT)
    expect(chips.nth(1)).not_to_have_attribute("data-lit", LIT)
    dog.focus()  # the keyboard does what the mouse does
    expect(chips.nth(1)).to_have_attribute("data-lit", LIT)
    dog.blur()

    page.mouse.move(*on_canvas(page, *middle(true_mask("meadow", "dog"))))
    expect(dog).to_have_attribute("data-lit", LIT)
    expect(sheep).not_to_have_attribute("data-lit", LIT)
    page.mouse.move(*on_canvas(page, 5, 5))  # grass
    expect(dog).not_to_have_attribute("data-lit", LIT)

    page.mouse.click(*on_canvas(page, *middle(true_mask("meadow", "sheep"))))
    expect(sheep).to_have_attribute("aria-pressed", "true")
    expect(chips.nth(0)).to_have_attribute("aria-pressed", "true")
    dog.click()
    expect(sheep).to_have_attribute("aria-pressed", "false")
    expect(chips.nth(1)).to_have_attribute("aria-pressed", "true")


def test_answers_of_both_routes_and_absent_things_read_well(open_page):
    page = open_page()
    begin(page, "meadow")
    ask(page, "分割图片中的羊")
    ask(page, "Frame the crab in the picture.")
    log = page.locator("#log")
    expect(log.locator("article")).to_have_count(2)
    expect(log).to_contain_text("crab")
    assert [region["found_by"] for region in state(page)["regions"]] == ["detector"]
    assert page.title().startswith("分割图片中的羊")
    expect(page.locator("#spoken")).to_contain_text("Answer:")


def test_a_region_says_its_area_and_its_score(open_page):
    page = open_page()
    talked_about(page, "meadow", "分割图片中的羊")
    (region,) = state(page)["regions"]
    area = 100 * rle.decode(region["mask"]).mean()
    score = region["score"] if region["score"] is not None else region["mask_score"]
    small = page.locator(".chip small")
    expect(small).to_have_text([f"area {area:.1f}%", f"score {score:.2f}"])


def test_suggestions_are_spelt_right(open_page):
    page = open_page()
    begin(page, "airport")
    suggestions = page.locator("#suggestions button")
    expect(suggestions.filter(has_text="segment the airplane")).to_have_count(1)
    assert "segement" not in " ".join(suggestions.all_inner_texts())


def test_reload_keeps_the_conversation(open_page):
    page = open_page()
    talked_about(page, "airport", "框出图片中飞机的位置")
    before = state(page)
    page.reload()
    page.wait_for_selector("html[data-ready]")
    expect(page.locator(".phrase")).to_have_text("飞机")
    expect(page.locator(".chip")).to_have_count(1)
    assert state(page) == before
    page.mouse.move(*on_canvas(page, *middle(true_mask("airport", "airplane"))))
    expect(page.locator(".phrase")).to_have_attribute("data-lit", LIT)


def test_a_session_file_opens_as_a_new_conversation(open_page, tmp_path):
    page = open_page()
    talked_about(page, "airport", "框出图片中飞机的位置")
    before = state(page)
    file = export(page, "session", tmp_path)
    assert "session.json" in {name.split("/")[-1] for name in zipfile.ZipFile(file).namelist()}
    fresh = open_page()
    fresh.locator("#session-file").set_input_files(file)
    fresh.locator("#workbench").wait_for()
    expect(fresh.locator(".phrase")).to_have_text("飞机")
    after = state(fresh)
    assert after["id"] != before["id"]
    assert after["regions"] == before["regions"]


def test_two_windows_on_one_conversation_stay_right(open_page):
    first = open_page()
    talked_about(first, "meadow", "Frame the dog in the picture.")
    second = open_page(f"/{first.evaluate('location.hash')}", context=first.context)
    expect(second.locator(".chip")).to_have_text(re.compile("dog"))

    rename(second, "puppy")
    expect(first.locator(".chip")).to_have_text(re.compile("puppy"))
    first.locator("#undo").click()
    expect(second.locator(".chip")).to_have_text(re.compile("dog"))

    ask(first, "框出图片中羊的位置")
    expect(second.locator(".phrase")).to_have_count(2)
    second.locator(".chip").last.click()
    second.locator('[data-action="delete"]').click()
    expect(first.locator(".chip")).to_have_count(1)
    assert state(first) == state(second)


def rename(page, name: str) -> None:
    """Give the first region another name."""
    page.locator(".chip").first.click()
    page.locator('[data-action="rename"]').click()
    page.locator("dialog input").fill(name)
    page.locator("dialog [type=submit]").click()


def test_conversations_are_listed_opened_renamed_and_deleted(open_page):
    page = open_page()
    begin(page, "beach")
    mine = state(page)["id"]
    page.locator("#conversation-title").click()
    page.locator("dialog input").fill("At the sea")
    page.locator("dialog [type=submit]").click()
    expect(page.locator("#conversation-title")).to_have_text("At the sea")

    page.locator("#list-button").click()
    page.get_by_role("button", name="New conversation").click()
    expect(page.locator("#start")).to_be_visible()
    page.go_back()
    expect(page.locator("#conversation-title")).to_have_text("At the sea")

    page.locator("#list-button").click()
    entry = page.locator("dialog li").filter(has=page.locator(f'[data-id="{mine}"]'))
    entry.get_by_role("button", name="Delete: At the sea").click()
    page.locator("dialog .danger").click()
    expect(entry).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.locator("#start")).to_be_visible()


def test_a_second_picture_joins_the_conversation(open_page):
    page = open_page()
    talked_about(page, "meadow", "Frame the dog in the picture.")
    drop(page, "plane.png", sample("airport").file.read_bytes())
    expect(page.locator("#pictures [aria-pressed]")).to_have_count(2)
    expect(page.locator(".chip")).to_have_count(0)  # the new picture has none yet
    ask(page, "框出图片中飞机的位置")
    assert [region["image"] for region in state(page)["regions"]] == [0, 1]
    page.locator(".phrase").first.click()  # goes to the picture it is on
    expect(page.locator(".chip")).to_have_text(re.compile("dog"))


def test_a_picture_that_is_there_already_is_not_added_again(open_page):
    page = open_page()
    talked_about(page, "meadow", "Frame the dog in the picture.")
    drop(page, "again.png", sample("meadow").file.read_bytes())
    expect(page.locator(".notice")).to_contain_text("in the conversation already")
    assert len(state(page)["images"]) == 1


def test_a_file_that_is_no_picture_is_refused_in_plain_words(open_page):
    page = open_page()
    drop(page, "notes.png", b"this is not a picture")
    expect(page.locator(".notice.bad")).to_contain_text("not a picture that can be read")
    expect(page.locator("#start")).to_be_visible()
    page.locator("#list-button").click()
    expect(page.locator("dialog")).not_to_contain_text("Untitled")  # nothing is left behind


def test_a_pasted_picture_begins_a_conversation(open_page):
    page = open_page()
    page.evaluate(
        """async (address) => {
          const blob = await (await fetch(address)).blob();
          const clipboardData = new DataTransfer();
          clipboardData.items.add(new File([blob], "pasted.png", { type: "image/png" }));
          const how = { clipboardData, bubbles: true, cancelable: true };
          document.dispatchEvent(new ClipboardEvent("paste", how));
        }""",
        "/v1/samples/table.png",
    )
    page.locator("#workbench").wait_for()
    assert state(page)["images"][0]["name"] == "pasted.png"
