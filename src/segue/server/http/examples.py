"""Example answers of the OpenAPI document, attached to the response models."""

from typing import Any

_MASK = {"format": "coco_rle", "size": [480, 640], "counts": "cl_2a0_>1N2O1O1N101O…"}
_DIGEST = "46f636b3738e6526b527d4ae8182efcc8e29a1b706aa29903eae5708375a2e47"

REGION: dict[str, Any] = {
    "id": "r1",
    "phrase": "飞机",
    "image": 0,
    "box": [219.5, 57.1, 457.0, 125.3],
    "score": None,
    "found_by": "chat",
    "span": [0, 2],
    "mask": _MASK,
    "mask_score": 0.93,
    "turn": 0,
    "turns": [0],
    "names": ["飞机"],
    "points": [],
    "labels": [],
}
CONVERSATION: dict[str, Any] = {
    "id": "c_9f3a",
    "title": "框出图片中飞机的位置",
    "system": None,
    "created": 1790000000.0,
    "updated": 1790000100.0,
    "revision": 4,
    "busy": False,
    "images": [
        {
            "index": 0,
            "digest": _DIGEST,
            "name": "airport.png",
            "width": 640,
            "height": 480,
            "edited": True,
            "url": "/v1/conversations/c_9f3a/images/0.png",
        }
    ],
    "turns": [
        {
            "index": 0,
            "question": "框出图片中飞机的位置",
            "text": "飞机",
            "raw": "<ref>飞机</ref><box>(343,119),(714,261)</box>",
            "not_found": [],
            "broken": [],
            "finish": "stop",
            "seconds": {"chat": 0.2, "total": 0.3},
            "thought": 0,
            "notices": [],
            "marked": [],
            "verdicts": [],
            "from_register": False,
            "choices": [],
            "images": [0],
            "regions": ["r1"],
            "mentions": [{"region": "r1", "phrase": "飞机", "span": [0, 2]}],
        }
    ],
    "regions": [REGION],
    "edits": [
        {
            "index": 0,
            "operation": "blur",
            "regions": ["r1"],
            "parameters": {"strength": 12},
            "image": 0,
        }
    ],
    "history_start": 0,
    "can_undo": True,
    "can_redo": False,
}
LIST_ITEM: dict[str, Any] = {
    "id": "c_9f3a",
    "title": "框出图片中飞机的位置",
    "created": 1790000000.0,
    "updated": 1790000100.0,
    "revision": 4,
    "turns": 1,
    "thumbnail": "/v1/conversations/c_9f3a/images/0.png?size=160",
    "excerpt": "",
}
SEGMENTATION: dict[str, Any] = {
    "image": {"digest": _DIGEST, "width": 640, "height": 480},
    "regions": [
        {**REGION, "turn": None, "turns": [], "span": None, "found_by": "detector", "score": 0.8}
    ],
    "not_found": ["submarine"],
    "notices": [],
}
COMPLETION: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1790000000,
    "model": "embedded-chat",
    "system_fingerprint": None,
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "飞机",
                "refusal": None,
                "raw": "<ref>飞机</ref><box>(343,119),(714,261)</box>",
                "regions": [
                    {
                        "index": 0,
                        "id": "r1",
                        "phrase": "飞机",
                        "image": 0,
                        "box": [219.5, 57.1, 457.0, 125.3],
                        "score": None,
                        "found_by": "chat",
                        "span": [0, 2],
                        "mask": _MASK,
                        "mask_score": 0.93,
                    }
                ],
                "not_found": [],
                "broken": [],
                "thought": 0,
                "notices": [],
            },
            "finish_reason": "stop",
            "logprobs": None,
        }
    ],
    "usage": {"prompt_tokens": 281, "completion_tokens": 17, "total_tokens": 298},
}
VIDEO: dict[str, Any] = {
    "id": "v_1f0c",
    "name": "street.mp4",
    "bytes": 1843200,
    "width": 640,
    "height": 480,
    "frames": 250,
    "seconds": 10.0,
    "fps": 25.0,
    "created": 1790000000.0,
    "url": "/v1/videos/v_1f0c/film",
}
TRACKS: dict[str, Any] = {
    "tracks": [{"id": 1, "phrase": "dog", "frame": 0, "added": False, "colour": "#e69f00"}],
    "not_found": [],
    "notices": [],
    "video": "v_1f0c",
    "run": "5f0c9a7be2d41c38",
    "frame": 0,
    "request": {
        "phrases": ["dog"],
        "exemplars": [],
        "question": None,
        "boxes": [],
        "points": [],
        "labels": None,
        "targets": [],
        "frame": None,
        "every": 1,
        "fps": None,
        "start": 0.0,
        "end": None,
        "look_again": 5,
    },
    "pending": 0,
    "corrections": [
        {"frame": 1, "track": 1, "box": [90.0, 40.0, 220.0, 160.0], "points": [], "labels": None}
    ],
    "gaps": [
        {
            "track": 1,
            "first": 2,
            "first_seconds": 0.08,
            "last": 2,
            "last_seconds": 0.08,
            "reason": "it leaves the picture",
            "found_by": "",
        }
    ],
    "numbers": [0, 1, 2],
    "frames": [
        {
            "number": 0,
            "seconds": 0.0,
            "entries": [
                {
                    "track": 1,
                    "status": "tracked",
                    "reason": "",
                    "score": 0.93,
                    "box": [88.0, 40.0, 219.0, 160.0],
                    "mask": _MASK,
                }
            ],
        }
    ],
}
ERROR: dict[str, Any] = {
    "error": {
        "message": "question: Field required.",
        "type": "invalid_request_error",
        "param": "question",
        "code": "invalid_value",
    }
}
