import json
import shutil

import pytest
import torch

from segue.errors import InputError, ModelError
from segue.models.qwen_vl import QwenVLForCausalLM, load, save
from segue.models.qwen_vl import checkpoint as module
from tiny_qwen_vl import a_model, a_processor, ids_with_pictures, some_pixels


def saved(folder, **changes):
    model = a_model(**changes)
    save(model, a_processor(top_k=3, chat_format="chatml"), folder)
    return model


def logits(model: QwenVLForCausalLM) -> torch.Tensor:
    with torch.inference_mode():
        return model(ids_with_pictures("ab", 1, "c"), pixel_values=some_pixels()).logits


@pytest.mark.parametrize("tied", [False, True])
def test_a_model_survives_being_saved(tmp_path, tied: bool) -> None:
    model = saved(tmp_path, tie_word_embeddings=tied)
    again, processor = load(tmp_path, device="cpu")
    assert torch.equal(logits(model), logits(again))
    assert processor.generation["top_k"] == 3
    assert again.generation_config.top_k == 3
    assert not again.training
    assert (again.lm_head.weight is again.transformer.wte.weight) == tied
    modes = {path.stat().st_mode for path in tmp_path.iterdir()}
    assert len(modes) == 1  # weights are readable by whoever may read the rest
    config = json.loads((tmp_path / "config.json").read_text())
    assert (config["model_type"], config["torch_dtype"]) == ("qwen", "float32")


def test_weights_can_be_stored_in_half_precision(tmp_path) -> None:
    model = a_model()
    save(model, a_processor(), tmp_path, dtype=torch.float16)
    again, _ = load(tmp_path, device="cpu")
    assert again.dtype == torch.float32  # what a processor computes in
    assert torch.allclose(logits(model), logits(again), atol=0.05)
    low, _ = load(tmp_path, device="cpu", dtype="bfloat16")
    assert low.dtype == torch.bfloat16


def test_shards_are_written_and_read(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHARD_BYTES", 40_000)
    model = saved(tmp_path)
    assert len(list(tmp_path.glob("model-*-of-*.safetensors"))) > 2
    assert torch.equal(logits(model), logits(load(tmp_path, device="cpu")[0]))


def test_saving_over_itself_leaves_no_stale_weights(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module, "SHARD_BYTES", 40_000)
    saved(tmp_path)
    model, processor = load(tmp_path, device="cpu")
    monkeypatch.undo()
    before = logits(model)
    save(model, processor, tmp_path)
    assert [path.name for path in tmp_path.glob("*.safetensors*")] == ["model.safetensors"]
    assert torch.equal(logits(model), before)
    assert torch.equal(logits(load(tmp_path, device="cpu")[0]), before)


@pytest.fixture
def pickled(tmp_path):
    """A folder as the hub holds it: pickled shards, an index, computed buffers left in."""
    model = saved(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    state = model.state_dict() | {"transformer.rotary_emb.inv_freq": torch.ones(8)}
    names = sorted(state)
    files = {}
    for number, part in enumerate((names[::2], names[1::2]), 1):
        file = f"pytorch_model-{number:05}-of-00002.bin"
        torch.save({name: state[name] for name in part}, tmp_path / file)
        files |= dict.fromkeys(part, file)
    index = {"metadata": {}, "weight_map": files}
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    return tmp_path, model


def test_pickled_shards_are_read(pickled) -> None:
    folder, model = pickled
    assert torch.equal(logits(model), logits(load(folder, device="cpu")[0]))


def test_pickled_code_is_refused(pickled) -> None:
    folder, _ = pickled
    torch.save({"lm_head.weight": print}, folder / "pytorch_model-00001-of-00002.bin")
    with pytest.raises(ModelError, match="00001-of-00002"):
        load(folder, device="cpu")


def test_a_missing_shard_is_named(pickled) -> None:
    folder, _ = pickled
    (folder / "pytorch_model-00002-of-00002.bin").unlink()
    with pytest.raises(ModelError, match="1 of 2 weight files.*00002-of-00002"):
        load(folder, device="cpu")


def test_the_original_layout_of_set_a_is_read(set_a) -> None:
    assert set_a.processor.generation["top_p"] == 0.3
    assert sum(weight.numel() for weight in set_a.model.parameters()) == set_a.meta["n_params"]


def edited(folder, **changes) -> None:
    values = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(values | changes))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "config.json").unlink(), "config.json"),
        (lambda folder: (folder / "qwen.tiktoken").unlink(), "tiktoken"),
        (lambda folder: (folder / "model.safetensors").unlink(), "no weights"),
        (lambda folder: edited(folder, model_type="qwen2"), "'qwen2'"),
        (lambda folder: edited(folder, quantization_config={}), "quantised"),
        (lambda folder: edited(folder, num_hidden_layers=3), "lack"),
        (lambda folder: edited(folder, num_hidden_layers=1), "no such tensor"),
        (lambda folder: edited(folder, intermediate_size=64), "same checkpoint"),
        (lambda folder: edited(folder, vocab_size=400), "vocabulary"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"x"), "model.safetensors"),
    ],
    ids=["config", "vocabulary", "weights", "kind", "quantised", "few", "many", "shape",
         "size", "damaged"],
)  # fmt: skip
def test_a_folder_that_cannot_be_used_says_why(tmp_path, spoil, said: str) -> None:
    saved(tmp_path)
    spoil(tmp_path)
    with pytest.raises(ModelError, match=said):
        load(tmp_path, device="cpu")


def test_a_path_that_is_not_there_is_not_looked_for_elsewhere(tmp_path) -> None:
    with pytest.raises(ModelError):
        load(tmp_path / "nowhere", device="cpu")
    shutil.rmtree(tmp_path)


def test_a_model_with_adapters_must_be_merged_before_it_is_saved(tmp_path) -> None:
    peft = pytest.importorskip("peft")
    tuned = peft.get_peft_model(a_model(), peft.LoraConfig(target_modules=["c_attn"]))
    with pytest.raises(InputError, match="merge_and_unload"):
        save(tuned.base_model.model, a_processor(), tmp_path)
