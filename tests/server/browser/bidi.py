"""A small client of WebDriver BiDi, which drives Firefox without any other program.

It knows what the tests need: open a page, evaluate JavaScript, press keys, click, tap.
https://w3c.github.io/webdriver-bidi/
"""

import base64
import itertools
import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

START_S = 60
REPLY_S = 40

KEYS = {"Enter": "\ue007", "Escape": "\ue00c", "Delete": "\ue017", "Tab": "\ue004",
        "ArrowDown": "\ue015", "Shift": "\ue008", "Control": "\ue009"}  # fmt: skip

WAIT_FOR = """new Promise((resolve, reject) => {
  const until = Date.now() + 20000;
  const look = () => {
    if (CONDITION) resolve(true);
    else if (Date.now() > until) reject(new Error("not within 20 seconds"));
    else setTimeout(look, 20);
  };
  look();
})"""


class WebSocket:
    """The client's side of a WebSocket (RFC 6455), text messages only."""

    def __init__(self, host: str, port: int, path: str) -> None:
        self._socket = socket.create_connection((host, port), timeout=REPLY_S)
        self._file = self._socket.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        head = (f"GET {path} HTTP/1.1", f"Host: {host}:{port}", "Upgrade: websocket",
                "Connection: Upgrade", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13",
                "", "")  # fmt: skip
        self._socket.sendall("\r\n".join(head).encode())
        status = self._file.readline()
        assert b" 101 " in status, status
        while self._file.readline().strip():
            pass

    def send(self, text: str) -> None:
        """Send a message in one frame."""
        content = text.encode()
        mask = os.urandom(4)
        if len(content) < 126:
            size = bytes([0x80 | len(content)])
        elif len(content) < 1 << 16:
            size = bytes([0x80 | 126]) + len(content).to_bytes(2, "big")
        else:
            size = bytes([0x80 | 127]) + len(content).to_bytes(8, "big")
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(content))
        self._socket.sendall(b"\x81" + size + mask + masked)

    def receive(self) -> str:
        """Wait for a whole message."""
        parts = []
        while True:
            first, size = self._file.read(2)
            length = size & 0x7F
            if length > 125:
                length = int.from_bytes(self._file.read(2 if length == 126 else 8), "big")
            content = self._file.read(length)
            if first & 0x0F > 2:  # a ping, or the end
                continue
            parts.append(content)
            if first & 0x80:
                return b"".join(parts).decode()

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()


class Firefox:
    """A headless Firefox with a fresh profile, and one page in it."""

    def __init__(self, program: str, folder: Path, settings: Mapping[str, object]) -> None:
        lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in settings.items()]
        (folder / "user.js").write_text("\n".join(lines))
        log = folder / "firefox.log"
        command = [program, "--headless", "--no-remote", "--profile", str(folder),
                   "--remote-debugging-port", "0", "about:blank"]  # fmt: skip
        environment = {**os.environ, "HOME": str(folder)}
        with log.open("wb") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
        port = self._wait_for_port(log)
        self._numbers = itertools.count(1)
        self._socket = WebSocket("127.0.0.1", port, "/session")
        self.call("session.new", capabilities={})
        self._context = self.call("browsingContext.getTree")["contexts"][0]["context"]

    def _wait_for_port(self, log: Path) -> int:
        until = time.monotonic() + START_S
        while time.monotonic() < until and self._process.poll() is None:
            if found := re.search(rb"BiDi listening on ws://127.0.0.1:(\d+)", log.read_bytes()):
                return int(found[1])
            time.sleep(0.05)
        raise AssertionError(f"Firefox does not start:\n{log.read_text()[-2000:]}")

    def call(self, method: str, **parameters: Any) -> dict:
        """Call one command of the protocol."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            said = json.loads(self._socket.receive())
            if said.get("id") == number:
                assert said["type"] == "success", said
                return said["result"]

    def resize(self, width: int, height: int) -> None:
        """Set the size of the page."""
        size = {"width": width, "height": height}
        self.call("browsingContext.setViewport", context=self._context, viewport=size)

    def goto(self, url: str) -> None:
        """Open an address, and wait until it has loaded."""
        self.call("browsingContext.navigate", context=self._context, url=url, wait="complete")

    def evaluate(self, expression: str) -> Any:
        """Evaluate JavaScript; what it gives, or resolves to, comes back as JSON."""
        wrapped = f"Promise.resolve({expression}).then((value) => JSON.stringify(value ?? null))"
        target = {"context": self._context}
        said = self.call("script.evaluate", expression=wrapped, awaitPromise=True, target=target)
        assert said["type"] == "success", said["exceptionDetails"]["text"]
        return json.loads(said["result"]["value"])

    def wait_for(self, condition: str) -> None:
        """Wait until a condition holds."""
        self.evaluate(WAIT_FOR.replace("CONDITION", condition))

    def place_of(self, selector: str) -> tuple[float, float]:
        """The middle of an element on the screen."""
        x, y = self.evaluate(
            f"(() => {{ const node = document.querySelector({json.dumps(selector)});"
            " node.scrollIntoView({ block: 'nearest' }); const box = node.getBoundingClientRect();"
            " return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        return x, y

    def press(self, *keys: str) -> None:
        """Press keys, one after the other; "Control+z" holds the first one."""
        actions: list[dict[str, str]] = []
        for key in keys:
            parts = [KEYS.get(part, part) for part in (key.split("+") if len(key) > 1 else [key])]
            actions += [{"type": "keyDown", "value": part} for part in parts]
            actions += [{"type": "keyUp", "value": part} for part in reversed(parts)]
        self._perform({"type": "key", "id": "keyboard", "actions": actions})

    def click(self, selector: str) -> None:
        """Click the middle of an element."""
        self.point("mouse", self.place_of(selector))

    def point(self, kind: str, *ways: Any, hold_ms: int = 0) -> None:
        """Put down a mouse, or fingers: a place each, or a list of places to move through."""
        fingers = []
        for number, way in enumerate(ways):
            (x, y), *rest = way if isinstance(way, list) else [way]
            move = {"type": "pointerMove", "x": round(x), "y": round(y)}
            actions: list[dict] = [move, {"type": "pointerDown", "button": 0}]
            actions += [
                {"type": "pointerMove", "x": round(x), "y": round(y), "duration": 30}
                for x, y in rest
            ]
            if hold_ms:
                actions.append({"type": "pause", "duration": hold_ms})
            actions.append({"type": "pointerUp", "button": 0})
            fingers.append({"type": "pointer", "id": f"{kind}{number}", "actions": actions,
                            "parameters": {"pointerType": kind}})  # fmt: skip
        self._perform(*fingers)

    def _perform(self, *sources: dict) -> None:
        self.call("input.performActions", context=self._context, actions=list(sources))

    def screenshot(self, file: Path) -> None:
        """Save what is to be seen."""
        said = self.call("browsingContext.captureScreenshot", context=self._context)
        file.write_bytes(base64.b64decode(said["data"]))

    def close(self) -> None:
        """End it."""
        self._socket.close()
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
