"""The queue before the models, as clients meet it."""

import http.client
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest

from segue.assistant import Assistant
from segue.chat.scripted import Scripted
from segue.errors import ModelError
from segue.segment.box_fill import BoxFill
from server.conftest import BOXES, KEY, apart, ask, begin, data_url, running, scripted

QUESTION = {
    "model": "segue",
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "x"},
                {"type": "image_url", "image_url": {"url": data_url()}},
            ],
        }
    ],
}
URL = "/v1/chat/completions"


class Held(Scripted):
    """Writes its first piece, and the rest when it is let go."""

    def __init__(self, *replies):
        super().__init__(list(replies or ["one two three"] * 9))
        self.let_go = threading.Event()
        self.begun = threading.Semaphore(0)
        self.closed = threading.Semaphore(0)

    def _pieces(self, reply, sampling):
        try:
            self.begun.release()
            yield reply[:3]
            self.let_go.wait(20)
            yield reply[3:]
        except GeneratorExit:
            self.closed.release()
            raise
        return "stop"


def held(*replies):
    chat = Held(*replies)
    return chat, Assistant(chat, None, BoxFill())


def sent(server, asked):
    """A connection on which a question was sent and no answer was read."""
    link = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=30)
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    link.request("POST", URL, json.dumps(asked), headers)
    return link


def test_a_full_queue_answers_429_and_when_to_come_again(tmp_path):
    chat, assistant = held()
    with (
        running(assistant, tmp_path, max_waiting=2, max_active=1) as server,
        server.client() as client,
        ThreadPoolExecutor(3) as pool,
    ):
        first = pool.submit(client.post, URL, json=QUESTION)
        chat.begun.acquire(timeout=20)
        waiting = [pool.submit(client.post, URL, json=QUESTION) for _ in range(2)]
        while server.services.worker.waiting < 2:
            threading.Event().wait(0.01)
        refused = client.post(URL, json=QUESTION)
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "queue_full")
        assert int(refused.headers["retry-after"]) > 0
        assert client.get("/readyz").status_code == 429
        assert client.get("/healthz").status_code == 200
        chat.let_go.set()
        assert [one.result().status_code for one in (first, *waiting)] == [200] * 3
        assert client.post(URL, json=QUESTION).status_code == 200


def test_the_clients_own_retries_get_through(tmp_path):
    slow = scripted(delay=0.01)
    with (
        running(slow, tmp_path, max_waiting=1, max_active=1) as server,
        ThreadPoolExecutor(4) as pool,
    ):
        client = server.openai(max_retries=6)
        asked = [pool.submit(client.chat.completions.create, **QUESTION) for _ in range(4)]
        assert all(one.result().choices[0].message.regions for one in asked)


def test_several_replies_grow_at_the_same_time(tmp_path):
    with running(scripted(delay=0.02), tmp_path) as server, server.client() as client:
        ids = [begin(client) for _ in range(2)]
        with ThreadPoolExecutor(2) as pool:
            streams = [pool.submit(ask, client, id) for id in ids]
            while server.services.worker.active < 2:
                threading.Event().wait(0.005)
            url = f"/v1/conversations/{ids[0]}/regions"  # a click goes between
            box = {"image": 0, "box": [1, 1, 9, 9], "preview": True}
            assert client.post(url, json=box).status_code == 200
            assert server.services.worker.active == 2
            assert all(one.result()[-1][0] == "done" for one in streams)


def test_who_waits_is_told_how_many_are_before(tmp_path):
    chat, assistant = held()
    with (
        running(assistant, tmp_path, max_active=1) as server,
        server.client() as client,
        ThreadPoolExecutor(2) as pool,
    ):
        ids = [begin(client) for _ in range(2)]
        worker = server.services.worker
        while worker.waiting or worker.active:  # pictures are encoded ahead
            threading.Event().wait(0.01)
        first = pool.submit(ask, client, ids[0])
        chat.begun.acquire(timeout=20)
        second = pool.submit(ask, client, ids[1])
        while worker.waiting < 1:
            threading.Event().wait(0.01)
        chat.let_go.set()
        assert [name for name, _ in first.result()].count("waiting") == 0
        assert second.result()[0] == ("waiting", {"position": 1})


@pytest.mark.parametrize("stream", [False, True])
def test_a_reply_whose_client_left_is_stopped(tmp_path, stream):
    chat, assistant = held()
    with running(assistant, tmp_path) as server:
        link = sent(server, {**QUESTION, "stream": stream})
        assert chat.begun.acquire(timeout=20)
        (job,) = server.services.worker.jobs
        link.close()
        while not job.is_cancelled:
            threading.Event().wait(0.01)
        chat.let_go.set()
        assert chat.closed.acquire(timeout=20)
        while server.services.worker.active:
            threading.Event().wait(0.01)
        with server.client() as client:
            assert client.post(URL, json=QUESTION).status_code == 200


def test_who_leaves_while_waiting_frees_the_place(tmp_path):
    chat, assistant = held()
    with (
        running(assistant, tmp_path, max_waiting=1, max_active=1) as server,
        server.client() as client,
        ThreadPoolExecutor(1) as pool,
    ):
        first = pool.submit(client.post, URL, json=QUESTION)
        chat.begun.acquire(timeout=20)
        link = sent(server, QUESTION)
        while not server.services.worker.waiting:
            threading.Event().wait(0.01)
        link.close()
        while server.services.worker.waiting:
            threading.Event().wait(0.01)
        chat.let_go.set()
        assert first.result().status_code == 200
        assert not chat.begun.acquire(timeout=0)  # the second was never begun


def test_the_deadline_ends_a_request_that_takes_too_long(tmp_path):
    chat, assistant = held()
    with running(assistant, tmp_path, deadline_s=0.3) as server, server.client() as client:
        late = client.post(URL, json=QUESTION)
        assert (late.status_code, late.json()["error"]["code"]) == (504, "deadline_exceeded")
        id = begin(client)
        name, data = ask(client, id)[-1]
        assert (name, data["error"]["code"]) == ("error", "deadline_exceeded")
        chat.let_go.set()


def test_while_the_models_load_only_they_are_missing(tmp_path):
    ready = threading.Event()

    def load():
        ready.wait(20)
        return scripted()

    with running(load, tmp_path) as server, server.client() as client:
        assert client.get("/healthz").status_code == 200
        for answer in (client.get("/readyz"), client.post(URL, json=QUESTION)):
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "loading")
            assert answer.headers["retry-after"]
        assert client.get("/v1/about").json()["ready"] is False
        id = begin(client)
        assert client.get(f"/v1/conversations/{id}").status_code == 200
        ready.set()
        while client.get("/readyz").status_code != 200:
            threading.Event().wait(0.01)
        assert ask(client, id)[-1][0] == "done"


def test_models_that_cannot_be_loaded_stop_the_server(tmp_path):
    from segue.server.app import serve
    from segue.server.settings import Settings

    def load():
        raise ModelError("no weights")

    with pytest.raises(ModelError, match="no weights"):
        apart(lambda: serve(Settings(data=tmp_path, port=0), load))


def test_a_server_that_stops_ends_what_it_began_and_takes_nothing_new(tmp_path):
    chat, assistant = held("one two three")
    with (
        running(assistant, tmp_path) as server,
        server.client() as client,
        ThreadPoolExecutor(1) as pool,
    ):
        id = begin(client)
        first = pool.submit(ask, client, id)
        chat.begun.acquire(timeout=20)
        server.services.worker.drain()
        refused = client.post(URL, json=QUESTION)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "draining")
        assert client.get("/readyz").status_code == 503
        chat.let_go.set()
        assert first.result()[-1][1]["turn"]["text"] == "one two three"


def test_what_was_said_until_the_server_stopped_is_kept(tmp_path):
    reply = {"timeout": 30}
    with running(scripted(BOXES, delay=0.05), tmp_path) as server, server.client() as client:
        id = begin(client)
        url = f"/v1/conversations/{id}/ask"
        with client.stream("POST", url, json={"question": "x"}, **reply) as stream:
            next(stream.iter_lines())
            server.services.worker.stop()
    with running(scripted(), tmp_path) as server, server.client() as client:
        (turn,) = client.get(f"/v1/conversations/{id}").json()["turns"]
        assert turn["finish"] == "cancelled"
        assert BOXES.startswith(turn["raw"])


def test_a_bug_is_a_500_in_the_same_shape_and_the_server_goes_on(tmp_path):
    class Broken(Scripted):
        def stream(self, messages, sampling):
            if messages[-1].text == "x":
                raise ZeroDivisionError("secret path /home/me")
            return super().stream(messages, sampling)

    assistant = Assistant(Broken(["fine"] * 9), None, BoxFill())
    with running(assistant, tmp_path) as server, server.client() as client:
        broken = client.post(URL, json=QUESTION)
        assert (broken.status_code, broken.json()["error"]["code"]) == (500, "internal_error")
        assert "secret" not in broken.text
        with pytest.raises(openai.APIError):
            list(server.openai().chat.completions.create(**QUESTION, stream=True))
        QUESTION_TWO = {**QUESTION, "messages": [{"role": "user", "content": "y"}]}
        assert client.post(URL, json=QUESTION_TWO).status_code == 200


def test_what_happened_is_counted(server, client):
    client.post(URL, json=QUESTION)
    text = client.get("/metrics").text
    assert 'segue_requests_total{method="POST",route="/v1/chat/completions",status="200"}' in text
    assert "segue_queue_waiting 0.0" in text
    assert 'segue_stage_seconds_count{stage="chat"}' in text
    assert "process_resident_memory_bytes" in text
