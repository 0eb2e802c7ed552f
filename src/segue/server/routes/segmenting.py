"""Masks without a chat model."""

from typing import Any

from fastapi import APIRouter, Request

from segue.box import Box
from segue.server.asked import SegmentRequest
from segue.server.service import Owner, TheService
from segue.server.shapes import region_json

router = APIRouter(prefix="/v1", tags=["segment"])


@router.post("/segment")
async def segment(
    asked: SegmentRequest, request: Request, service: TheService, owner: Owner
) -> dict[str, Any]:
    """Masks by phrases, boxes or points.

    A picture that was sent before can be named by its digest, and is not encoded again.
    """
    service.worker.check_room()
    if len(asked.image) == 64 and ":" not in asked.image:
        image = service.known_picture(owner, asked.image)
    else:
        image = await service.picture(owner, asked.image)
    boxes = [Box.spanning(*corners) for corners in asked.boxes]
    regions = await service.modelled(
        lambda: service.worker.assistant.segment(
            image,
            phrases=asked.phrases or None,
            boxes=boxes or None,
            points=asked.points or None,  # type: ignore[arg-type]
            labels=asked.labels,
        ),
        request,
        quick=not asked.phrases and len(boxes) <= 1,
    )
    found = {region.phrase for region in regions}
    return {
        "image": {
            "digest": image.digest,
            "width": image.size.width,
            "height": image.size.height,
        },
        "regions": [region_json(region) for region in regions],
        "not_found": [phrase for phrase in asked.phrases if phrase not in found],
    }
