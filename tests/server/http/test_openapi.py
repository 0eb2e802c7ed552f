"""The OpenAPI document: what it promises is kept, and nothing it allows brings the server down."""

import os
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from segue.server.app import build
from segue.server.http import request_models as asked
from segue.server.http.openapi import ANSWERS
from segue.server.settings import Settings
from server.conftest import KEY, PICTURE, ask, begin, data_url, running, scripted

EXAMPLES = int(os.environ.get("SEGUE_FUZZ_EXAMPLES", "3"))
"""Requests for each address; more than the default is for a long look."""


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory):
    data = tmp_path_factory.mktemp("fuzzed")
    with running(scripted(), data, requests_per_minute=0, deadline_s=20) as server:
        yield server


def operations():
    app = build(Settings(data=Path("unused")), scripted)
    schema = schemathesis.openapi.from_dict(app.openapi())
    return {result.ok().label: result.ok() for result in schema.get_all_operations()}


OPERATIONS = operations()


@pytest.mark.parametrize("label", sorted(OPERATIONS))
def test_nothing_that_the_document_allows_is_a_5xx(fuzzed, label):
    operation = OPERATIONS[label]
    with fuzzed.client() as client:
        id = begin(client)
        ask(client, id)

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(), known=st.booleans())
        def check(case, known):
            if known and "id" in (case.path_parameters or {}):
                case.path_parameters["id"] = id
                if "region" in case.path_parameters:
                    case.path_parameters["region"] = "r1"
            answer = case.call(base_url=fuzzed.url, headers={"Authorization": f"Bearer {KEY}"})
            assert answer.status_code < 500, (case, answer.text)
            if answer.status_code >= 400:
                error = answer.json()["error"]
                assert set(error) == {"message", "type", "param", "code"}
                assert all(error[name] for name in ("message", "code", "type"))

        check()


def test_every_address_is_documented():
    assert len(OPERATIONS) > 30
    for operation in OPERATIONS.values():
        assert operation.definition.raw.get("summary")
        assert operation.definition.raw.get("tags")
        described = operation.definition.raw.get("description", "")
        assert described.strip(), operation.label


def test_examples_of_the_document_are_accepted(fuzzed):
    """Every body that is shown as an example is one that the server takes."""
    document = fuzzed.app.openapi()
    shown = {
        name: schema["examples"]
        for name, schema in document["components"]["schemas"].items()
        if "examples" in schema
    }
    assert len(shown) >= 9
    for name, examples in shown.items():
        for example in examples:
            getattr(asked, name).model_validate(example)


def test_what_the_document_says_to_send_is_answered(fuzzed):
    with fuzzed.client() as client:
        answer = client.post("/v1/segment", json={"image": data_url(), "phrases": ["dog", "cat"]})
        value = answer.json()
        assert value["not_found"] == ["cat"]
        assert value["regions"][0]["mask"]["format"] == "coco_rle"
        digest = value["image"]["digest"]
        assert digest == PICTURE.digest
        again = client.post("/v1/segment", json={"image": digest, "boxes": [[1, 1, 9, 9]]})
        assert again.json()["regions"][0]["box"] == [1, 1, 9, 9]
        lost = client.post("/v1/segment", json={"image": "0" * 64, "phrases": ["dog"]})
        assert (lost.status_code, lost.json()["error"]["code"]) == (404, "picture_not_known")


def keys(value):
    """The shape of JSON: names, and what the first of a list looks like."""
    if isinstance(value, dict):
        return {name: keys(one) for name, one in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [keys(value[0])]
    return None


def test_example_answers_look_like_the_real_ones(fuzzed):
    with fuzzed.client() as client:
        id = begin(client)
        ask(client, id)
        url = f"/v1/conversations/{id}"
        edit = {"operation": "blur", "regions": ["r1"], "parameters": {"strength": 2}}
        state = client.post(f"{url}/edits", json=edit).json()
        renamed = client.patch(f"{url}/regions/r1", json={"phrase": "plane"}).json()
        listed = client.get("/v1/conversations").json()
        asked = {"image": data_url(), "phrases": ["dog", "cat"]}
        segmented = client.post("/v1/segment", json=asked).json()
    real = {
        ("get", "/v1/conversations/{id}"): state,
        ("patch", "/v1/conversations/{id}/regions/{region}"): renamed,
        ("get", "/v1/conversations"): listed,
        ("post", "/v1/segment"): segmented,
    }
    for address, answer in real.items():
        assert keys(answer) == keys(ANSWERS[address]), address


def test_the_document_tells_of_keys_and_errors(fuzzed):
    document = fuzzed.app.openapi()
    assert set(ANSWERS) <= {
        (method, path) for path, item in document["paths"].items() for method in item
    }
    operation = document["paths"]["/v1/segment"]["post"]
    assert operation["security"] == [{"key": []}]
    assert "422" not in operation["responses"]
    assert "security" not in document["paths"]["/healthz"]["get"]
    with fuzzed.client() as client:
        assert client.get("/openapi.json").json() == document
