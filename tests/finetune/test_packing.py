"""Packed rows give the loss and the gradients of their conversations one by one."""

import json
from pathlib import Path

import pytest
import torch

from builders import an_image
from segue.convert.dialogue import Dialogue, DialogueTurn
from segue.errors import InputError
from segue.finetune.packing import block_masks_and_positions, pack
from segue.finetune.preflight import preflight
from segue.finetune.train import finetune
from segue.finetune.trainable_models import load_trainable_model
from segue.values.box import Size
from small_lessons import write_conversations
from tiny_any_chat import tiny_chat_of
from tiny_chats import tiny_qwen2_5_vl, tiny_qwen2_vl, tiny_qwen3_vl

BASES = {
    "qwen2": tiny_qwen2_vl, "qwen2.5": tiny_qwen2_5_vl, "qwen3": tiny_qwen3_vl,
}  # fmt: skip


@pytest.fixture
def dialogues(tmp_path) -> list[Dialogue]:
    """Of two pictures and two turns, of none, and of one."""
    made = []
    for number, sizes in enumerate([((60, 90), (90, 60)), (), ((120, 40),)]):
        pictures = []
        for side, size in enumerate(sizes):
            path = tmp_path / f"{number}-{side}.png"
            an_image(Size(*size), seed=number + side).to_pil().save(path)
            pictures.append(str(path))
        said = ("What is this?", f"A {'very ' * number}red cup.", "Segment it.", "<gsam>cup</gsam>")
        turns = [DialogueTurn(("user", "assistant")[n % 2], text) for n, text in enumerate(said)]
        made.append(Dialogue(str(number), tuple(pictures), tuple(turns[: 4 - 2 * (number == 1)])))
    return made


@pytest.mark.parametrize("family", [*BASES, "qwen-vl", "qwen-vl with the published mask"])
def test_a_packed_row_has_the_loss_and_gradients_of_its_conversations(
    family, base, a_recipe, dialogues, tmp_path
) -> None:
    folder = base if family not in BASES else BASES[family](tmp_path / "base")
    mask = "qwen" if "published" in family else "assistant"
    model = load_trainable_model(a_recipe(base=str(folder), packing=True, mask=mask))
    network = model.network(torch.float32, torch.device("cpu")).train()
    one, two, three = map(model.example, dialogues)
    weight = network.get_input_embeddings().weight

    def loss_and_gradient(batches):
        network.zero_grad()
        n_learned = [int((batch["labels"][:, 1:] != -100).sum()) for batch in batches]
        total = sum(
            network(**batch).loss * n for batch, n in zip(batches, n_learned, strict=True)
        ) / sum(n_learned)  # fmt: skip
        total.backward()
        return total.item(), weight.grad.clone()

    loss, gradient = loss_and_gradient([model.collate([example]) for example in (one, two, three)])
    packed_loss, packed_gradient = loss_and_gradient([model.collate_packed([[one, two], [three]])])
    assert packed_loss == pytest.approx(loss, abs=1e-5)
    assert torch.allclose(packed_gradient, gradient, rtol=0, atol=1e-5)
    row_loss, _ = loss_and_gradient([model.collate_packed([[three, one, two]])])
    assert row_loss == pytest.approx(loss, abs=1e-5)


def test_a_step_on_packed_rows_is_that_of_one_large_batch(a_recipe, tmp_path) -> None:
    values = {
        "base": str(tiny_qwen3_vl(tmp_path / "base")), "max_steps": 1, "lora_dropout": 0.0,
        "data": str(write_conversations(tmp_path, 4)), "gradient_checkpointing": False,
    }  # fmt: skip
    packed = a_recipe(**values, packing=True, max_length=200, output=str(tmp_path / "packed"))
    steps = preflight(
        a_recipe(**values | {"max_steps": None}, packing=True, max_length=200), draw=0
    )
    assert steps.steps == 1  # four conversations of some 56 tokens in two rows
    logs = []
    for recipe in (packed, a_recipe(**values, gradient_accumulation_steps=2)):
        finetune(recipe)
        logs.append(json.loads((Path(recipe.output) / "log.jsonl").read_text()))
    for key in ("loss", "grad_norm"):
        assert logs[0][key] == pytest.approx(logs[1][key], rel=1e-5)


def test_rows_hold_every_example_once_and_little_space() -> None:
    lengths = [(7 * n) % 90 + 10 for n in range(500)]
    rows = pack(lengths, 256)
    assert sorted(number for row in rows for number in row) == list(range(500))
    assert max(sum(lengths[number] for number in row) for row in rows) <= 256
    assert len(rows) <= 1.02 * sum(lengths) / 256 + 1
    assert pack(lengths, 256, seed=1) != rows
    mask, positions = block_masks_and_positions([[2, 1], [1]])
    assert positions.tolist() == [[0, 1, 0], [0, 0, 1]]
    assert mask[0, 0].int().tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 1]]


def test_packing_is_refused_where_it_is_not_known_to_be_exact(a_recipe, tmp_path) -> None:
    base = tiny_chat_of("llava", tmp_path / "llava")
    with pytest.raises(InputError, match=r"Packed rows of 'llava' models are not known"):
        load_trainable_model(a_recipe(base=str(base), packing=True))
