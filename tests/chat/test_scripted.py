"""The stand-in chat model."""

import json
from pathlib import Path

import pytest

from segue.assistant import loading
from segue.chat.scripted import Scripted
from segue.errors import InputError, ModelError
from segue.values.message import Message, Sampling


def turns(*texts: str) -> list[Message]:
    """Questions and answers in alternation."""
    return [Message("assistant" if n % 2 else "user", text) for n, text in enumerate(texts)]


def test_the_turn_chooses_the_reply() -> None:
    chat = Scripted(["one", "two"])
    assert "".join(chat.stream(turns("a"), Sampling())) == "one"
    assert "".join(chat.stream(turns("a", "one", "b"), Sampling())) == "two"
    assert "".join(chat.stream(turns("a"), Sampling())) == "one"


def test_the_question_chooses_the_reply() -> None:
    chat = Scripted({"Where? ": "there", "Who?": "me"})
    assert list(chat.stream(turns(" Where?"), Sampling())) == ["ther", "e"]
    with pytest.raises(ModelError, match=r"no reply to 'When\?'. It knows: 'Where\?', 'Who\?'"):
        chat.stream(turns("When?"), Sampling())


def test_a_script_that_is_over_says_so() -> None:
    with pytest.raises(ModelError, match="has 1 replies, and this is turn 2"):
        Scripted(["one"]).stream(turns("a", "one", "b"), Sampling())


def test_a_script_may_be_a_file_named_through_the_catalogue(tmp_path: Path) -> None:
    script = tmp_path / "replies.json"
    script.write_text(json.dumps(["你好"]), encoding="utf-8")
    chat = loading.load_stage("chat", f"scripted:{script}")
    assert "".join(chat.stream(turns("a"), Sampling())) == "你好"
    assert chat.name == f"scripted:{script}"


@pytest.mark.parametrize(
    ("content", "wrong"),
    [(None, "cannot be read"), ("{", "is not JSON"), ("[1]", "must be a list of replies"),
     ('{"a": 1}', "must be a list of replies"), ('"a"', "must be a list of replies")],
)  # fmt: skip
def test_a_script_that_is_none_is_refused(tmp_path: Path, content: str | None, wrong: str) -> None:
    script = tmp_path / "replies.json"
    if content is not None:
        script.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=wrong):
        Scripted(script)
