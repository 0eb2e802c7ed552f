"""Where the processor's time goes: the server with 16 clients, a click, the loop over a folder.

    python -m benchmarks.profiles FOLDER

For each: processor time per piece of work, its shares by part of the package, and a flame graph in
FOLDER. Stacks are sampled by py-spy (https://github.com/benfred/py-spy, MIT) from outside, a
hundred times a second, in all threads that run; it must be on the path (`pip install py-spy`).
"""

import asyncio
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.annotate_loops import draw_pictures
from benchmarks.flame_graph import draw, read_folded, shares
from benchmarks.server_load import (
    Tally,
    ask,
    click,
    client_of,
    processor_s,
    start_or_resume,
    started,
)
from benchmarks.timing import heading
from segue.embedded.samples import samples
from segue.values.image import Image

CLIENTS, CONVERSATIONS, CLICKS, PICTURES = 16, 64, 400, 200
CLASSES = "dog,cat,car,tree,duck"


@dataclass(frozen=True)
class Work:
    """What was done, and what it took of the processor."""

    name: str
    pieces: int
    unit: str
    processor_s: float
    wall_s: float

    def __str__(self) -> str:
        each = 1000 * self.processor_s / self.pieces
        return (
            f"{self.name}: {self.pieces} {self.unit}, {each:.0f} ms of processor time each, "
            f"{self.pieces / self.wall_s:.1f} a second"
        )


def main() -> None:
    """Print the tables and draw the pictures."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if shutil.which("py-spy") is None:
        sys.exit("py-spy must be on the path: pip install py-spy")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    print(heading())
    profile_server(folder)
    profile_folder(folder)


def profile_server(folder: Path) -> None:
    """Profile questions of `CLIENTS` at a time, and clicks of one person."""
    with tempfile.TemporaryDirectory() as data:
        process, url = started(Path(data))
        try:
            asyncio.run(talk(url, CLIENTS))  # all paths warm
            with record_stacks(process.pid, folder / "profile_server.webp"):
                work = measure(process.pid, lambda: talk(url, CONVERSATIONS))
            print(Work(f"server, {CLIENTS} clients", 2 * CONVERSATIONS, "answers", *work))
            with record_stacks(process.pid, folder / "profile_click.webp"):
                work = measure(process.pid, lambda: click_on(url))
            print(Work("clicks on one picture", CLICKS, "masks", *work))
        finally:
            process.terminate()
            process.wait(60)


def profile_folder(folder: Path) -> None:
    """Profile `segue annotate` over drawn pictures, from its first one on."""
    with tempfile.TemporaryDirectory() as data:
        pictures = Path(data) / "pictures"
        pictures.mkdir()
        draw_pictures(pictures, PICTURES)
        command = [sys.executable, "-m", "segue.cli", "annotate", str(pictures)]
        command += ["--classes", CLASSES, "--out", str(Path(data) / "run")]
        began = time.perf_counter()
        with (
            subprocess.Popen(command, stderr=subprocess.DEVNULL) as process,
            record_stacks(process.pid, folder / "profile_annotate.webp"),
        ):
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            took = (processor_s(process.pid), time.perf_counter() - began)
        print(Work("segue annotate, its start included", PICTURES, "pictures", *took))


async def talk(url: str, count: int) -> None:
    """Have `count` new pictures described and an object framed, `CLIENTS` at a time."""
    pending = iter(range(count))

    async def client_loop() -> None:
        async with client_of(url) as client:
            for number in pending:
                scene = samples()[number % len(samples())]
                made = await client.post("/v1/conversations", json={})
                path = f"/v1/conversations/{made.json()['id']}"
                shown = await client.post(
                    f"{path}/images", files={"file": ("a.png", new_picture(scene.image))}
                )
                shown.raise_for_status()
                for question in (scene.questions[1], scene.questions[3]):  # one by box, one by tag
                    await ask(client, path, question, Tally(), "question: text")

    await asyncio.gather(*(client_loop() for _ in range(CLIENTS)))


def new_picture(image: Image) -> bytes:
    """Return a picture, PNG, that no cache has seen: its corner is noise."""
    pixels = image.array.copy()
    pixels[:4, :4] = np.frombuffer(os.urandom(48), np.uint8).reshape(4, 4, 3)
    return Image(pixels).to_png_bytes()


async def click_on(url: str) -> None:
    """Click on a picture, each time at a new place."""
    async with client_of(url) as client:
        id = await start_or_resume(client, "meadow", Tally())
        places = itertools.product(range(60, 580, 25), range(60, 420, 18))
        for place in itertools.islice(places, CLICKS):
            await click(client, f"/v1/conversations/{id}", place, Tally(), "click")


def measure(pid: int, run: Callable[[], Awaitable[None]]) -> tuple[float, float]:
    """Return the processor time of a process while `run` runs, and the wall time, in seconds."""
    before, began = processor_s(pid), time.perf_counter()
    asyncio.run(run())  # type: ignore[arg-type]
    return processor_s(pid) - before, time.perf_counter() - began


@contextmanager
def record_stacks(pid: int, file: Path) -> Iterator[None]:
    """Sample the stacks of a process meanwhile; print the shares, and draw the flame graph."""
    with tempfile.TemporaryDirectory() as name:
        raw = Path(name) / "stacks.txt"
        command = f"py-spy record --nonblocking --format raw --pid {pid} --output".split()
        quiet: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        sampler = subprocess.Popen([*command, str(raw)], **quiet)
        try:
            yield
        finally:
            sampler.send_signal(signal.SIGINT)  # py-spy writes what it has when it is interrupted
            sampler.wait(60)
        stacks = read_folded(raw.read_text())
    for part, share in shares(stacks).items():
        if share >= 0.01:
            print(f"    {share:6.1%}  {part}")
    draw(stacks, file)


if __name__ == "__main__":
    main()
