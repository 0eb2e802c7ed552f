import re

import pytest

from builders import an_image
from segue.errors import InputError
from segue.models.qwen_vl.pictures import PictureProcessor
from segue.models.qwen_vl.prompts import PromptBuilder
from segue.models.qwen_vl.tokenizer import SPECIALS
from segue.models.qwen_vl.training_examples import READ_AS_PUBLISHED, collate, example
from segue.values.message import Message
from tiny_qwen_vl import N_SLOTS, a_processor


def example_of(tokenizer, turns, max_length):
    """Turns of the published file format; what stands between `<img>` and `</img>` is a picture."""
    messages, names = [], []
    for turn in turns:
        shown = re.findall(r"Picture \d+: <img>(.*?)</img>\n", turn["value"])
        text = re.sub(r"Picture \d+: <img>.*?</img>\n", "", turn["value"])
        messages.append(Message(turn["from"], text, tuple(an_image() for _ in shown)))
        names += shown
    builder = PromptBuilder(tokenizer, 256)
    return example(builder, messages, max_length, live=READ_AS_PUBLISHED), names


def named(tokenizer, ids, names) -> list[int]:
    """Ids with the names of the pictures in their slots, as the original has them."""
    ids, starts = list(ids), [i for i, t in enumerate(ids) if t == tokenizer.picture_start_id]
    for start, name in zip(starts, names, strict=True):
        assert set(ids[start + 1 : start + 257]) == {tokenizer.picture_pad_id}
        ids[start + 1 : start + 257] = tokenizer.name_to_slots(name, 256)
    return ids


def as_published(tokenizer, turns) -> tuple[list[int], list[int]]:
    """The published rule once more, of texts without pictures, as it is told in words."""
    ids, labels = [], []
    for turn in [{"from": "system", "value": "You are a helpful assistant."}, *turns]:
        role, text = (tokenizer.encode(t, live=SPECIALS) for t in (turn["from"], turn["value"]))
        line = tokenizer.encode("\n")
        ids += [tokenizer.turn_start_id, *role, *line, *text, tokenizer.turn_end_id, *line]
        words = text if turn["from"] == "assistant" else [-100] * len(text)
        hidden = [-100] * len([*role, *line])
        labels += [tokenizer.turn_start_id, *hidden, *words, tokenizer.turn_end_id, *line]
    return ids, labels


GOLDENS = ("readme_0", "readme_1", "leading_assistant", "injection", "truncated")


@pytest.mark.parametrize("name", GOLDENS)
def test_ids_labels_and_mask_equal_the_original(real_tokenizer, tokenizer_golden, name) -> None:
    case = tokenizer_golden("finetune_preprocess")[name]
    made, names = example_of(real_tokenizer, case["conversation"], case["max_len"])
    batch = collate([made], real_tokenizer.end_of_text_id, PictureProcessor(28))
    found = {
        "input_ids": named(real_tokenizer, made.ids, names),
        "labels": made.labels,
        "attention_mask": batch["attention_mask"][0].tolist(),
    }
    for field, padding in (("input_ids", 151643), ("labels", -100), ("attention_mask", 0)):
        missing = case["max_len"] - len(made.ids)  # the original pads every row to the longest
        assert found[field] + [padding] * missing == case[field], field


def test_labels_of_the_tag_equal_the_published_rule(real_tokenizer, tokenizer_golden) -> None:
    goldens = tokenizer_golden("finetune_preprocess")
    assert [name for name, case in goldens.items() if case is None] == ["gsam"]  # nothing is there
    for name in ("readme_0", "injection"):  # the rule as written above is the original's
        case = goldens[name]
        ids, labels = as_published(real_tokenizer, case["conversation"])
        assert ids == case["input_ids"][: len(ids)]
        assert labels == case["labels"][: len(labels)]
    turns = [
        {"from": "user", "value": "Segment the red car and the <gsam>dog</gsam>."},
        {"from": "assistant", "value": "Sure: <gsam>red car</gsam>, <gsam>狗</gsam>."},
        {"from": "user", "value": "And the basket?"},
        {"from": "assistant", "value": "<gsam>basket</gsam>"},
    ]
    made, _ = example_of(real_tokenizer, turns, 2048)
    assert (made.ids, made.labels) == as_published(real_tokenizer, turns)
    last = made.labels[len(made.labels) - 1 - made.labels[::-1].index(-100) + 1 :]
    pieces = [real_tokenizer.decode([token]) for token in last]
    assert pieces == ["<", "gs", "am", ">b", "asket", "</", "gs", "am", ">", "<|im_end|>", "\n"]


def test_special_tokens_in_texts_stay_text_unless_they_are_let_in(
    real_tokenizer, tokenizer_golden
) -> None:
    case = tokenizer_golden("finetune_preprocess")["injection"]
    messages = [Message(turn["from"], turn["value"]) for turn in case["conversation"]]
    made = example(PromptBuilder(real_tokenizer, 256), messages, case["max_len"])
    expected: list[int] = []
    for place, token in enumerate(case["input_ids"][: case["input_ids"].index(198, 23) + 1]):
        written = {15: "a<|im_end|>b"[1:-1], 23: "<|endoftext|>"}.get(place)
        expected += real_tokenizer.encode(written) if written else [token]
    assert real_tokenizer.decode(made.ids) == real_tokenizer.decode(expected)
    assert made.ids.count(real_tokenizer.turn_end_id) == 3
    assert real_tokenizer.end_of_text_id not in made.ids
    with pytest.raises(InputError, match="Text never opens a picture; take <img> out of live"):
        example(PromptBuilder(real_tokenizer, 256), messages, 64, live={"<img>"})


def conversation() -> list[Message]:
    return [
        Message("user", "what?", (an_image(seed=1),)), Message("assistant", "a cat"),
        Message("user", "and this?", (an_image(seed=2),)), Message("assistant", "a dog"),
    ]  # fmt: skip


def test_a_picture_is_never_cut_in_two() -> None:
    processor = a_processor()
    whole = processor.example(conversation())
    second = [i for i, t in enumerate(whole.ids) if t == processor.tokenizer.picture_start_id][1]
    cut = processor.example(conversation(), max_length=second + N_SLOTS)
    assert len(cut.ids) == len(cut.labels) == second
    assert len(cut.pictures) == 1
    kept = processor.example(conversation(), max_length=second + N_SLOTS + 2)
    assert len(kept.pictures) == 2


def test_a_conversation_without_an_answer_teaches_nothing() -> None:
    with pytest.raises(InputError, match="assistant message"):
        a_processor().example([Message("assistant", "hi"), Message("user", "q")])


def test_a_batch_is_padded_on_the_right(tiny) -> None:
    processor = a_processor()
    short = processor.example([Message("user", "q"), Message("assistant", "a")])
    long = processor.example(conversation())
    batch = processor.collate([short, long])
    assert batch["pixel_values"].shape == (2, 3, 28, 28)
    assert batch["attention_mask"].sum(1).tolist() == [len(short.ids), len(long.ids)]
    assert (batch["labels"][0, len(short.ids) :] == -100).all()
    assert tiny(**batch).loss.isfinite()


def test_only_the_assistants_words_can_be_learned() -> None:
    processor = a_processor()
    encode, end = processor.tokenizer.encode, processor.tokenizer.turn_end_id
    made = processor.example(conversation(), mask="assistant")
    learned = [token for token, label in zip(made.ids, made.labels, strict=True) if label != -100]
    assert learned == [*encode("a cat"), end, *encode("a dog"), end]
    assert made.ids == processor.example(conversation()).ids
