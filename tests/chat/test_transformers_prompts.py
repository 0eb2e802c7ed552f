"""Questions as text, and the tags in them that are more."""

from types import SimpleNamespace

import pytest
from transformers import AutoTokenizer

import tiny_chats
from segue.chat.transformers.families import Family
from segue.chat.transformers.prompts import PromptWriter
from segue.chat.transformers.text import GROUNDING
from segue.prompting.grounding_prompts import GROUNDINGS, QUESTION_TAGS, grounding_question
from segue.values.message import Message

OTHERS = ("<image>", "<|end_of_sentence|>", "<|User|>", "<|det|>", "<|/det|>")


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    tiny_chats.tiny_tokenizer(folder, special=(*sorted(QUESTION_TAGS), *OTHERS))
    return AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize("dialect", sorted(GROUNDINGS))
@pytest.mark.parametrize(
    "question", ["Find the dog.", "Find all dogs and cats.", "Which dog is asleep?", "框出狗"]
)
def test_the_tags_of_a_familys_own_question_stay_tokens(tokenizer, dialect, question):
    text = grounding_question(question, dialect)
    processor = SimpleNamespace(tokenizer=tokenizer)
    prompt = PromptWriter(processor, Family(turns=False), "tiny").write([Message("user", text)])
    assert prompt.text == text
    assert all(tag in tokenizer.tokenize(text) for tag in QUESTION_TAGS if tag in text)


def test_deepseek_is_asked_with_its_tokens(tokenizer):
    text = grounding_question("Find the dog.", "deepseek_vl2")
    assert text == "<|ref|>The dog<|/ref|>."
    processor = SimpleNamespace(tokenizer=tokenizer)
    prompt = PromptWriter(processor, Family(turns=False), "tiny").write([Message("user", text)])
    tokens = tokenizer.convert_ids_to_tokens(tokenizer(prompt.text)["input_ids"])
    assert [token for token in tokens if len(token) > 1 and "ref" in token] == [
        "<|ref|>", "<|/ref|>",
    ]  # fmt: skip


def test_no_other_token_of_a_question_is_one(tokenizer):
    processor = SimpleNamespace(tokenizer=tokenizer)
    writer = PromptWriter(processor, Family(turns=False), "tiny")
    prompt = writer.write([Message("user", "".join(OTHERS))])
    tokens = tokenizer.convert_ids_to_tokens(tokenizer(prompt.text)["input_ids"])
    assert not set(tokens) & set(OTHERS)


def test_tags_of_questions_only_point():
    assert {"<|ref|>", "<|/ref|>", "<|grounding|>"} <= QUESTION_TAGS
    assert all(GROUNDING.fullmatch(tag) for tag in QUESTION_TAGS)
