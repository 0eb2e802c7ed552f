import pytest

from builders import an_image
from segue.chat import ChatModel
from segue.chat.qwen_vl import QwenVL, load
from segue.errors import InputError
from segue.models.qwen_vl import save
from segue.values.message import Message, Sampling
from tiny_qwen_vl import a_model, a_processor

GREEDY = Sampling(temperature=0, max_new_tokens=12)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("qwen_vl")
    save(a_model(), a_processor(chat_format="chatml"), folder)
    return folder


@pytest.fixture(scope="module")
def chat(folder) -> QwenVL:
    return load(folder, device="cpu")


def asked(text: str = "what?") -> list[Message]:
    return [Message("user", text, (an_image(),))]


def test_it_is_a_chat_model_named_after_its_source(chat: QwenVL, folder) -> None:
    assert isinstance(chat, ChatModel)
    assert chat.name == str(folder)
    assert load(folder, name="mine", device="cpu").name == "mine"


def test_remembering_changes_no_words(chat: QwenVL) -> None:
    messages = asked()
    first = "".join(chat.stream(messages, GREEDY))
    messages += [Message("assistant", first), Message("user", "and?")]
    second = "".join(chat.stream(messages, GREEDY))
    chat.forget()
    assert "".join(chat.stream(messages, GREEDY)) == second
    assert "".join(chat.stream(messages[:1], GREEDY)) == first


def test_a_question_is_missed_at_once(chat: QwenVL) -> None:
    with pytest.raises(InputError, match="user"):
        chat.stream([Message("assistant", "hi")], GREEDY)


def test_a_base_model_goes_on_with_text() -> None:
    base = QwenVL(a_model(), a_processor(chat_format="raw"), "base")
    prompt = base._prompt(asked("What is it?"))
    text = base.processor.tokenizer.decode(prompt.ids).replace("<imgpad>", "")
    assert text == "<img></img>What is it? Answer:"
    assert isinstance("".join(base.stream(asked(), GREEDY)), str)
    with pytest.raises(InputError, match="user"):
        base.stream([], GREEDY)
