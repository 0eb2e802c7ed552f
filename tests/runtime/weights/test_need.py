"""What stored weights will need in memory."""

import json
import struct

import pytest
import torch
from transformers import DynamicCache

import tiny_chats
from segue.chat.transformers import load
from segue.runtime.weights.headers import StoredTensor, stored_tensors
from segue.runtime.weights.need import need_of_chat, weight_bytes


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_chats.tiny_qwen2_5_vl(tmp_path_factory.mktemp("tiny"))


def test_weights_and_cache_are_what_the_loaded_network_holds(folder):
    network = load(folder, device="cpu").model
    held = sum(weight.numel() * 4 for weight in network.parameters())
    cache = DynamicCache(config=network.config)
    with torch.inference_mode():
        network(input_ids=torch.full((1, 64), 7), past_key_values=cache)
    kept = sum(t.numel() * 4 for layer in cache.layers for t in (layer.keys, layer.values))
    need = need_of_chat(folder, float_bytes=4, context=64)
    assert (need.weights, need.cache) == (held, kept)
    assert need_of_chat(folder, float_bytes=2, context=64).total == need.total / 2


def test_nothing_but_headers_is_read(tmp_path):
    header = json.dumps(
        {
            "__metadata__": {"format": "pt"},
            "model.up.weight": {"dtype": "BF16", "shape": [4, 8], "data_offsets": [0, 64]},
        }
    ).encode()
    (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    (tensor,) = stored_tensors(tmp_path)
    assert tensor == StoredTensor("model.up.weight", "BF16", (4, 8), 64)


def test_of_a_folder_in_shards_those_of_the_index_count(tmp_path):
    for name, size in (("one", 2), ("two", 6), ("stray", 100)):
        entry = {"dtype": "F16", "shape": [size], "data_offsets": [0, 2 * size]}
        header = json.dumps({name: entry}).encode()
        (tmp_path / f"{name}.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    shards = {"weight_map": {"one": "one.safetensors", "two": "two.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(shards))
    assert sum(tensor.count for tensor in stored_tensors(tmp_path)) == 8


def test_files_that_are_not_safetensors_count_by_their_size(tmp_path):
    (tmp_path / "config.json").write_text('{"torch_dtype": "bfloat16"}')
    (tmp_path / "pytorch_model.bin").write_bytes(bytes(1000))
    assert weight_bytes(stored_tensors(tmp_path), 4) == 2000
    assert weight_bytes(stored_tensors(tmp_path / "pytorch_model.bin"), 4) == 1000


@pytest.mark.parametrize("content", [b"", b"short", struct.pack("<Q", 2**60), b"\xff" * 64])
def test_damaged_weights_are_left_to_what_loads_them(tmp_path, content):
    (tmp_path / "model.safetensors").write_bytes(content)
    assert stored_tensors(tmp_path) == []


def test_embeddings_and_the_vision_tower_are_not_quantised():
    names = ("layers.0.up.weight", "embed_tokens.weight", "visual.blocks.0.proj.weight", "norm")
    shapes = ((64, 64), (64, 64), (64, 64), (64,))
    tensors = [StoredTensor(n, "BF16", s, 0) for n, s in zip(names, shapes)]
    assert weight_bytes(tensors, 2, "4bit") == int(0.53 * 4096 + 2 * 4096 + 2 * 4096 + 128)
