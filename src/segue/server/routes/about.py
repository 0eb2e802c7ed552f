"""What this server is: its models, its limits, sample pictures; and how a browser shows its key."""

from inspect import signature
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse

from segue.assistant.presets import CARDS
from segue.edit.operations import OPERATIONS
from segue.embedded.samples import sample, samples
from segue.server.conversations.export import EXPORTS
from segue.server.http.access import client_of
from segue.server.http.dependencies import Owner, Service, TheService
from segue.server.http.errors import Problem
from segue.server.http.keys import (
    COOKIE_PATH,
    TOKEN_SECONDS,
    Keys,
    cookie_name,
    cookie_of,
    owner_of,
)
from segue.server.http.rates import WrongKeys
from segue.server.http.request_models import Login
from segue.version import __version__

router = APIRouter(prefix="/v1", tags=["about"])

SEGUE = "segue"
"""The name under which the chat model can always be asked for."""


@router.get("/about")
async def about(service: TheService) -> dict[str, Any]:
    """Version, models and how they work together, limits, edits and export formats."""
    settings, ready = service.settings, service.worker.state == "ready"
    assistant = service.worker.assistant if ready else None
    models = {
        "chat": _model(assistant and assistant.chat),
        "detect": _model(assistant and assistant.detector),
        "segment": _model(assistant and assistant.segmenter),
    }
    return {
        "version": __version__,
        "ready": ready,
        "key_required": bool(settings.keys),
        "embedded": ready and all(model and model["embedded"] for model in models.values()),
        "models": models,
        "route": assistant and assistant.route,
        "teach_tag": assistant and assistant.teach_tag,
        "limits": {
            "body_bytes": settings.max_body_bytes,
            "pixels": settings.max_pixels,
            "images": settings.max_images,
            "deadline_s": settings.deadline_s,
            "allow_urls": settings.allow_urls,
        },
        "edits": {name: list(signature(edit).parameters)[2:] for name, edit in OPERATIONS.items()},
        "exports": dict(EXPORTS),
    }


@router.get("/models")
async def models(service: TheService) -> dict[str, Any]:
    """OpenAI's list: the chat model."""
    name = served(service)
    listed = [name] if name is not None else []
    return {
        "object": "list",
        "data": [
            {"id": name, "object": "model", "created": 0, "owned_by": "segue"} for name in listed
        ],
    }


@router.get("/models/{name:path}")
async def model(name: str, service: TheService) -> dict[str, Any]:
    """One model of the list."""
    check_model(service, name)
    return {"id": served(service), "object": "model", "created": 0, "owned_by": "segue"}


@router.get("/samples")
async def sample_list() -> dict[str, Any]:
    """Sample pictures that the embedded models know, with questions to ask."""
    return {
        "samples": [
            {
                "name": one.name,
                "width": one.image.size.width,
                "height": one.image.size.height,
                "url": f"/v1/samples/{one.name}.png",
                "questions": list(one.questions),
            }
            for one in samples()
        ]
    }


@router.get("/samples/{name}.png", response_class=FileResponse)
async def sample_picture(name: str) -> FileResponse:
    """A sample picture."""
    return FileResponse(sample(name).file, media_type="image/png")


@router.post("/login", status_code=204, response_class=Response)
async def login(asked: Login, request: Request, service: TheService) -> Response:
    """Give a browser a session token, in a cookie, for a key."""
    wrong: WrongKeys = request.scope["segue.wrong_keys"]
    address = client_of(request.scope)
    wrong.check(address)
    settings = service.settings
    owner = Keys(settings.keys).owner(asked.key)
    if owner is None and settings.login_token and settings.keys:
        invited = Keys((settings.login_token,)).owner(asked.key)
        owner = owner_of(settings.keys[0]) if invited is not None else None
    if owner is None:
        await wrong.note(address)
        raise Problem(401, "invalid_api_key", "This is not a key of this server.", param="key")
    token = await service.stored(service.tokens.issue, owner)
    response = Response(status_code=204, headers={"Cache-Control": "no-store"})
    response.set_cookie(
        cookie_name(request.scope), token, httponly=True, samesite="strict", path=COOKIE_PATH,
        max_age=TOKEN_SECONDS, secure=request.url.scheme == "https",
    )  # fmt: skip
    return response


@router.post("/logout", status_code=204, response_class=Response)
async def logout(
    request: Request, service: TheService, owner: Owner, everywhere: bool = False
) -> Response:
    """End this browser's login; with `everywhere`, all logins of this key."""
    token = cookie_of(request.scope, request.headers)
    if everywhere:
        await service.stored(service.tokens.revoke_all, owner)
    elif token is not None:
        await service.stored(service.tokens.revoke, token)
    response = Response(status_code=204)
    response.delete_cookie(
        cookie_name(request.scope), httponly=True, samesite="strict", path=COOKIE_PATH
    )
    return response


def served(service: Service) -> str | None:
    """The name of the chat model."""
    name: str | None = getattr(service.worker.assistant.chat, "name", None)
    return name


def check_model(service: Service, name: str) -> None:
    """
    Raises:
        Problem: 404, no model of that name is served.
    """
    known = served(service)
    if known is None or name not in (known, SEGUE):
        listed = known or "none, as this server runs without a chat model"
        raise Problem(
            404, "model_not_found", f"There is no model {name!r} here. Known: {listed}.",
            param="model",
        )  # fmt: skip


def _model(stage: Any) -> dict[str, Any] | None:
    if stage is None:
        return None
    card = CARDS.get(stage.name)
    return {
        "name": stage.name,
        "note": card.note if card else "",
        "embedded": card is not None and card.source.startswith("embedded/"),
    }
