"""JSON that goes out. What the fields mean is in docs/http-api.md."""

from collections.abc import Mapping, Sequence
from typing import Any

from segue.server.conversations.store import Document, Line, Record
from segue.values.region import Region
from segue.values.serialize import region_to_json

Json = dict[str, Any]


def region_json(region: Region, turn: int | None = None) -> Json:
    """A region of a conversation."""
    return _region(region_to_json(region), turn)


def _region(value: Mapping[str, Any], turn: int | None) -> Json:
    clicks: Sequence[Sequence[float]] = value.get("clicks", ())
    mask = value["mask"]
    shape = {
        **{key: value[key] for key in ("id", "phrase", "image", "box", "score", "found_by")},
        "span": value["span"],
        "turn": turn,
        "mask": None if mask is None else {"format": "coco_rle", **mask},
        "mask_score": value.get("mask_score"),
        "points": [[x, y] for x, y, _ in clicks],
        "labels": [int(label) for _, _, label in clicks],
    }
    return {**shape, **{key: value[key] for key in ("quad", "point") if key in value}}


def completion_region(region: Region, index: int, *, mask: bool) -> Json:
    """A region in a chat completion; `index` lets clients join what comes in pieces."""
    shape = region_json(region)
    for key in ("turn", "points", "labels"):
        del shape[key]
    if not mask:
        shape["mask"] = None
    return {"index": index, **shape}


def turn_json(document: Document, number: int) -> Json:
    """One turn of a conversation; regions that were deleted since are not named."""
    turn = document["turns"][number]
    first = sum(len(before["images"]) for before in document["turns"][:number])
    now = {region["id"] for region in document["regions"]}
    kept = ("question", "text", "raw", "not_found", "broken", "finish", "seconds")
    return {
        "index": number,
        **{key: turn[key] for key in kept},
        "thought": turn.get("thought", 0),  # turns that were stored before have neither
        "notices": turn.get("notices", []),
        "images": list(range(first, first + len(turn["images"]))),
        "regions": [region["id"] for region in turn["regions"] if region["id"] in now],
    }


def regions_json(document: Document) -> list[Json]:
    """All regions that exist now."""
    made_in = {
        region["id"]: number
        for number, turn in enumerate(document["turns"])
        for region in turn["regions"]
    }
    return [_region(region, made_in.get(region["id"])) for region in document["regions"]]


def edits_json(document: Document) -> list[Json]:
    """The list of edits, each with the picture it is for."""
    on = {region["id"]: region["image"] for region in document["regions"]}
    return [
        {"index": number, **edit, "image": on.get(edit["regions"][0])}
        for number, edit in enumerate(document["edits"])
    ]


def state_json(record: Record, *, busy: bool) -> Json:
    """A whole conversation."""
    base = f"/v1/conversations/{record.id}"
    edits = edits_json(record.document)
    edited = {edit["image"] for edit in edits}
    return {
        "id": record.id,
        "title": record.title,
        "system": record.system,
        "created": record.created,
        "updated": record.updated,
        "revision": record.revision,
        "busy": busy,
        "images": [
            {
                "index": index,
                "digest": one.digest,
                "name": one.name,
                "width": one.width,
                "height": one.height,
                "edited": index in edited,
                "url": f"{base}/images/{index}.png",
            }
            for index, one in enumerate(record.pictures)
        ],
        "turns": [turn_json(record.document, n) for n in range(len(record.document["turns"]))],
        "regions": regions_json(record.document),
        "edits": edits,
        "can_undo": record.can_undo,
        "can_redo": record.can_redo,
    }


def line_json(line: Line) -> Json:
    """A conversation in the list."""
    first = f"/v1/conversations/{line.id}/images/0.png?size=160"
    return {
        "id": line.id,
        "title": line.title,
        "created": line.created,
        "updated": line.updated,
        "revision": line.revision,
        "turns": line.turns,
        "thumbnail": first if line.pictures else None,
    }
