"""The page of films: sent, followed, corrected, played and saved, with any means, by anybody."""

import json
import re
from functools import cache

import numpy as np
import pytest

from concepts import FixedConcepts
from page_steps import drop, expect, iou, true_mask
from segue.assistant import Assistant
from segue.embedded.samples import sample
from segue.segment.box_fill import BoxFill
from segue.values.box import Size
from segue.values.image import Image
from segue.values.mask import rle
from segue.video.writing import write_film
from server.browser.test_access import check
from server.conftest import running

pytest.importorskip("av")
SIZE = Size(height=240, width=320)
N_FRAMES = 6
STEP = 4
FOLLOW_MS = 60_000
"""How long the embedded models may take for a short film on a busy machine."""
STOP_AT_ONCE = """() => {
  const seen = new MutationObserver(() => {
    if (!document.querySelector(".track")) return;
    seen.disconnect();
    document.querySelector("#stop").click();
  });
  seen.observe(document.querySelector("#tracks"), { childList: true });
}"""


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Make films of the bundled table, which moves to the right."""
    folder = tmp_path_factory.mktemp("clips")

    @cache
    def clip(n_frames=N_FRAMES, suffix=".mp4"):
        table = sample("table").image.array[::2, ::2]
        with write_film(folder / f"table-{n_frames}{suffix}", SIZE) as film:
            for number in range(n_frames):
                film.add(np.roll(table, STEP * number, axis=1), number / 10)
        return folder / f"table-{n_frames}{suffix}"

    return clip


def truth(number):
    """The apple on a frame, (H, W) bool."""
    return np.roll(true_mask("table", "apple")[::2, ::2], STEP * number, axis=1)


def send(page, file):
    page.set_input_files("#file", file)
    shows(page, 0)


def shows(page, number):
    page.locator(f'#canvas[data-shown="{number}"]').wait_for()
    expect(page.locator("#slider")).to_have_value(str(number))


def followed(page):
    """Wait until tracks are there, and have been followed to the end."""
    page.locator(".track").first.wait_for(timeout=FOLLOW_MS)
    page.locator('body[data-following="false"]').wait_for(timeout=FOLLOW_MS)


def stored(page):
    """The run that is open, as the server keeps it."""
    named = page.evaluate("Object.fromEntries(new URLSearchParams(location.hash.slice(1)))")
    server = page.url.split("/video")[0]
    return page.request.get(f"{server}/v1/videos/{named['v']}/tracks/{named['r']}").json()


def on_canvas(page, x, y):
    """Where a pixel of the frame is on the screen, while the whole frame is shown."""
    canvas, tools = page.locator("#canvas").bounding_box(), page.locator(".tools").bounding_box()
    is_lying = tools["width"] > tools["height"]
    left = 0 if is_lying else tools["x"] + tools["width"] - canvas["x"]
    top = tools["y"] + tools["height"] - canvas["y"] if is_lying else 0
    width, height = canvas["width"] - left, canvas["height"] - top
    scale = min((width - 24) / SIZE.width, (height - 24) / SIZE.height, 16)
    return (
        canvas["x"] + left + (width - SIZE.width * scale) / 2 + x * scale,
        canvas["y"] + top + (height - SIZE.height * scale) / 2 + y * scale,
    )


def drag_box(page, mask):
    """Draw a box around a mask with the mouse."""
    ys, xs = np.nonzero(mask)
    page.mouse.move(*on_canvas(page, xs.min(), ys.min()))
    page.mouse.down()
    page.mouse.move(*on_canvas(page, xs.max() + 1, ys.max() + 1), steps=4)
    page.mouse.up()


def test_a_film_is_sent_followed_corrected_and_saved(open_page, clips, tmp_path):
    page = open_page("/video")
    send(page, clips())
    page.locator("#phrases").fill("apple, submarine")
    page.keyboard.press("Enter")
    followed(page)
    expect(page.locator(".track")).to_have_count(1)
    expect(page.locator("#not-found")).to_have_text("Not on that frame: submarine")
    strip = page.locator(".strip canvas")
    expect(strip).to_have_attribute("aria-label", f"apple: seen on {N_FRAMES} frames")
    for frame in stored(page)["frames"]:
        assert iou(rle.decode(frame["entries"][0]["mask"]), truth(frame["number"])) > 0.7
    expect(page.locator("#canvas")).to_have_attribute("data-masks", "1")

    page.locator("#canvas").focus()
    page.keyboard.press("Home")
    for number in range(1, 4):
        page.keyboard.press(".")
        shows(page, number)
    page.locator(".track").click()
    page.locator('[data-tool="box"]').click()
    drag_box(page, truth(3))
    expect(page.locator("#draft-words")).to_have_text("apple on frame 3")
    page.locator("#draft-keep").click()
    expect(strip).to_have_attribute("aria-label", re.compile("corrected on 3$"))
    followed(page)
    assert stored(page)["corrections"][0]["frame"] == 3

    page.locator("#undo").click()
    expect(strip).to_have_attribute("aria-label", f"apple: seen on {N_FRAMES} frames")
    assert stored(page)["corrections"] == []

    page.locator("#question").fill("框出图片中杯子的位置")
    page.keyboard.press("Enter")
    page.locator("#answer .phrase").first.click()
    expect(page.locator("#things .chip")).to_have_attribute("data-state", "seen")
    page.locator("#follow").click()
    expect(page.locator(".track")).to_have_count(2)
    followed(page)
    added = stored(page)
    assert [(track["frame"], track["added"]) for track in added["tracks"]] == [
        (0, False),
        (3, True),
    ]
    assert added["pending"] == 0
    expect(page.locator("#answer .phrase").first).to_have_attribute("aria-pressed", "true")

    page.locator("#downloads summary").click()
    with page.expect_download() as waiting:
        page.locator('[data-file="coco.json"]').click()
    waiting.value.save_as(tmp_path / "coco.json")
    assert waiting.value.suggested_filename == f"table-{N_FRAMES}-coco.json"
    assert len(json.loads((tmp_path / "coco.json").read_text())["annotations"]) == 2 * N_FRAMES

    page.reload()
    page.wait_for_selector("html[data-ready]")
    expect(page.locator(".track")).to_have_count(2)


def test_a_film_that_is_stopped_goes_on(open_page, clips):
    page = open_page("/video")
    send(page, clips(12))
    page.evaluate(STOP_AT_ONCE)
    page.locator("#phrases").fill("apple")
    page.keyboard.press("Enter")
    expect(page.locator("#follow")).to_have_text("Go on")
    expect(page.locator(".notice")).to_contain_text("Stopped.")
    page.locator("#follow").click()
    followed(page)
    expect(page.locator("#follow")).to_have_text("Follow")
    expect(page.locator(".strip canvas")).to_have_attribute(
        "aria-label", re.compile("on 12 frames")
    )


def test_everything_can_be_done_with_the_keyboard(open_page, clips):
    page = open_page("/video", reduced_motion="reduce")
    send(page, clips())
    page.locator("#canvas").focus()
    page.keyboard.press("End")
    shows(page, N_FRAMES - 1)
    page.keyboard.press(",")
    shows(page, N_FRAMES - 2)
    expect(page.locator("#spoken")).to_have_text(f"Frame {N_FRAMES - 2}, 0:00.40")
    page.keyboard.press("Home")
    shows(page, 0)
    page.keyboard.press("b")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press(" ")
    for _ in range(5):
        page.keyboard.press("Shift+ArrowRight")
        page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press(" ")
    expect(page.locator("#draft-words")).to_have_text("1 box on frame 0")
    page.keyboard.press("Backspace")
    expect(page.locator("#draft")).to_be_hidden()
    page.keyboard.press("p")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press(" ")
    expect(page.locator("#draft-words")).to_have_text("1 click on frame 0")
    expect(page.locator("#canvas")).to_have_attribute("data-pointed", "1")
    page.keyboard.press("a")
    page.keyboard.press("Shift+ArrowUp")
    page.keyboard.press(" ")
    expect(page.locator("#things .chip")).to_have_count(2)
    page.keyboard.press("Backspace")
    page.keyboard.press("Enter")
    followed(page)
    shows(page, 0)  # with reduced motion frames do not run by
    expect(page.locator(".track")).to_contain_text("track 1")
    page.keyboard.press("n")
    expect(page.locator(".track")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Escape")  # the tool
    page.keyboard.press("Escape")
    expect(page.locator(".track")).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("h")
    expect(page.locator("#masks")).to_have_attribute("aria-pressed", "false")


@pytest.mark.parametrize(("suffix", "player"), [(".mp4", "browser"), (".avi", "frames")])
def test_a_film_is_played_by_the_browser_or_from_frames_of_the_server(
    open_page, clips, suffix, player
):
    page = open_page("/video")
    send(page, clips(suffix=suffix))
    stage = page.locator("#stage[data-player]")
    stage.wait_for(state="attached")
    if player == "frames":
        expect(stage).to_have_attribute("data-player", "frames")
    page.locator("#play").click()
    expect(page.locator("#slider")).not_to_have_value("0")
    expect(page.locator("#play")).to_have_attribute("aria-label", "Play (Space)")
    shows(page, N_FRAMES - 1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(open_page, clips, scheme):
    page = open_page("/video", color_scheme=scheme, reduced_motion="reduce")
    check(page)
    send(page, clips(3))
    check(page)
    page.locator("#phrases").fill("apple")
    page.keyboard.press("Enter")
    followed(page)
    page.locator(".track").click()
    page.locator('[data-tool="box"]').click()
    drag_box(page, truth(0))
    if scheme == "dark":  # its colours are the harder ones
        page.locator("#question").fill("框出图片中杯子的位置")
        page.keyboard.press("Enter")
        page.locator("#answer .phrase").first.click()
    check(page)
    if scheme == "dark":
        page.locator("#things .eye").click()  # the menu would cover a part of it
    page.locator("#downloads summary").click()
    check(page)
    page.keyboard.press("Escape")
    page.locator("#help").click()
    check(page)


def test_a_narrow_screen_has_room_for_everything_in_chinese(open_page, clips):
    page = open_page(
        "/video", locale="zh-CN", viewport={"width": 390, "height": 844}, has_touch=True,
        is_mobile=True,
    )  # fmt: skip
    expect(page.locator("#start h2").first).to_have_text("在视频中跟踪物体")
    check(page)
    send(page, clips(4))  # the run of another film was corrected
    page.locator("#phrases").fill("apple，submarine")
    expect(page.locator("#not-there")).to_have_text("第 0 帧上没有：submarine")
    expect(page.locator("#canvas")).to_have_attribute("data-pointed", "1")
    page.locator("#follow").click()
    followed(page)
    expect(page.locator(".strip canvas")).to_have_attribute("aria-label", "apple：4 帧可见")
    page.locator('[data-tool="click"]').click()
    page.locator(".track").click()
    ys, xs = np.nonzero(truth(3))  # the frame that was followed last is shown
    page.touchscreen.tap(*on_canvas(page, xs.mean(), ys.mean()))
    check(page)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    for selector in [
        "#canvas",
        "#play",
        "#slider",
        "#phrases",
        ".track",
        "#draft-keep",
        "#downloads",
    ]:
        box = page.locator(selector).bounding_box()
        assert box["x"] >= 0, selector
        assert box["x"] + box["width"] <= 390, selector
        assert box["y"] + box["height"] <= 844, selector
    page.locator("#language").click()
    expect(page.locator("#draft-words")).to_have_text("apple on frame 3")


def test_what_is_no_film_is_said_and_films_can_be_deleted(open_page, clips, tmp_path):
    page = open_page("/video")
    (tmp_path / "notes.mp4").write_text("not a film")
    page.set_input_files("#file", tmp_path / "notes.mp4")
    notice = page.locator(".notice.bad")
    expect(notice).to_contain_text("notes.mp4: This is not a film that can be read.")
    expect(page.locator("#start")).to_be_visible()
    send(page, clips(2))
    page.locator("#other-film").click()
    name = page.locator(".entries .name", has_text="table-2.mp4")
    expect(name).to_have_count(1)
    page.get_by_role("button", name="Delete table-2.mp4").click()
    page.get_by_role("button", name="Delete the film").click()
    expect(name).to_have_count(0)


def test_the_first_page_of_pictures_leads_to_films(open_page):
    page = open_page("/")
    page.get_by_role("link", name="Follow things through a film").click()
    page.wait_for_selector("html[data-ready]")
    expect(page.locator("h1")).to_have_text("Films")


def test_examples_find_all_that_is_like_them(open_page, clips, tmp_path):
    """With a detector that takes boxes; the bundled one takes none, and has no such tools."""
    detector = FixedConcepts({})
    models = Assistant(None, detector, segmenter=BoxFill())
    with running(models, tmp_path / "data", keys=()) as server:
        page = open_page("/video", url=server.url)
        send(page, clips(2))
        expect(page.locator("#ask")).to_be_disabled()
        page.locator('[data-tool="like"]').click()
        drag_box(page, truth(0))
        expect(page.locator("#things .chip")).to_have_text(re.compile("thing 1"))
        page.keyboard.down("Shift")
        drag_box(page, np.roll(truth(0), -80, axis=1))
        page.keyboard.up("Shift")
        expect(page.locator(".examples")).to_contain_text("2 examples on frame 0")
        expect(page.locator("#things .chip")).to_have_attribute("data-state", "seen")
        page.locator("#follow").click()
        expect(page.locator(".track")).to_have_count(1)
        expect(page.locator(".examples")).to_have_count(0)

        page = open_page("/", url=server.url)
        drop(page, "table.png", Image(sample("table").image.array[::2, ::2]).to_png_bytes())
        page.locator('[data-tool="like"]').click()
        drag_box(page, truth(0))
        expect(page.locator("#draft-words")).to_have_text("1 thing like it")
        page.locator("#draft-name").fill("apple")
        page.keyboard.press("Enter")
        expect(page.locator(".regions .chip")).to_have_text(re.compile("apple"))
