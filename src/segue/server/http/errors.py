"""Errors as OpenAI's clients expect them: a status, and {"error": {message, type, param, code}}."""

import logging
import sqlite3
from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.routing import Match

from segue.errors import (
    ContextOverflow,
    InputError,
    MissingExtra,
    ModelError,
    SegueError,
    UnknownName,
)
from segue.server.argument_errors import furthest_error, name_of_argument, sentence_of
from segue.server.disk_errors import DISK_ERROR_MESSAGES, disk_error_code
from segue.server.http import examples

log = logging.getLogger(__name__)

STATUS: Mapping[type[SegueError], int] = {
    InputError: 400,
    UnknownName: 404,
    MissingExtra: 501,
    ModelError: 503,
    ContextOverflow: 400,
}
"""HTTP status of each of the package's errors."""

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
METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")
"""Those that an address may take."""


class ErrorDetail(BaseModel):
    """What went wrong."""

    message: str
    """A sentence for the user."""
    type: str
    param: str | None
    """The field of the request that is to blame."""
    code: str | None
    """For programs; docs/http-api.md lists them."""


class ErrorResponse(BaseModel):
    """An error, in OpenAI's shape."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.ERROR]})
    error: ErrorDetail


class ApiError(Exception):
    """Ends a request with an error; the message is for the user."""

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

    def body(self) -> ErrorResponse:
        """Return the body of the answer."""
        default_type = "invalid_request_error" if self.status < 500 else "server_error"
        return ErrorResponse(
            error=ErrorDetail(
                message=self.message,
                type=TYPES.get(self.status, default_type),
                param=self.param,
                code=self.code,
            )
        )

    def response(self) -> JSONResponse:
        """Return the answer."""
        return JSONResponse(self.body().model_dump(), self.status, self.headers)


def not_found_error(kind: str, name: str) -> ApiError:
    """Return a 404 for a thing that does not exist, or belongs to another key."""
    return ApiError(404, f"{kind}_not_found", f"There is no {kind} {name!r}.")


def to_api_error(error: BaseException) -> ApiError:
    """Return the `ApiError` for any failure; an unknown one is a 500 and goes to the log."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, ContextOverflow):
        return ApiError(STATUS[ContextOverflow], "context_length_exceeded", str(error))
    if isinstance(error, SegueError):
        base = next((base for base in type(error).__mro__ if base in STATUS), ModelError)
        status = STATUS[base]
        headers = {"Retry-After": "5"} if status == 503 else {}
        return ApiError(status, _CODES[status], str(error), headers=headers)
    if (code := disk_error_code(error)) is not None:
        log.warning("a request failed: %s", error)
        return ApiError(507, code, DISK_ERROR_MESSAGES[code])
    if isinstance(error, MemoryError):
        message = "The server has too little memory for this. Send less, or try again later."
        return ApiError(503, "out_of_memory", message, headers={"Retry-After": "5"})
    log.error("a request failed", exc_info=error)
    return ApiError(500, "internal_error", "Something went wrong; the server's log says more.")


def install_error_handlers(app: FastAPI) -> None:
    """Make every failure of an application an answer in this shape."""

    async def on_known_error(_request: Request, error: Exception) -> JSONResponse:
        return to_api_error(error).response()

    async def on_http_exception(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        status, headers = error.status_code, error.headers
        code, call = _CODES.get(status, "invalid_value"), f"{request.method} {request.url.path}"
        messages = {
            404: f"There is no address {call[:200]!r}.",
            405: f"{call[:200]!r} is not supported.",
        }
        if status == 405 and (methods := _methods_of_address(request)):
            messages[405] = f"{messages[405]} This address takes: {', '.join(methods)}."
            headers = {**(headers or {}), "Allow": ", ".join(methods)}
        message = messages.get(status, f"{error.detail}.")
        return ApiError(status, code, message, headers=headers).response()

    async def on_validation_error(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        content_type = request.headers.get("content-type", "")
        return from_validation_error(error, content_type).response()

    for kind in (ApiError, SegueError, OSError, sqlite3.Error, MemoryError):
        app.add_exception_handler(kind, on_known_error)
    app.add_exception_handler(HTTPException, on_http_exception)
    app.add_exception_handler(RequestValidationError, on_validation_error)
    app.add_exception_handler(Exception, on_known_error)


def _methods_of_address(request: Request) -> list[str]:
    """Return the methods that the address of a request takes."""
    return [
        method
        for method in METHODS
        if any(
            route.matches({**request.scope, "method": method})[0] == Match.FULL
            for route in request.app.routes
        )
    ]


def from_validation_error(error: RequestValidationError, content_type: str = "") -> ApiError:
    """Return a 400 for a request that does not fit its model; 415 for a body that is no JSON.

    Args:
        error: what does not fit.
        content_type: of the request.
    """
    detail = furthest_error(error.errors())
    name = name_of_argument(detail, ("body", "query", "path"))
    if detail["type"] == "json_invalid":
        reason = str(detail["msg"]).removeprefix("Value error, ")
        return ApiError(400, "invalid_json", f"The body is not JSON: {reason}.")
    if tuple(detail["loc"]) == ("body",) and "json" not in content_type:
        return media_type_error(content_type, "JSON (Content-Type: application/json)")
    if detail["type"] == "model_attributes_type" and name is None:
        return ApiError(400, "invalid_value", "The body must be a JSON object, {…}.")
    if isinstance(detail.get("ctx", {}).get("error"), UnsupportedField):
        return ApiError(400, "unsupported", sentence_of(detail, None), param=name)
    return ApiError(400, "invalid_value", sentence_of(detail, name), param=name)


def media_type_error(content_type: str, expected: str) -> ApiError:
    """Return the 415 for a body of a type that an address does not take.

    Args:
        content_type: of the request; "" where it gives none.
        expected: what the address takes.
    """
    given = content_type.partition(";")[0].strip()[:80] or "no Content-Type"
    hint = ""
    if "JSON" in expected and given == "multipart/form-data":
        hint = (
            " A picture in JSON is a data: address; files of a form are taken by "
            "/v1/conversations/{id}/images."
        )
    return ApiError(
        415, "unsupported_media_type", f"This address takes {expected}, got {given}.{hint}"
    )


class UnsupportedField(ValueError):
    """A known field that this server does not support. For pydantic's validators."""
