"""Is it alive, is it ready, what does it count."""

from fastapi import APIRouter, Response

from segue.server.http.dependencies import TheService
from segue.server.metrics import CONTENT_TYPE

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process lives."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(service: TheService) -> dict[str, str]:
    """The models are loaded, there is room in the queue, and what is said can be kept."""
    service.worker.check_room()
    await service.stored(service.storage.check)
    return {"status": "ready"}


@router.get("/metrics", response_class=Response)
async def metrics(service: TheService) -> Response:
    """Counters for Prometheus."""
    return Response(service.metrics.text(), media_type=CONTENT_TYPE)
