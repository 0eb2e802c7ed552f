"""Correcting by hand on the page: clicks, boxes, names, merging, undo, edits."""

import io
import re

import numpy as np
import PIL.Image
import pytest

from page_steps import (
    begin,
    expect,
    export,
    iou,
    middle,
    on_canvas,
    state,
    talked_about,
    true_mask,
)
from segue.embedded.samples import sample
from segue.values.mask import Mask, rle


def tool(page, name: str) -> None:
    page.locator(f'button[data-tool="{name}"]').click()


def previewed(page) -> None:
    """Wait for the preview of a draft."""
    expect(page.locator("#draft-keep")).to_be_enabled()


def test_clicks_make_and_refine_a_region_and_can_be_undone(open_page):
    page = open_page()
    begin(page, "airport")
    plane = true_mask("airport", "airplane")
    tool(page, "click")
    page.mouse.click(*on_canvas(page, *middle(plane)))
    previewed(page)
    assert state(page)["regions"] == []  # a preview keeps nothing
    page.locator("#draft-name").fill("plane")
    page.locator("#draft-keep").click()
    expect(page.locator(".chip")).to_have_text(re.compile("plane"))
    (region,) = state(page)["regions"]
    assert region["found_by"] == "user"
    assert iou(rle.decode(region["mask"]), plane) > 0.85

    page.locator('[data-action="refine"]').click()
    previews = []
    page.on("response", lambda r: previews.append(r) if r.request.method == "PATCH" else None)
    with page.expect_response(lambda r: r.request.method == "PATCH"):
        page.keyboard.down("Shift")
        page.mouse.click(*on_canvas(page, 20, 20))
        page.keyboard.up("Shift")
    previewed(page)
    page.locator("#draft-keep").click()
    page.locator("#draft").wait_for(state="hidden")
    (refined,) = state(page)["regions"]
    assert refined["id"] == region["id"]
    assert refined["labels"] == [1, 0]
    assert refined["mask"] != region["mask"] or refined["points"] != region["points"]

    page.keyboard.press("Control+z")
    expect(page.locator("#redo")).to_be_enabled()
    assert state(page)["regions"] == [region]
    page.keyboard.press("Control+Shift+z")
    expect(page.locator("#redo")).to_be_disabled()
    assert state(page)["regions"] == [refined]


def test_a_click_can_be_taken_back_and_a_draft_discarded(open_page):
    page = open_page()
    begin(page, "table")
    tool(page, "click")
    for x, y in [(316, 328), (120, 300)]:
        with page.expect_response(lambda r: r.url.endswith("/regions")):
            page.mouse.click(*on_canvas(page, x, y))
    with page.expect_request(lambda r: r.url.endswith("/regions")) as asked:
        page.keyboard.press("Control+z")
    assert len(asked.value.post_data_json["points"]) == 1
    page.keyboard.press("Escape")
    expect(page.locator("#draft")).to_be_hidden()
    assert state(page)["regions"] == []


def test_a_dragged_box_becomes_a_region(open_page):
    page = open_page()
    begin(page, "table")
    tool(page, "box")
    page.mouse.move(*on_canvas(page, 425, 268))
    page.mouse.down()
    page.mouse.move(*on_canvas(page, 520, 400))
    page.mouse.move(*on_canvas(page, 597, 450))
    page.mouse.up()
    previewed(page)
    page.locator("#canvas").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".chip")).to_have_count(1)
    (region,) = state(page)["regions"]
    assert iou(rle.decode(region["mask"]), true_mask("table", "apple")) > 0.85


def test_regions_are_renamed_merged_and_deleted(open_page):
    page = open_page()
    talked_about(page, "meadow", "Frame the dog in the picture.", "Frame the sheep in the picture.")
    masks = [rle.decode(region["mask"]) for region in state(page)["regions"]]
    first, second = page.locator(".chip").all()
    first.click()
    page.locator('[data-action="rename"]').click()
    page.locator("dialog input").fill("小狗")
    page.keyboard.press("Enter")
    expect(first).to_have_text(re.compile("小狗"))

    second.click(modifiers=["Shift"])
    page.locator('[data-action="merge"]').click()
    expect(page.locator(".chip")).to_have_count(1)
    (whole,) = state(page)["regions"]
    assert (rle.decode(whole["mask"]) == masks[0] | masks[1]).all()

    page.locator(".chip").focus()
    page.keyboard.press("Delete")
    expect(page.locator(".chip")).to_have_count(0)
    for count in (1, 2):
        page.locator("#undo").click()
        expect(page.locator(".chip")).to_have_count(count)


def test_edits_are_previewed_compared_saved_and_taken_back(open_page, tmp_path):
    page = open_page()
    talked_about(page, "meadow", "Frame the sheep in the picture.")
    spot = middle(true_mask("meadow", "sheep"))
    page.locator(".chip").click()
    page.locator('[data-action="background"]').click()
    with page.expect_response(lambda r: r.url.endswith("/edits") and r.ok):
        page.locator("#edit-form input[type=color]").fill("#ff00ff")
    assert state(page)["edits"] == []
    page.locator("#edit-form [type=submit]").click()
    expect(page.locator("#edits button")).to_have_count(1)
    page.locator('#canvas:not([data-edited=""])[data-edited]').wait_for()
    page.locator(".chip").click()  # no longer chosen
    page.mouse.move(1, 1)

    expect_pixel(page, 30, 240, (255, 0, 255))
    page.locator("#before").fill("50")  # the left half as it was
    expect_pixel(page, 30, 240, sample("meadow").image.array[240, 30])
    expect_pixel(page, 620, 240, (255, 0, 255))

    edited = np.asarray(PIL.Image.open(export(page, "edited", tmp_path)).convert("RGB"))
    original = sample("meadow").image.array
    assert tuple(edited[5, 5]) == (255, 0, 255)
    x, y = (int(one) for one in spot)
    assert (edited[y, x] == original[y, x]).all()

    page.locator("#edits button").click()
    expect(page.locator("#edits")).to_be_hidden()
    expect(page.locator("#compare")).to_be_hidden()
    page.locator("#undo").click()
    expect(page.locator("#edits button")).to_have_count(1)


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "Save only the part with the regions"), ("zh", "只保存选中区域所在的部分")],
)
def test_a_cut_out_is_saved_cropped_and_shown_in_its_place(open_page, tmp_path, language, words):
    page = open_page(locale="zh-CN" if language == "zh" else "en-GB")
    talked_about(page, "meadow", "Frame the sheep in the picture.")
    truth = true_mask("meadow", "sheep")
    page.locator(".chip").click()
    page.locator('[data-action="cut_out"]').click()
    page.get_by_label(words).check()
    page.locator("#edit-form [type=submit]").click()
    expect(page.locator("#edits button")).to_have_count(1)
    page.locator('#canvas:not([data-edited=""])[data-edited]').wait_for()
    page.locator(".chip").click()
    page.mouse.move(1, 1)
    x, y = (int(one) for one in middle(truth))
    expect_pixel(page, x, y, sample("meadow").image.array[y, x])  # not moved to the corner

    box = Mask(truth).box
    with PIL.Image.open(export(page, "edited", tmp_path)) as saved:
        assert saved.mode == "RGBA"
        assert abs(saved.width - box.width) < 40
        assert abs(saved.height - box.height) < 40
    assert state(page)["edits"][0]["parameters"] == {"crop": True}


def expect_pixel(page, x: float, y: float, colour) -> None:
    """Wait until the screen shows a colour at a pixel of the picture, nearly."""
    left, top = on_canvas(page, x, y)
    near = None
    for _ in range(50):
        shot = page.screenshot(clip={"x": int(left), "y": int(top), "width": 1, "height": 1})
        near = np.asarray(PIL.Image.open(io.BytesIO(shot)).convert("RGB"))[0, 0].astype(int)
        if abs(near - np.asarray(colour, int)).max() < 12:
            return
    raise AssertionError(f"the screen shows {near} at {(x, y)}, not {colour}")


def test_every_edit_has_settings_that_the_server_takes(open_page):
    page = open_page()
    talked_about(page, "meadow", "Frame the sheep in the picture.")
    page.locator(".chip").click()
    for number, name in enumerate(["blur", "recolour", "erase", "cut_out"], 1):
        page.locator(f'[data-action="{name}"]').click()
        page.locator("#edit-form [type=submit]").click()
        expect(page.locator("#edits button")).to_have_count(number)
    page.locator('[data-action="background"]').click()
    uploads = []
    page.route("**/backgrounds", lambda route: uploads.append(route))
    with page.expect_request("**/backgrounds"):
        page.locator("#edit-form input[type=file]").set_input_files(sample("beach").file)
    page.locator("#edit-form [type=submit]").click()  # while the picture is on its way
    uploads[0].continue_()
    expect(page.locator("#edits button")).to_have_count(5)
    last = state(page)["edits"][-1]
    assert last["operation"] == "background"
    assert set(last["parameters"]) == {"picture"}


def test_one_region_is_hidden_and_shown_again(open_page):
    page = open_page()
    talked_about(page, "meadow", "Frame the sheep in the picture.", "框出图片中狗的位置")
    expect(page.locator(".chip")).to_have_count(2)
    eyes = page.locator("#regions .eye")
    x, y = on_canvas(page, *middle(true_mask("meadow", "sheep")))
    page.mouse.move(x, y)
    expect(page.locator('#stage[data-over="region"]')).to_have_count(1)
    eyes.first.click()
    expect(eyes.first).to_have_attribute("aria-pressed", "true")
    expect(eyes.nth(1)).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#regions [data-hidden]")).to_have_count(1)
    page.mouse.move(x, y)
    page.mouse.move(x + 1, y)
    expect(page.locator('#stage[data-over="region"]')).to_have_count(0)
    assert len(state(page)["regions"]) == 2  # it is there all the same
    eyes.first.press("Enter")
    expect(page.locator("#regions [data-hidden]")).to_have_count(0)
    page.mouse.move(x, y)
    expect(page.locator('#stage[data-over="region"]')).to_have_count(1)
