"""Endpoints as they really behave: nothing that came is lost, and what went wrong is said."""

import base64
import json

import numpy as np
import pytest

from raw_endpoint import Exchange, RawEndpoint, Scenario, chunk, streamed, whole, words
from segue.assistant import Assistant
from segue.chat.openai import OpenAIChat, load
from segue.chat.openai.address import Address
from segue.chat.openai.replies import EndpointReply, NoReplyError
from segue.chat.openai.secrets import KeyFilter, redact
from segue.errors import ModelError
from segue.pipeline.answer import Answer
from segue.values.message import Finish, Message, Sampling

PICTURE = np.full((48, 64, 3), 90, np.uint8)
DOG = '[{"bbox_2d": [600, 500, 800, 900], "label": "dog"}]'
KEY = "sk-a-key-that-nobody-may-see-123"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, tmp_path) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SEGUE_API_KEY", KEY)
    monkeypatch.setenv("SEGUE_HOME", str(tmp_path))


def answered(scenario: Scenario, model: str = "qwen3-vl-4b", **changes: object) -> Answer:
    with RawEndpoint(scenario) as server:
        chat = OpenAIChat(Address(model, server.url))
        for name, value in changes.items():
            setattr(chat, name, value)
        return Assistant(chat).open(PICTURE).ask("Where is the dog?")


def refused(scenario: Scenario, **changes: object) -> str:
    with pytest.raises(ModelError) as problem:
        answered(scenario, retries=0, **changes)
    return str(problem.value)


THINKING = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm [1, 2, 3, 4]"}]}]
KEPT = {
    "content_as_parts": streamed(
        chunk({"content": THINKING}), chunk({"content": [{"type": "text", "text": DOG}]})
    ),
    "content_as_strings": streamed(chunk({"content": [DOG]})),
    "reasoning_content": streamed(chunk({"reasoning_content": "a cat"}), words(DOG)),
    "reasoning_beside_null_content": streamed(
        chunk({"reasoning": "a cat", "content": None}), words(DOG)
    ),
    "comments_between": streamed(": ping\n\n", words(DOG[:9]), ": ping\n\n", words(DOG[9:])),
    "no_empty_lines": streamed(words(DOG[:9]).strip() + "\n", words(DOG[9:]).strip() + "\n"),
    "carriage_returns": streamed(words(DOG).replace("\n", "\r\n")),
    "no_done": streamed(words(DOG), done=False),
    "usage_chunk": streamed(words(DOG), 'data: {"choices": [], "usage": {"total_tokens": 3}}\n\n'),
    "null_choices": streamed('data: {"choices": null}\n\n', words(DOG)),
    "null_delta": streamed('data: {"choices": [{"index": 0, "delta": null}]}\n\n', words(DOG)),
    "legacy_text": streamed(f"data: {json.dumps({'choices': [{'index': 0, 'text': DOG}]})}\n\n"),
    "json_lines": streamed(words(DOG).removeprefix("data: ").strip() + "\n"),
    "event_names": streamed("event: message\n" + words(DOG)),
    "bad_byte": streamed(words(DOG), b'data: {"choices": [{"delta": {"content": "\xff"}}]}\n\n'),
    "byte_order_mark": streamed(b"\xef\xbb\xbf", words(DOG)),
    "character_in_two_halves": streamed(words("\ud83d"), words("\ude00" + DOG)),
    "upper_case_reason": streamed(words(DOG), finish="STOP"),
    "whole_document": whole({"choices": [{"message": {"content": DOG}, "finish_reason": "stop"}]}),
    "whole_without_reason": whole({"choices": [{"message": {"content": DOG}}]}),
    "whole_parts": whole(
        {"choices": [{"message": {"content": [{"type": "output_text", "text": DOG}]}}]}
    ),
    "message_without_choices": whole({"message": {"content": DOG}, "done": True}),
}


@pytest.mark.parametrize("name", KEPT)
def test_an_odd_stream_is_read_for_what_it_says(name: str) -> None:
    answer = answered(KEPT[name])
    assert [region.phrase for region in answer.regions] == ["dog"]
    assert answer.finish == "stop"
    assert "cat" not in answer.text
    assert "hm" not in answer.text
    answer.text.encode()  # no half of a character is left


REASONS = {
    "error_in_a_success": (
        whole({"error": {"message": "model is loading", "code": 503}}), "model is loading"
    ),
    "error_as_text": (whole({"error": "no such adapter"}), "no such adapter"),
    "error_array": (whole([{"error": {"message": "API key not valid"}}], 400), "API key not valid"),
    "error_field": (
        streamed('error: {"code": 400, "message": "slot unavailable"}\n\n', finish=None),
        "slot unavailable",
    ),
    "error_field_as_text": (streamed("error: no slot\n\n", finish=None), "no slot"),
    "unframed_error": (
        streamed('{"error": {"message": "bad prompt"}}\n', finish=None), "bad prompt"
    ),
    "unframed_error_on_lines": (
        streamed('{\n "error": {\n  "message": "bad lines"\n }\n}\n', finish=None), "bad lines"
    ),
    "error_in_a_choice": (
        streamed(
            'data: {"choices": [{"delta": {}, "error": {"message": "provider died"}}]}\n\n',
            finish=None,
        ),
        "provider died",
    ),
    "error_event": (
        streamed('event: error\ndata: {"message": "overloaded"}\n\n', finish=None), "overloaded"
    ),
    "error_event_as_text": (
        streamed("event: error\ndata: boom overload\n\n", finish=None), "error: boom overload"
    ),
    "blocked_prompt": (
        streamed('data: {"promptFeedback": {"blockReason": "SAFETY"}}\n\n', finish=None), "SAFETY"
    ),
    "error_object": (whole({"object": "error", "message": "bad grammar"}), "bad grammar"),
    "detail": (whole({"detail": "Not enough permissions"}, 403), "Not enough permissions"),
    "detail_list": (
        whole({"detail": [{"loc": ["body"], "msg": "field required"}]}, 400), "field required"
    ),
    "html_page": (
        lambda exchange: (
            exchange.head("text/html", 502), exchange.raw("<title>502 Bad Gateway</title>")
        ),
        "502",
    ),
    "tool_only": (
        streamed(chunk({"tool_calls": [{"function": {"name": "zoom"}}]}), finish="tool_calls"),
        "asked for a tool (zoom)",
    ),
    "filtered": (streamed(finish="content_filter"), "content filter refused"),
    "aborted": (streamed(finish="abort"), "'abort'"),
    "not_json": (streamed("data: hello\n\n", finish=None), "hello"),
    "nothing": (streamed(finish=None, done=False), "empty stream"),
    "other_json": (whole({"hello": "world"}), "no chat completion"),
    "overflow_in_the_stream": (
        streamed('data: {"error": {"message": "maximum context length is 4096"}}\n\n', finish=None),
        "too long for qwen3-vl-4b",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REASONS)
def test_a_failure_is_told_with_the_servers_own_reason(name: str) -> None:
    scenario, reason = REASONS[name]
    sentence = refused(scenario)
    assert reason in sentence
    assert "tries" not in sentence


@pytest.mark.parametrize(
    ("scenario", "finish", "notice"),
    [
        (
            streamed(words(DOG), 'data: {"error": {"message": "CUDA out of memory"}}\n\n'),
            "error",
            "CUDA out of memory",
        ),
        (streamed(words(DOG), "error: gone\n\n"), "error", "gone"),
        (streamed(words(DOG), finish="error"), "error", "'error'"),
        (streamed(words(DOG), finish="abort"), "error", "'abort'"),
        (streamed(words(DOG), finish="content_filter"), "refused", "content filter"),
        (streamed(words(DOG), finish="max_tokens"), "length", ""),
        (streamed(words(DOG), finish=None, done=False), "error", "without a reason"),
        (streamed(chunk({"refusal": "I cannot."})), "refused", "refused"),
        (streamed(), "stop", "answered nothing"),
        (whole({"choices": [{"finish_reason": "length"}]}), "length", "before it said anything"),
        (streamed(chunk({"reasoning": f"The dog: {DOG}"})), "thought", "only thought"),
        (
            streamed(words(DOG), chunk({"tool_calls": [{"function": {"name": "zoom"}}]})),
            "stop",
            "a tool (zoom)",
        ),
        (streamed(words(DOG), "data: what?\n\n"), "stop", "could not be read: 1"),
    ],
)
def test_what_was_said_is_kept_and_its_end_is_told(scenario, finish, notice) -> None:
    answer = answered(scenario)
    assert answer.finish == finish
    assert notice in " ".join(answer.notices)
    if finish == "error":
        assert [region.phrase for region in answer.regions] == ["dog"]


def test_a_refusal_is_shown_in_the_models_own_words() -> None:
    assert answered(streamed(chunk({"refusal": "I cannot do that."}))).text == "I cannot do that."


def test_of_several_choices_the_first_counts_and_it_is_said() -> None:
    other = json.dumps({"choices": [{"index": 1, "delta": {"content": "A cat. "}}]})
    answer = answered(streamed(words("A dog"), f"data: {other}\n\n", words(".")))
    assert answer.text == "A dog."
    assert "other choices of the endpoint are left out: 1" in answer.notices[0]


def test_thoughts_in_a_field_are_part_of_the_raw_reply_alone() -> None:
    answer = answered(streamed(chunk({"reasoning": f"Maybe {DOG}"}), words("A dog.")))
    assert answer.raw == f"<think>Maybe {DOG}</think>A dog."
    assert (answer.text, answer.regions, answer.thought) == ("A dog.", (), len(f"Maybe {DOG}"))


def test_thoughts_and_empty_turns_are_not_sent_back() -> None:
    with RawEndpoint(streamed(words("<think>hm</think>A dog."))) as server:
        chat = OpenAIChat(Address("m", server.url))
        turns = [
            Message("user", "one"),
            Message("assistant", "<think>hm</think>A dog."),
            Message("user", "two"),
            Message("assistant", "<think>only</think>"),
            Message("user", "three"),
        ]
        list(chat.stream(turns, Sampling()))
        ((_, body),) = server.requests
        sent = [(turn["role"], turn["content"]) for turn in body["messages"]]
        assert sent == [
            ("user", "one"), ("assistant", "A dog."), ("user", "two"), ("user", "three"),
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("model", "token", "ends"),
    [
        ("qwen3-vl-4b", "</s>", False),
        ("qwen3-vl-4b", "<|user|>", False),
        ("qwen3-vl-4b", "<|im_end|>", True),
        ("glm-4.5v", "<|user|>", True),
        ("something", "</s>", False),
        ("something", "<|im_end|>", True),
    ],
)
def test_a_token_ends_a_reply_only_where_the_family_ends_with_it(model, token, ends) -> None:
    reply = f"The price {token} is old."
    answer = answered(streamed(*map(words, reply)), model)
    assert ("is old" in answer.raw) is not ends
    at_the_end = answered(streamed(*map(words, f"A dog.{token}\n")), model)
    assert at_the_end.raw == "A dog."


# Secrets

ECHOES = {
    "in_an_error": lambda exchange: exchange.json(
        {"error": {"message": f"Incorrect API key provided: {exchange.key}"}}, 401
    ),
    "in_a_header": lambda exchange: exchange.json(
        {"error": {"message": f"bad header Authorization: Bearer {exchange.key}"}}, 400
    ),
    "in_a_success": lambda exchange: exchange.json({"error": f"no quota for {exchange.key}"}),
    "in_a_server_error": lambda exchange: exchange.json({"error": {"message": exchange.key}}, 500),
    "in_no_completion": lambda exchange: (exchange.head(), exchange.raw(f"key {exchange.key}\n")),
    "in_the_stream": lambda exchange: (
        exchange.head(),
        exchange.raw(words("A dog.")),
        exchange.raw(f'data: {{"error": {{"message": "limit of {exchange.key}"}}}}\n\n'),
    ),
    "in_the_reply": lambda exchange: (
        exchange.head(),
        *(exchange.raw(words(letter)) for letter in f"Your key is {exchange.key}."),
        exchange.raw(chunk({}, "stop")),
    ),
    "in_a_reason": lambda exchange: (
        exchange.head(), exchange.raw(words("A dog.")), exchange.raw(chunk({}, exchange.key)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("public", [False, True])
@pytest.mark.parametrize("name", ECHOES)
def test_the_key_comes_back_in_no_text(name: str, public: bool, caplog) -> None:
    try:
        answer = answered(ECHOES[name], retries=0, is_public=public)
        seen = repr(answer) + json.dumps(answer.to_json())
    except ModelError as error:
        seen = str(error)
    assert KEY not in seen
    assert KEY not in caplog.text


def test_strangers_get_a_neutral_sentence_and_the_log_the_rest(caplog) -> None:
    sentence = refused(whole({"error": {"message": "host gpu-7 is down"}}, 500), is_public=True)
    assert "gpu-7" not in sentence
    assert "127.0.0.1" not in sentence
    assert "gpu-7" in caplog.text
    late = streamed(words("A dog."), 'data: {"error": {"message": "host gpu-7 is down"}}\n\n')
    answer = answered(late, is_public=True)
    assert (answer.finish, "gpu-7" in " ".join(answer.notices)) == ("error", False)


@pytest.mark.parametrize("cut", range(1, len(KEY)))
def test_a_key_is_found_wherever_a_reply_is_cut(cut: int) -> None:
    keys = KeyFilter(KEY)
    shown = keys.push(f"Is it {KEY[:cut]}") + keys.push(f"{KEY[cut:]} or {KEY[:4]}") + keys.finish()
    assert shown == f"Is it [key] or {KEY[:4]}"
    assert keys.count == 1


@pytest.mark.parametrize(
    "text",
    ["Bearer abc.def-ghi", "https://user:hunter2x@host/v1", "?api_key=abcdef&x=1", "sk-abcdefgh123",
     '{"api_key": "abcdefgh123"}', "hf_abcdefghijk", "AIzaSyA1234567890abcdefghijk",
     "ghp_abcdefghijklmnop", "glpat-abcdefghijkl", "AKIAABCDEFGHIJKLMNOP", "api_key%3Dabcdefghij"],
)  # fmt: skip
def test_what_looks_like_a_key_is_taken_out(text: str) -> None:
    assert "[key]" in redact(text)


@pytest.mark.parametrize(
    "spelling",
    [
        KEY.upper(),
        KEY.replace("-", "%2D"),
        KEY.replace("-", "\\u002d"),
        base64.b64encode(KEY.encode()).decode(),
        base64.b64encode(f"Bearer {KEY}".encode()).decode(),
    ],
)
def test_a_key_that_was_sent_is_found_in_any_spelling(spelling: str) -> None:
    assert redact(f"no quota for '{spelling}'", KEY) == "no quota for '[key]'"


def test_plain_sentences_stay_as_they_are() -> None:
    text = (
        "The model's key features: token limit 4096, see https://host/v1?page=2 for a basic plan."
    )
    assert redact(text) == text
    assert redact("key: bbox_2d_something") == "key: bbox_2d_something"


# Addresses


def test_an_address_may_have_a_query_and_its_keys_stay_out_of_names() -> None:
    with RawEndpoint(streamed(words("A dog."))) as server:
        chat = load(f"m@{server.url}?api-version=2026-01-01&api-key=hidden-key-1")
        assert "".join(chat.stream([Message("user", "what?")], Sampling())) == "A dog."
        ((path, _),) = server.requests
        assert path.startswith("/v1/chat/completions?")
        assert "api-version=2026-01-01" in path
        assert "api-key=hidden-key-1" in path
        assert "hidden-key-1" not in chat.name + repr(chat.profile)
        assert chat.name.endswith("?api-version=2026-01-01")
        assert Address.parse(chat.name.removeprefix("openai:")).query == (
            ("api-version", "2026-01-01"),
        )


# Waiting


class FakeResponse:
    """The head of a response and its lines; each line takes some seconds of a clock."""

    def __init__(self, lines: list[str], seconds: float) -> None:
        self.headers = {"content-type": "text/event-stream"}
        self._lines, self._seconds = lines, seconds
        self.now = 0.0

    def iter_bytes(self):
        for line in self._lines:
            self.now += self._seconds
            yield line.encode()


def test_signs_of_life_are_no_piece_of_the_reply() -> None:
    response = FakeResponse([": ping\n\n"] * 100 + [words("A dog.")], seconds=5.0)
    with pytest.raises(NoReplyError, match="said nothing for 60 s"):
        list(EndpointReply(response, 60.0, lambda: response.now).pieces())
    assert response.now < 80


def test_a_stream_that_falls_silent_keeps_what_it_said() -> None:
    response = FakeResponse([words("A dog")] + [": ping\n\n"] * 100, seconds=5.0)
    pieces = EndpointReply(response, 60.0, lambda: response.now).pieces()
    said: list[str] = []
    while True:
        try:
            said.append(next(pieces))
        except StopIteration as end:
            finish: Finish = end.value
            break
    assert (said, finish) == (["A dog"], "error")
    assert "nothing more came for 60 s" in finish.notice


def test_a_slow_reply_is_waited_for() -> None:
    response = FakeResponse(
        [words("a"), ": ping\n\n", words("b"), "data: [DONE]\n\n"], seconds=50.0
    )
    assert "".join(EndpointReply(response, 120.0, lambda: response.now).pieces()) == "ab"


def test_a_server_that_took_the_question_is_not_asked_twice(monkeypatch) -> None:
    monkeypatch.setattr("segue.chat.openai.READ_S", 0.2)
    waiting: list[Exchange] = []

    def never(exchange: Exchange) -> None:
        waiting.append(exchange)
        exchange.connection.recv(1)  # until the client goes away

    with RawEndpoint(never) as server:
        chat = OpenAIChat(Address("m", server.url))
        with pytest.raises(ModelError, match="did not answer in time"):
            list(chat.stream([Message("user", "what?")], Sampling()))
    assert len(waiting) == 1
