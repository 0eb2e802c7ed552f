"""How the page takes replies that are not what they seemed: thoughts, failures, silence."""

import threading
from collections.abc import Iterator

import pytest

from page_steps import ANSWER_MS, ask, begin, expect, state
from segue.assistant import Assistant
from segue.chat.scripted import Scripted
from segue.segment.box_fill import BoxFill
from segue.values.message import Finish
from server.conftest import running

CAT = "Is it <ref>the cat</ref><box>(100,100),(400,400)</box>? <box>(1,2</box>"
DOG = "It is <ref>the dog</ref><box>(500,500),(900,900)</box>."
MASKS = """async () => {
  const { maskOf, regionsHere } = await import("/page/js/store.js");
  return regionsHere().map((region) => [region.id, maskOf(region) !== null]);
}"""


class Halting(Scripted):
    """Says its first words, and the rest when it is let go."""

    def __init__(self, first: str, rest: str, finish: str = "stop") -> None:
        super().__init__([first + rest] * 9)
        self.first, self.finish = first, finish
        self.let_go = threading.Event()

    def _pieces(self, reply, sampling):
        if self.first:
            yield self.first
        self.let_go.wait(60)
        yield reply[len(self.first) :]
        return self.finish


@pytest.fixture
def open_scene(open_page, tmp_path_factory) -> Iterator[object]:
    """Open the page on a sample scene, with a chat model of one's own."""
    opened = []

    def open_scene(chat, **options):
        data = tmp_path_factory.mktemp("scripted")
        served = running(Assistant(chat, None, BoxFill()), data, keys=())
        server = served.__enter__()
        opened.append((served, chat))
        page = open_page(url=server.url, **options)
        begin(page, "meadow")
        return page

    yield open_scene
    for served, chat in opened:
        if isinstance(chat, Halting):
            chat.let_go.set()
        served.__exit__(None, None, None)


def begin_asking(page, question: str) -> None:
    """Ask, and do not wait for the answer."""
    page.locator("#question").fill(question)
    expect(page.locator("#ask")).to_be_enabled(timeout=ANSWER_MS)
    page.locator("#question").press("Enter")


def test_words_and_masks_vanish_when_they_were_a_thought(open_scene):
    chat = Halting(CAT, f"</think>\n\n{DOG}")
    page = open_scene(chat)
    begin_asking(page, "where?")
    expect(page.locator(".chip")).to_have_count(1)
    expect(page.locator("#reply .phrase")).to_have_text("the cat")
    expect(page.locator("#reply .note")).to_contain_text("could not be read")
    page.locator("#reply .phrase").click()
    assert page.evaluate(MASKS) == [["r1", True]]

    chat.let_go.set()
    expect(page.locator(".phrase")).to_have_text("the dog")
    page.locator("#reply").wait_for(state="detached")
    expect(page.locator(".answered .text")).to_have_text("It is the dog.")
    expect(page.locator(".chip")).to_have_count(1)
    expect(page.locator(".phrase")).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#log")).not_to_contain_text("could not be read")
    assert page.evaluate(MASKS) == [["r2", True]]


def test_the_withdrawal_itself_is_shown_while_the_reply_goes_on(open_scene):
    class Pausing(Halting):
        def _pieces(self, reply, sampling):
            yield CAT
            yield "</think>It may "
            self.let_go.wait(60)
            yield "be gone."

    page = open_scene(Pausing(CAT, "</think>It may be gone."))
    begin_asking(page, "where?")
    expect(page.locator("#reply .text")).to_have_text("It may ")
    expect(page.locator(".chip")).to_have_count(0)
    assert page.evaluate(MASKS) == []


@pytest.mark.parametrize(
    ("language", "why", "words"),
    [
        ("en-GB", "error", "The answer broke off; what was said until then is kept."),
        ("zh-CN", "error", "回答中断；此前的内容已保留。"),
        ("en-GB", "refused", "The model refused to answer this, or to go on."),
        ("zh-CN", "refused", "模型拒绝回答，或拒绝继续。"),
    ],
)
def test_the_page_says_why_a_reply_broke_off(open_scene, language, why, words):
    chat = Halting(DOG, "", Finish(why, "The endpoint says: enough."))
    chat.let_go.set()
    page = open_scene(chat, locale=language)
    ask(page, "where?")
    expect(page.locator(".note", has_text=words)).to_be_visible()
    expect(page.locator(".note", has_text="The endpoint says: enough.")).to_have_count(1)
    expect(page.locator(".phrase")).to_have_text("the dog")
    page.reload()
    expect(page.locator(".note", has_text="The endpoint says: enough.")).to_be_visible()


def test_a_reply_that_was_only_a_thought_was_not_too_long(open_scene):
    chat = Halting("<think>", "so it may be a dog", "length")
    chat.let_go.set()
    page = open_scene(chat)
    ask(page, "where?")
    expect(page.locator(".note", has_text="the model only thought, 18 char")).to_be_visible()
    expect(page.locator("#log")).not_to_contain_text("cut short")
    assert [state(page)["turns"][0][name] for name in ("thought", "finish")] == [18, "thought"]


def test_the_page_says_that_it_still_waits(open_scene):
    chat = Halting("", DOG)
    page = open_scene(chat)
    page.clock.install()
    begin_asking(page, "where?")
    stage = page.locator("#reply .stage-name")
    expect(stage).to_contain_text("Looking at the picture")
    page.clock.fast_forward(29_000)
    expect(stage).to_contain_text("Looking at the picture")
    page.clock.fast_forward(4_000)
    expect(stage).to_contain_text("Still waiting for the first word (3")
    expect(page.locator("#spoken")).to_contain_text("Still waiting for the first word (3")
    chat.let_go.set()
    page.locator("#reply").wait_for(state="detached")
    expect(page.locator("#log")).not_to_contain_text("waiting")


def test_the_page_says_that_it_waits_for_more(open_scene):
    page = open_scene(Halting("Well, ", DOG), locale="zh-CN")
    page.clock.install()
    begin_asking(page, "where?")
    stage = page.locator("#reply .stage-name")
    expect(page.locator("#reply .text")).to_have_text("Well, ")
    page.clock.fast_forward(35_000)
    expect(stage).to_contain_text("仍在等待后续内容（3")
