"""The OpenAPI document: what FastAPI reads from the routes, with keys, errors and examples."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI

from segue.server.http.access import OPEN_PATHS

Json = dict[str, Any]

MASK = {"format": "coco_rle", "size": [480, 640], "counts": "cl_2a0_>1N2O1O1N101O…"}
REGION: Json = {
    "id": "r1",
    "phrase": "飞机",
    "image": 0,
    "box": [219.5, 57.1, 457.0, 125.3],
    "score": None,
    "found_by": "chat",
    "span": [0, 2],
    "turn": 0,
    "mask": MASK,
    "mask_score": 0.93,
    "points": [],
    "labels": [],
}
STATE: Json = {
    "id": "c_9f3a",
    "title": "框出图片中飞机的位置",
    "system": None,
    "created": 1790000000.0,
    "updated": 1790000100.0,
    "revision": 4,
    "busy": False,
    "images": [
        {
            "index": 0,
            "digest": "46f636b3738e6526b527d4ae8182efcc8e29a1b706aa29903eae5708375a2e47",
            "name": "airport.png",
            "width": 640,
            "height": 480,
            "edited": True,
            "url": "/v1/conversations/c_9f3a/images/0.png",
        }
    ],
    "turns": [
        {
            "index": 0,
            "question": "框出图片中飞机的位置",
            "text": "飞机",
            "raw": "<ref>飞机</ref><box>(343,119),(714,261)</box>",
            "not_found": [],
            "broken": [],
            "finish": "stop",
            "thought": 0,
            "notices": [],
            "seconds": {"chat": 0.2, "total": 0.3},
            "images": [0],
            "regions": ["r1"],
        }
    ],
    "regions": [REGION],
    "edits": [
        {
            "index": 0,
            "operation": "blur",
            "regions": ["r1"],
            "parameters": {"strength": 12},
            "image": 0,
        }
    ],
    "can_undo": True,
    "can_redo": False,
}
LINE: Json = {
    "id": "c_9f3a",
    "title": "框出图片中飞机的位置",
    "created": 1790000000.0,
    "updated": 1790000100.0,
    "revision": 4,
    "turns": 1,
    "thumbnail": "/v1/conversations/c_9f3a/images/0.png?size=160",
}
ANSWERS: dict[tuple[str, str], Json] = {
    ("get", "/v1/conversations"): {"conversations": [LINE]},
    ("post", "/v1/conversations"): STATE,
    ("post", "/v1/conversations/import"): STATE,
    ("get", "/v1/conversations/{id}"): STATE,
    ("patch", "/v1/conversations/{id}"): STATE,
    ("post", "/v1/conversations/{id}/images"): STATE,
    ("post", "/v1/conversations/{id}/undo"): STATE,
    ("post", "/v1/conversations/{id}/redo"): STATE,
    ("post", "/v1/conversations/{id}/regions"): {**STATE, "region": REGION},
    ("patch", "/v1/conversations/{id}/regions/{region}"): {**STATE, "region": REGION},
    ("post", "/v1/conversations/{id}/regions/merge"): {**STATE, "region": REGION},
    ("delete", "/v1/conversations/{id}/regions/{region}"): STATE,
    ("post", "/v1/conversations/{id}/edits"): STATE,
    ("delete", "/v1/conversations/{id}/edits/{number}"): STATE,
    ("post", "/v1/segment"): {
        "image": {"digest": STATE["images"][0]["digest"], "width": 640, "height": 480},
        "regions": [{**REGION, "turn": None, "span": None, "found_by": "detector", "score": 0.8}],
        "not_found": ["submarine"],
    },
}
"""Example answers, by method and address."""

ERROR: Json = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string", "description": "For a person."},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
    "example": {
        "error": {
            "message": "question: Field required.",
            "type": "invalid_request_error",
            "param": "question",
            "code": "invalid_value",
        }
    },
}


def documented(app: FastAPI) -> Callable[[], Json]:
    """What to put in the place of `app.openapi`."""
    plain = app.openapi

    def openapi() -> Json:
        if app.openapi_schema is None:
            _complete(plain())
        assert app.openapi_schema is not None
        return app.openapi_schema

    return openapi


def _link_conversations(document: Json) -> None:
    """Say that what is created is what the other addresses are about, for clients and testers."""
    about_one = {
        operation["operationId"]: {
            "operationId": operation["operationId"],
            "parameters": {"id": "$response.body#/id"},
        }
        for path, item in document["paths"].items()
        if path.startswith("/v1/conversations/{id}")
        for operation in item.values()
    }
    for path in ("/v1/conversations", "/v1/conversations/import"):
        document["paths"][path]["post"]["responses"]["201"]["links"] = about_one


def _complete(document: Json) -> None:
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):  # errors have another shape here
        schemas.pop(name, None)
    schemas["Error"] = ERROR
    components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    failure = {
        "description": "An error, in OpenAI's shape.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    _link_conversations(document)
    for path, item in document["paths"].items():
        for method, operation in item.items():
            answers = operation["responses"]
            answers.pop("422", None)
            answers["default"] = failure
            if path not in OPEN_PATHS:
                operation["security"] = [{"key": []}]
            example = ANSWERS.get((method, path))
            good = next(status for status in answers if status.startswith("2"))
            if example is not None:
                content = answers[good].setdefault("content", {})
                content.setdefault("application/json", {})["example"] = example
