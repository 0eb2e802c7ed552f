"""A film that comes in as a form: written to the disk while it comes, never held whole."""

import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import anyio.to_thread
from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from segue.server.conversations.pictures import clean_picture_name
from segue.server.conversations.storage import private
from segue.server.http.errors import ApiError

_WRITE_BYTES = 2**20
"""So much is gathered before it is written, beside the event loop."""


@dataclass(frozen=True, slots=True)
class Film:
    """A film that has come in whole."""

    draft: Path
    name: str
    """What its sender called it, cleaned for display."""
    digest: str
    """SHA-256 of its bytes, in hexadecimal."""
    size_bytes: int


@asynccontextmanager
async def receive_film(request: Request, draft: Path) -> AsyncIterator[Film]:
    """Write the film of a form into a file, which is gone after the block unless it was moved.

    Args:
        request: a form (multipart/form-data) with one file, called `file`.
        draft: where it is written.

    Raises:
        ApiError: 400, it is not such a form; 413 and 408, as its body is read.
        OSError: the disk refuses.
    """
    try:
        with open(draft, "wb", opener=private) as out:
            form = _FilmForm(request.headers.get("content-type", ""))
            async for piece in request.stream():
                form.parse(piece)
                if form.n_gathered >= _WRITE_BYTES:
                    await anyio.to_thread.run_sync(form.write, out)
            await anyio.to_thread.run_sync(form.write, out)
            await anyio.to_thread.run_sync(_sync, out)
        yield form.film(draft)
    finally:
        draft.unlink(missing_ok=True)


@dataclass(slots=True)
class _FilmForm:
    """Reads a form piece by piece, and gathers the bytes of its file."""

    content_type: str
    n_gathered: int = 0
    _parser: MultipartParser = field(init=False)
    _pieces: list[bytes] = field(default_factory=list)
    _names: list[str] = field(default_factory=list)
    _header: tuple[bytes, bytes] = (b"", b"")
    _disposition: bytes = b""
    _is_film: bool = False
    _is_whole: bool = False
    _size: int = 0
    _digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def __post_init__(self) -> None:
        kind, options = parse_options_header(self.content_type)
        if kind != b"multipart/form-data" or not options.get(b"boundary"):
            raise _no_form()
        callbacks = {
            "on_part_begin": self._begin_part,
            "on_header_field": self._take_field,
            "on_header_value": self._take_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
            "on_part_data": self._take_data,
            "on_end": self._end,
        }
        try:
            self._parser = MultipartParser(options[b"boundary"], callbacks)  # type: ignore[arg-type]
        except FormParserError as error:
            raise _no_form() from error

    def parse(self, piece: bytes) -> None:
        """Take the next piece of the body.

        Raises:
            ApiError: 400, it is not a form with one film.
        """
        if not piece:
            return
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise _no_form() from error

    def write(self, out: IO[bytes]) -> None:
        """Write what was gathered; to be called from any thread, one at a time."""
        for piece in self._pieces:
            self._digest.update(piece)
            self._size += len(piece)
            out.write(piece)
        self._pieces, self.n_gathered = [], 0

    def film(self, draft: Path) -> Film:
        """Return what has come, once all of it was written.

        Raises:
            ApiError: 400, there was no film, or the form broke off.
        """
        if not self._names or not self._is_whole:
            raise _no_form()
        name = clean_picture_name(self._names[0]) or "film"
        return Film(draft, name, self._digest.hexdigest(), self._size)

    def _begin_part(self) -> None:
        self._header, self._disposition, self._is_film = (b"", b""), b"", False

    def _take_field(self, data: bytes, start: int, end: int) -> None:
        self._header = (self._header[0] + data[start:end], self._header[1])

    def _take_value(self, data: bytes, start: int, end: int) -> None:
        self._header = (self._header[0], self._header[1] + data[start:end])

    def _end_header(self) -> None:
        if self._header[0].lower() == b"content-disposition":
            self._disposition = self._header[1]
        self._header = (b"", b"")

    def _end_headers(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._is_film = options.get(b"name") == b"file" and b"filename" in options
        if not self._is_film:
            return
        if self._names:
            raise ApiError(400, "invalid_value", "Send one film at a time.", param="file")
        self._names.append(options[b"filename"].decode("utf-8", "replace"))

    def _take_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_film:
            self._pieces.append(data[start:end])
            self.n_gathered += end - start

    def _end(self) -> None:
        self._is_whole = True


def _sync(out: IO[bytes]) -> None:
    out.flush()
    os.fsync(out.fileno())


def _no_form() -> ApiError:
    return ApiError(
        400,
        "invalid_value",
        "Send a form (multipart/form-data) with one film as 'file'.",
        param="file",
    )
