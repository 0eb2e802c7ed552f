"""The OpenAPI document: FastAPI reads it from the routes and models; keys and links are added."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from segue.server.http.access import PUBLIC_PATHS
from segue.server.http.completion_models import CompletionResponse
from segue.server.http.errors import ErrorResponse
from segue.server.http.response_models import (
    ConversationResponse,
    RegionChangeResponse,
    RegionOut,
    SegmentResponse,
)
from segue.server.http.video_models import TracksResponse

ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {
    "default": {"model": ErrorResponse, "description": "An error, in OpenAI's shape."}
}
"""Of every route."""
MODELS_WITH_NULLS: tuple[type[BaseModel], ...] = (
    CompletionResponse,
    ConversationResponse,
    RegionChangeResponse,
    RegionOut,
    SegmentResponse,
    TracksResponse,
)
"""Models whose examples have fields that are null."""


def openapi_of(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """Return what takes the place of `app.openapi`."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = generate()
            _restore_examples(document)
            _add_security(document)
            _link_conversations(document)
        assert app.openapi_schema is not None
        return app.openapi_schema

    return openapi


def _restore_examples(document: dict[str, Any]) -> None:
    """Put the examples of answers back whole: FastAPI leaves every null out of them."""
    schemas = document["components"]["schemas"]
    for model in MODELS_WITH_NULLS:
        schemas[model.__name__]["examples"] = model.model_json_schema()["examples"]


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
