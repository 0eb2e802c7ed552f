"""The page of a review: decisions, keys, drawing by hand, two reviewers, crashes, languages."""

import json
import re

import numpy as np
import pytest

from page_steps import expect, middle, true_mask
from segue.embedded.samples import samples
from segue.export import AnnotatedImage
from segue.export.coco import write_coco
from segue.export.reading import read_pictures
from segue.values.mask import Mask
from segue.values.region import Region
from server.browser.conftest import Server
from server.browser.test_access import check

CLASSES = ["airplane", "dog", "sheep", "apple", "crab"]


def write_source(folder):
    """The sample scenes as a COCO file: their true masks with made-up scores."""
    folder.mkdir()
    pictures = []
    for place, scene in enumerate(samples()):
        regions = []
        for number, one in enumerate(scene.objects, 1):
            mask = Mask.from_rle(one.rle, score=0.9)
            score = 0.95 - place / 10
            regions.append(
                Region(f"r{number}", one.english, mask.box, "detector", mask=mask, score=score)
            )
        name = f"{scene.name}.png"
        pictures.append(AnnotatedImage(name, scene.image.size, tuple(regions)))
        (folder / name).write_bytes(scene.file.read_bytes())
    write_coco(pictures, folder / "instances.json")
    return folder / "instances.json"


class ReviewServer(Server):
    """A `segue review` process that can be killed and started again."""

    def __init__(self, source, data) -> None:
        self.source = source
        super().__init__(data)

    @property
    def command(self) -> list[str]:
        return ["review", str(self.source), "--no-key"]

    @property
    def environment(self) -> dict[str, str]:
        return {"SEGUE_DATA": str(self.data), "XDG_DATA_HOME": str(self.data)}


@pytest.fixture
def reviewed(browser, tmp_path):
    """A review of a fresh copy of the scenes."""
    running = ReviewServer(write_source(tmp_path / "scenes"), tmp_path / "data")
    yield running
    running.stop()


@pytest.fixture
def begin(reviewed, open_page):
    """Open the page as a reviewer."""

    def begin(name="Ann", **options):
        page = open_page("/", url=reviewed.url, **options)
        page.locator("dialog input").fill(name)
        page.keyboard.press("Enter")
        page.locator('#canvas:not([data-shown=""])[data-shown][data-complete="true"]').wait_for()
        return page

    return begin


def open_scene(page, name):
    """Open a picture by its name in the queue."""
    page.locator(f'.entry[title="{name}.png"]').click()
    is_shown(page, name)


def is_shown(page, name):
    """Wait until a picture of the queue is on the canvas, whole."""
    expect(page.locator("#picture-name")).to_have_text(f"{name}.png")
    index = page.locator('.entry[aria-current="true"]').get_attribute("data-index")
    page.locator(f'#canvas[data-shown="{index}"][data-complete="true"]').wait_for()


def saved(page):
    """Wait until the server has confirmed everything."""
    page.locator('#saving[data-saving="saved"]').wait_for(state="attached")


def corrected(reviewed, name):
    """The regions of a picture, as an export would give them."""
    return next(one for one in read_pictures(reviewed.source) if one.name == f"{name}.png").regions


def lines(reviewed):
    """The changes in the journal."""
    journal = reviewed.source.with_name("instances.review.jsonl")
    return [json.loads(line) for line in journal.read_text("utf-8").splitlines()][1:]


def on_canvas(page, x, y):
    """Where a pixel of the picture is on the screen, while the whole picture is shown."""
    canvas, tools = page.locator("#canvas").bounding_box(), page.locator(".tools").bounding_box()
    is_lying = tools["width"] > tools["height"]
    left = 0 if is_lying else tools["x"] + tools["width"] - canvas["x"]
    top = tools["y"] + tools["height"] - canvas["y"] if is_lying else 0
    width, height = canvas["width"] - left, canvas["height"] - top
    scale = min((width - 24) / 640, (height - 24) / 480, 16)
    return (
        canvas["x"] + left + (width - 640 * scale) / 2 + x * scale,
        canvas["y"] + top + (height - 480 * scale) / 2 + y * scale,
    )


def drag(page, *points):
    """Press at the first point of the picture, move through the others, let go."""
    page.mouse.move(*on_canvas(page, *points[0]))
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*on_canvas(page, *point), steps=4)
    page.mouse.up()


def test_pictures_are_accepted_rejected_and_counted_with_keys(begin, reviewed):
    page = begin()
    names = page.locator(".entry .name").all_text_contents()
    assert names == ["beach.png", "table.png", "meadow.png", "airport.png"]  # lowest score first
    expect(page.locator("#picture-name")).to_have_text("beach.png")
    page.keyboard.press("a")
    expect(page.locator("#picture-name")).to_have_text("table.png")
    page.keyboard.press("x")
    expect(page.locator("#picture-name")).to_have_text("meadow.png")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#picture-state")).to_have_text("rejected")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#picture-state")).to_have_text("accepted")
    expect(page.locator("#progress-words")).to_have_text("2 of 4 reviewed")
    saved(page)
    page.locator("#filter-state").select_option("todo")
    expect(page.locator(".entry")).to_have_count(2)
    page.locator("#filter-state").select_option("")
    page.locator("#filter-class").select_option("dog")
    expect(page.locator(".entry .name")).to_have_text(["meadow.png"])
    assert [(one["reviewer"], one["decision"]) for one in lines(reviewed)] == [
        ("Ann", "accept"), ("Ann", "reject"),
    ]  # fmt: skip


def test_number_keys_give_classes_whose_colours_are_the_same_on_every_picture(begin, reviewed):
    page = begin()
    open_scene(page, "meadow")
    classes = page.locator(".class .name").all_text_contents()
    dog = classes.index("dog")
    assert page.locator(".class kbd").all_text_contents() == [
        str(n + 1) for n in range(len(classes))
    ]
    page.keyboard.press("n")
    page.keyboard.press(str(classes.index("apple") + 1))
    saved(page)
    assert "apple" in [region.phrase for region in corrected(reviewed, "meadow")]
    page.keyboard.press("Control+z")
    saved(page)
    assert [r.phrase for r in corrected(reviewed, "meadow")] == ["dog", "sheep"]
    page.keyboard.press("Control+Shift+z")
    saved(page)
    colour = "node => getComputedStyle(node).getPropertyValue('--colour')"
    swatch = page.locator(f'.class[data-class="{dog}"]').evaluate(colour)
    assert page.locator('.region:has-text("sheep")').evaluate(colour) != swatch
    page.keyboard.press("a")
    saved(page)
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#picture-state")).to_have_text("corrected")
    assert page.locator(f'.class[data-class="{dog}"]').evaluate(colour) == swatch


def test_a_new_class_can_be_named(begin, reviewed):
    page = begin()
    open_scene(page, "airport")
    page.keyboard.press("n")
    page.locator(".classes .add").click()
    page.locator("dialog input").fill("飞机")
    page.keyboard.press("Enter")
    expect(page.locator(".region .name")).to_have_text(["飞机"])
    saved(page)
    assert [region.phrase for region in corrected(reviewed, "airport")] == ["飞机"]
    expect(page.locator(".class .name").last).to_have_text("飞机")


def test_brush_and_eraser_change_exactly_the_pixels_under_them(begin, reviewed):
    page = begin()
    open_scene(page, "meadow")
    before = [region.mask.array for region in corrected(reviewed, "meadow")]
    page.locator(".region").first.click()
    page.keyboard.press("r")
    drag(page, (60, 60), (120, 60))
    saved(page)
    brushed = corrected(reviewed, "meadow")[0].mask.array
    added = brushed & ~before[0]
    assert added[60, 55:125].all()
    rows, columns = np.nonzero(added)
    radius = (rows.max() - rows.min() + 1) / 2
    assert abs(columns.min() - (60 - radius)) < 3
    assert not (before[0] & ~brushed).any()
    page.keyboard.press("e")
    drag(page, (40, 60), (140, 60))
    saved(page)
    erased = corrected(reviewed, "meadow")
    assert (erased[0].mask.array == before[0]).mean() > 0.999
    assert (erased[1].mask.array == before[1]).all()
    for _ in range(2):
        page.keyboard.press("Control+z")
    saved(page)
    assert (corrected(reviewed, "meadow")[0].mask.array == before[0]).all()


def test_regions_are_drawn_anew_with_brush_polygon_and_segmenter(begin, reviewed):
    page = begin()
    open_scene(page, "airport")
    page.keyboard.press("Escape")
    page.keyboard.press("r")
    page.keyboard.press("2")
    page.mouse.click(*on_canvas(page, 30, 30))
    saved(page)
    assert len(corrected(reviewed, "airport")) == 2

    page.keyboard.press("c")
    page.keyboard.press("g")
    for point in [(500, 400), (600, 400), (600, 460), (500, 460)]:
        page.mouse.click(*on_canvas(page, *point))
    page.keyboard.press("Enter")
    saved(page)
    box = corrected(reviewed, "airport")[-1].mask.array
    assert abs(int(box.sum()) - 6000) < 300
    assert box[405:455, 505:595].all()

    page.keyboard.press("c")
    page.keyboard.press("p")
    with page.expect_response(lambda answer: answer.url.endswith("/segment")):
        page.mouse.click(*on_canvas(page, *middle(true_mask("airport", "airplane"))))
    expect(page.locator("#draft-keep")).to_be_enabled()
    page.keyboard.press("Enter")
    saved(page)
    regions = corrected(reviewed, "airport")
    assert len(regions) == 4
    assert Mask(regions[-1].mask.array).iou(Mask(true_mask("airport", "airplane"))) > 0.8


def test_corners_are_dragged_inserted_and_removed(begin, reviewed):
    page = begin()
    open_scene(page, "airport")
    page.keyboard.press("c")
    page.keyboard.press("g")
    for point in [(500, 400), (560, 400), (560, 440), (500, 440)]:
        page.mouse.click(*on_canvas(page, *point))
    page.keyboard.press("Enter")
    drag(page, (560, 440), (600, 470))  # a corner goes out
    saved(page)
    mask = corrected(reviewed, "airport")[-1].mask.array
    assert mask[460, 585]
    page.mouse.click(*on_canvas(page, 500, 420))  # on the left edge: a corner
    drag(page, (500, 420), (450, 420))
    saved(page)
    mask = corrected(reviewed, "airport")[-1].mask.array
    assert mask[420, 460]
    page.mouse.move(*on_canvas(page, 450, 420))
    page.keyboard.press("Delete")
    saved(page)
    mask = corrected(reviewed, "airport")[-1].mask.array
    assert not mask[420, 460]
    assert mask[460, 585]


def test_a_region_snaps_to_the_segmenter(begin, reviewed):
    page = begin()
    open_scene(page, "airport")
    before = corrected(reviewed, "airport")[0]
    page.locator(".region").click()
    with page.expect_response(lambda answer: answer.url.endswith("/segment")):
        page.keyboard.press("s")
    expect(page.locator("#undo")).to_be_enabled()
    saved(page)
    after = corrected(reviewed, "airport")[0]
    assert after.id == before.id
    assert after.mask != before.mask
    assert after.mask.iou(before.mask) > 0.7


def test_regions_are_hidden_one_by_one_and_deleted(begin, reviewed):
    page = begin()
    open_scene(page, "meadow")
    rows = page.locator(".region-list li")
    rows.nth(0).locator('[data-action="only"]').click()
    expect(rows.nth(1)).to_have_attribute("data-hidden", "")
    rows.nth(0).locator('[data-action="only"]').click()
    page.locator(".region").nth(0).click()
    page.keyboard.press("h")
    expect(rows.nth(0)).to_have_attribute("data-hidden", "")
    expect(rows.nth(1)).not_to_have_attribute("data-hidden", "")
    page.locator("#canvas").focus()
    page.keyboard.press("Delete")
    expect(rows).to_have_count(1)
    saved(page)
    assert [region.phrase for region in corrected(reviewed, "meadow")] == ["sheep"]


def test_two_reviewers_do_not_overwrite_one_another(begin, reviewed):
    ann, ben = begin("Ann"), begin("Ben")
    for page in (ann, ben):
        open_scene(page, "meadow")
    ben.context.set_offline(True)  # he does not see what she does
    ann.locator(".region").nth(0).click()
    ann.locator("#delete-region").click()
    saved(ann)
    ben.locator(".region").nth(1).click()
    ben.locator("#delete-region").click()
    expect(ben.locator("#saving")).to_have_attribute("data-saving", "waiting")
    ben.context.set_offline(False)
    expect(ben.locator(".conflict")).to_have_count(1)
    expect(ben.locator(".region .name")).to_have_text(["sheep"])
    assert [region.phrase for region in corrected(reviewed, "meadow")] == ["sheep"]
    expect(ann.locator(".conflict")).to_have_text(re.compile("A change by Ben"))
    ben.locator('.conflict [data-action="apply"]').click()
    expect(ben.locator(".conflict")).to_have_count(0)
    saved(ben)
    expect(ann.locator(".region")).to_have_count(0)
    expect(ann.locator(".conflict")).to_have_count(0)
    assert corrected(reviewed, "meadow") == ()


def test_what_was_done_survives_a_kill_and_the_page_goes_on(begin, reviewed):
    page = begin()
    page.keyboard.press("a")
    expect(page.locator("#progress-words")).to_have_text("1 of 4 reviewed")
    saved(page)
    is_shown(page, "table")
    reviewed.kill()
    page.keyboard.press("a")
    expect(page.locator("#saving")).to_have_attribute("data-saving", "waiting")
    reviewed.start()
    saved(page)
    assert [one["decision"] for one in lines(reviewed)] == ["accept", "accept"]
    page.reload()
    page.wait_for_selector("html[data-ready]")
    expect(page.locator("#progress-words")).to_have_text("2 of 4 reviewed")


def test_a_key_right_after_a_dialog_goes_to_the_page(reviewed, open_page):
    page = open_page("/", url=reviewed.url)
    page.locator('#canvas:not([data-shown=""])[data-shown][data-complete="true"]').wait_for()
    page.evaluate(
        """() => {
          document.querySelector("dialog form").requestSubmit();
          const typed = new KeyboardEvent("keydown", { key: "a", bubbles: true, cancelable: true });
          document.activeElement.dispatchEvent(typed);
        }"""
    )
    expect(page.locator("#progress-words")).to_have_text("1 of 4 reviewed")


@pytest.mark.parametrize(("width", "height"), [(1400, 900), (870, 700), (390, 844), (360, 640)])
@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_the_page_fits_and_shuts_nobody_out(begin, width, height, locale):
    viewport = {"width": width, "height": height}
    page = begin(viewport=viewport, locale=locale, reduced_motion="reduce")
    open_scene(page, "meadow")
    page.keyboard.press("n")
    check(page)
    outside = page.evaluate(
        """() => [...document.querySelectorAll("button, select, canvas")].filter((node) => {
          const box = node.getBoundingClientRect();
          const side = node.closest("section, header").getBoundingClientRect();
          const scrolled = node.closest(".queue, .classes, .region-list");
          return !scrolled && box.width && (box.left < side.left - 1 || box.right > side.right + 1);
        }).map((node) => node.id || node.outerHTML.slice(0, 80))"""
    )
    assert outside == []
    assert page.locator("#stage").bounding_box()["height"] > 150
    if locale == "zh-CN":
        expect(page.locator("#accept")).to_have_text(re.compile("接受"))


def test_the_keys_are_listed_and_nothing_is_read_aloud_twice(begin):
    page = begin(color_scheme="dark", reduced_motion="reduce")
    page.keyboard.press("?")
    expect(page.locator("dialog .keys li")).to_have_count(6)
    check(page)
