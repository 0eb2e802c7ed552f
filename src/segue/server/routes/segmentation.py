"""Masks without a chat model."""

from fastapi import APIRouter, Request

from segue.server.http.dependencies import Owner, ServicesDep
from segue.server.http.errors import ApiError
from segue.server.http.request_models import SegmentRequest
from segue.server.http.response_models import (
    JsonRoute,
    RegionOut,
    SegmentedImage,
    SegmentResponse,
)
from segue.values.box import Box
from segue.values.image import Image

router = APIRouter(prefix="/v1", tags=["segment"], route_class=JsonRoute)


@router.post("/segment")
async def segment(
    body: SegmentRequest, request: Request, services: ServicesDep, owner: Owner
) -> SegmentResponse:
    """Masks by phrases, examples, boxes or points.

    A picture that was sent before can be named by its digest, and is not encoded again.
    """
    services.worker.check_room()
    if len(body.image) == 64 and ":" not in body.image:
        image = services.recent_picture(owner, body.image)
    else:
        (image,) = await services.load_pictures(request, owner, [(body.image, "")])
    _check_masks(body, image, services.settings.max_mask_pixels)
    boxes = [Box.spanning(*corners) for corners in body.boxes]
    regions, notices = await services.run_on_models(
        lambda: services.worker.assistant.segment_with_notices(
            image,
            phrases=body.phrases or None,
            boxes=boxes or None,
            points=body.points or None,
            labels=body.labels,
            exemplars=[one.to_exemplar() for one in body.exemplars],
        ),
        request,
        quick=not (body.phrases or body.exemplars) and len(boxes) <= 1,
    )
    phrases_found = {region.phrase for region in regions}
    return SegmentResponse(
        image=SegmentedImage.of(image),
        regions=[RegionOut.of(region) for region in regions],
        not_found=[phrase for phrase in body.phrases if phrase not in phrases_found],
        notices=notices,
    )


def _check_masks(body: SegmentRequest, image: Image, max_pixels: int) -> None:
    """Check that the masks fit into memory: each object gets one of the picture's size.

    Raises:
        ApiError: 400, they do not.
    """
    has_point_groups = bool(body.points) and isinstance(body.points[0][0], list)
    n_objects = max(len(body.boxes), len(body.points) if has_point_groups else 1)
    height, width = image.size
    if n_objects * height * width > max_pixels:
        raise ApiError(
            400,
            "invalid_value",
            f"{n_objects} masks of {height} x {width} pixels are more than the limit of "
            f"{max_pixels} pixels. Ask for fewer objects at once, or send a smaller picture.",
            param="boxes" if body.boxes else "points",
        )
