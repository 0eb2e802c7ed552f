"""Errors as OpenAI's clients expect them: a status, and {"error": {message, type, param, code}}."""

import logging
import re
import sqlite3
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from segue.errors import InputError, MissingExtra, ModelError, SegueError, UnknownName
from segue.server.disk_errors import SENTENCES, trouble_of

log = logging.getLogger(__name__)

STATUS: Mapping[type[SegueError], int] = {
    InputError: 400,
    UnknownName: 404,
    MissingExtra: 501,
    ModelError: 503,
}
"""What each of our errors is over HTTP."""

TYPES: Mapping[int, str] = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    429: "rate_limit_error",
}
"""OpenAI's names by status; other 4xx are "invalid_request_error", 5xx "server_error"."""

_CODES = {
    400: "invalid_value",
    401: "invalid_api_key",
    404: "not_found",
    405: "method_not_allowed",
    408: "timeout",
    413: "body_too_large",
    501: "missing_extra",
    503: "model_failed",
}


class Problem(Exception):
    """Ends a request with an error; the message is for a person."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.param = status, code, message, param
        self.headers = dict(headers or {})

    def to_json(self) -> dict[str, Any]:
        """The body of the answer."""
        other = "invalid_request_error" if self.status < 500 else "server_error"
        kind = TYPES.get(self.status, other)
        error = {"message": self.message, "type": kind, "param": self.param, "code": self.code}
        return {"error": error}

    def response(self) -> JSONResponse:
        """The answer."""
        return JSONResponse(self.to_json(), self.status, self.headers)


def not_found(what: str, name: str) -> Problem:
    """A 404 for a thing that is not there, or belongs to somebody else."""
    return Problem(404, f"{what}_not_found", f"There is no {what} {name!r}.")


def problem_of(error: BaseException) -> Problem:
    """Any failure as a problem; what we do not know is a 500 and goes to the log."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, SegueError):
        kind = next((k for k in type(error).__mro__ if k in STATUS), ModelError)
        status = STATUS[kind]
        headers = {"Retry-After": "5"} if status == 503 else {}
        return Problem(status, _CODES[status], str(error), headers=headers)
    if (code := trouble_of(error)) is not None:
        log.warning("a request failed: %s", error)
        return Problem(507, code, SENTENCES[code])
    if isinstance(error, MemoryError):
        message = "The server has too little memory for this. Send less, or try again later."
        return Problem(503, "out_of_memory", message, headers={"Retry-After": "5"})
    log.error("a request failed", exc_info=error)
    return Problem(500, "internal_error", "Something went wrong here; the server's log says more.")


def explain(app: FastAPI) -> None:
    """Make every failure of `app` come out in this shape."""

    async def ours(_request: Request, error: Exception) -> JSONResponse:
        return problem_of(error).response()

    async def http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        status, headers = error.status_code, error.headers
        code, asked = _CODES.get(status, "invalid_value"), f"{request.method} {request.url.path}"
        said = {404: f"There is no address {asked[:200]!r}.", 405: f"{asked[:200]!r} is not done."}
        message = said.get(status, f"{error.detail}.")
        return Problem(status, code, message, headers=headers).response()

    async def invalid(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return _validation(error).response()

    for kind in (Problem, SegueError, OSError, sqlite3.Error, MemoryError):
        app.add_exception_handler(kind, ours)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(Exception, ours)


def _validation(error: RequestValidationError) -> Problem:
    # Where several forms are possible, the one that fits furthest is the one that was meant.
    first = max(error.errors(), key=lambda one: len(one["loc"]))
    place = [str(part) for part in first["loc"] if part not in ("body", "query", "path")]
    param = ".".join(part for part in place if re.fullmatch(r"\w+", part)) or None
    reason = str(first["msg"]).removeprefix("Value error, ")
    if first["type"] == "json_invalid":
        return Problem(400, "invalid_json", f"The body is not JSON: {reason}.")
    unsupported = isinstance(first.get("ctx", {}).get("error"), Unsupported)
    code = "unsupported" if unsupported else "invalid_value"
    message = reason if unsupported or param is None else f"{param}: {reason}"
    return Problem(400, code, message.rstrip(".") + ".", param=param)


class Unsupported(ValueError):
    """A field that is known, and that this server does not do. For pydantic's validators."""
