"""A server process that is killed: nothing finished is lost, nothing is half written."""

import http.client
import signal
import sqlite3
import threading
from collections.abc import Iterator

import httpx
import numpy as np
import pytest

from segue.values.image import Image
from server.conftest import Process, ask, begin, events

LONG = "<ref>sky</ref><box>(0,0),(900,500)</box> " + "and so on " * 60_000
SHORT = "<ref>dog</ref><box>(100,100),(500,500)</box>"


class Scripted(Process):
    """A server process that knows a short and a long reply."""

    def __init__(self, folder):
        super().__init__(folder, {"short": SHORT, "long": LONG})

    def check_disk(self) -> None:
        data = self.folder / "data"
        with sqlite3.connect(data / "conversations.sqlite3") as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        db.close()
        for file in (data / "pictures").glob("*.png"):
            assert Image.open(file).digest == file.stem


@pytest.fixture
def process(tmp_path) -> Iterator[Process]:
    one = Scripted(tmp_path)
    yield one
    if one.process.poll() is None:
        one.kill()


def noise(seed, side=900):
    rng = np.random.default_rng(seed)
    return Image(rng.integers(0, 255, (side, side, 3)).astype(np.uint8))


def test_a_killed_server_keeps_what_was_finished(process):
    client = process.start()
    id = begin(client, noise(1, 300))
    url = f"/v1/conversations/{id}"
    ask(client, id, "short")
    finished = client.get(url).json()

    # in the middle of a reply
    with client.stream("POST", f"{url}/ask", json={"question": "long"}) as reply:
        lines = reply.iter_lines()
        for _ in range(20):
            next(lines)
        process.kill()
        with pytest.raises(httpx.HTTPError):
            list(lines)
    client.close()
    client = process.start()
    process.check_disk()
    assert client.get(url).json() == finished
    assert ask(client, id, "short")[-1][0] == "done"
    finished = client.get(url).json()

    # in the middle of an upload, and while the picture is being written
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    body = head + noise(2).to_png_bytes() + b"\r\n--x--\r\n"
    for part in (body[: len(body) // 2], body):
        link = http.client.HTTPConnection(process.address, timeout=30)
        link.putrequest("POST", f"{url}/images")
        link.putheader("Content-Type", "multipart/form-data; boundary=x")
        link.putheader("Content-Length", str(len(body)))
        link.endheaders()
        link.send(part)
        if part is body:
            folder = process.folder / "data" / "pictures"
            while not any(folder.glob(".*")) and len(list(folder.iterdir())) < 2:
                pass
        process.kill()
        link.close()
        client.close()
        client = process.start()
        process.check_disk()
        now = client.get(url).json()
        assert now["turns"] == finished["turns"]
        assert len(now["images"]) in (1, 2) if part is body else len(now["images"]) == 1
        for image in now["images"]:
            assert client.get(image["url"]).status_code == 200
        named = {image["digest"] for image in now["images"]}
        on_disk = {file.stem for file in (process.folder / "data" / "pictures").iterdir()}
        assert on_disk == named  # what nobody names was swept away

    # in the middle of edits and corrections, one after the other
    done = []

    def work():
        try:
            for number in range(10_000):
                edit = {"operation": "blur", "regions": ["r1"], "parameters": {"strength": 1}}
                client.post(f"{url}/edits", json=edit).raise_for_status()
                done.append("edit")
                renamed = {"phrase": f"dog {number}"}
                client.patch(f"{url}/regions/r1", json=renamed).raise_for_status()
                done.append(number)
                client.delete(f"{url}/edits/0").raise_for_status()
                done.append("dropped")
        except httpx.HTTPError:
            pass

    thread = threading.Thread(target=work)
    thread.start()
    while len(done) < 10:
        threading.Event().wait(0.01)
    process.kill()
    thread.join()
    client.close()
    client = process.start()
    process.check_disk()
    now = client.get(url).json()
    names = [number for number in done if isinstance(number, int)]
    last = now["regions"][0]["phrase"]
    assert last in (f"dog {names[-1]}", f"dog {names[-1] + 1}")
    assert len(now["edits"]) <= 1
    steps = now["revision"] - finished["revision"] - (len(now["images"]) - 1)
    assert steps in (len(done), len(done) + 1)
    assert client.post(f"{url}/undo").status_code == 200
    client.close()


def test_a_polite_stop_ends_replies_and_the_process(process):
    client = process.start()
    id = begin(client, noise(1, 100))
    url = f"/v1/conversations/{id}/ask"
    with client.stream("POST", url, json={"question": "short"}) as reply:
        process.process.send_signal(signal.SIGTERM)
        assert events(reply)[-1][0] == "done"
    assert process.process.wait(30) in (0, -signal.SIGTERM)
    process.process.stdout.close()
    client.close()
