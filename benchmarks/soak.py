"""A long run: mixed work from many clients, departures in the middle, restarts, and trouble.

    python -m benchmarks.soak --minutes 30
    python -m benchmarks.soak --minutes 5 --kill --fill /mnt/small --slow-disk

A server process with the embedded models is watched from outside: memory, handles, threads, and how
long answers take. What was acknowledged is counted and compared after every restart. With --picture
the curves are drawn. Everything stays on the loopback address and ends by itself.

--kill ends the server with SIGKILL in place of SIGTERM; --fill DIR (a small file system of its own,
such as a tmpfs) keeps the data there and fills it to the last byte now and then; --slow-disk makes
every write to the disk wait (with strace, which must be installed).
"""

import argparse
import base64
import contextlib
import json
import os
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import PIL.Image
import PIL.ImageDraw

from segue.embedded.samples import samples
from segue.values.image import Image

CLIENTS = 6
SAMPLE_S = 10.0
FULL_S = 15.0
SLOW = ("strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e",
        "inject=fsync,fdatasync:delay_exit=100000")  # fmt: skip


@dataclass
class Watched:
    """What was seen."""

    rows: list[dict[str, float]] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=200))
    alive: dict[str, int] = field(default_factory=dict)
    """Conversations that were acknowledged -> questions answered in them."""
    lost: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Server:
    """One server process after the other on one data folder."""

    def __init__(self, data: Path, memory: str, prefix: tuple[str, ...]) -> None:
        self.command = [
            *prefix, sys.executable, "-m", "segue.cli", "serve", "--no-key", "--port", "0",
            "--rate-limit", "0", "--memory", memory, "--data", str(data),
        ]  # fmt: skip
        self.up = threading.Event()
        self.start()

    def start(self) -> None:
        """Start it and wait until it is ready."""
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "COLUMNS": "200", "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if found := re.search(r"Listening on (http://[\d.:]+)", line):
                self.url = found[1]
                break
        else:
            raise SystemExit("the server did not start")
        threading.Thread(target=self._repeat, args=(self.process.stdout,), daemon=True).start()
        while httpx.get(f"{self.url}/readyz", trust_env=False).status_code != 200:
            time.sleep(0.1)
        self.pid = self._pid()
        self.up.set()

    def stop(self, how: signal.Signals) -> None:
        """End it."""
        self.up.clear()
        os.kill(self.pid, how)
        self.process.wait(120)

    def _pid(self) -> int:
        """Of the server itself, which strace may have started."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        under = self.command[0] == SLOW[0]
        return int(children.split()[0]) if under else self.process.pid

    @staticmethod
    def _repeat(lines: Any) -> None:
        for line in lines:
            print("server:", line, end="", flush=True)


def visitor(server: Server, watched: Watched, number: int, ends: float) -> None:
    """One client: a job after the other, until the time is over."""
    rng = random.Random(number)
    while time.monotonic() < ends:
        if not server.up.wait(5):
            continue
        try:
            with httpx.Client(base_url=server.url, timeout=150, trust_env=False) as client:
                for _ in range(20):
                    if time.monotonic() > ends or not server.up.is_set():
                        break
                    began = time.monotonic()
                    kind = job(client, watched, rng)
                    watched.recent.append(time.monotonic() - began)
                    watched.done[kind] += 1
        except httpx.HTTPError:
            watched.done["connection broken"] += 1
            time.sleep(0.2)


def job(client: httpx.Client, watched: Watched, rng: random.Random) -> str:
    """One piece of work; says what came of it."""
    scene = rng.choice(samples())
    pixels = np.asarray(scene.image.array).copy()
    pixels[:4, :4] = np.frombuffer(rng.randbytes(48), np.uint8).reshape(4, 4, 3)
    png = Image(pixels).to_png_bytes()
    if rng.random() < 0.25:
        return segmented(client, png, rng)
    answer = client.post("/v1/conversations", json={})
    if answer.status_code != 201:
        return f"create {answer.status_code}"
    id = answer.json()["id"]
    with watched.lock:
        watched.alive[id] = 0
    path = f"/v1/conversations/{id}"
    answer = client.post(f"{path}/images", files={"file": ("a.png", png)})
    if answer.status_code != 201:
        return f"picture {answer.status_code}"
    kind = asked(client, path, id, scene.questions[0], watched, leave=rng.random() < 0.25)
    click = {"image": 0, "points": [[rng.randrange(600), rng.randrange(440)]], "preview": True}
    client.post(f"{path}/regions", json=click)
    client.get(f"{path}/export", params={"format": rng.choice(["coco", "overlay", "session"])})
    if rng.random() < 0.8 and client.delete(path).status_code == 204:
        with watched.lock:
            watched.alive.pop(id, None)
    return kind


def segmented(client: httpx.Client, png: bytes, rng: random.Random) -> str:
    url = "data:image/png;base64," + base64.b64encode(png).decode()
    body = {"image": url, "phrases": ["airplane", "狗"]} if rng.random() < 0.5 else {
        "image": url, "boxes": [[50, 50, 300, 300]]}  # fmt: skip
    return f"segment {client.post('/v1/segment', json=body).status_code}"


def asked(
    client: httpx.Client, path: str, id: str, question: str, watched: Watched, *, leave: bool
) -> str:
    """Ask; some leave in the middle of the answer."""
    body = {"question": question, "temperature": 0}
    with client.stream("POST", f"{path}/ask", json=body) as reply:
        if reply.status_code != 200:
            return f"ask {reply.status_code}"
        name = ""
        for line in reply.iter_lines():
            name = line.removeprefix("event: ") if line.startswith("event: ") else name
            if leave and name in ("text", "region"):
                with watched.lock:
                    watched.alive[id] = -1  # kept or not: nobody was told
                return "ask, left"
    if name == "done":
        with watched.lock:
            watched.alive[id] = 1
    return f"ask {name}"


def compared(server: Server, watched: Watched) -> None:
    """Everything that was acknowledged must be there."""
    with httpx.Client(base_url=server.url, timeout=60, trust_env=False) as client:
        with watched.lock:
            known = dict(watched.alive)
        for id, turns in known.items():
            answer = client.get(f"/v1/conversations/{id}")
            found = len(answer.json()["turns"]) if answer.status_code == 200 else None
            if found is None or (turns >= 0 and found < turns):
                watched.lost.append(f"{id}: {turns} turns were acknowledged, {found} are there")
            if answer.status_code == 200 and answer.json()["busy"]:
                watched.lost.append(f"{id}: still busy")


def measured(server: Server, watched: Watched, began: float) -> None:
    """One row of what the process holds."""
    folder = Path(f"/proc/{server.pid}")
    status = (folder / "status").read_text()
    number = {n: int(re.search(rf"{n}:\s+(\d+)", status)[1]) for n in ("VmRSS", "Threads")}  # type: ignore[index]
    times = sorted(watched.recent) or [0.0]
    row = {
        "minute": (time.monotonic() - began) / 60,
        "memory_mib": number["VmRSS"] / 1024,
        "handles": len(list((folder / "fd").iterdir())),
        "threads": number["Threads"],
        "median_s": statistics.median(times),
        "p95_s": times[int(0.95 * (len(times) - 1))],
        "jobs": sum(watched.done.values()),
    }
    watched.rows.append(row)
    print(json.dumps({k: round(v, 2) for k, v in row.items()}), flush=True)


def filled(folder: Path, server: Server, watched: Watched) -> None:
    """Fill a small file system to the last byte for a while."""
    filler = folder / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    time.sleep(FULL_S)
    ready = httpx.get(f"{server.url}/readyz", trust_env=False).status_code
    watched.done[f"full disk: readyz {ready}"] += 1
    filler.unlink()


def drawn(rows: list[dict[str, float]], file: Path) -> None:
    """Draw the curves, one below the other."""
    width, height, names = 900, 150, ("memory_mib", "handles", "threads", "median_s", "p95_s")
    sheet = PIL.Image.new("RGB", (width, height * len(names)), "white")
    pen = PIL.ImageDraw.Draw(sheet)
    last = rows[-1]["minute"] or 1
    for place, name in enumerate(names):
        values = [row[name] for row in rows]
        top, most = place * height, max(values) * 1.15 or 1
        points = [
            (60 + (width - 80) * row["minute"] / last, top + height - 25 - 110 * row[name] / most)
            for row in rows
        ]
        pen.line([(60, top + height - 25), (width - 20, top + height - 25)], fill="grey")
        pen.line(points, fill=(30, 90, 180), width=2)
        pen.text((8, top + 4), f"{name}: {min(values):.4g} to {max(values):.4g}", fill="black")
        pen.text((width - 90, top + height - 22), f"{last:.0f} minutes", fill="black")
    sheet.save(file)


def main() -> None:
    """Run, print, and fail when something was lost."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--minutes", type=float, default=30)
    options.add_argument("--restart-minutes", type=float, default=8)
    options.add_argument("--memory", default="256MiB")
    options.add_argument("--kill", action="store_true")
    options.add_argument("--fill", type=Path)
    options.add_argument("--slow-disk", action="store_true")
    options.add_argument("--picture", type=Path)
    chosen = options.parse_args()
    if chosen.slow_disk and shutil.which("strace") is None:
        raise SystemExit("--slow-disk needs strace")
    with tempfile.TemporaryDirectory() as place:
        data = (chosen.fill or Path(place)) / "data"
        server = Server(data, chosen.memory, SLOW if chosen.slow_disk else ())
        watched = run(server, chosen)
        server.stop(signal.SIGTERM)
        shutil.rmtree(data, ignore_errors=True)
    print(json.dumps(watched.done, indent=1))
    print(f"lost: {watched.lost[:10] or 'nothing'}")
    if chosen.picture is not None:
        drawn(watched.rows, chosen.picture)
    if watched.lost:
        sys.exit(1)


def run(server: Server, chosen: argparse.Namespace) -> Watched:
    """Let the clients work, measure, restart, compare."""
    watched, began = Watched(), time.monotonic()
    ends = began + 60 * chosen.minutes
    clients = [
        threading.Thread(target=visitor, args=(server, watched, n, ends)) for n in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    restart = began + 60 * chosen.restart_minutes
    while time.monotonic() < ends:
        time.sleep(SAMPLE_S)
        measured(server, watched, began)
        if time.monotonic() >= restart:
            restart += 60 * chosen.restart_minutes
            if chosen.fill is not None:
                filled(chosen.fill, server, watched)
            server.stop(signal.SIGKILL if chosen.kill else signal.SIGTERM)
            server.start()
            compared(server, watched)
            watched.done["restarts"] += 1
    for client in clients:
        client.join()
    compared(server, watched)
    return watched


if __name__ == "__main__":
    main()
