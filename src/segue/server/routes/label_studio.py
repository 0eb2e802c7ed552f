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
from segue.server.http.dependencies import Owner, Service, TheService
from segue.server.http.errors import Problem
from segue.server.integrations.label_studio import Setup
from segue.values.image import url as urls
from segue.version import __version__

router = APIRouter(prefix="/label-studio", tags=["label studio"])

VERSION = f"segue-{__version__}"


class Task(BaseModel):
    data: dict[str, Any] = {}


class SetupRequest(BaseModel):
    project: StrictStr | StrictInt | None = None
    label_config: Annotated[str, Field(max_length=200_000, alias="schema")] = ""


class Context(BaseModel):
    result: Annotated[list[dict[str, Any]], Field(max_length=256)] = []


class Parameters(BaseModel):
    context: Context | None = None


class Predict(BaseModel):
    tasks: Annotated[list[Task], Field(max_length=64)]
    label_config: Annotated[str, Field(max_length=200_000)] = ""
    params: Parameters | None = None


@router.get("/health")
@router.get("/")
async def health(service: TheService) -> dict[str, str]:
    """Whether the models are ready."""
    service.worker.check_room()
    return {"status": "UP", "model_class": "segue", "model_version": VERSION}


@router.post("/setup")
async def setup(asked: SetupRequest) -> dict[str, str]:
    """Check a project's labelling setup."""
    if asked.label_config:
        Setup.read(asked.label_config)
    return {"model_version": VERSION}


@router.get("/versions")
async def versions() -> dict[str, Any]:
    """The one version there is."""
    return {"versions": [VERSION], "message": ""}


@router.post("/webhook")
@router.post("/train")
async def nothing_to_learn() -> dict[str, Any]:
    """Annotations are not learnt from here; `segue finetune` does that."""
    return {"status": "ok", "job": None}


@router.post("/predict")
async def predict(
    asked: Predict, request: Request, service: TheService, owner: Owner
) -> dict[str, Any]:
    """Brushes and rectangles for tasks; a task whose picture cannot be had gets none, and why."""
    project = Setup.read(asked.label_config)
    context = asked.params.context.result if asked.params and asked.params.context else []
    results = []
    for task in asked.tasks:
        results.append(await _prediction(service, owner, request, project, task, context))
    return {"results": results, "model_version": VERSION}


async def _prediction(
    service: Service,
    owner: str,
    request: Request,
    project: Setup,
    task: Task,
    context: list[dict[str, Any]],
) -> dict[str, Any]:
    try:
        source, name = await _picture(service, str(task.data.get(project.field, "")))
        async with service.picture_for_a_while(owner, source, name) as image:
            found = await service.modelled(
                lambda: project.predict(service.worker.assistant, image, context),
                request,
                quick=bool(context),
            )
    except (InputError, Problem) as error:
        if isinstance(error, Problem) and error.status != 400:
            raise
        found = {"result": [], "score": 0.0, "error": str(error)}
    return {**found, "model_version": VERSION}


async def _picture(service: Service, address: str) -> tuple[str | bytes, str]:
    """A task's picture and its name: a data: address, or a file of the Label Studio."""
    home = service.settings.label_studio_url
    place = urljoin(home, address) if home else address
    if not home or urlsplit(place)[:2] != urlsplit(home)[:2]:
        return address, ""
    return await service.aside(_fetched, service, place), urls.file_name(place)[:120]


def _fetched(service: Service, place: str) -> bytes:
    settings = service.settings
    parts = urlsplit(settings.label_studio_url)
    trusted = (parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))

    def resolve(host: str, port: int) -> str:
        if (host, port) != trusted:
            return urls.public_address(host, port)
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return str(found[0][4][0])

    token = settings.label_studio_token
    headers = {"Authorization": f"Token {token}"} if token else {}
    return urls.fetch(place, settings.limits, resolve, headers)
