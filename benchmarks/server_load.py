"""Many people at one server: 200 conversations from 50 clients at a time, on loopback.

    python -m benchmarks server_load

Starts `segue serve` with the embedded models, measures one person alone first (what a click and a
second question cost), then the crowd: every answer is compared with the one that the library gives
for the same picture and question, so a lost or swapped answer is counted. Memory of the server's
process is read before and after. Ends by itself after `SECONDS` at the latest.
"""

import asyncio
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

import segue
from segue.embedded.samples import samples

CONVERSATIONS, CLIENTS, SECONDS = 200, 50, 1500.0
WARM_UP = 30
ALONE = 12
GREEDY = {"temperature": 0}
PAIRS = [
    (sample.name, question)
    for sample in samples()
    for question in (sample.questions[2], sample.questions[4])
]


@dataclass
class Tally:
    """What was seen."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    done: int = 0
    wrong: list[str] = field(default_factory=list)
    refused: int = 0
    """Answers 429, each tried again as `Retry-After` says."""

    def table(self) -> str:
        """Medians and tails, in milliseconds."""
        lines = [f"{'what':<34}{'n':>5}{'median':>9}{'p95':>9}{'worst':>9}  ms"]
        for name, times in self.seconds.items():
            spread = sorted(times)
            tail = spread[min(len(spread) - 1, int(0.95 * len(spread)))]
            row = (statistics.median(spread), tail, spread[-1])
            lines.append(f"{name:<34}{len(spread):>5}" + "".join(f"{1e3 * t:>9.0f}" for t in row))
        return "\n".join(lines)


def main() -> None:
    """Run, print, and fail when an answer was lost or wrong."""
    truth = expected()
    with tempfile.TemporaryDirectory() as folder:
        process, url = started(Path(folder))
        try:
            alone, crowd = Tally(), Tally()
            asyncio.run(one_person(url, alone, process.pid))
            print(f"one person alone\n{alone.table()}")
            asyncio.run(many(url, Tally(), truth, WARM_UP))
            before = resident(process.pid)
            began = time.perf_counter()
            asyncio.run(asyncio.wait_for(many(url, crowd, truth, CONVERSATIONS), SECONDS))
            took = time.perf_counter() - began
            after = resident(process.pid)
            print(f"\n{CONVERSATIONS} conversations from {CLIENTS} clients, {took:.0f} s")
            print(crowd.table())
            print(
                f"answered {crowd.done}, wrong or lost {len(crowd.wrong)}, turned away and tried "
                f"again {crowd.refused}\nmemory {before / 2**20:.0f} MiB before, "
                f"{after / 2**20:.0f} MiB after ({100 * (after / before - 1):+.1f} %)"
            )
        finally:
            process.terminate()
            process.wait(60)
    if crowd.wrong or crowd.done != 2 * CONVERSATIONS:
        sys.exit("\n".join(crowd.wrong[:10]) or "answers are missing")


def expected() -> dict[tuple[str, str], Any]:
    """Ask the library about each pair: text, and phrase and box of every region."""
    assistant = segue.load("embedded")
    pictures = {sample.name: sample.file for sample in samples()}
    found = {}
    for name, question in PAIRS:
        answer = assistant.open(pictures[name]).ask(question, segue.Sampling(temperature=0))
        regions = [[region.phrase, list(region.box.corners)] for region in answer.regions]
        found[name, question] = (answer.text, regions)
    return found


def started(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """Start a server process and wait until it is ready."""
    command = [sys.executable, "-m", "segue.cli", "serve", "--no-key", "--port", "0"]
    command += ["--rate-limit", "0"]
    process = subprocess.Popen(
        [*command, "--data", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"Listening on (http://[\d.:]+)", line):
            break
    else:
        raise SystemExit("the server did not start")
    while httpx.get(f"{found[1]}/readyz", trust_env=False).status_code != 200:
        time.sleep(0.1)
    return process, found[1]


async def one_person(url: str, tally: Tally, pid: int) -> None:
    """Questions and clicks with nobody else there."""
    used: dict[str, list[float]] = defaultdict(list)
    async with client_of(url) as client:
        for number in range(ALONE):
            id = await start_or_resume(client, PAIRS[number % len(PAIRS)][0], tally)
            path = f"/v1/conversations/{id}"
            await ask(client, path, "What is in the picture?", tally, "first text, new picture")
            await ask(client, path, "这是什么?", tally, "first text, second question")
            await click(client, path, (320, 240), tally, "first click: mask of a preview")
            before = processor_s(pid)
            await click(client, path, (300, 230), tally, "next click, elsewhere")
            used["next click, elsewhere"].append(processor_s(pid) - before)
            made = await client.post(
                f"{path}/regions", json={"image": 0, "box": [200, 150, 420, 330]}
            )
            name = made.json()["region"]["id"]
            for shift in range(3):
                clicks = {"points": [[300 + shift, 240]], "labels": [1], "preview": True}
                began, before = time.perf_counter(), processor_s(pid)
                (await client.patch(f"{path}/regions/{name}", json=clicks)).raise_for_status()
                tally.seconds["click that corrects a mask"].append(time.perf_counter() - began)
                used["click that corrects a mask"].append(processor_s(pid) - before)
            await client.delete(path)
    for name, times in used.items():
        print(f"processor time of the server: {name} {1e3 * statistics.mean(times):.0f} ms")


async def many(
    url: str, tally: Tally, truth: dict[Any, Any], count: int, clients: int = CLIENTS
) -> None:
    """`count` conversations, `clients` at a time."""
    pending = iter(range(count))
    await asyncio.gather(*(visitor(url, tally, truth, pending) for _ in range(clients)))


async def visitor(url: str, tally: Tally, truth: dict[Any, Any], pending: Any) -> None:
    """One client: conversation after conversation, two questions each."""
    async with client_of(url) as client:
        for number in pending:
            rng = random.Random(number)
            name = rng.choice(PAIRS)[0]
            id = await start_or_resume(client, name, tally)
            path = f"/v1/conversations/{id}"
            for order in ("first", "second"):
                question = rng.choice([q for sample, q in PAIRS if sample == name])
                turn, regions = await ask(client, path, question, tally, f"{order} question: text")
                tally.done += 1
                said = (turn["text"], [[one["phrase"], one["box"]] for one in regions])
                # A later turn may be worded after the earlier one: then only its place is checked.
                if turn["question"] != question or (
                    order == "first" and not same(said, truth[name, question])
                ):
                    tally.wrong.append(f"{name}, {question!r}: {said}")
            state = (await client.get(path)).json()
            if [one["question"] for one in state["turns"]] == []:
                tally.wrong.append(f"{name}: nothing was kept")
            await client.delete(path)


def same(said: Any, truth: Any) -> bool:
    """Equal words; boxes within a pixel (batches of one, so no more is allowed for)."""
    close = all(
        one[0] == other[0] and max(abs(a - b) for a, b in zip(one[1], other[1])) < 1
        for one, other in zip(said[1], truth[1])
    )
    return said[0] == truth[0] and len(said[1]) == len(truth[1]) and close


def client_of(url: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, timeout=SECONDS, trust_env=False)


async def start_or_resume(client: httpx.AsyncClient, name: str, tally: Tally) -> str:
    began = time.perf_counter()
    made = await client.post("/v1/conversations", json={})
    id: str = made.json()["id"]
    shown = await client.post(f"/v1/conversations/{id}/images", json={"sample": name})
    shown.raise_for_status()
    tally.seconds["new conversation with a picture"].append(time.perf_counter() - began)
    return id


async def click(
    client: httpx.AsyncClient, path: str, at: tuple[int, int], tally: Tally, name: str
) -> None:
    began = time.perf_counter()
    asked = {"image": 0, "points": [at], "labels": [1], "preview": True}
    (await client.post(f"{path}/regions", json=asked)).raise_for_status()
    tally.seconds[name].append(time.perf_counter() - began)


async def ask(
    client: httpx.AsyncClient, path: str, question: str, tally: Tally, name: str
) -> tuple[Any, Any]:
    """Ask until there is room; the turn and its regions."""
    began = time.perf_counter()
    while True:
        asked = {"question": question, **GREEDY}
        async with client.stream("POST", f"{path}/ask", json=asked) as reply:
            if reply.status_code == 429:
                tally.refused += 1
                await asyncio.sleep(float(reply.headers["retry-after"]) * random.uniform(0.5, 1.5))
                continue
            reply.raise_for_status()
            kind, first = "", True
            async for line in reply.aiter_lines():
                if line.startswith("event: "):
                    kind = line[7:]
                elif line.startswith("data: "):
                    if first and kind in ("text", "region"):
                        first = False
                        tally.seconds[name].append(time.perf_counter() - began)
                    if kind == "error":
                        raise SystemExit(line)
                    if kind == "done":
                        data = json.loads(line[6:])
                        key = name.split(":")[0].replace("first text, ", "")
                        tally.seconds[f"{key}: whole answer"].append(time.perf_counter() - began)
                        return data["turn"], data["regions"]


def processor_s(pid: int) -> float:
    """Processor time that a process has used, in seconds, to the system's hundredths."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> int:
    """Memory of a process in bytes."""
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
