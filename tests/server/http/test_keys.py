"""Browsers get a token in exchange for the key; the key itself goes nowhere."""

import hashlib
import time
from http.cookies import SimpleCookie

import pytest

from segue.server.conversations.store import ConversationStore
from segue.server.http.keys import TOKENS_OF_OWNER, SessionTokens, owner_of
from server.conftest import KEY, OTHER_KEY, begin, running, scripted


def cookie(answer):
    jar = SimpleCookie(answer.headers["set-cookie"])
    ((name, one),) = jar.items()
    return name, one


def test_the_cookie_is_a_token_and_has_a_name_of_its_own(server):
    port = server.url.rpartition(":")[2]
    with server.client(None) as browser:
        name, first = cookie(browser.post("/v1/login", json={"key": KEY}))
        _, second = cookie(browser.post("/v1/login", json={"key": KEY}))
    assert name == f"segue_session_{port}"
    assert len(first.value) >= 40
    assert first.value != second.value
    assert KEY not in first.OutputString()
    assert (first["samesite"].lower(), first["path"], bool(first["httponly"])) == (
        "strict", "/v1", True
    )  # fmt: skip
    assert 0 < int(first["max-age"]) <= 7 * 24 * 3600


def test_neither_key_nor_token_is_on_the_disk(tmp_path):
    with running(scripted(), tmp_path) as server, server.client(None) as browser:
        _, token = cookie(browser.post("/v1/login", json={"key": KEY}))
        begin(browser)
    for file in tmp_path.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert KEY.encode() not in content
            assert token.value.encode() not in content


def test_logging_out_ends_the_token_and_not_only_the_cookie(server):
    with server.client(None) as browser, server.client(None) as thief:
        name, token = cookie(browser.post("/v1/login", json={"key": KEY}))
        stolen = {"Cookie": f"{name}={token.value}"}
        assert thief.get("/v1/about", headers=stolen).status_code == 200
        assert browser.post("/v1/logout").status_code == 204
        assert thief.get("/v1/about", headers=stolen).status_code == 401


def test_all_logins_of_a_key_can_be_ended(server):
    with server.client(None) as one, server.client(None) as two, server.client(None) as other:
        for browser, key in ((one, KEY), (two, KEY), (other, OTHER_KEY)):
            assert browser.post("/v1/login", json={"key": key}).status_code == 204
        assert one.post("/v1/logout", params={"everywhere": True}).status_code == 204
        assert two.get("/v1/about").status_code == 401
        assert other.get("/v1/about").status_code == 200


def test_the_key_is_no_cookie_and_a_token_is_no_key(server):
    with server.client(None) as browser:
        name, token = cookie(browser.post("/v1/login", json={"key": KEY}))
        browser.cookies.clear()
        for headers in (
            {"Cookie": f"{name}={KEY}"}, {"Cookie": f"segue_key={KEY}"},
            {"Cookie": f"segue_session_1={token.value}"},
            {"Authorization": f"Bearer {token.value}"},
        ):  # fmt: skip
            assert browser.get("/v1/about", headers=headers).status_code == 401
        assert browser.post("/v1/login", json={"key": token.value}).status_code == 401


def test_tokens_outlive_a_restart_but_not_their_key(tmp_path):
    with running(scripted(), tmp_path) as server, server.client(None) as browser:
        _, token = cookie(browser.post("/v1/login", json={"key": KEY}))
    for keys, status in (((KEY,), 200), ((OTHER_KEY,), 401)):
        with running(scripted(), tmp_path, keys=keys) as server, server.client(None) as browser:
            name = f"segue_session_{server.url.rpartition(':')[2]}"
            shown = {"Cookie": f"{name}={token.value}"}
            assert browser.get("/v1/about", headers=shown).status_code == status


@pytest.fixture
def store(tmp_path):
    one = ConversationStore(tmp_path / "conversations.sqlite3")
    yield one
    one.close()


def test_old_tokens_and_the_oldest_of_many_are_void(store):
    owner = owner_of(KEY)
    tokens = SessionTokens(store, frozenset({owner}))
    first = tokens.issue(owner)
    assert tokens.owner(first) == owner
    issued = [tokens.issue(owner) for _ in range(TOKENS_OF_OWNER)]
    assert tokens.owner(first) is None
    assert all(tokens.owner(token) == owner for token in issued)
    late = "a token whose time is over"
    digest = hashlib.sha256(b"segue session\0" + late.encode()).hexdigest()
    store.add_token(digest, owner, time.time() - 1, 50)
    assert tokens.owner(late) is None
    assert tokens.owner("") is tokens.owner(None) is None


def test_the_printed_address_logs_in_without_the_key(tmp_path):
    invitation = {"login_token": "t" * 43}
    with running(scripted(), tmp_path, **invitation) as server, server.client(None) as browser:
        assert browser.get("/v1/about", headers={"Authorization": "Bearer " + "t" * 43}
                           ).status_code == 401  # fmt: skip
        assert browser.post("/v1/login", json={"key": "t" * 43}).status_code == 204
        id = begin(browser)
        with server.client(KEY) as client:  # the same owner
            assert client.get(f"/v1/conversations/{id}").status_code == 200
