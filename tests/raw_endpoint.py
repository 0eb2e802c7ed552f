"""An endpoint on loopback that sends whatever a test tells it to, byte by byte."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Scenario = Callable[["Exchange"], None]


class Exchange(BaseHTTPRequestHandler):
    """One request, and what is sent back."""

    server: "RawEndpoint"
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self.json({"object": "list", "data": []})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.requests.append((self.path, body))
        try:
            self.server.scenario(self)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def head(self, kind: str = "text/event-stream", status: int = 200) -> None:
        """Begin a body that ends with the connection."""
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True

    def raw(self, data: str | bytes) -> None:
        """Send bytes as they are."""
        self.wfile.write(data if isinstance(data, bytes) else data.encode())
        self.wfile.flush()

    def json(self, value: Any, status: int = 200) -> None:
        """Send one JSON document."""
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    @property
    def key(self) -> str:
        """The key that came."""
        return self.headers["authorization"].removeprefix("Bearer ")


class RawEndpoint(ThreadingHTTPServer):
    """The server; `requests` are the paths and bodies that came."""

    daemon_threads = True

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(("127.0.0.1", 0), Exchange)
        self.scenario = scenario
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"

    def __enter__(self) -> "RawEndpoint":
        options = {"poll_interval": 0.01}
        self._thread = threading.Thread(target=self.serve_forever, kwargs=options, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> str:
    """One event with a piece of a reply."""
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return (
        f"data: {json.dumps({'object': 'chat.completion.chunk', 'choices': [choice], **more})}\n\n"
    )


def words(text: str) -> str:
    """One event with words."""
    return chunk({"content": text})


def streamed(*events: str | bytes, finish: str | None = "stop", done: bool = True) -> Scenario:
    """A stream of events, and its end."""

    def scenario(exchange: Exchange) -> None:
        exchange.head()
        for event in events:
            exchange.raw(event)
        if finish is not None:
            exchange.raw(chunk({}, finish))
        if done:
            exchange.raw("data: [DONE]\n\n")

    return scenario


def whole(value: Any, status: int = 200) -> Scenario:
    """One JSON document."""
    return lambda exchange: exchange.json(value, status)
