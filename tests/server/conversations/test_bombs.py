"""Small requests that claim much memory, against a server with a limit of address space."""

import hashlib
import io
import json
import re
import resource
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import PIL.Image
import pytest

from server.conftest import Process, begin

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")

SIDE = 3000
BIG = SIDE * SIDE
ALLOWED = 300 * 2**20
"""Memory that any of the requests may add: 12 bytes a pixel of two pictures, and room to work."""


class Limited(Process):
    """A server whose address space ends where a careless decoder would need more."""

    def start(self) -> httpx.Client:
        client = super().start()
        pid = self.process.pid
        room = self.kept("VmSize") + 2**30  # threads and libraries take address space, too
        resource.prlimit(pid, resource.RLIMIT_AS, (room, room))
        return client

    def kept(self, name: str) -> int:
        """A number of the process's status, in bytes."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(rf"{name}:\s+(\d+) kB", text)
        return int(found[1]) * 1024

    def forget_peak(self) -> int:
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")
        return self.kept("VmRSS")


@pytest.fixture(scope="module")
def process(tmp_path_factory) -> Iterator[Limited]:
    """Pictures of 9 million pixels are the largest; a conversation holds four such."""
    folder = tmp_path_factory.mktemp("bombs")
    one = Limited(folder, {"*": "words"}, "--max-megapixels", str(BIG / 1e6))
    one.client = one.start()
    yield one
    one.client.close()
    one.kill()


def blank(number: int, side: int = SIDE) -> tuple[str, bytes]:
    """Digest and file of a picture that is like no other."""
    array = np.zeros((side, side, 3), np.uint8)
    array[0, 0] = number % 256, number // 256, 7
    content = hashlib.sha256(f"{side}x{side}x3 uint8\n".encode())
    content.update(array.data)
    out = io.BytesIO()
    PIL.Image.fromarray(array).save(out, "PNG", compress_level=9)
    return content.hexdigest(), out.getvalue()


def transparent() -> bytes:
    out = io.BytesIO()
    PIL.Image.new("RGBA", (SIDE, SIDE)).save(out, "WEBP", lossless=True)
    return out.getvalue()


def session(pictures: int, *, shown: int = 1, masks: int = 0, size=None, steps: int = 0, side=SIDE):
    """A zip of a session, a few kilobytes long."""
    files = dict(blank(number, side) for number in range(pictures))
    height, width = size or (side, side)

    def region(number):
        # One run more each time: no two masks are equal.
        counts = [number, height * width - number]
        return {"id": f"r{number}", "phrase": "x", "image": 0, "box": [0, 0, 9, 9], "score": None,
                "found_by": "person", "span": None, "mask": {"size": [height, width],
                "counts": counts}, "mask_score": None}  # fmt: skip

    regions = [region(number) for number in range(1, masks + 1)]
    document = {
        "format": 2, "segue": "0.1.0", "models": {}, "sight": {}, "system": None,
        "images": [{"digest": digest, "name": "a"} for digest in files],
        "shown": list(files)[:shown], "turns": [], "regions": regions, "edits": [],
        "backgrounds": {},
    }  # fmt: skip
    if steps:
        step = {"turns": 0, "regions": list(range(masks)), "edits": [], "backgrounds": {}}
        more = [{**step, "what": "add", "name": "x"} for _ in range(steps)]
        document["history"] = {"at": 0, "steps": [step, *more], "regions": regions, "later": []}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for digest, content in files.items():
            archive.writestr(f"images/{digest}.png", content)
        archive.writestr("session.json", json.dumps(document))
    return out.getvalue()


def opened(client, content) -> httpx.Response:
    files = {"file": ("s.zip", content, "application/zip")}
    return client.post("/v1/conversations/import", files=files)


def import_of(*arguments, **options):
    return lambda client: [opened(client, session(*arguments, **options))]


def many_pictures(client):
    files = [("file", (f"{n}.png", blank(n)[1])) for n in range(16)]
    return [client.post(f"/v1/conversations/{begin(client, None)}/images", files=files)]


def at_once(client):
    """Eight transparent pictures at the same time."""

    def send(_):
        files = {"file": ("a.webp", transparent())}
        return client.post(f"/v1/conversations/{begin(client, None)}/images", files=files)

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(send, range(8)))


def behind_edits(client):
    """Pictures behind edits are in memory with the conversation, so they count."""
    id = begin(client, None)
    sent = [{"file": ("a.png", blank(n)[1])} for n in range(6)]
    return [client.post(f"/v1/conversations/{id}/backgrounds", files=one) for one in sent]


def many_objects(client):
    files = {"file": ("a.png", blank(0)[1])}
    id = begin(client, None)
    assert client.post(f"/v1/conversations/{id}/images", files=files).status_code == 201
    digest = client.get(f"/v1/conversations/{id}").json()["images"][0]["digest"]
    body = {"image": digest, "boxes": [[0, 0, 9, 9]] * 64}
    return [client.post("/v1/segment", json=body)]


BOMBS = {
    "a mask larger than its picture": (import_of(1, masks=1, size=(30000, 30000)), {400}),
    "a mask of another shape": (import_of(1, masks=1, size=(1, BIG)), {400}),
    "a false mask in a step": (import_of(1, masks=1, size=(20000, 20000), steps=5), {400}),
    "24 pictures, one shown": (import_of(24), {400}),
    "4 pictures, one shown": (import_of(4), {201}),
    "60 full masks": (import_of(1, masks=60), {201}),
    "20 masks in 100 steps": (import_of(1, masks=20, steps=100), {201}),
    "2,000 full masks": (import_of(1, masks=2000), {400}),
    "16 pictures in one upload": (many_pictures, {400}),
    "8 transparent pictures at once": (at_once, {201}),
    "6 pictures behind edits": (behind_edits, {201, 400}),
    "64 objects in one request": (many_objects, {200}),
}
"""What -> (how it is sent, the answers that are right)."""


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_small_request_takes_little_memory(process, bomb):
    send, right = BOMBS[bomb]
    before = process.forget_peak()
    answers = send(process.client)
    added = process.kept("VmHWM") - before
    print(f"{bomb}: {sorted({a.status_code for a in answers})}, peak +{added / 2**20:.0f} MiB")
    assert {answer.status_code for answer in answers} == right, answers[-1].text
    assert added < ALLOWED
    assert process.client.get("/readyz").status_code == 200
    for answer in answers:
        assert "segue-import" not in answer.text
