"""A small web server on this machine that serves what a test puts into it."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@dataclass
class Site:
    """Files by path, and what was asked for."""

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    """The path of the URL -> what it gives."""
    headers: dict[str, str] = field(default_factory=dict)
    """Sent with every answer."""
    cut_after: int | None = None
    """Drop the connection after so many bytes, once."""
    status: int = 200
    """Answered instead of a file when it is not 200."""
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    """Method, path and Range of each request."""


@pytest.fixture
def site() -> Iterator[Site]:
    served = Site()

    class Handler(BaseHTTPRequestHandler):
        def answer(self, body: bool) -> None:
            path, wanted = self.path.partition("?")[0], self.headers.get("Range")
            served.asked.append((self.command, path, wanted))
            content = served.files.get(path)
            if content is None or served.status != 200:
                self.send_response(404 if content is None else served.status)
                for name, value in served.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
            if start >= len(content) and wanted:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206 if start else 200)
            if path.startswith("/api/"):
                self.send_header("Content-Type", "application/json")
            for name, value in served.headers.items():
                self.send_header(name, value)
            self.send_header("ETag", f'"{len(content)}-{path.rpartition("/")[2]}"')
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            if body:
                end, served.cut_after = served.cut_after, None
                self.wfile.write(content[start:end])
                self.close_connection = end is not None

        def do_GET(self) -> None:
            self.answer(body=True)

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def log_message(self, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *args: object) -> None:
            """A client that goes away is what some tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    served.address = f"http://127.0.0.1:{server.server_port}"
    yield served
    server.shutdown()
    server.server_close()
