"""The model behind a Label Studio project (`segue serve --label-studio`).

In the project's settings, the model's address is http://…/label-studio, and the password of its
basic authentication is a key of this server.
"""

import socket
from typing import Annotated, Any
from urllib.parse import urljoin, urlsplit

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field, StrictInt, StrictStr

from segue.errors import InputError
from segue.server.http.dependencies import Owner, Services, ServicesDep
from segue.server.http.errors import ApiError
from segue.server.http.response_models import JsonRoute
from segue.server.integrations.label_studio import LabelingSetup
from segue.values.image import url as urls
from segue.version import __version__

router = APIRouter(prefix="/label-studio", tags=["label studio"], route_class=JsonRoute)

MODEL_VERSION = f"segue-{__version__}"


class LabelingTask(BaseModel):
    """A task: its data name the picture."""

    data: dict[str, Any] = {}


class SetupRequest(BaseModel):
    """A project, and its labelling setup as XML."""

    project: StrictStr | StrictInt | None = None
    label_config: Annotated[str, Field(max_length=200_000, alias="schema")] = ""


class SmartToolContext(BaseModel):
    """Clicks and rectangles of a smart tool, as Label Studio's results."""

    result: Annotated[list[dict[str, Any]], Field(max_length=256)] = []


class PredictParameters(BaseModel):
    """What Label Studio says beside the tasks."""

    context: SmartToolContext | None = None


class PredictRequest(BaseModel):
    """Tasks that want predictions."""

    tasks: Annotated[list[LabelingTask], Field(max_length=64)]
    label_config: Annotated[str, Field(max_length=200_000)] = ""
    params: PredictParameters | None = None


class LabelStudioHealthResponse(BaseModel):
    """The model is ready."""

    status: str
    model_class: str
    model_version: str


class SetupResponse(BaseModel):
    """The setup was read."""

    model_version: str


class VersionsResponse(BaseModel):
    """Versions of the model."""

    versions: list[str]
    message: str


class TrainResponse(BaseModel):
    """No job was started."""

    status: str
    job: str | None


class PredictionOut(BaseModel):
    """What the models find in the picture of one task."""

    result: list[dict[str, Any]]
    """Brushes and rectangles, as Label Studio's results."""
    score: float
    model_version: str
    error: str | None = None
    """Why there is no result."""


class PredictResponse(BaseModel):
    """A prediction for each task."""

    results: list[PredictionOut]
    model_version: str


@router.get("/health")
@router.get("/")
async def health(services: ServicesDep) -> LabelStudioHealthResponse:
    """Whether the models are ready."""
    services.worker.check_room()
    return LabelStudioHealthResponse(status="UP", model_class="segue", model_version=MODEL_VERSION)


@router.post("/setup")
async def setup(body: SetupRequest) -> SetupResponse:
    """Check a project's labelling setup."""
    if body.label_config:
        LabelingSetup.parse(body.label_config)
    return SetupResponse(model_version=MODEL_VERSION)


@router.get("/versions")
async def versions() -> VersionsResponse:
    """List the only version there is."""
    return VersionsResponse(versions=[MODEL_VERSION], message="")


@router.post("/webhook")
@router.post("/train")
async def train() -> TrainResponse:
    """Nothing is learnt from annotations here; `segue finetune` does that."""
    return TrainResponse(status="ok", job=None)


@router.post("/predict")
async def predict(
    body: PredictRequest, request: Request, services: ServicesDep, owner: Owner
) -> PredictResponse:
    """Brushes and rectangles for tasks; a task whose picture cannot be read gets none, and why."""
    labeling_setup = LabelingSetup.parse(body.label_config)
    context = body.params.context.result if body.params and body.params.context else []
    results = [
        await _predict_task(services, owner, request, labeling_setup, task, context)
        for task in body.tasks
    ]
    return PredictResponse(results=results, model_version=MODEL_VERSION)


async def _predict_task(
    services: Services,
    owner: str,
    request: Request,
    labeling_setup: LabelingSetup,
    task: LabelingTask,
    context: list[dict[str, Any]],
) -> PredictionOut:
    try:
        address = str(task.data.get(labeling_setup.field, ""))
        source, name = await _load_source(services, address)
        async with services.hold_picture(owner, source, name) as image:
            prediction = await services.run_on_models(
                lambda: labeling_setup.predict(services.worker.assistant, image, context),
                request,
                quick=bool(context),
            )
    except (InputError, ApiError) as error:
        if isinstance(error, ApiError) and error.status != 400:
            raise
        return PredictionOut(result=[], score=0.0, error=str(error), model_version=MODEL_VERSION)
    return PredictionOut(
        result=prediction.results, score=prediction.score, model_version=MODEL_VERSION
    )


async def _load_source(services: Services, address: str) -> tuple[str | bytes, str]:
    """Return a task's picture and its name: a data: address, or a file of the Label Studio."""
    base_url = services.settings.label_studio_url
    url = urljoin(base_url, address) if base_url else address
    if not base_url or urlsplit(url)[:2] != urlsplit(base_url)[:2]:
        return address, ""
    content = await services.run_in_thread(_fetch_from_label_studio, services, url)
    return content, urls.file_name(url)[:120]


def _fetch_from_label_studio(services: Services, url: str) -> bytes:
    settings = services.settings
    parts = urlsplit(settings.label_studio_url)
    trusted_host = (parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))

    def resolve(host: str, port: int) -> str:
        if (host, port) != trusted_host:
            return urls.public_address(host, port)
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return str(addresses[0][4][0])

    token = settings.label_studio_token
    headers = {"Authorization": f"Token {token}"} if token else {}
    return urls.fetch(url, settings.limits, resolve, headers)
