"""Both stages in miniature: losses fall, and a training that was stopped goes on exactly."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from lab.chat.evaluate import evaluate_chat
from lab.chat.features import apply_last_layer, resample
from lab.chat.initialise import noun_table
from lab.chat.language_stage import LanguageRecipe, train_language
from lab.chat.train import train_chat
from lab.chat.vision_losses import bin_loss
from lab.chat.vision_stage import VisionRecipe, new_tower, to_pixels, train_vision
from lab.chat.weights import write_weights
from lab.language.dialogues import TAG_KINDS
from lab.scenes.scene import SceneRecipe, render
from lab.scenes.sprites import shipped_bank
from segue.errors import ModelError
from segue.models.qwen_vl import QwenVLTokenizer, load
from segue.runtime.weights import locate

# No decay within the run, so that two steps and two more are four steps.
SEE = VisionRecipe(batch=4, pool=12, warm_up=2, hold=0.99, log_every=1)
TALK = LanguageRecipe(
    batch=4,
    layers=4,
    warm_up=2,
    hold=0.99,
    query_share=0.0,
    late_share=1.0,
    pool=8,
    compiled=False,
    log_every=1,
)


DRAW = partial(render, bank=shipped_bank(), recipe=SceneRecipe())


def losses(folder):
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [row["loss"] for row in rows if "loss" in row]


def with_steps(recipe, steps):
    return type(recipe)(**{**vars(recipe), "steps": steps})


def test_vision_improves_and_resumes_exactly(tmp_path) -> None:
    straight = train_vision(DRAW, tmp_path / "a", with_steps(SEE, 4), {})
    train_vision(DRAW, tmp_path / "b", with_steps(SEE, 2), {})
    resumed = train_vision(DRAW, tmp_path / "b", with_steps(SEE, 4), {})
    assert losses(tmp_path / "a")[-1] < 0.9 * losses(tmp_path / "a")[0]
    for name, weight in straight.state_dict().items():
        assert torch.equal(weight, resumed.state_dict()[name]), name


def test_language_improves_and_resumes_exactly(tmp_path) -> None:
    tokenizer, tower = QwenVLTokenizer.read(locate("embedded/chat")), new_tower().state_dict()
    straight = train_language(DRAW, tmp_path / "a", tokenizer, tower, with_steps(TALK, 4))
    train_language(DRAW, tmp_path / "b", tokenizer, tower, with_steps(TALK, 2))
    resumed = train_language(DRAW, tmp_path / "b", tokenizer, tower, with_steps(TALK, 4))
    assert losses(tmp_path / "a")[-1] < 0.9 * losses(tmp_path / "a")[0]
    for name, weight in straight.state_dict().items():
        assert torch.equal(weight, resumed.state_dict()[name]), name


def test_a_checkpoint_of_another_version_is_refused(tmp_path) -> None:
    train_vision(DRAW, tmp_path, with_steps(SEE, 1), {})
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    del state["drawn"]
    torch.save(state, tmp_path / "checkpoint.pt")
    with pytest.raises(ModelError, match="another version"):
        train_vision(DRAW, tmp_path, with_steps(SEE, 2), {})


def test_the_last_layer_that_stage_two_trains_is_the_towers_own() -> None:
    tower = new_tower().eval()
    images = np.random.default_rng(0).integers(0, 256, (2, 192, 192, 3), np.uint8)
    with torch.no_grad():
        direct = tower(to_pixels(images))
        split = apply_last_layer(tower, resample(tower, images))
    assert (direct - split).abs().max() < 0.05 * direct.abs().max()


def test_bins_are_read_back_as_the_coordinate() -> None:
    target = torch.tensor([0.3])
    right = torch.full((1, 40), -20.0)
    right[0, 11], right[0, 12] = 0.0, 0.0
    wrong = right.roll(5, -1)
    assert bin_loss(right, target) < bin_loss(wrong, target)


def test_a_whole_training_leaves_weights_that_load_and_can_be_measured(
    tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("SEGUE_CACHE", str(tmp_path / "cache"))
    weights = train_chat(tmp_path / "run", steps=1, checked_on=8, vision=SEE, language=TALK)
    assert sorted(path.name for path in weights.iterdir()) == [
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "qwen.tiktoken",
    ]
    model, processor = load(weights)
    assert processor.generation["do_sample"] is False
    write_weights(model, processor.tokenizer, tmp_path / "again")
    table = evaluate_chat(weights, scenes=1)
    assert "describe: recall of nouns" in table


def test_vision_training_starts_from_a_tower_with_heads_that_can_read_it(tmp_path) -> None:
    model, processor = load("embedded/chat", dtype="float32", device="cpu")
    recipe = replace(SEE, steps=2, head_batches=2, head_rounds=6, muon_rate=1e-4, adam_rate=1e-4)
    words = model.transformer.wte(noun_table(processor.tokenizer)).detach().transpose(0, 1)
    start = model.transformer.visual, words
    straight = train_vision(DRAW, tmp_path / "a", recipe, {}, True, *start)
    train_vision(DRAW, tmp_path / "b", replace(recipe, steps=1), {}, True, *start)
    resumed = train_vision(DRAW, tmp_path / "b", recipe, {}, True, *start)
    rows = [json.loads(line) for line in (tmp_path / "a" / "log.jsonl").read_text().splitlines()]
    assert rows[0]["event"] == "started"
    assert rows[1]["words"] > 0.5
    assert rows[1]["cell_named"] > 0.2  # untrained heads: 0.01
    for name, weight in straight.state_dict().items():
        assert torch.equal(weight, resumed.state_dict()[name]), name
    start_state = model.transformer.visual.state_dict()
    changes = {n: (w - start_state[n]).abs().max() for n, w in straight.tower.state_dict().items()}
    assert 0 < max(changes.values()) < 0.01


def test_training_starts_from_weights_and_keeps_their_words(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SEGUE_CACHE", str(tmp_path / "cache"))
    start = locate("embedded/chat")
    see = replace(SEE, head_batches=1, head_rounds=1, muon_rate=1e-4, adam_rate=1e-4)
    weights = train_chat(
        tmp_path / "run", steps=1, checked_on=8, vision=see, language=TALK, start=start
    )
    final_state, start_state = load(weights)[0].state_dict(), load(start)[0].state_dict()
    assert final_state.keys() == start_state.keys()
    changed = {
        n
        for n, value in final_state.items()
        if not torch.allclose(value, start_state[n], atol=1e-6)
    }
    assert {"transformer.wte.weight", "transformer.visual.conv1.weight"} < changed
    assert all((final_state[name] - start_state[name]).abs().max() < 0.01 for name in changed)
    ranks = QwenVLTokenizer.read(start).ranks
    assert QwenVLTokenizer.read(weights).ranks == ranks
    with pytest.raises(ModelError):
        train_chat(tmp_path / "other", steps=1, start=tmp_path / "nothing")


def test_language_alone_is_trained_where_the_tower_is_kept(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SEGUE_CACHE", str(tmp_path / "cache"))
    start = locate("embedded/chat")
    weights = train_chat(
        tmp_path / "run", steps=1, checked_on=8, language=TALK, start=start, tower=start
    )
    final_state, start_state = load(weights)[0].state_dict(), load(start)[0].state_dict()
    changed = {
        n
        for n, value in final_state.items()
        if not torch.allclose(value, start_state[n], atol=1e-6)
    }
    assert "transformer.wte.weight" in changed
    assert not any("visual.transformer" in name for name in changed)
    assert all((final_state[name] - start_state[name]).abs().max() < 0.01 for name in changed)


def test_kinds_of_turns_can_be_left_out_and_a_tower_kept(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SEGUE_CACHE", str(tmp_path / "cache"))
    talk = replace(TALK, leave_out=TAG_KINDS, chinese_share=0.0)
    weights = train_chat(
        tmp_path / "run", steps=1, checked_on=8, language=talk,
        tower=locate("embedded/chat"),
    )  # fmt: skip
    assert not (tmp_path / "run" / "vision").exists()
    final_state, start_state = load(weights)[0], load("embedded/chat")[0]
    tower_state, start_tower_state = (
        model.transformer.visual.transformer.state_dict() for model in (final_state, start_state)
    )
    assert all(
        torch.allclose(start_tower_state[name], value, atol=1e-3)
        for name, value in tower_state.items()
    )
    assert b"<gsam" not in QwenVLTokenizer.read(weights).ranks
