"""An endpoint with OpenAI's chat completions, on loopback, whose model really looks.

It finds plainly coloured shapes on a light ground in the pictures that arrive, and answers in a
chosen markup. Each defect that is known of real servers can be switched on.
"""

import base64
import io
import json
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import cv2
import numpy as np
import PIL.Image

COLOURS = {
    "red": (220, 30, 30), "green": (30, 150, 60), "blue": (40, 70, 220), "yellow": (235, 195, 20),
    "purple": (140, 50, 160), "orange": (245, 130, 30), "black": (20, 20, 20),
}  # fmt: skip


@dataclass
class Behaviour:
    """How the server behaves; the defaults are a good server."""

    markup: str = "qwen3_vl"
    """qwen_vl, qwen2_vl, qwen2_5_vl or qwen3_vl."""
    strips_tokens: bool = False
    most_pixels: int | None = None
    """It makes larger pictures smaller, and says nothing."""
    most_characters: int | None = None
    """Replies end there."""
    pictures: int | None = None
    """Only so many pictures, the first, reach the model."""
    miscounts: bool = False
    statuses: list[int] = field(default_factory=list)
    """What the next requests are answered with."""
    cut_after: int | None = None
    """The connection ends after so many pieces."""
    content_type: str = "text/event-stream"
    streams: bool = True
    key: str | None = None
    context: int | None = None
    """Characters that fit."""
    sees: bool = True
    refused: tuple[str, ...] = ()
    """Fields of a request that it does not know."""
    sends_end_token: bool = False
    thinks: str = ""
    """How it thinks before each answer: "aloud" (only the end is marked), "marked", "field" (in a
    field of its own), "only" (and never answers)."""
    fails_after: int | None = None
    """An error comes in the stream after so many pieces."""
    content: str = "text"
    """What the content of a message is: "text", or "parts"."""
    echoes_key: bool = False
    """Errors repeat the header with the key."""
    models: tuple[str, ...] = ("tiny-vl",)


class FakeOpenAI(ThreadingHTTPServer):
    """The server; `requests` are the bodies that came, `pictures` the pictures of the last one."""

    daemon_threads = True

    def __init__(self, **behaviour: Any) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behaviour = Behaviour(**behaviour)
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.pictures: list[PIL.Image.Image] = []
        self.sent_pieces = 0
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"

    def __enter__(self) -> "FakeOpenAI":
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: FakeOpenAI
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        models = [{"id": name, "object": "model"} for name in self.server.behaviour.models]
        self._json(200, {"object": "list", "data": models})

    def do_POST(self) -> None:
        behaviour = self.server.behaviour
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.requests.append(request)
        self.server.headers.append({k.lower(): v for k, v in self.headers.items()})
        if behaviour.statuses and (status := behaviour.statuses.pop(0)) != 200:
            return self._error(status, "come back later", {"retry-after-ms": "5"})
        if behaviour.key and self.headers["authorization"] != f"Bearer {behaviour.key}":
            sent = self.headers["authorization"] if behaviour.echoes_key else ""
            return self._error(401, f"Incorrect API key provided {sent}".strip())
        if self.path != "/v1/chat/completions":
            return self._error(404, "Not Found")
        if request["model"] not in behaviour.models:
            return self._error(404, f"The model `{request['model']}` does not exist.")
        if unknown := [name for name in behaviour.refused if name in request]:
            return self._error(400, f"Unrecognized request argument supplied: {unknown[0]}")
        turns = [(turn["role"], *_opened(turn["content"])) for turn in request["messages"]]
        if behaviour.context and sum(len(text) for _, text, _ in turns) > behaviour.context:
            return self._error(400, f"maximum context length is {behaviour.context} tokens")
        pictures = [picture for _, _, shown in turns for picture in shown]
        if pictures and not behaviour.sees:
            return self._error(400, "tiny-vl is not a multimodal model: image input not supported")
        self._answer(request, turns[-1][1], pictures)
        return None

    def _answer(
        self, request: dict[str, Any], question: str, pictures: list[PIL.Image.Image]
    ) -> None:
        behaviour = self.server.behaviour
        pictures = [_limited(p, behaviour.most_pixels) for p in pictures[: behaviour.pictures]]
        self.server.pictures = pictures
        reply, finish = answer(question, pictures, behaviour), "stop"
        limit = min(behaviour.most_characters or 10**6, 4 * (request.get("max_tokens") or 10**6))
        if len(reply) > limit:
            reply, finish = reply[:limit], "length"
        for stop in request.get("stop") or ():
            reply = reply.partition(stop)[0]
        if behaviour.sends_end_token and request.get("skip_special_tokens") is False:
            reply += "<|im_end|>"
        thought = "Is it [[1, 2, 3, 4]]? Hm. "
        reply = {"aloud": thought + "</think>\n\n", "marked": f"<think>{thought}</think>"}.get(
            behaviour.thinks, ""
        ) + reply
        field = thought if behaviour.thinks in ("field", "only") else ""
        reply = "" if behaviour.thinks == "only" else reply
        if not (behaviour.streams and request.get("stream")):
            message = {"role": "assistant", "content": reply, "reasoning_content": field}
            return self._json(200, {"choices": [{"message": message, "finish_reason": finish}]})
        return self._stream([reply[i : i + 5] for i in range(0, len(reply), 5)], finish, field)

    def _stream(self, pieces: list[str], finish: str, thought: str = "") -> None:
        behaviour = self.server.behaviour
        self.send_response(200)
        self.send_header("content-type", behaviour.content_type)
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        self.server.sent_pieces = 0
        try:
            if thought:
                self._event({"choices": [{"index": 0, "delta": {"reasoning_content": thought}}]})
            for number, piece in enumerate(pieces):
                if number == behaviour.cut_after:
                    return
                if number == behaviour.fails_after:
                    self._event({"error": {"message": "CUDA out of memory", "code": 500}})
                    return
                parts = [{"type": "text", "text": piece}]
                content = parts if behaviour.content == "parts" else piece
                self._event({"choices": [{"index": 0, "delta": {"content": content}}]})
                self.server.sent_pieces += 1
            self._event({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
            self.wfile.write(b"data: [DONE]\n\n")
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _event(self, value: dict[str, Any]) -> None:
        chunk = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m", **value}
        self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.flush()

    def _error(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        self._json(status, {"error": {"message": message, "type": "error", "code": None}}, headers)

    def _json(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        for name, text in {"content-type": "application/json", **(headers or {})}.items():
            self.send_header(name, text)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _opened(content: Any) -> tuple[str, list[PIL.Image.Image]]:
    if isinstance(content, str):
        return content, []
    text = "".join(part["text"] for part in content if part["type"] == "text")
    urls = [part["image_url"]["url"] for part in content if part["type"] == "image_url"]
    data = [base64.b64decode(url.partition(",")[2]) for url in urls]
    return text, [PIL.Image.open(io.BytesIO(one)).convert("RGB") for one in data]


def _limited(picture: PIL.Image.Image, most: int | None) -> PIL.Image.Image:
    if most is None or picture.width * picture.height <= most:
        return picture
    scale = (most / (picture.width * picture.height)) ** 0.5
    return picture.resize((int(picture.width * scale), int(picture.height * scale)))


def answer(question: str, pictures: Sequence[PIL.Image.Image], behaviour: Behaviour) -> str:
    """What a model that sees shapes says."""
    asked = question.lower()
    if numbers := re.search(r"from 1 to (\d+)", asked):
        return " ".join(str(n) for n in range(1, int(numbers[1]) + 1))
    if "how many" in asked:
        count = sum(len(list(_shapes(picture))) for picture in pictures)
        return str(count + 2 * behaviour.miscounts)
    wanted = [name for name in COLOURS if name in asked]
    if wanted and pictures:
        return _grounded(wanted, pictures[-1], behaviour)
    seen = [", ".join(name for name, _ in _shapes(picture)) for picture in pictures]
    return "I see: " + "; then ".join(seen) + "."


def _shapes(picture: PIL.Image.Image) -> Iterator[tuple[str, tuple[int, int, int, int]]]:
    """Each coloured shape: its colour, and (x0, y0, x1, y1) in pixels."""
    pixels = np.asarray(picture)
    for name, colour in COLOURS.items():
        low, high = (np.clip(np.add(colour, d), 0, 255).astype(np.uint8) for d in (-39, 39))
        close = cv2.inRange(pixels, low, high)
        _, _, stats, _ = cv2.connectedComponentsWithStats(close)
        for x, y, width, height, area in stats[1:]:
            if area > max(20, pixels.shape[0] * pixels.shape[1] // 3000):
                yield name, (int(x), int(y), int(x + width), int(y + height))


def _grounded(wanted: list[str], picture: PIL.Image.Image, behaviour: Behaviour) -> str:
    found = [(name, box) for name, box in _shapes(picture) if name in wanted]
    markup = behaviour.markup
    grid = [
        (name, [round(v * 1000 / side) for v, side in zip(box, picture.size * 2)])
        for name, box in found
    ]
    if markup in ("qwen2_5_vl", "qwen3_vl"):
        boxes = grid if markup == "qwen3_vl" else found
        items = [{"bbox_2d": list(box), "label": name} for name, box in boxes]
        return f"```json\n{json.dumps(items)}\n```"
    opened = {"qwen_vl": ("<ref>", "</ref>", "<box>", "</box>"),
              "qwen2_vl": ("<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>",
                           "<|box_end|>")}[markup]  # fmt: skip
    reply = "".join(
        f"{opened[0]}{name}{opened[1]}{opened[2]}({a},{b}),({c},{d}){opened[3]}"
        for name, (a, b, c, d) in grid
    )
    return re.sub(r"<[^<>]*>", "", reply) if behaviour.strips_tokens else reply
