"""Masks without a chat model."""

from typing import Any

from fastapi import APIRouter, Request

from segue.server.http.dependencies import Owner, TheService
from segue.server.http.errors import Problem
from segue.server.http.request_models import SegmentRequest
from segue.server.http.response_models import region_json
from segue.values.box import Box
from segue.values.image import Image

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
        (image,) = await service.pictures(request, owner, [(asked.image, "")])
    _check_masks(asked, image, service.settings.max_mask_pixels)
    boxes = [Box.spanning(*corners) for corners in asked.boxes]
    regions = await service.modelled(
        lambda: service.worker.assistant.segment(
            image,
            phrases=asked.phrases or None,
            boxes=boxes or None,
            points=asked.points or None,
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


def _check_masks(asked: SegmentRequest, image: Image, most: int) -> None:
    """Each object gets a mask of the picture's size.

    Raises:
        Problem: 400, they would take too much memory.
    """
    several = bool(asked.points) and isinstance(asked.points[0][0], list)
    objects = max(len(asked.boxes), len(asked.points) if several else 1)
    height, width = image.size
    if objects * height * width > most:
        raise Problem(
            400,
            "invalid_value",
            f"{objects} masks of {height} x {width} pixels are more than the limit of {most} "
            "pixels. Ask for fewer objects at once, or send a smaller picture.",
            param="boxes" if asked.boxes else "points",
        )
