"""Preflight: counts what would be learned without reading any weight."""

import json

import pytest
import torch

from segue.errors import InputError
from segue.finetune.adapt import count_parameters
from segue.finetune.data import select_dialogues
from segue.finetune.preflight import ALLOWANCE, count_steps, estimate_memory, preflight
from segue.finetune.train import finetune, prepare_network
from segue.finetune.trainable_models import load_trainable_model
from segue.models.qwen_vl import save
from tiny_qwen_vl import a_config, a_model, a_processor


def test_it_counts_as_the_run_would(a_recipe) -> None:
    recipe = a_recipe()
    report = preflight(recipe)
    assert (report.trained_parameters, report.parameters) == count_parameters(
        prepare_network(recipe, load_trainable_model(recipe))
    )
    assert report.steps == 4
    assert len(report.train.dialogues) == 12
    assert report.memory["all"] > report.memory["weights"] > 4 * report.parameters * 0.9
    assert "18 tokens" in report.picture_tokens
    assert report.findings.is_fine


@pytest.mark.parametrize("method", ["full", "lora"])
def test_activations_and_logits_are_what_autograd_keeps(a_recipe, tmp_path, method) -> None:
    visual = {**a_config().visual, "output_dim": 96}
    network = a_model(
        hidden_size=96, kv_channels=48, num_hidden_layers=3, intermediate_size=512, visual=visual
    )
    save(network, a_processor(chat_format="chatml"), tmp_path / "base")
    recipe = a_recipe(base=str(tmp_path / "base"), method=method, gradient_checkpointing=False)
    model = load_trainable_model(recipe)
    network = prepare_network(recipe, model).train()
    dialogues = select_dialogues(recipe.data, model, 2048).dialogues[:2]
    batch = model.collate([model.example(dialogue) for dialogue in dialogues])
    kept: dict[int, int] = {}

    def pack(value):
        kept[value.untyped_storage().data_ptr()] = value.untyped_storage().nbytes()
        return value

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value):
        network(**batch)
    weights = {weight.untyped_storage().data_ptr() for weight in network.parameters()}
    counted_bytes = sum(size for place, size in kept.items() if place not in weights)
    memory = estimate_memory(recipe, model, network, batch["input_ids"].shape[1])
    estimate = memory["activations"] + memory["logits"]
    assert 1.0 <= (1 + ALLOWANCE) * estimate / counted_bytes < 1.4


def test_checkpointing_keeps_one_value_a_layer(a_recipe) -> None:
    report = [preflight(a_recipe(gradient_checkpointing=on), draw=0).memory for on in (True, False)]
    config = load_trainable_model(a_recipe()).config
    longest = max(preflight(a_recipe(), draw=0).train.lengths)
    assert report[0]["activations"] == 2 * longest * config.hidden_size * 4 * 2  # batch, layers
    assert report[0]["activations"] < 0.1 * report[1]["activations"]
    assert report[0]["weights"] == report[1]["weights"]


def test_long_conversations_are_counted_and_left_out(a_recipe) -> None:
    whole = preflight(a_recipe(), draw=0).train.lengths
    limit = sorted(whole)[6]
    report = preflight(a_recipe(max_length=limit), draw=0).train
    assert report.dropped["longer than max_length"] == sum(length > limit for length in whole) > 0
    assert max(report.lengths) <= limit
    cut = preflight(a_recipe(max_length=limit, too_long="cut"), draw=0).train
    assert not cut.dropped
    assert max(cut.lengths) == limit


def test_samples_are_drawn(a_recipe, tmp_path) -> None:
    import json

    from builders import an_image

    picture = tmp_path / "p.png"
    an_image().to_pil().save(picture)
    said = "<ref>cup</ref><box>(100,200),(300,400)</box>"
    turns = [
        {"from": "user", "value": f"Picture 1: <img>{picture}</img>\nFrame the cup."},
        {"from": "assistant", "value": said},
    ]
    data = tmp_path / "boxes.json"
    data.write_text(json.dumps([{"id": "a", "conversations": turns}]))
    report = preflight(a_recipe(data=str(data)))
    assert [path.name for path in report.findings.drawings] == ["001.png"]
    assert (report.pictures / "index.html").exists()


def test_steps_are_those_of_the_trainer(a_recipe) -> None:
    for changes in ({"epochs": 0.5}, {"gradient_accumulation_steps": 5}):
        recipe = a_recipe(max_steps=None, **changes)
        expected = count_steps(recipe, 12)
        heard = []
        finetune(recipe, fresh=True, listener=heard.append)
        assert heard[-1]["of"] == heard[-1]["step"] == expected, changes


@pytest.mark.parametrize("question", ["Find the <ref-object> in the picture", "In <image>, what?"])
def test_sentences_with_holes_are_refused_before_money_is_spent(
    a_recipe, data, tmp_path, question
) -> None:
    records = json.loads(data.read_text(encoding="utf-8"))
    first = records[0]["conversations"][0]
    picture = first["value"].rpartition("</img>\n")[0]
    first["value"] = f"{picture}</img>\n{question}"
    file = tmp_path / "holes.json"
    file.write_text(json.dumps(records), encoding="utf-8")
    recipe = a_recipe(data=str(file))
    with pytest.raises(InputError, match="1 unfilled placeholders"):
        preflight(recipe)
    dropped = select_dialogues(file, load_trainable_model(recipe), 2048).dropped
    assert dropped == {"unfilled placeholder": 1}
