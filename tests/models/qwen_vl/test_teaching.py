import pytest

from builders import an_image
from segue.errors import InputError
from segue.message import Message
from segue.models.qwen_vl.prompts import PromptBuilder
from segue.models.qwen_vl.teaching import example
from tiny_qwen_vl import N_SLOTS, a_processor


def test_labels_equal_the_original(real_tokenizer, tokenizer_golden) -> None:
    builder = PromptBuilder(real_tokenizer, 256)
    cases = tokenizer_golden("finetune_preprocess")
    for name in ("readme_0", "leading_assistant", "truncated"):
        case = cases[name]
        messages = [Message(turn["from"], turn["value"]) for turn in case["conversation"]]
        if any("<img>" in message.text for message in messages):
            continue
        made = example(builder, messages, case["max_len"])
        n = len(made.ids)
        assert made.ids == case["input_ids"][:n], name
        assert made.labels == case["labels"][:n], name
        assert set(case["labels"][n:]) <= {-100}


def test_labels_with_a_picture_equal_the_original(real_tokenizer, tokenizer_golden) -> None:
    case = tokenizer_golden("finetune_preprocess")["readme_1"]
    texts = [turn["value"].rpartition("</img>\n")[2] for turn in case["conversation"]]
    messages = [
        Message("user", texts[0], (an_image(),)), Message("assistant", texts[1]),
        Message("user", texts[2]), Message("assistant", texts[3]),
    ]  # fmt: skip
    made = example(PromptBuilder(real_tokenizer, 256), messages, case["max_len"])
    assert made.labels == case["labels"][: len(made.labels)]
    assert len(made.pictures) == 1


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
