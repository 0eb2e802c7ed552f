"""A chat model behind an endpoint: what goes wrong there stays between the operator and it."""

import json
from pathlib import Path

import pytest

from raw_endpoint import RawEndpoint, Scenario, streamed, words
from segue.assistant import Assistant
from segue.chat.openai import OpenAIChat
from segue.chat.openai.address import Address
from server.conftest import ask, begin, running

KEY = "sk-the-operators-own-key-42"


def failing(exchange) -> None:
    exchange.json({"error": {"message": f"gpu-7: bad key {exchange.key}"}}, 401)


SCENARIOS: dict[str, Scenario] = {
    "refused": failing,
    "in_the_stream": streamed(
        words("A dog."), 'data: {"error": {"message": "gpu-7 is out of memory"}}\n\n'
    ),
    "error_in_a_success": lambda exchange: exchange.json({"error": f"gpu-7 {exchange.key}"}),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_clients_read_neither_the_key_nor_the_endpoints_words(
    name: str, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("SEGUE_API_KEY", KEY)
    monkeypatch.setenv("SEGUE_HOME", str(tmp_path / "home"))
    with RawEndpoint(SCENARIOS[name]) as endpoint:
        chat = OpenAIChat(Address("m", endpoint.url))
        chat.retries = 0
        with running(Assistant(chat), tmp_path) as server, server.client() as client:
            id = begin(client)
            seen = json.dumps(ask(client, id))
            seen += client.get(f"/v1/conversations/{id}").text
            model = client.get("/v1/models").json()["data"][0]["id"]
            asked = {"model": model, "messages": [{"role": "user", "content": "what?"}]}
            seen += client.post("/v1/chat/completions", json=asked).text
            seen += client.get("/metrics").text
    for secret in (KEY, "gpu-7"):
        assert secret not in seen
    assert "chat model's endpoint failed" in seen
    stored = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert KEY.encode() not in stored
