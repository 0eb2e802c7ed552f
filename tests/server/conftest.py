"""Real servers on loopback: one with the embedded models for all tests, others scripted."""

import base64
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import numpy as np
import openai
import pytest
import uvicorn

import segue
from segue.assistant import Assistant
from segue.chat.scripted import Scripted
from segue.detect.fixed import Fixed
from segue.segment.box_fill import BoxFill
from segue.server.app import build
from segue.server.http.connections import protocol_for
from segue.server.settings import Settings
from segue.values.box import Box
from segue.values.image import Image
from segue.values.message import Finish

KEY, OTHER_KEY = "a key of sixteen or more".replace(" ", "-"), "the-key-of-somebody-else"
PICTURE = Image(np.random.default_rng(5).integers(0, 255, (60, 80, 3)).astype(np.uint8))
PLAIN = {"trust_env": False, "verify": False}
"""No proxies, and no certificates: reading them takes longer than most requests."""
BOXES = "Here <ref>飞机</ref><box>(100,100),(500,500)</box> and <gsam>dog</gsam>, <gsam>cat</gsam>."

ALOUD = (
    "Is it <ref>飞机</ref><box>(100,100),(500,500)</box> or <gsam>cat</gsam>? <box>(1,2</box>"
    "</think>\n\nIt is a <gsam>dog</gsam>."
)
"""A reply whose first half is a thought that its prompt had opened."""


def apart(call: Callable[[], Any]) -> Any:
    """Do something in a thread of its own: the browser's driver keeps this one's event loop."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result()


def data_url(image: Image = PICTURE) -> str:
    """A picture as it travels in JSON."""
    return "data:image/png;base64," + base64.b64encode(image.to_png_bytes()).decode()


def scripted(*replies: str, delay: float | None = None, piece: int = 4) -> Assistant:
    """An assistant whose replies are known; there is one dog."""
    chat = Scripted(list(replies or [BOXES] * 50), delay=delay, piece=piece)
    return Assistant(chat, Fixed({"dog": [Box(10, 10, 40, 30)]}), BoxFill())


class BreaksOff(Scripted):
    """Its replies end for a reason of their own."""

    def __init__(self, finish: Finish, *replies: str) -> None:
        super().__init__(list(replies))
        self.finish = finish

    def _pieces(self, reply: str, sampling: Any) -> Any:
        yield from super()._pieces(reply, sampling)
        return self.finish


def breaking_off(why: str, notice: str, reply: str = BOXES) -> Assistant:
    """An assistant whose replies end with a word about it."""
    return Assistant(BreaksOff(Finish(why, notice), reply, reply), None, BoxFill())


class Running:
    """A server, and clients of it."""

    def __init__(self, url: str, app: Any) -> None:
        self.url, self.app = url, app
        self._opened: list[openai.OpenAI] = []

    @property
    def services(self) -> Any:
        return self.app.state.services

    def client(self, key: str | None = KEY, **options: Any) -> httpx.Client:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.Client(
            base_url=self.url,
            headers={**headers, **options.pop("headers", {})},
            **{"timeout": 60, **PLAIN, **options},
        )

    def openai(self, key: str = KEY, **options: Any) -> openai.OpenAI:
        http = httpx.Client(**PLAIN)
        given = {"max_retries": 0, "http_client": http, **options}
        client = openai.OpenAI(base_url=f"{self.url}/v1", api_key=key, **given)
        self._opened.append(client)
        return client

    def close(self) -> None:
        for client in self._opened:
            client.close()


class Process:
    """`segue serve` with scripted replies and no torch, so that it starts at once."""

    def __init__(self, folder: Path, replies: dict[str, str], *options: str) -> None:
        self.folder = folder
        script = folder / "script.json"
        script.write_text(json.dumps(replies))
        self.command = [
            sys.executable, "-m", "segue.cli", "serve", "--no-key", "--port", "0", "--rate", "0",
            "--data", str(folder / "data"), "--chat", f"scripted:{script}", "--detect", "none",
            "--segment", "box_fill:", *options,
        ]  # fmt: skip

    def start(self) -> httpx.Client:
        """Start it and wait until it is ready."""
        client = self.start_unready()
        while client.get("/readyz").status_code != 200:
            threading.Event().wait(0.02)
        return client

    def start_unready(self) -> httpx.Client:
        """Start it and wait until it listens."""
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "COLUMNS": "200"},
        )  # fmt: skip
        said = ""
        for line in self.process.stdout or ():
            said += line
            if found := re.search(r"Listening on (http://[\d.:]+)", line):
                break
        else:
            pytest.fail(f"the server did not start: {said}")
        self.address = found[1].removeprefix("http://")
        return httpx.Client(base_url=found[1], timeout=30, trust_env=False)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()


@contextmanager
def running(assistant: Assistant | Callable[[], Assistant], data: Path, **options: Any):
    """A real uvicorn in a thread, on a port of its own; `review` is what its page is about."""
    review, make_tracker = options.pop("review", None), options.pop("make_tracker", None)
    settings = Settings(**{"data": data, "keys": (KEY, OTHER_KEY), "port": 0, **options})
    load = assistant if callable(assistant) else lambda: assistant
    app = build(settings, load, review=review, make_tracker=make_tracker)
    bounded = {"http": protocol_for(app.state.connections), "ws": "none"}
    config = uvicorn.Config(app, port=0, log_level="error", lifespan="on", **bounded)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = monotonic() + 60
    pause = threading.Event()
    while not (server.started and app.state.worker.state != "loading") and monotonic() < until:
        if callable(assistant) and server.started:
            break
        pause.wait(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    one = Running(f"http://127.0.0.1:{port}", app)
    try:
        yield one
    finally:
        one.close()
        server.should_exit = True
        thread.join(30)


@pytest.fixture(scope="session")
def embedded(tmp_path_factory) -> Iterator[Running]:
    """The models on board, shared by all tests of a worker."""
    data = tmp_path_factory.mktemp("embedded")
    with running(segue.load("embedded"), data, requests_per_minute=0) as server:
        yield server


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Running]:
    """Known replies, fifty a conversation; shared by the tests of a file."""
    data = tmp_path_factory.mktemp("scripted")
    with running(scripted(), data, requests_per_minute=0) as one:
        yield one


@pytest.fixture
def client(server: Running) -> Iterator[httpx.Client]:
    with server.client() as one:
        yield one


def events(response: httpx.Response) -> list[tuple[str, Any]]:
    """Server-sent events as (name, data)."""
    found, name = [], ""
    for line in response.iter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            found.append((name, json.loads(line.removeprefix("data: "))))
    return found


def ask(client: httpx.Client, id: str, question: str = "what?", **fields: Any) -> list[Any]:
    """Ask in a conversation; the events that came."""
    url = f"/v1/conversations/{id}/ask"
    with client.stream("POST", url, json={"question": question, **fields}) as response:
        assert response.status_code == 200, response.read()
        return events(response)


def begin(client: httpx.Client, picture: Image | None = PICTURE) -> str:
    """A new conversation, with a picture."""
    id = client.post("/v1/conversations", json={}).json()["id"]
    if picture is not None:
        file = {"file": ("scene.png", picture.to_png_bytes(), "image/png")}
        answer = client.post(f"/v1/conversations/{id}/images", files=file)
        assert answer.status_code == 201, answer.text
    return id
