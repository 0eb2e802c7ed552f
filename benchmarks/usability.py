"""Ten common tasks: clicks and keys in the page, commands and characters in the terminal.

    apt-get install chromium && pip install playwright
    PYTHONPATH=tests python -m benchmarks.usability [--only page|terminal]

The page runs in a real Chromium against a real server; its own events are counted, so a click or a
key that the browser saw counts, and nothing else does. In a dialog of the operating system, which
no script sees, choosing a file counts as two clicks. Commands run as they are written. Both use the
bundled models on a drawn scene, and a task that does not leave its file fails.

"by hand" is what a practised person needs to point and type, without reading, thinking, waiting or
moving hands, by the Keystroke-Level Model: a key 0.28 s, pointing 1.1 s, a click 0.2 s (Card, Moran
and Newell 1980, Communications of the ACM 23(7), 396-410).

Of the alternatives nothing is run: counted is what their documentation gives for the task, without
installation, downloads, empty lines and comments. Where it does not give the task there is no row.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.timing import heading
from segue.embedded.samples import sample

SCENE = "meadow"
KEY_S, POINT_S, CLICK_S = 0.28, 1.1, 0.2
WAIT_MS = 60_000
_COUNTING = """
window.counted = { clicks: 0, keys: 0 };
addEventListener("pointerdown", (event) => event.isTrusted && window.counted.clicks++, true);
addEventListener("keydown", (event) => event.isTrusted && window.counted.keys++, true);
"""


@dataclass(frozen=True)
class Effort:
    """What a task took."""

    clicks: int = 0
    keys: int = 0
    commands: int = 0
    seconds: float = 0.0
    """On this machine, by a hand that never waits; in the terminal with the loading of models."""

    @property
    def by_hand_s(self) -> float:
        """Seconds that a person points and types; see the module."""
        return self.clicks * (POINT_S + CLICK_S) + self.keys * KEY_S


class Visitor:
    """A person on the page, who works in a folder."""

    def __init__(self, page: Any, folder: Path) -> None:
        self.page, self.folder = page, folder
        self.file_dialogs = 0

    def choose(self, name: str = f"{SCENE}.png") -> None:
        """Choose a picture in the dialog of the operating system."""
        with self.page.expect_file_chooser() as waiting:
            self.click('#start [data-key="file"]')
        waiting.value.set_files(self.folder / name)
        self.file_dialogs += 1
        self.page.locator("#workbench").wait_for()

    def click(self, place: str) -> None:
        """Click on something."""
        self.page.locator(place).first.click()

    def ask(self, question: str) -> None:
        """Type a question, and wait for its answer."""
        from page_steps import answered, expect

        self.click("#question")
        self.page.keyboard.type(question)
        expect(self.page.locator("#ask")).to_be_enabled(timeout=WAIT_MS)
        self.page.keyboard.press("Enter")
        answered(self.page, question)

    def point(self, x: float, y: float, *, shift: bool = False) -> None:
        """Click on a pixel of the picture, and wait for the preview."""
        from page_steps import on_canvas

        if shift:
            self.page.keyboard.down("Shift")
        with self.page.expect_response(lambda answer: "/regions" in answer.url):
            self.page.mouse.click(*on_canvas(self.page, x, y))
        if shift:
            self.page.keyboard.up("Shift")

    def drag(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """Draw a box, and wait for the preview."""
        from page_steps import on_canvas

        self.page.mouse.move(*on_canvas(self.page, x0, y0))
        self.page.mouse.down()
        self.page.mouse.move(*on_canvas(self.page, (x0 + x1) / 2, (y0 + y1) / 2))
        self.page.mouse.move(*on_canvas(self.page, x1, y1))
        with self.page.expect_response(lambda answer: "/regions" in answer.url):
            self.page.mouse.up()

    def keep(self) -> None:
        """Turn the preview into a region."""
        from page_steps import expect

        expect(self.page.locator("#draft-keep")).to_be_enabled()
        self.click("#draft-keep")
        self.page.locator(".chip").first.wait_for()

    def save(self, kind: str) -> None:
        """Save something through the menu."""
        from page_steps import export

        assert export(self.page, kind, self.folder).stat().st_size


@dataclass(frozen=True)
class Alternative:
    """What the documentation of another tool gives for a task."""

    tool: str
    lines: int
    characters: int
    what: str
    source: str


@dataclass(frozen=True)
class Task:
    """Something that people want done."""

    name: str
    commands: tuple[str, ...]
    leaves: str
    """A file or folder that the commands leave."""
    on_page: Callable[[Visitor], None] | None = None
    before: Callable[[Visitor], None] | None = None
    """What was done on the page some time ago; it is not counted."""
    alternatives: tuple[Alternative, ...] = ()


def _ask_and_save(visitor: Visitor) -> None:
    visitor.choose()
    visitor.ask("Frame the dog in the picture.")
    visitor.save("overlay")


def _mask_two(visitor: Visitor) -> None:
    visitor.choose()
    visitor.ask("Can you segment the dog?")
    visitor.ask("Can you segment the sheep?")
    visitor.save("masks")


def _one_click(visitor: Visitor) -> None:
    visitor.choose()
    visitor.click('button[data-tool="click"]')
    visitor.point(205, 320)
    visitor.keep()
    visitor.save("masks")


def _two_clicks(visitor: Visitor) -> None:
    visitor.choose()
    visitor.click('button[data-tool="click"]')
    visitor.point(205, 320)
    visitor.point(20, 20, shift=True)
    visitor.keep()
    visitor.save("masks")


def _box(visitor: Visitor) -> None:
    visitor.choose()
    visitor.click('button[data-tool="box"]')
    visitor.drag(100, 220, 310, 410)
    visitor.keep()
    visitor.save("masks")


def _blur_rest(visitor: Visitor) -> None:
    visitor.choose()
    visitor.ask("Frame the dog in the picture.")
    visitor.ask("blur all but the dog")
    visitor.save("edited")


def _cut_out(visitor: Visitor) -> None:
    visitor.choose()
    visitor.ask("Frame the dog in the picture.")
    visitor.click(".chip")
    visitor.click('[data-action="cut_out"]')
    visitor.click("#edit-form [type=submit]")
    visitor.page.locator("#edits button").first.wait_for()
    visitor.save("edited")


def _to_coco(visitor: Visitor) -> None:
    visitor.choose()
    visitor.ask("Can you segment the dog?")
    visitor.save("coco")


def _talk_earlier(visitor: Visitor) -> None:
    visitor.choose()
    visitor.ask("Frame the dog in the picture.")


def _resume(visitor: Visitor) -> None:
    visitor.click("#list-button")
    visitor.click("dialog li [data-id]")
    visitor.page.locator("#workbench").wait_for()
    visitor.ask("Frame the sheep in the picture.")
    visitor.save("overlay")


GROUNDED_SAM = Alternative(
    "Grounded SAM", 2, 348, "commands", "README of IDEA-Research/Grounded-Segment-Anything, 018cc73"
)
SAM = Alternative(
    "Segment Anything", 5, 246, "Python; reading and saving are not given",
    "README of facebookresearch/segment-anything, 13ea663",
)  # fmt: skip
TASKS = (
    Task(
        "ask for an object; the picture with its mask",
        (f'segue ask {SCENE}.png "Frame the dog in the picture." --out overlay.png',),
        "overlay.png",
        _ask_and_save,
        alternatives=(
            Alternative(
                "LISA",
                3,
                144,
                "a command and two answers",
                "README of dvlab-research/LISA, 022a8bc",
            ),
            GROUNDED_SAM,
        ),
    ),
    Task(
        "masks of two nouns, as PNG files",
        (f"segue segment {SCENE}.png dog sheep --masks two/",),
        "two",
        _mask_two,
        alternatives=(GROUNDED_SAM,),
    ),
    Task(
        "one click: the mask of what is there",
        (f"segue segment {SCENE}.png --point 205,320 --masks click/",),
        "click",
        _one_click,
        alternatives=(
            SAM,
            Alternative(
                "rembg", 1, 137, "command; the cut-out", "README of danielgatis/rembg, 00f918b"
            ),
        ),
    ),
    Task(
        "a second click on what does not belong to it",
        (f"segue segment {SCENE}.png --point 205,320 --point 20,20,0 --masks clicks/",),
        "clicks",
        _two_clicks,
        alternatives=(SAM,),
    ),
    Task(
        "a box: the mask of what is in it",
        (f"segue segment {SCENE}.png --box 100,220,310,410 --masks box/",),
        "box",
        _box,
        alternatives=(SAM,),
    ),
    Task(
        "blur all but one object",
        (f"segue edit {SCENE}.png blur where=rest --phrase dog --out blurred.png",),
        "blurred.png",
        _blur_rest,
    ),
    Task(
        "cut an object out",
        (f"segue edit {SCENE}.png cutout --phrase dog --out dog.png",),
        "dog.png",
        _cut_out,
        alternatives=(
            Alternative(
                "rembg",
                1,
                44,
                "command; no say in which object",
                "README of danielgatis/rembg, 00f918b",
            ),
        ),
    ),
    Task(
        "COCO annotations of a picture",
        (
            f"segue annotate {SCENE}.png --classes dog --out one/",
            "segue export one/ --format coco --out coco/",
        ),
        "coco",
        _to_coco,
        alternatives=(
            Alternative(
                "Segment Anything",
                1,
                133,
                "command; everything, without classes",
                "README of facebookresearch/segment-anything, 13ea663",
            ),
        ),
    ),
    Task(
        "take up an earlier conversation with a question",
        ('segue ask "Frame the sheep in the picture." --session talk/ --out sheep.png',),
        "sheep.png",
        _resume,
        before=_talk_earlier,
    ),
    Task(
        "a folder of pictures, two classes, a YOLO data set",
        (
            'segue annotate photos/ --classes "dog, sheep" --out run/',
            "segue export run/ --format yolo --out yolo/",
        ),
        "yolo",
        alternatives=(
            Alternative(
                "autodistill", 7, 255, "Python", "README of autodistill/autodistill, 05a010f"
            ),
        ),
    ),
)
EARLIER = f'segue ask {SCENE}.png "Frame the dog in the picture." --session talk/'
"""What was done in the terminal some time ago."""


def in_terminal(task: Task, folder: Path) -> Effort:
    """Run the commands of a task."""
    started = time.perf_counter()
    for command in task.commands:
        run_command(command, folder)
    seconds = time.perf_counter() - started
    left = folder / task.leaves
    assert left.is_file() or any(left.iterdir()), f"{task.commands[-1]!r} left nothing"
    keys = sum(len(command) + 1 for command in task.commands)  # Enter is a key
    return Effort(keys=keys, commands=len(task.commands), seconds=seconds)


def run_command(command: str, folder: Path) -> None:
    """Run one command as it is written."""
    _, *words = shlex.split(command)
    subprocess.run(
        [sys.executable, "-m", "segue.cli", *words], cwd=folder, check=True, capture_output=True
    )


def on_page(task: Task, open_page: Callable[[], Any], folder: Path) -> Effort | None:
    """Do a task on the page; None: the page does not offer it."""
    if task.on_page is None:
        return None
    if task.before is not None:
        task.before(Visitor(open_page(), folder))
    visitor = Visitor(open_page(), folder)
    started = time.perf_counter()
    task.on_page(visitor)
    seconds = time.perf_counter() - started
    counted = visitor.page.evaluate("window.counted")
    clicks = counted["clicks"] + 2 * visitor.file_dialogs
    return Effort(clicks=clicks, keys=counted["keys"], seconds=seconds)


@contextmanager
def browsing(data: Path) -> Iterator[Callable[[], Any]]:
    """Start server and browser; what is given opens the page anew."""
    from playwright.sync_api import sync_playwright

    chromium = os.environ.get("SEGUE_CHROMIUM") or shutil.which("chromium")
    command = [sys.executable, "-m", "segue.cli", "serve", "--no-key", "--port", "0"]
    server = subprocess.Popen(
        [*command, "--data", str(data)],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    try:
        assert server.stdout is not None
        address = next(
            found[1] for line in server.stdout
            if (found := re.search(r"Listening on (http://[\d.:]+)", line))
        )  # fmt: skip
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            context = browser.new_context(
                viewport={"width": 1280, "height": 800}, locale="en-GB", accept_downloads=True
            )
            context.set_default_timeout(WAIT_MS)
            context.add_init_script(_COUNTING)

            def open_page() -> Any:
                page = context.new_page()
                page.goto(address)
                page.wait_for_selector("html[data-ready]")
                page.wait_for_load_state("networkidle")
                return page

            yield open_page
            browser.close()
    finally:
        server.terminate()
        server.wait(30)


def prepare(folder: Path) -> None:
    """Put the pictures into the folder of a person."""
    (folder / "photos").mkdir(parents=True)
    shutil.copy(sample(SCENE).file, folder / f"{SCENE}.png")
    for name in ("airport", "meadow", "table", "beach"):
        shutil.copy(sample(name).file, folder / "photos" / f"{name}.png")


def main(only: str | None = None) -> None:
    """Print the tables."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "work"
        prepare(folder)
        efforts: dict[str, list[Effort | None]] = {task.name: [None, None] for task in TASKS}
        if only != "terminal":
            with browsing(Path(name) / "data") as open_page:
                warm_up = Visitor(open_page(), folder)  # the models load
                _talk_earlier(warm_up)
                for task in TASKS:
                    efforts[task.name][0] = on_page(task, open_page, folder)
        if only != "page":
            run_command(EARLIER, folder)
            for task in TASKS:
                efforts[task.name][1] = in_terminal(task, folder)
    heads = ["task", "page: clicks, keys", "by hand", "machine"]
    heads += ["terminal: commands, characters", "by hand", "machine"]
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    for task in TASKS:
        page, terminal = efforts[task.name]
        cells = ["-"] * 3 if page is None else [f"{page.clicks}, {page.keys}", *_times(page)]
        cells += (
            ["-"] * 3
            if terminal is None
            else [f"{terminal.commands}, {terminal.keys}", *_times(terminal)]
        )
        print(f"| {task.name} | {' | '.join(cells)} |")
    heads = ["task", "alternative", "lines, characters", "what", "counted from"]
    print(f"\n| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    for task in TASKS:
        for other in task.alternatives:
            numbers = f"{other.lines}, {other.characters}"
            print(f"| {task.name} | {other.tool} | {numbers} | {other.what} | {other.source} |")


def _times(effort: Effort) -> list[str]:
    return [f"{effort.by_hand_s:.0f} s", f"{effort.seconds:.1f} s"]


if __name__ == "__main__":
    print(heading())
    arguments = sys.argv[1:]
    main(arguments[arguments.index("--only") + 1] if "--only" in arguments else None)
