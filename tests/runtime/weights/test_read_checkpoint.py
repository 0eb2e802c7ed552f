"""Reading weights that are here: safely, whole, or not at all."""

import pickle

import pytest
import torch
from safetensors.torch import save_file
from transformers import SamModel

from segue.errors import ModelError
from segue.runtime.weights import (
    load_pretrained,
    read_json,
    read_options,
    read_tensors,
    require_model_type,
)
from tiny_models import tiny_sam

TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.ones(2)}


@pytest.mark.parametrize(
    "wrapped",
    [
        TENSORS,
        {"model": {f"module.{name}": tensor for name, tensor in TENSORS.items()}},
        {"state_dict": TENSORS, "epoch": 3},
    ],
    ids=["flat", "as in Grounding DINO", "with an epoch"],
)
def test_the_usual_wrappings_are_taken_off(wrapped, tmp_path):
    torch.save(wrapped, tmp_path / "x.pth")
    found = read_tensors(tmp_path / "x.pth")
    assert list(found) == list(TENSORS)
    assert torch.equal(found["a.weight"], TENSORS["a.weight"])


def test_safetensors_and_old_pickles_are_read_too(tmp_path):
    save_file(TENSORS, tmp_path / "x.safetensors")
    torch.save(TENSORS, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    for name in ("x.safetensors", "old.pth"):
        assert torch.equal(read_tensors(tmp_path / name)["b"], TENSORS["b"])


class _Bomb:
    def __reduce__(self):
        return (exec, ("raise SystemExit('code ran')",))


def test_code_hidden_in_a_checkpoint_does_not_run(tmp_path):
    torch.save({"a": _Bomb()}, tmp_path / "x.pth")
    (tmp_path / "y.bin").write_bytes(pickle.dumps({"a": _Bomb()}))
    for name in ("x.pth", "y.bin"):
        with pytest.raises(ModelError, match="refused because they can run code"):
            read_tensors(tmp_path / name)


def test_damaged_and_odd_files_are_explained(tmp_path):
    whole = tmp_path / "x.pth"
    torch.save(TENSORS, whole)
    (tmp_path / "cut.pth").write_bytes(whole.read_bytes()[:200])
    (tmp_path / "empty.safetensors").touch()
    for name in ("cut.pth", "empty.safetensors"):
        with pytest.raises(ModelError, match="reading it failed"):
            read_tensors(tmp_path / name)
    torch.save({"a": 3, "b": torch.ones(1)}, whole)
    with pytest.raises(ModelError, match="nothing but tensors, got 'a'"):
        read_tensors(whole)
    with pytest.raises(ModelError, match="no file"):
        read_tensors(tmp_path / "none.pth")


def test_options_lie_beside_the_weights(tmp_path):
    assert read_options(tmp_path) == {}
    (tmp_path / "segue.json").write_text('{"clip_to_box": true}')
    assert read_options(tmp_path) == read_options(tmp_path / "x.pth") == {"clip_to_box": True}
    (tmp_path / "segue.json").write_text("[1]")
    with pytest.raises(ModelError, match="must hold a JSON object, got list"):
        read_json(tmp_path, "segue.json")
    (tmp_path / "segue.json").write_text("{")
    with pytest.raises(ModelError, match="must be JSON"):
        read_options(tmp_path)


def test_a_network_with_a_gap_is_refused(tmp_path):
    folder = tiny_sam(tmp_path / "sam")
    model = load_pretrained(SamModel, folder)
    assert not model.training
    assert model.dtype == torch.float32
    weights = read_tensors(folder / "model.safetensors")
    gone = weights.pop("vision_encoder.pos_embed")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"1 tensor missing.*vision_encoder.pos_embed"):
        load_pretrained(SamModel, folder)
    weights["vision_encoder.pos_embed"] = gone[:, :2]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"does not fit.*vision_encoder.pos_embed"):
        load_pretrained(SamModel, folder)


def test_a_folder_without_weights_is_explained(tmp_path):
    with pytest.raises(ModelError, match="could not be loaded as SamModel"):
        load_pretrained(SamModel, tmp_path)


@pytest.mark.parametrize(
    ("config", "said"),
    [('{"model_type": "bert"}', "'bert'"), ("{}", "'nothing known'"), (None, "'nothing known'")],
)
def test_a_folder_must_say_that_it_holds_the_model(config, said, tmp_path):
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    with pytest.raises(ModelError, match=f"type 'sam' or 'sam2', but its config.json says {said}"):
        require_model_type(tmp_path, "sam", "sam2")


def test_the_kind_of_a_model_is_one_of_several(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "sam2"}')
    assert require_model_type(tmp_path, "sam", "sam2") == "sam2"
