"""A real browser, Debian's Chromium, and a real server with the embedded models."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "src" / "segue" / "server" / "page"
START_S = 300
"""A server that is not ready by then never will be."""


class Server:
    """A `segue serve` process that can be killed and started again."""

    def __init__(self, data: Path) -> None:
        self.data = data
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = data.with_suffix(".log")
        self.start()

    @property
    def command(self) -> list[str]:
        """What is started."""
        return ["serve", "--no-key", "--data", str(self.data)]

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables of the process."""
        return {}

    def start(self) -> None:
        """Start, and wait until it is ready."""
        command = [sys.executable, "-m", "segue.cli", *self.command, "--port", str(self.port)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **self.environment}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        until = time.monotonic() + START_S
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > until:
                self.kill()
                pytest.fail(f"the server does not start:\n{self.log.read_text()[-3000:]}")
            time.sleep(0.2)

    def is_ready(self) -> bool:
        """Whether the models are loaded."""
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def kill(self) -> None:
        """End it without a warning, as a power cut does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """End it politely."""
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()


@pytest.fixture(scope="session")
def server(browser: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests of a worker."""
    running = Server(tmp_path_factory.mktemp("served") / "data")
    yield running
    running.stop()


OpenPage = Callable[..., object]


@pytest.fixture
def open_page(browser, server) -> Iterator[OpenPage]:
    """Open the page in a fresh browser profile; errors of its scripts fail the test."""
    contexts = []
    troubles = []

    def open_page(path: str = "/", *, context=None, url: str = server.url, **options):
        if context is None:
            context = browser.new_context(
                **{"locale": "en-GB", "viewport": {"width": 1280, "height": 800}, **options}
            )
            context.set_default_timeout(20_000)
            contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on(
            "console",
            lambda line: "Content Security Policy" in line.text and troubles.append(line.text),
        )
        page.goto(url + path)
        page.wait_for_selector("html[data-ready]")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not troubles


@pytest.fixture(scope="session")
def modules(browser) -> Iterator[object]:
    """A blank page that can import the page's modules, without any server."""
    context = browser.new_context(locale="en-GB")

    def answer(route):
        path = route.request.url.removeprefix("http://page.test/")
        if path.startswith("page/"):
            route.fulfill(path=PAGE / path.removeprefix("page/"), content_type="text/javascript")
        else:
            route.fulfill(body="<!doctype html><html></html>", content_type="text/html")

    context.route("http://page.test/**", answer)
    page = context.new_page()
    page.goto("http://page.test/")
    yield page
    context.close()
