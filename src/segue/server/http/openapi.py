"""The OpenAPI document: FastAPI reads it from the routes and models; keys and links are added."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI

from segue.server.http.access import PUBLIC_PATHS
from segue.server.http.errors import ErrorResponse

ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {
    "default": {"model": ErrorResponse, "description": "An error, in OpenAI's shape."}
}
"""Of every route."""


def openapi_of(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """Return what takes the place of `app.openapi`."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = generate()
            _add_security(document)
            _link_conversations(document)
        assert app.openapi_schema is not None
        return app.openapi_schema

    return openapi


def _add_security(document: dict[str, Any]) -> None:
    """Say which operations need a key."""
    components = document.setdefault("components", {})
    components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    for path, item in document["paths"].items():
        if path not in PUBLIC_PATHS:
            for operation in item.values():
                operation["security"] = [{"key": []}]


def _link_conversations(document: dict[str, Any]) -> None:
    """Say that the conversation that is created is the one in other addresses."""
    links = {
        operation["operationId"]: {
            "operationId": operation["operationId"],
            "parameters": {"id": "$response.body#/id"},
        }
        for path, item in document["paths"].items()
        if path.startswith("/v1/conversations/{id}")
        for operation in item.values()
    }
    for path in ("/v1/conversations", "/v1/conversations/import"):
        document["paths"][path]["post"]["responses"]["201"]["links"] = links
