import threading

import pytest
import torch

from builders import an_image
from segue.errors import InputError, ModelError
from segue.models.decoding.sampling import SamplingSettings
from segue.models.qwen_vl import generation
from segue.models.qwen_vl.generation import QwenVLGenerator
from segue.models.qwen_vl.prompts import Prompt
from segue.values.message import Message
from tiny_qwen_vl import TRAINED_LENGTH, a_model, a_processor

GREEDY = SamplingSettings(temperature=0, max_new_tokens=8)
GREEDY_LONG = SamplingSettings(temperature=0, max_new_tokens=99)


@pytest.fixture
def writer() -> QwenVLGenerator:
    return QwenVLGenerator(a_model(), a_processor())


def counted(writer: QwenVLGenerator) -> list[int]:
    """How many positions each forward pass reads, as they happen."""
    seen: list[int] = []

    def note(module, args, kwargs):
        given = kwargs.get("inputs_embeds")
        seen.append((kwargs["input_ids"] if given is None else given).shape[1])

    writer.model.transformer.register_forward_pre_hook(note, with_kwargs=True)
    return seen


def first_turn(text: str = "hi") -> list[Message]:
    return [Message("user", text, (an_image(),))]


def test_every_greedy_turn_equals_the_original(set_a) -> None:
    writer, history = QwenVLGenerator(set_a.model, set_a.processor), []
    for turn in set_a.meta["chat_turns"]:
        prompt = set_a.chat(turn["query"], history)
        assert prompt.ids == turn["input_ids"]
        greedy = SamplingSettings(temperature=0)
        ids = list(writer.tokens(prompt, greedy))
        assert ids == turn["generated_ids"][: len(ids)]
        assert ids[-1] == set_a.processor.tokenizer.turn_end_id
        assert "".join(writer.stream(prompt, greedy)) == turn["response"]
        history.append([turn["query"], turn["response"]])


def test_every_greedy_turn_on_the_real_vocabulary_equals_the_original(set_c) -> None:
    writer, history = QwenVLGenerator(set_c.model, set_c.processor), []
    for turn in set_c.meta["chat_turns"]:
        prompt = set_c.chat(turn["query"], history)
        assert prompt.ids == turn["input_ids"]
        ids = list(writer.tokens(prompt, SamplingSettings(temperature=0, max_new_tokens=16)))
        assert ids == turn["generated_ids"]
        history.append([turn["query"], turn["response"]])


def test_a_second_turn_reads_only_what_is_new_and_says_the_same(writer: QwenVLGenerator) -> None:
    writer.processor.prompts.system = ""
    messages = first_turn()
    reply = "".join(writer.stream(writer.processor.chat(messages), GREEDY))
    messages += [Message("assistant", reply), Message("user", "b")]
    second = writer.processor.chat(messages)
    assert len(second.ids) <= TRAINED_LENGTH + 60
    seen = counted(writer)
    warm = list(writer.tokens(second, GREEDY))
    alpha_kept = len(second.ids) <= TRAINED_LENGTH
    assert (seen[0] < len(second.ids)) == alpha_kept
    cold = list(QwenVLGenerator(writer.model, writer.processor).tokens(second, GREEDY))
    assert warm == cold


def test_turns_that_cross_the_trained_length_are_read_again() -> None:
    writer = QwenVLGenerator(a_model(), a_processor(default_system=""))
    messages, lengths = [], []
    for question in ("a", "b" * 60, "c"):
        messages.append(Message("user", question))
        prompt = writer.processor.chat(messages)
        lengths.append(len(prompt.ids))
        warm = list(writer.tokens(prompt, GREEDY))
        assert warm == list(QwenVLGenerator(writer.model, writer.processor).tokens(prompt, GREEDY))
        messages.append(Message("assistant", writer.processor.tokenizer.decode(warm, keep="none")))
    assert lengths[0] < TRAINED_LENGTH < lengths[1]


def test_asking_again_about_the_same_picture_encodes_it_once(writer: QwenVLGenerator) -> None:
    encoded = []
    writer.model.transformer.visual.register_forward_hook(lambda *_: encoded.append(1))
    for text in ("x", "y"):
        list(writer.tokens(writer.processor.chat(first_turn(text)), GREEDY))
    messages = [Message("system", "other"), *first_turn(), Message("user", "z", (an_image(),))]
    list(writer.tokens(writer.processor.chat(messages), GREEDY))
    assert len(encoded) == 1


def test_another_picture_in_the_same_place_is_read(writer: QwenVLGenerator) -> None:
    def asked(seed: int) -> Prompt:
        return writer.processor.chat([Message("user", "x", (an_image(seed=seed),))])

    list(writer.tokens(asked(1), GREEDY))
    warm = list(writer.tokens(asked(2), GREEDY))
    assert warm == list(QwenVLGenerator(writer.model, writer.processor).tokens(asked(2), GREEDY))


def test_a_reply_closed_early_leaves_the_memory_consistent(writer: QwenVLGenerator) -> None:
    prompt = writer.processor.chat(first_turn())
    expected = list(QwenVLGenerator(writer.model, writer.processor).tokens(prompt, GREEDY))
    for n_taken in (1, 3):
        tokens = writer.tokens(prompt, GREEDY)
        assert [next(tokens) for _ in range(n_taken)] == expected[:n_taken]
        tokens.close()
        (held,) = writer.sequences._sequences
        assert held.cache.get_seq_length() == len(held.keys)
        assert list(writer.tokens(prompt, GREEDY)) == expected


def test_reading_in_pieces_changes_nothing(writer: QwenVLGenerator, monkeypatch) -> None:
    prompt = writer.processor.chat(first_turn("long " * 30))
    expected = list(writer.tokens(prompt, GREEDY))
    monkeypatch.setattr(generation, "PIECE", 17)
    fresh = QwenVLGenerator(writer.model, writer.processor)
    seen = counted(fresh)
    assert list(fresh.tokens(prompt, GREEDY)) == expected
    assert max(seen) == 17


def test_a_failed_reply_is_not_remembered(writer: QwenVLGenerator) -> None:
    prompt = writer.processor.chat(first_turn())

    def fail(*_):
        raise RuntimeError("broken")

    hook = writer.model.transformer.h[1].register_forward_hook(fail)
    with pytest.raises(RuntimeError, match="broken"):
        list(writer.tokens(prompt, GREEDY))
    hook.remove()
    assert not writer.sequences._sequences
    assert list(writer.tokens(prompt, GREEDY))


def test_memory_gives_way_when_there_is_no_room_left(writer: QwenVLGenerator) -> None:
    prompt = writer.processor.chat(first_turn())
    expected = list(writer.tokens(prompt, GREEDY))
    failures = [1]

    def fill(*_):
        if failures:
            failures.pop()
            raise torch.OutOfMemoryError("no room")

    writer.model.transformer.h[1].register_forward_hook(fill)
    assert list(writer.tokens(prompt, GREEDY)) == expected
    failures += [1, 1]
    with pytest.raises(ModelError, match="Out of memory while reading"):
        list(writer.tokens(prompt, GREEDY))


def test_replies_in_threads_do_not_disturb_each_other(writer: QwenVLGenerator) -> None:
    prompts = [writer.processor.chat(first_turn(text)) for text in "abcd"]
    alone = [
        list(QwenVLGenerator(writer.model, writer.processor).tokens(p, GREEDY)) for p in prompts
    ]
    together: dict[int, list[int]] = {}

    def write(index: int) -> None:
        together[index] = list(writer.tokens(prompts[index], GREEDY))

    threads = [threading.Thread(target=write, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[index] for index in range(4)] == alone


def ending_with(writer: QwenVLGenerator, ids: list[int]) -> None:
    """Let the model write these ids, whatever it is asked."""
    vocabulary = writer.model.config.vocab_size
    script = iter(ids)

    def dictate(module, args, output):
        logits = torch.full((*output.shape[:-1], vocabulary), -9.0)
        logits[..., next(script)] = 9.0
        return logits

    writer.model.lm_head.register_forward_hook(dictate)


def streamed(writer: QwenVLGenerator, choice: SamplingSettings) -> tuple[list[str], str]:
    stream, pieces = writer.stream(writer.processor.chat(first_turn()), choice), []
    while True:
        try:
            pieces.append(next(stream))
        except StopIteration as end:
            return pieces, end.value


def test_text_comes_in_whole_characters_and_says_why_it_ended(writer: QwenVLGenerator) -> None:
    tokenizer = writer.processor.tokenizer
    ids = [*tokenizer.encode(" 飞机"), *tokenizer.encode_markup("<box>(1,2)</box>")]
    ending_with(writer, [*ids, tokenizer.turn_end_id])
    pieces, why = streamed(writer, SamplingSettings(temperature=0, max_new_tokens=99))
    assert pieces[:2] == ["飞", "机"]
    assert ("".join(pieces), why) == ("飞机<box>(1,2)</box>", "stop")


class Dictation:
    """Lets a model write given ids, by the places where it reads; counts its passes."""

    def __init__(self, writer: QwenVLGenerator, prompt: Prompt, ids: list[int]) -> None:
        self.ids, self.n_passes, self.start = ids, 0, 0
        self.first = len(prompt.ids) - 1
        transformer, head = writer.model.transformer, writer.model.lm_head
        self.hooks = [
            transformer.register_forward_pre_hook(self.note_start, with_kwargs=True),
            head.register_forward_hook(self.write),
        ]

    def note_start(self, module, args, kwargs):
        self.n_passes += 1
        self.start = kwargs["past_key_values"].get_seq_length()

    def write(self, module, args, output):
        logits = torch.full_like(output, -9.0)
        start = max(self.start, self.first)
        for row in range(output.shape[1]):
            place = start - self.first + row
            logits[0, row, self.ids[min(place, len(self.ids) - 1)]] = 9.0
        return logits


BOXES = (
    "<ref>a dog</ref><box>(167,448),(495,885)</box> and <ref>two cups</ref>"
    "<box>(52,443),(354,792)</box><box>(5,4),(3,7)</box>."
)


def test_guesses_save_passes_and_change_no_reply(writer: QwenVLGenerator) -> None:
    tokenizer = writer.processor.tokenizer
    prompt = writer.processor.chat(first_turn())
    ids = [*tokenizer.encode_markup(BOXES), tokenizer.turn_end_id]
    dictation = Dictation(writer, prompt, ids)
    choice = SamplingSettings(temperature=1, top_p=0.9, max_new_tokens=99)
    assert not writer.guesses  # float32 on a processor
    assert list(writer.tokens(prompt, choice)) == ids
    assert dictation.n_passes == len(ids)
    writer.guesses = True
    writer.forget()
    dictation.n_passes = 0
    assert list(writer.tokens(prompt, choice)) == ids
    assert dictation.n_passes < 0.8 * len(ids)


def test_a_reply_closed_among_guesses_leaves_the_memory_consistent(writer) -> None:
    writer.guesses = True
    tokenizer = writer.processor.tokenizer
    prompt = writer.processor.chat(first_turn())
    ids = tokenizer.encode_markup(BOXES)
    Dictation(writer, prompt, ids)
    for n_taken in range(1, len(ids), 3):
        tokens = writer.tokens(prompt, GREEDY_LONG)
        assert [next(tokens) for _ in range(n_taken)] == ids[:n_taken]
        tokens.close()
        (held,) = writer.sequences._sequences
        assert held.cache.get_seq_length() == len(held.keys)


@pytest.mark.parametrize("end", ["end_of_text_id", "turn_start_id", "turn_end_id"])
def test_each_end_token_ends_a_reply(writer: QwenVLGenerator, end: str) -> None:
    ending_with(writer, [65, getattr(writer.processor.tokenizer, end)])
    assert streamed(writer, GREEDY) == (["A"], "stop")


def test_a_full_reply_keeps_its_last_token(writer: QwenVLGenerator) -> None:
    ending_with(writer, [65, 66, 67, 68])
    pieces, why = streamed(writer, SamplingSettings(temperature=0, max_new_tokens=3))
    assert ("".join(pieces), why) == ("ABC", "length")


def test_stop_strings_end_a_reply(writer: QwenVLGenerator) -> None:
    ending_with(writer, list(b"one. two"))
    pieces, why = streamed(writer, SamplingSettings(temperature=0, max_new_tokens=8, stop=(". ",)))
    assert ("".join(pieces), why) == ("one", "stop")


def test_rows_without_a_token_are_never_picked(writer: QwenVLGenerator) -> None:
    spare = len(writer.processor.tokenizer)
    with torch.no_grad():
        writer.model.lm_head.weight[spare:] = 100 * writer.model.lm_head.weight[:1]
        writer.model.lm_head.weight[spare + 1] *= -1
    prompt = writer.processor.chat(first_turn())
    for choice in (GREEDY, SamplingSettings(seed=1, max_new_tokens=8)):
        assert all(token < spare for token in writer.tokens(prompt, choice))


def test_a_prompt_must_fit_its_pictures(writer: QwenVLGenerator) -> None:
    prompt = writer.processor.chat(first_turn())
    with pytest.raises(InputError, match="0 pictures and 1 places"):
        next(writer.tokens(Prompt(prompt.ids), GREEDY))
    with pytest.raises(InputError, match="at least one token"):
        next(writer.tokens(Prompt([]), GREEDY))


def test_the_callers_grad_mode_is_left_alone(writer: QwenVLGenerator) -> None:
    stream = writer.stream(writer.processor.chat(first_turn()), GREEDY)
    next(stream)
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()
