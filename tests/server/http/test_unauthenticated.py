"""What somebody without a key can do to the others: be refused."""

import asyncio
import http.client
import json
import re
import socket
import threading

import pytest

from segue.server.http.bodies import PUBLIC_BODY_BYTES
from segue.server.http.errors import ApiError
from segue.server.http.rates import FailedKeyLimiter
from server.conftest import KEY, OTHER_KEY, apart, begin, running, scripted


def link_to(server) -> socket.socket:
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=10)


def posted(path: str, length: int) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()


def answer_of(link: socket.socket) -> tuple[int, bytes]:
    """Status and body of what comes until the connection ends."""
    data = b""
    while part := link.recv(65536):
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def closed_without_a_word(link: socket.socket) -> bool:
    try:
        while part := link.recv(1000):
            if part.startswith(b"HTTP"):
                return False
    except ConnectionError:
        pass
    return True


@pytest.mark.parametrize("path", ["/v1/login", "/", "/page/index.html", "/healthz", "/readyz"])
def test_open_addresses_take_no_more_than_four_kilobytes(server, path):
    with server.client(None) as stranger:
        answer = stranger.post(path, content=b" " * (PUBLIC_BODY_BYTES + 1))
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_large")
        assert str(PUBLIC_BODY_BYTES) in answer.text
        assert stranger.post(path, content=b" " * PUBLIC_BODY_BYTES).status_code in (405, 415)


def test_half_sent_logins_take_nothing_from_the_others(tmp_path):
    with running(scripted(), tmp_path, max_body_bytes=20_000) as server, server.client() as client:
        links = [link_to(server) for _ in range(60)]
        for link in links:
            link.sendall(posted("/v1/login", PUBLIC_BODY_BYTES) + b"a" * (PUBLIC_BODY_BYTES - 1))
        title = {"title": "x" * 100, "system": "y" * 15_000}
        for _ in range(20):
            assert client.post("/v1/conversations", json=title).status_code == 201
        for link in links:
            link.close()


def test_methods_that_somebody_made_up_are_one_label(server):
    host = server.url.removeprefix("http://")
    for number in range(20):
        link = http.client.HTTPConnection(host, timeout=10)
        link.request(f"MADEUP{number}", "/v1/about")
        link.getresponse().read()
        link.close()
    with server.client() as client:
        report = client.get("/metrics").text
    assert "MADEUP" not in report
    counted = re.search(r'segue_requests_total{method="other",route="other",status="401"} ([\d.]+)',
                        report)  # fmt: skip
    assert counted is not None
    assert float(counted[1]) >= 20


def test_wrong_keys_are_slowed_and_then_refused_while_the_right_one_works(tmp_path):
    with running(scripted(), tmp_path) as server, server.client(None) as stranger:
        stranger.get("/healthz")
        app = server.app.middleware_stack
        while not hasattr(app, "failed_keys"):
            app = app.app
        app.failed_keys._slow_s = 0.001  # this test need not wait as long as a guesser
        statuses = []
        for number in range(FailedKeyLimiter.MAX_FAILURES + 10):
            if number % 2:
                answer = stranger.post("/v1/login", json={"key": f"guess-{number}"})
            else:
                guess = {"Authorization": f"Bearer guess-{number}"}
                answer = stranger.get("/v1/about", headers=guess)
            statuses.append(answer.status_code)
        assert statuses == [401] * FailedKeyLimiter.MAX_FAILURES + [429] * 10
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        with server.client() as client:  # from the same address
            assert client.get("/v1/about").status_code == 200
        assert stranger.post("/v1/login", json={"key": OTHER_KEY}).status_code == 204


async def guessing(wrong: FailedKeyLimiter, addresses) -> None:
    for address in addresses:
        await wrong.record_failure(address)


def test_slowing_begins_after_a_few_and_ends_with_the_minute():
    async def work():
        wrong = FailedKeyLimiter(seconds=0.3, slow_s=0.01)
        loop = asyncio.get_running_loop()
        for _ in range(wrong.FREE_FAILURES):
            await wrong.record_failure("203.0.113.5")
        began = loop.time()
        await wrong.record_failure("203.0.113.5")
        assert loop.time() - began >= 0.01
        wrong._slow_s = 0.0
        with pytest.raises(ApiError) as refused:
            await guessing(wrong, ["203.0.113.5"] * wrong.MAX_FAILURES)
        with pytest.raises(ApiError):
            wrong.check("203.0.113.5")  # not even looked at
        wrong.check("203.0.113.6")
        while True:
            try:
                wrong.check("203.0.113.5")
            except ApiError:
                await asyncio.sleep(0.01)
            else:
                return refused.value.status

    assert apart(lambda: asyncio.run(work())) == 429


def test_a_line_has_one_count_for_all_its_addresses():
    async def work():
        wrong = FailedKeyLimiter(slow_s=0.0)
        with pytest.raises(ApiError):
            await guessing(wrong, [f"2001:db8:1:2::{n:x}" for n in range(wrong.MAX_FAILURES + 1)])
        with pytest.raises(ApiError):
            wrong.check("2001:db8:1:2:ffff::1")
        wrong.check("2001:db8:1:3::1")
        for _ in range(40):  # nobody on this machine can lock the others out
            try:
                await wrong.record_failure("127.0.0.1")
            except ApiError:
                wrong.check("127.0.0.1")

    apart(lambda: asyncio.run(work()))


def test_who_says_nothing_is_let_go(tmp_path):
    with running(scripted(), tmp_path) as server:
        server.app.state.connections.head_timeout_s = 0.3
        silent, half, after = (link_to(server) for _ in range(3))
        half.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n")
        after.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200" in after.recv(1000)
        after.sendall(b"GET /healthz HTTP/1.1\r\nHo")
        assert all(map(closed_without_a_word, (silent, half, after)))
        assert server.app.state.connections.closed["head"] == 3
        for link in (silent, half, after):
            link.close()


def test_a_head_that_drips_is_let_go(tmp_path):
    with running(scripted(), tmp_path) as server:
        server.app.state.connections.head_timeout_s = 0.3
        link, stop = link_to(server), threading.Event()

        def drip():
            link.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n")
            while not stop.wait(0.05):
                try:
                    link.sendall(b"X: y\r\n")
                except OSError:
                    return

        thread = threading.Thread(target=drip)
        thread.start()
        assert closed_without_a_word(link)
        stop.set()
        thread.join()
        link.close()


def test_idle_connections_make_room_for_those_who_come(tmp_path):
    with running(scripted(), tmp_path) as server, server.client() as client:
        bounds = server.app.state.connections
        bounds.max_connections, bounds.max_per_address = 12, 8
        assert client.post("/v1/conversations", json={}).status_code == 201
        silent = [link_to(server) for _ in range(40)]
        for _ in range(10):
            with server.client() as another:
                assert another.get("/v1/about").status_code == 200
        assert bounds.count <= 8
        assert bounds.closed["idle"] >= 30
        assert bounds.closed["full"] == 0
        assert client.get("/v1/about").status_code == 200  # on a new connection
        for link in silent:
            link.close()


def test_half_sent_requests_without_a_key_make_room_too(tmp_path):
    with running(scripted(), tmp_path) as server:
        bounds = server.app.state.connections
        bounds.max_connections, bounds.max_per_address = 12, 12
        links = [link_to(server) for _ in range(12)]
        for number, link in enumerate(links):
            path = "/v1/login" if number % 2 else "/v1/segment"
            link.sendall(posted(path, 4000) + b"{")
        for _ in range(6):
            with server.client() as client:
                assert client.post("/v1/conversations", json={}).status_code == 201
        assert bounds.closed["full"] == 0
        for link in links:
            link.close()


def test_where_everybody_is_busy_a_newcomer_hears_it(tmp_path):
    with running(scripted(delay=0.02, piece=1), tmp_path) as server:
        with server.client() as client:
            id = begin(client)
        bounds, asked = server.app.state.connections, {"json": {"question": "x"}}
        url = f"/v1/conversations/{id}/ask"
        with server.client() as client, client.stream("POST", url, **asked) as reply:
            lines = reply.iter_lines()
            next(lines)
            bounds.max_connections = 1
            with link_to(server) as link:
                status, body = answer_of(link)
            assert (status, json.loads(body)["error"]["code"]) == (503, "queue_full")
            assert bounds.closed["full"] == 1
            bounds.max_connections = 512
            assert "event: done" in list(lines)


def test_who_does_not_read_is_cut_off(tmp_path):
    with running(scripted(), tmp_path) as server, link_to(server) as link:
        bounds = server.app.state.connections
        bounds.unread_timeout_s = 0.2
        head = f"Host: localhost\r\nAuthorization: Bearer {KEY}\r\n\r\n"
        asked = f"GET /openapi.json HTTP/1.1\r\n{head}".encode()
        with pytest.raises(OSError, match=r"reset|pipe|timed out|abort"):
            link.sendall(asked * 100_000)  # answers that are never taken
        while not bounds.closed["unread"]:
            threading.Event().wait(0.02)
        assert bounds.closed["unread"] == 1


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(("path", "key", "size"), [("/v1/segment", KEY, 300_000),
                                                   ("/v1/login", None, 15_000)])  # fmt: skip
def test_a_client_that_sends_on_sees_the_413(tmp_path, path, key, size, chunked):
    """A blocking client sends all of its body before it reads."""
    with running(scripted(), tmp_path, max_body_bytes=100_000) as server:
        link = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        body = iter([b"x" * 5000] * (size // 5000)) if chunked else b"x" * size
        link.request("POST", path, body, headers, encode_chunked=chunked)
        assert link.getresponse().status == 413
        link.close()


def test_a_client_that_asks_first_is_told_at_once(tmp_path):
    with running(scripted(), tmp_path, max_body_bytes=1000) as server, link_to(server) as link:
        link.sendall(
            f"POST /v1/segment HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n"
            "Content-Length: 5000\r\nExpect: 100-continue\r\n\r\n".encode()
        )
        status, _ = answer_of(link)
        assert status == 413


def test_every_answer_says_that_it_is_what_its_type_says(server):
    paths = ("/v1/about", "/healthz", "/", "/nothing", "/metrics", "/v1/samples/airport.png")
    with server.client() as client:
        for path in paths:
            assert client.get(path).headers["x-content-type-options"] == "nosniff"
    with server.client(None) as stranger:
        assert stranger.get("/v1/about").headers["x-content-type-options"] == "nosniff"
