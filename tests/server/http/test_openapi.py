"""The OpenAPI document: what it promises is kept, and nothing it allows brings the server down."""

import os
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from segue.server.app import build
from segue.server.http import (
    about_models,
    completion_models,
    examples,
    request_models,
    response_models,
    video_models,
)
from segue.server.http.errors import ErrorResponse
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


def models():
    """All models of requests and responses, by name."""
    modules = (about_models, completion_models, request_models, response_models, video_models)
    found = {"ErrorResponse": ErrorResponse}
    for module in modules:
        found |= {name: value for name, value in vars(module).items() if is_model(value)}
    return found


def is_model(value):
    return isinstance(value, type) and issubclass(value, BaseModel)


def test_examples_of_the_document_fit_their_models(fuzzed):
    """Every body in an example is one that the server accepts, or may send."""
    document = fuzzed.app.openapi()
    examples = {
        name: schema["examples"]
        for name, schema in document["components"]["schemas"].items()
        if "examples" in schema
    }
    assert len(examples) >= 14
    for name, bodies in examples.items():
        for body in bodies:
            models()[name].model_validate(body)


def test_every_json_answer_has_a_schema(fuzzed):
    document = fuzzed.app.openapi()
    with_schema = 0
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert operation["responses"]["default"]["content"]["application/json"]["schema"]
            for status, response in operation["responses"].items():
                content = response.get("content", {}).get("application/json")
                if content is not None and status != "default":
                    assert content["schema"], (method, path, status)
                    assert set(content["schema"]) != {"type"}, (method, path, status)
                    with_schema += 1
    assert with_schema >= 20


def test_answers_fit_their_schemas(fuzzed):
    """What really comes back has no field that the document does not have, and none is missing."""
    document = fuzzed.app.openapi()
    with fuzzed.client() as client:
        id = begin(client)
        ask(client, id)
        url = f"/v1/conversations/{id}"
        edit = {"operation": "blur", "regions": ["r1"], "parameters": {"strength": 2}}
        calls = [
            ("get", "/v1/about", None),
            ("get", "/v1/models", None),
            ("get", "/v1/conversations", None),
            ("post", "/v1/segment", {"image": data_url(), "phrases": ["dog", "cat"]}),
            ("post", "/v1/segment", {"image": "0" * 64, "phrases": ["dog"]}),
            ("get", f"{url}", None),
            ("post", f"{url}/edits", edit),
            ("patch", f"{url}/regions/r1", {"phrase": "plane"}),
            ("post", f"{url}/undo", None),
            ("patch", url, {"title": "A title"}),
            ("post", "/v1/chat/completions", COMPLETION),
        ]
        for method, address, body in calls:
            answer = client.request(method, address, json=body)
            template = address.replace(id, "{id}").replace("/regions/r1", "/regions/{region}")
            responses = document["paths"][template][method]["responses"]
            response = responses.get(str(answer.status_code), responses["default"])
            schema = response["content"]["application/json"]["schema"]
            whole = {**closed(schema), "components": closed(document["components"])}
            errors = [*Draft202012Validator(whole).iter_errors(answer.json())]
            assert not errors, (method, address, errors[0].message)


COMPLETION = {
    "model": "scripted",
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": data_url()}},
                {"type": "text", "text": "where is the dog?"},
            ],
        }
    ],
}


def closed(schema):
    """A schema that allows no other fields than those it names."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: closed(one) for name, one in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        inner.setdefault("additionalProperties", False)
    return inner


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


def test_example_answers_have_the_fields_of_real_ones(fuzzed):
    with fuzzed.client() as client:
        id = begin(client)
        ask(client, id)
        url = f"/v1/conversations/{id}"
        edit = {"operation": "blur", "regions": ["r1"], "parameters": {"strength": 2}}
        state = client.post(f"{url}/edits", json=edit).json()
        listing = client.get("/v1/conversations").json()
        segmentation = client.post(
            "/v1/segment", json={"image": data_url(), "phrases": ["dog", "cat"]}
        ).json()
    assert keys(state) == keys(examples.CONVERSATION)
    assert keys(listing["conversations"][0]) == keys(examples.LIST_ITEM)
    assert keys(segmentation) == keys(examples.SEGMENTATION)


def test_the_document_tells_of_keys_and_errors(fuzzed):
    document = fuzzed.app.openapi()
    operation = document["paths"]["/v1/segment"]["post"]
    assert operation["security"] == [{"key": []}]
    assert "422" not in operation["responses"]
    assert "security" not in document["paths"]["/healthz"]["get"]
    with fuzzed.client() as client:
        assert client.get("/openapi.json").json() == document
