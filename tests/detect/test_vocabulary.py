"""Finding the words of Grounding DINO without a network."""

import pytest

from segue.detect.vocabulary import load_bert_tokenizer
from segue.errors import ModelError
from tiny_models import tiny_vocabulary

CAT = 200


@pytest.fixture(autouse=True)
def empty_hub_cache(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "no hub"))


def ids(tokenizer):
    return tokenizer.encode("Cat", add_special_tokens=False)


def test_it_is_found_beside_the_checkpoint(tmp_path):
    tiny_vocabulary(tmp_path)
    assert ids(load_bert_tokenizer(tmp_path / "groundingdino.pth")) == [CAT]


def test_it_is_found_in_a_folder_beside_the_checkpoint(tmp_path):
    tiny_vocabulary(tmp_path / "bert-base-uncased")
    assert ids(load_bert_tokenizer(tmp_path / "groundingdino.pth")) == [CAT]


def test_it_can_be_given_as_a_file_or_a_folder(tmp_path):
    path = tiny_vocabulary(tmp_path / "words")
    checkpoint = tmp_path / "groundingdino.pth"
    assert ids(load_bert_tokenizer(checkpoint, path)) == [CAT]
    assert ids(load_bert_tokenizer(checkpoint, str(path.parent))) == [CAT]


def test_a_saved_tokenizer_is_read_too(tmp_path):
    tokenizer = load_bert_tokenizer(tmp_path / "x.pth", tiny_vocabulary(tmp_path / "words"))
    tokenizer.save_pretrained(str(tmp_path / "model"))
    assert ids(load_bert_tokenizer(tmp_path / "model")) == [CAT]
    (tmp_path / "model" / "tokenizer_config.json").unlink()
    assert ids(load_bert_tokenizer(tmp_path / "model")) == [CAT]


def test_it_is_found_in_the_cache_of_the_hub(tmp_path, monkeypatch):
    cache = tmp_path / "hub"
    model = cache / "models--google-bert--bert-base-uncased"
    tiny_vocabulary(model / "snapshots" / "abc")
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text("abc")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    assert ids(load_bert_tokenizer(tmp_path / "groundingdino.pth")) == [CAT]


def test_without_it_the_message_says_what_to_do(tmp_path):
    with pytest.raises(ModelError, match=r"bert-base-uncased.*looked in.*vocabulary="):
        load_bert_tokenizer(tmp_path / "groundingdino.pth")
    with pytest.raises(ModelError, match="there is no .*nowhere"):
        load_bert_tokenizer(tmp_path / "groundingdino.pth", tmp_path / "nowhere")


def test_a_vocabulary_of_another_model_is_refused(tmp_path):
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n.\n?\ncat\n")
    with pytest.raises(ModelError, match=r"'\[CLS\]' at 101.*got 2"):
        load_bert_tokenizer(tmp_path / "groundingdino.pth")
