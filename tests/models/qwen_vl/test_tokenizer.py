import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.errors import InputError, ModelError
from segue.models.qwen_vl import QwenVLTokenizer
from segue.models.qwen_vl.tokenizer import GROUNDING, PICTURE_START, SPECIALS
from tiny_qwen_vl import a_tokenizer

TINY = a_tokenizer()


def test_ids_equal_the_original(real_tokenizer, tokenizer_golden) -> None:
    for case in tokenizer_golden("strings"):
        text = case["text"]
        assert real_tokenizer.encode(text) == case["ids_no_special"], text
        if PICTURE_START not in text:  # pictures are values here, never text
            assert real_tokenizer.encode(text, live=SPECIALS) == case["ids_all_special"], text
            grounded = real_tokenizer.encode_markup(text)
            if "img" not in text:
                assert grounded == case["ids_safe_image_only"], text


def test_decoded_text_equals_the_original(real_tokenizer, tokenizer_golden) -> None:
    for case in tokenizer_golden("strings"):
        if isinstance(case["ids_no_special"], list):
            ids = case["ids_no_special"]
            assert real_tokenizer.decode(ids) == case["decode_ids_no_special"]
        ids = case["ids_all_special"]
        if isinstance(ids, list) and isinstance(case["decode_ids_all_special"], str):
            assert real_tokenizer.decode(ids) == case["decode_ids_all_special"]
        if isinstance(ids, list) and PICTURE_START not in case["text"]:
            skipped = real_tokenizer.decode(ids, keep="none")
            assert skipped == case["decode_skip_special"]
            grounded = real_tokenizer.decode(ids, keep="grounding")
            assert grounded == case["decode_skip_special_keep_image"]


def test_odd_ids_decode_as_in_the_original_or_to_what_is_left(
    real_tokenizer, tokenizer_golden
) -> None:
    for name, case in tokenizer_golden("decode").items():
        text = real_tokenizer.decode(case["ids"])
        if isinstance(case["decode"], str):
            assert text == case["decode"], name
        assert isinstance(text, str)  # where the original fails, this does not


def test_special_ids_are_the_published_ones(real_tokenizer) -> None:
    assert len(real_tokenizer) == 151860
    assert real_tokenizer.end_of_text_id == 151643
    assert (real_tokenizer.turn_start_id, real_tokenizer.turn_end_id) == (151644, 151645)
    assert real_tokenizer.picture_pad_id == 151859
    assert real_tokenizer.specials["<|extra_204|>"] == 151850


@pytest.mark.parametrize("special", [*GROUNDING, "<|im_end|>", "<img>", "<imgpad>", "<|extra_7|>"])
def test_special_tokens_in_text_are_ordinary_characters(special: str) -> None:
    text = f"a {special} b"
    assert TINY.encode(text) == list(text.encode())
    assert all(token_id < 256 for token_id in TINY.encode_markup("<img>x</img><|im_end|>"))


def test_grounding_tags_of_a_model_are_read_back() -> None:
    ids = TINY.encode_markup("<ref>x</ref>")
    assert ids == [TINY.specials["<ref>"], ord("x"), TINY.specials["</ref>"]]


def test_only_special_tokens_can_be_live() -> None:
    with pytest.raises(InputError, match="<blink>"):
        TINY.encode("x", live=["<blink>"])


def test_a_name_that_fills_the_slots_is_refused() -> None:
    assert TINY.name_to_slots("é.p", 8) == [195, 169, 46, 112, *[TINY.picture_pad_id] * 4]
    with pytest.raises(InputError, match="6 bytes"):
        TINY.name_to_slots("1234567", 8)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40))
def test_a_stream_spells_what_decode_spells(text: str) -> None:
    ids = TINY.encode(text)
    stream = TINY.text_stream()
    pieces = [stream.push(token_id) for token_id in ids]
    assert "".join(pieces) + stream.finish() == TINY.decode(ids)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, len(TINY) + 20), max_size=40))
def test_any_ids_can_be_decoded(ids: list[int]) -> None:
    for keep in ("all", "grounding", "none"):
        assert isinstance(TINY.decode(ids, keep=keep), str)
    stream = TINY.text_stream()
    assert all(isinstance(stream.push(token_id), str) for token_id in ids)


def test_a_stream_never_cuts_a_character_and_ends_it_before_a_tag() -> None:
    stream = TINY.text_stream()
    first, second, third = "飞".encode()
    assert [stream.push(i) for i in (first, second, third)] == ["", "", "飞"]
    assert stream.push(first) == ""
    assert stream.push(TINY.specials["<box>"]) == "\ufffd<box>"
    assert stream.push(TINY.turn_end_id) == ""


def test_unknown_ways_to_keep_special_tokens_are_refused() -> None:
    with pytest.raises(InputError, match="keep must be one of"):
        TINY.decode([1], keep="some")


def test_a_vocabulary_survives_being_written(tmp_path) -> None:
    TINY.write(tmp_path)
    assert QwenVLTokenizer.read(tmp_path).ranks == TINY.ranks


def test_a_folder_without_a_vocabulary_says_so(tmp_path) -> None:
    with pytest.raises(ModelError, match=r"\*\.tiktoken"):
        QwenVLTokenizer.read(tmp_path)


@pytest.mark.parametrize("content", ["not base64 0\n", "AA== 0\nAQ== 5\n", "AA==\n", ""])
def test_a_damaged_vocabulary_is_refused(tmp_path, content: str) -> None:
    (tmp_path / "qwen.tiktoken").write_text(content)
    with pytest.raises(ModelError, match="Download the file again"):
        QwenVLTokenizer.read(tmp_path)
