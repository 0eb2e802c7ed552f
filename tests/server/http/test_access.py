"""Who may come in, and how much they may bring."""

import base64
import hmac
import http.client
import inspect
import socket
import struct
import threading
import zlib

import httpx
import pytest

from segue.errors import InputError
from segue.server.conversations.pictures import decode_picture
from segue.server.http.errors import ApiError
from segue.server.http.keys import ApiKeys, owner_of
from segue.server.http.rates import RateLimiter
from segue.server.settings import Settings, load_or_create_key
from segue.values.image import url as urls
from segue.values.image.pixels import Limits
from server.conftest import KEY, OTHER_KEY, begin, data_url, running, scripted

OPEN = {("GET", "/"), ("GET", "/page/{path:path}"), ("GET", "/favicon.ico"), ("GET", "/healthz"),
        ("GET", "/readyz"), ("POST", "/v1/login")}  # fmt: skip


def operations(server):
    document = server.app.openapi()
    listed = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    return listed | {("GET", "/openapi.json")}


def test_every_route_but_health_and_the_page_asks_for_a_key(server):
    closed = operations(server) - OPEN
    assert len(closed) > 25
    with server.client(None) as stranger:
        for method, path in sorted(closed):
            answer = stranger.request(method, path.replace("{", "").replace("}", ""))
            assert (answer.status_code, answer.json()["error"]["code"]) == (
                401, "invalid_api_key"
            ), (method, path)  # fmt: skip
        for method, path in sorted(OPEN & operations(server)):
            assert stranger.request(method, path).status_code != 401 or path == "/v1/login"


@pytest.mark.parametrize(
    "shown", ["", "Bearer", "Bearer wrong", f"Bearer {KEY}x", f"Basic {KEY}", KEY, "Bearer \xe9"]
)
def test_a_wrong_key_is_refused(server, shown):
    with server.client(None) as client:
        answer = client.get("/v1/models", headers={"Authorization": shown.encode("latin-1")})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"


def test_a_wrong_key_is_told_from_a_missing_one(server):
    with server.client(None) as client:
        missing = client.get("/v1/models").json()["error"]
        wrong = client.get("/v1/models", headers={"Authorization": "Bearer wrong"}).json()["error"]
    assert missing["message"].startswith("A key is needed: send ")
    assert wrong["message"].startswith("This key is not known")
    assert "wrong" not in wrong["message"]
    assert missing["code"] == wrong["code"] == "invalid_api_key"


@pytest.mark.parametrize(
    ("method", "path", "methods"),
    [
        ("GET", "/v1/segment", "POST"),
        ("PUT", "/v1/conversations", "GET, POST"),
        ("POST", "/v1/models", "GET"),
    ],
)
def test_a_method_that_is_not_supported_is_answered_with_those_that_are(
    client, method, path, methods
):
    answer = client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, methods)
    said = f"'{method} {path}' is not supported. This address takes: {methods}."
    assert answer.json()["error"]["message"] == said


def test_every_key_is_compared_to_its_end_in_constant_time():
    compared = []

    def equal(given, known):
        compared.append((given, known))
        return hmac.compare_digest(given, known)

    keys = ApiKeys((KEY, OTHER_KEY), equal)
    assert keys.owner(KEY) == owner_of(KEY)
    assert keys.owner("failed_keys") is None
    assert keys.owner(None) is None
    assert len(compared) == 6
    assert {len(one) for pair in compared for one in pair} == {32}  # digests, of one length
    assert inspect.signature(ApiKeys).parameters["equal"].default is hmac.compare_digest


def test_the_database_holds_no_key(tmp_path):
    with running(scripted(), tmp_path) as server, server.client() as client:
        begin(client)
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or KEY.encode() not in file.read_bytes()


def test_a_browser_shows_its_key_as_a_cookie(server):
    with server.client(None) as browser:
        assert browser.post("/v1/login", json={"key": "wrong"}).status_code == 401
        answer = browser.post("/v1/login", json={"key": KEY})
        cookie = answer.headers["set-cookie"].lower()
        assert (answer.status_code, "httponly" in cookie, "samesite=strict" in cookie) == (
            204, True, True
        )  # fmt: skip
        assert browser.get("/v1/about").status_code == 200
        assert browser.post("/v1/conversations", json={}).status_code == 201
        browser.post("/v1/logout")
        assert browser.get("/v1/about").status_code == 401


def test_pages_of_other_sites_cannot_use_the_cookie(server):
    with server.client(None) as browser:
        assert browser.post("/v1/login", json={"key": KEY}).status_code == 204
        for headers in (
            {"Origin": "https://evil.example"}, {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
            {"Origin": server.url.replace("127.0.0.1", "localhost")},
            {"Referer": "https://evil.example/page"},
        ):  # fmt: skip
            answer = browser.post("/v1/conversations", json={}, headers=headers)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "wrong_origin")
        own = browser.post("/v1/conversations", json={}, headers={"Origin": server.url})
        assert own.status_code == 201


def test_no_other_site_may_read_answers(server, tmp_path):
    asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    with server.client() as client:
        for method in ("GET", "OPTIONS"):
            answer = client.request(method, "/v1/models", headers=asked)
            assert "access-control-allow-origin" not in answer.headers
    allowed = {"cors_origins": ("https://app.example",)}
    with running(scripted(), tmp_path, **allowed) as other, other.client() as client:
        answer = client.get("/v1/models", headers=asked)
        assert answer.headers["access-control-allow-origin"] == "https://app.example"
        assert "access-control-allow-credentials" not in answer.headers
        strange = client.get("/v1/models", headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in strange.headers


def test_a_strangers_name_for_this_machine_is_not_answered(server, tmp_path):
    with server.client() as client:
        for host in ("evil.example", "127.0.0.1.evil.example:80", ""):
            answer = client.get("/v1/models", headers={"Host": host})
            assert answer.status_code in (400, 403)
        assert client.get("/v1/models", headers={"Host": "LOCALHOST:1"}).status_code == 200
    named = {"allowed_hosts": ("segue.example",)}
    with running(scripted(), tmp_path, **named) as other, other.client() as client:
        assert client.get("/v1/models", headers={"Host": "segue.example"}).status_code == 200
        assert client.get("/v1/models").status_code == 403


def test_without_keys_a_server_stays_on_this_machine(tmp_path):
    with pytest.raises(InputError, match="must stay on this machine"):
        Settings(data=tmp_path, host="0.0.0.0")
    with pytest.raises(InputError, match="at least 16"):
        Settings(data=tmp_path, keys=("short",))
    assert Settings(data=tmp_path).host == "127.0.0.1"
    with running(scripted(), tmp_path, keys=()) as server, server.client(None) as client:
        assert client.post("/v1/conversations", json={}).status_code == 201
        evil = client.post("/v1/conversations", json={}, headers={"Origin": "https://evil.example"})
        assert evil.status_code == 403


def test_a_generated_key_is_kept_and_private(tmp_path):
    key = load_or_create_key(tmp_path / "data")
    assert len(key) > 40
    assert load_or_create_key(tmp_path / "data") == key
    assert (tmp_path / "data" / "key").stat().st_mode & 0o077 == 0
    assert (tmp_path / "data").stat().st_mode & 0o077 == 0


def test_one_folder_serves_one_server(tmp_path):
    from segue.server.app import locked

    with locked(tmp_path), pytest.raises(InputError, match="Another server"), locked(tmp_path):
        pass
    with locked(tmp_path):
        pass


def test_the_rate_is_counted_for_each_key():
    rate = RateLimiter(2)
    assert [rate.take("a") == 0 for _ in range(3)] == [True, True, False]
    assert rate.take("b") == 0
    assert 0 < rate.take("a") <= 30
    assert RateLimiter(0).take("a") == 0


def test_a_body_is_measured_before_it_is_parsed(tmp_path):
    with running(scripted(), tmp_path, max_body_bytes=1000) as server, server.client() as client:

        def endless():
            while True:
                yield b'["' + b"x" * 500

        for body in ({"content": b"x" * 1001}, {"content": endless()}):
            try:
                answer = client.post("/v1/segment", **body)
            except httpx.WriteError:
                continue  # it hung up on us, which is as good
            assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_large")
        assert client.post("/v1/segment", content=b"{" * 900).status_code == 415
        assert client.get("/v1/models").status_code == 200


def test_a_lie_about_the_length_is_refused(tmp_path):
    with running(scripted(), tmp_path, max_body_bytes=1000) as server:
        host = server.url.removeprefix("http://")
        for length in ("99999999999", "-5", "1e3"):
            link = http.client.HTTPConnection(host, timeout=10)
            link.putrequest("POST", "/v1/segment")
            link.putheader("Authorization", f"Bearer {KEY}")
            link.putheader("Content-Length", length)
            link.endheaders()
            assert link.getresponse().status in (400, 413)
            link.close()


def test_a_body_that_dawdles_is_given_up(tmp_path):
    with running(scripted(), tmp_path, body_timeout_s=0.2) as server:
        link = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)
        link.putrequest("POST", "/v1/segment")
        link.putheader("Authorization", f"Bearer {KEY}")
        link.putheader("Content-Length", "100")
        link.endheaders()
        link.send(b"{")
        answer = link.getresponse()
        assert answer.status == 408
        link.close()


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 50_000, b"\xff\xfe", b"", b"null"])
def test_json_that_is_none_is_a_400(client, body):
    headers = {"Content-Type": "application/json"}
    answer = client.post("/v1/segment", content=body, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


def bomb(side=13_300):
    """A PNG of a few kilobytes that claims side x side pixels."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * (side // 8 + 1) * 100)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_a_picture_bomb_is_refused_by_its_header(server, client):
    answer = client.post("/v1/segment", json={"image": as_data(bomb()), "phrases": ["x"]})
    assert answer.json()["error"]["code"] == "picture_too_large"
    assert "176890000 pixels" in answer.text
    assert "Limits(" not in answer.text
    id = begin(client, None)
    sent = client.post(f"/v1/conversations/{id}/images", files={"file": ("x.png", bomb(50_000))})
    assert (sent.status_code, sent.json()["error"]["code"]) == (400, "picture_too_large")
    assert list((server.services.settings.data / "pictures").glob(".*")) == []


def as_data(content):
    return "data:image/png;base64," + base64.b64encode(content).decode()


@pytest.mark.parametrize(
    "source",
    ["/etc/passwd", "file:///etc/passwd", "../x.png", "ftp://a/b", "\\\\host\\share", "~/x.png", "",
     "FILE:/etc/passwd", " data:,x", "gopher://x"],
)  # fmt: skip
def test_a_picture_is_never_a_path(source):
    with pytest.raises(ApiError, match="data: URL"):
        decode_picture(source, Limits(), allow_urls=True)


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1/x", "http://localhost/x", "http://[::1]/x", "http://169.254.169.254/x",
     "http://10.0.0.1/x", "http://[::ffff:127.0.0.1]/x", "http://[64:ff9b::7f00:1]/x",
     "http://2130706433/x", "http://0x7f.1/x", "http://0/x", "http://[fd00:ec2::254]/x",
     "http://user:password@127.0.0.1/x", "https://192.168.1.1/x"],
)  # fmt: skip
def test_addresses_of_this_network_are_not_fetched_even_where_urls_are_allowed(tmp_path, address):
    with pytest.raises(ApiError) as refused:
        decode_picture(address, Limits(timeout_s=2), allow_urls=True)
    assert (refused.value.status, refused.value.code) == (400, "picture_unreadable")


def test_a_redirect_or_a_changed_name_does_not_lead_inside():
    """The check is made for every hop, and the connection goes to the address that was checked."""
    met = []

    def server():
        for _ in range(1):
            link, _ = listening.accept()
            met.append(link.recv(1000))
            link.sendall(
                b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest/meta-data\r\n"
                b"Content-Length: 0\r\n\r\n"
            )
            link.close()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        thread = threading.Thread(target=server, daemon=True)
        thread.start()
        asked = []

        def resolve(host, at):
            asked.append(host)
            return "127.0.0.1" if host == "public.example" else urls.public_address(host, at)

        with pytest.raises(InputError, match="not on the public internet"):
            urls.fetch(f"http://public.example:{port}/x.png", Limits(timeout_s=5), resolve)
        assert asked == ["public.example", "169.254.169.254"]  # once each: no second look-up
        assert len(met) == 1


def test_text_opens_nothing(tmp_path):
    """Words of a user or of a model that look like addresses stay words."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(0.3)
    port = listening.getsockname()[1]
    reply = f"<img>http://127.0.0.1:{port}/a.png</img> <ref>/etc/passwd</ref><box>(1,1),(9,9)</box>"
    with running(scripted(reply), tmp_path) as server, server.client() as client:
        id = begin(client)
        question = f"<img>/etc/passwd</img> Picture 1: <img>http://127.0.0.1:{port}/b.png</img>"
        url = f"/v1/conversations/{id}/ask"
        said = client.post(url, json={"question": question}).text
        assert "root:" not in said
        answer = client.post("/v1/segment", json={"image": data_url(), "phrases": [question]})
        assert answer.json()["not_found"] == [question]
    with pytest.raises(TimeoutError):
        listening.accept()
    listening.close()


def test_files_beside_the_page_are_not_served(server):
    with server.client(None) as client:
        for path in ("../app.py", "%2e%2e/app.py", "..%2fapp.py", "/etc/passwd", "", ".hidden",
                     "js/../../app.py", "%00", "..\\app.py"):  # fmt: skip
            answer = client.get(f"/page/{path}")
            assert answer.status_code in (401, 404), path  # 401: the client made it another path
            assert "import" not in answer.text


def test_the_page_may_load_nothing_from_elsewhere(server):
    with server.client(None) as client:
        answer = client.get("/")
        assert answer.status_code == 200
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        again = client.get("/", headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304
