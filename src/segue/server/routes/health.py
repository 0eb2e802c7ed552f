"""Whether the server is alive and ready, and what it counts."""

from fastapi import APIRouter, Response

from segue.server.http.dependencies import ServicesDep
from segue.server.http.response_models import StatusResponse
from segue.server.metrics import CONTENT_TYPE

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> StatusResponse:
    """Check that the process is alive."""
    return StatusResponse(status="ok")


@router.get("/readyz")
async def readyz(services: ServicesDep) -> StatusResponse:
    """Check that the models are loaded, the queue has room, and the disk can be written."""
    services.worker.check_room()
    await services.run_db(services.storage.check)
    return StatusResponse(status="ready")


@router.get("/metrics", response_class=Response)
async def metrics(services: ServicesDep) -> Response:
    """Counters for Prometheus."""
    return Response(services.metrics.report(), media_type=CONTENT_TYPE)
