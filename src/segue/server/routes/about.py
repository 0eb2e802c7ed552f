"""What this server is: its models, its limits, sample pictures; and how a browser logs in."""

from inspect import signature

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse

from segue.detect import ConceptDetector
from segue.edit.operations import OPERATIONS
from segue.embedded.samples import sample, samples
from segue.pipeline.presets import CARDS
from segue.server.conversations.export import EXPORTS
from segue.server.http.about_models import (
    AboutResponse,
    LimitInfo,
    ModelInfo,
    SampleInfo,
    SampleListResponse,
    StageInfo,
    VideoInfo,
)
from segue.server.http.access import FAILED_KEYS, client_address
from segue.server.http.completion_models import ChatModelListResponse, ChatModelResponse
from segue.server.http.dependencies import Owner, Services, ServicesDep
from segue.server.http.errors import ApiError
from segue.server.http.keys import (
    COOKIE_PATH,
    TOKEN_SECONDS,
    ApiKeys,
    cookie_name,
    owner_of,
    session_cookie,
)
from segue.server.http.rates import FailedKeyLimiter
from segue.server.http.request_models import LoginRequest
from segue.version import __version__

router = APIRouter(prefix="/v1", tags=["about"])

SEGUE = "segue"
"""The name that always stands for the chat model."""


@router.get("/about")
async def about(services: ServicesDep) -> AboutResponse:
    """Version, models and how they work together, limits, edits and export formats."""
    settings, is_ready = services.settings, services.worker.state == "ready"
    assistant = services.worker.assistant if is_ready else None
    models = [
        _model_info(assistant and assistant.chat),
        _model_info(assistant and assistant.detector),
        _model_info(assistant and assistant.segmenter),
    ]
    chat, detect, segment = models
    return AboutResponse(
        version=__version__,
        ready=is_ready,
        key_required=bool(settings.keys),
        embedded=is_ready and all(model is not None and model.embedded for model in models),
        models=StageInfo(chat=chat, detect=detect, segment=segment),
        exemplars=assistant is not None and isinstance(assistant.detector, ConceptDetector),
        route=assistant.route if assistant is not None else None,
        teach_tag=assistant.teach_tag if assistant is not None else None,
        limits=LimitInfo(
            body_bytes=settings.max_body_bytes,
            pixels=settings.max_pixels,
            images=settings.max_images,
            deadline_s=settings.deadline_s,
            allow_urls=settings.allow_urls,
        ),
        videos=VideoInfo(
            available=services.videos.is_available,
            tracker=None if (tracker := services.videos.tracker) is None else tracker.name,
            bytes=settings.max_video_bytes,
            frames=settings.max_video_frames,
        ),
        edits={name: list(signature(edit).parameters)[2:] for name, edit in OPERATIONS.items()},
        exports=dict(EXPORTS),
    )


@router.get("/models")
async def list_models(services: ServicesDep) -> ChatModelListResponse:
    """OpenAI's list: the chat model."""
    name = chat_model_name(services)
    models = [ChatModelResponse.of(name)] if name is not None else []
    return ChatModelListResponse(object="list", data=models)


@router.get("/models/{name:path}")
async def get_model(name: str, services: ServicesDep) -> ChatModelResponse:
    """One model of the list."""
    return ChatModelResponse.of(check_model(services, name))


@router.get("/samples")
async def list_samples() -> SampleListResponse:
    """Sample pictures that the embedded models know, with questions to ask."""
    return SampleListResponse(
        samples=[
            SampleInfo(
                name=scene.name,
                width=scene.image.size.width,
                height=scene.image.size.height,
                url=f"/v1/samples/{scene.name}.png",
                questions=list(scene.questions),
            )
            for scene in samples()
        ]
    )


@router.get("/samples/{name}.png", response_class=FileResponse)
async def get_sample_picture(name: str) -> FileResponse:
    """Get a sample picture."""
    return FileResponse(sample(name).file, media_type="image/png")


@router.post("/login", status_code=204, response_class=Response)
async def login(body: LoginRequest, request: Request, services: ServicesDep) -> Response:
    """Give a browser a session token, in a cookie, for a key."""
    failed_keys: FailedKeyLimiter = request.scope[FAILED_KEYS]
    address = client_address(request.scope)
    failed_keys.check(address)
    settings = services.settings
    owner = ApiKeys(settings.keys).owner(body.key)
    if owner is None and settings.login_token and settings.keys:
        invited_owner = ApiKeys((settings.login_token,)).owner(body.key)
        owner = owner_of(settings.keys[0]) if invited_owner is not None else None
    if owner is None:
        await failed_keys.record_failure(address)
        raise ApiError(401, "invalid_api_key", "This is not a key of this server.", param="key")
    token = await services.run_db(services.tokens.issue, owner)
    response = Response(status_code=204, headers={"Cache-Control": "no-store"})
    response.set_cookie(
        cookie_name(request.scope), token, httponly=True, samesite="strict", path=COOKIE_PATH,
        max_age=TOKEN_SECONDS, secure=request.url.scheme == "https",
    )  # fmt: skip
    return response


@router.post("/logout", status_code=204, response_class=Response)
async def logout(
    request: Request, services: ServicesDep, owner: Owner, everywhere: bool = False
) -> Response:
    """End this browser's login; with `everywhere`, all logins of this key."""
    token = session_cookie(request.scope, request.headers)
    if everywhere:
        await services.run_db(services.tokens.revoke_all, owner)
    elif token is not None:
        await services.run_db(services.tokens.revoke, token)
    response = Response(status_code=204)
    response.delete_cookie(
        cookie_name(request.scope), httponly=True, samesite="strict", path=COOKIE_PATH
    )
    return response


def chat_model_name(services: Services) -> str | None:
    """Return the name of the chat model; None when there is none."""
    name: str | None = getattr(services.worker.assistant.chat, "name", None)
    return name


def check_model(services: Services, name: str) -> str:
    """Return the name of the chat model, if it is the one that is asked for.

    Raises:
        ApiError: 404, no model of that name is served.
    """
    served_name = chat_model_name(services)
    if served_name is None or name not in (served_name, SEGUE):
        names = served_name or "none, as this server runs without a chat model"
        raise ApiError(
            404, "model_not_found", f"There is no model {name!r} here. Known: {names}.",
            param="model",
        )  # fmt: skip
    return served_name


def _model_info(stage: object | None) -> ModelInfo | None:
    if stage is None:
        return None
    name: str = getattr(stage, "name")  # noqa: B009, stages have one
    card = CARDS.get(name)
    return ModelInfo(
        name=name,
        note=card.note if card else "",
        embedded=card is not None and card.source.startswith("embedded/"),
    )
