"""Over HTTP: requests about known objects, marking, forgetting."""

import pytest

from segue.assistant import Assistant
from segue.chat.scripted import Scripted
from segue.detect.fixed import Fixed
from segue.segment.box_fill import BoxFill
from server.conftest import ask, begin, running

DOGS = [[5, 10, 20, 30, 0.9], [40, 10, 70, 50, 0.8]]


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    detector = Fixed({"dogs": DOGS, "dog": DOGS, "cat": [[10, 40, 30, 55, 0.9]]})
    assistant = Assistant(Scripted(["Two dogs."] * 100), detector, BoxFill(), route="auto")
    with running(assistant, tmp_path_factory.mktemp("data")) as server, server.client() as client:
        yield client


@pytest.fixture
def talk(client):
    id = begin(client)
    ask(client, id, "segment the dogs")
    return f"/v1/conversations/{id}", id


def last_turn(found):
    assert found[-1][0] == "done"
    return found[-1][1]["turn"]


def test_a_choice_is_offered_and_answered(client, talk):
    address, id = talk
    turn = last_turn(ask(client, id, "blur the dog"))
    assert (turn["choices"], turn["from_register"]) == (["r1", "r2"], True)
    turn = last_turn(ask(client, id, "the right one"))
    assert (turn["choices"], turn["regions"]) == ([], ["r2"])
    (edit,) = client.get(address).json()["edits"]
    assert (edit["operation"], edit["regions"]) == ("blur", ["r2"])
    client.post(f"{address}/undo")
    assert client.get(address).json()["edits"] == []


def test_a_request_survives_a_restart_of_the_conversation(client, talk):
    address, id = talk
    ask(client, id, "make the left one red")
    exported = client.get(f"{address}/export", params={"format": "session"}).content
    opened = client.post("/v1/conversations/import", files={"file": ("s.zip", exported)}).json()
    assert last_turn(ask(client, opened["id"], "undo that"))["text"].startswith("Undone")
    assert client.get(f"/v1/conversations/{opened['id']}").json()["edits"] == []


def test_an_impossible_request_is_an_error_that_changes_nothing(client, talk):
    address, id = talk
    before = client.get(address).json()
    found = ask(client, id, "merge the left one")
    assert found[-1][0] == "error"
    assert "at least two" in found[-1][1]["error"]["message"]
    after = client.get(address).json()
    assert (after["turns"], after["regions"]) == (before["turns"], before["regions"])


def test_an_answer_in_words_is_marked_afterwards(client, talk):
    address, id = talk
    ask(client, id, "What do you see?")
    state = client.post(f"{address}/turns/1/mark", json={}).json()
    assert state["turns"][1]["marked"] == ["dogs"]
    assert state["turns"][1]["regions"] == ["r1", "r2"]
    state = client.post(f"{address}/turns/1/mark", json={"phrases": ["cat"]}).json()
    assert state["turns"][1]["regions"] == ["r1", "r2", "r3"]
    assert client.post(f"{address}/turns/7/mark", json={}).status_code in (400, 404)


def test_turns_are_forgotten_and_undoing_brings_them_back(client, talk):
    address, id = talk
    ask(client, id, "What do you see?")
    assert client.post(f"{address}/forget", json={"turns": 1}).json()["history_start"] == 1
    assert client.post(f"{address}/forget", json={}).json()["history_start"] == 2
    refused = client.post(f"{address}/forget", json={"turns": 5})
    assert refused.status_code == 400
    assert "0 are sent" in refused.json()["error"]["message"]
    assert client.post(f"{address}/undo").json()["history_start"] == 1
