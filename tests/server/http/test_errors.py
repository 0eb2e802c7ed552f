"""Errors over HTTP."""

import re

import pytest
from fastapi.exceptions import RequestValidationError

from segue.errors import SegueError
from segue.server.http.errors import STATUS, ApiError, from_validation_error, to_api_error


def kinds(parent=SegueError):
    for kind in parent.__subclasses__():
        yield kind
        yield from kinds(kind)


@pytest.mark.parametrize("kind", list(kinds()), ids=lambda kind: kind.__name__)
def test_every_error_of_ours_has_a_status(kind):
    problem = to_api_error(kind("words for a person"))
    assert problem.status == next(STATUS[k] for k in kind.__mro__ if k in STATUS)
    assert problem.message == "words for a person"
    assert problem.code


def test_an_unknown_error_tells_nothing_of_itself():
    problem = to_api_error(ZeroDivisionError("/home/me"))
    assert (problem.status, "/home/me" in problem.message) == (500, False)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "invalid_request_error"), (401, "authentication_error"), (404, "not_found_error"),
     (409, "conflict_error"), (429, "rate_limit_error"), (503, "server_error")],
)  # fmt: skip
def test_the_type_follows_from_the_status(status, kind):
    assert ApiError(status, "x", "y").body().error.type == kind


def test_the_form_that_fits_furthest_is_the_one_complained_about():
    errors = [
        {"type": "string_type", "loc": ("body", "content", "str"), "msg": "Should be text"},
        {"type": "missing", "loc": ("body", "content", "list[x]", 0, "url"), "msg": "Required"},
    ]
    problem = from_validation_error(RequestValidationError(errors))
    assert (problem.param, problem.message) == ("content.0.url", "content.0.url: Required.")


def test_a_form_where_json_belongs_is_told_what_is_expected(client):
    paths = client.get("/openapi.json").json()["paths"]
    tried = []
    for path, methods in paths.items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {})
            if list(content) != ["application/json"]:
                continue
            url = re.sub(r"{\w+}", "0", path)
            answer = client.request(method, url, files=[("file", ("a.png", b"x"))])
            problem = answer.json()["error"]
            assert (answer.status_code, problem["code"]) == (415, "unsupported_media_type"), path
            assert (
                "takes JSON (Content-Type: application/json), got multipart/form-data"
                in (problem["message"])
            )
            tried.append(path)
    assert "/v1/segment" in tried


def test_json_that_is_no_object_is_told_so(client):
    answer = client.post("/v1/segment", json=[1])
    assert (answer.status_code, answer.json()["error"]["message"]) == (
        400, "The body must be a JSON object, {…}."
    )  # fmt: skip
