"""Steps of a run are steps of transformers and PEFT as their documentation writes it."""

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoConfig, AutoModelForImageTextToText

from builders import an_image
from segue.chat.transformers.processing import load_processor
from segue.finetune.data import select_dialogues
from segue.finetune.train import finetune
from segue.finetune.trainable_models import load_trainable_model
from segue.values.box import Size
from tiny_chats import tiny_qwen2_5_vl, tiny_qwen3_vl

BASES = {"qwen2.5": tiny_qwen2_5_vl, "qwen3": tiny_qwen3_vl}
SYSTEM = (
    "{% if messages[0].role != 'system' %}<|im_start|>system\nYou are a helpful assistant."
    "<|im_end|>\n{% endif %}"
)
"""What the template of Qwen2.5-VL writes before the first turn; that of Qwen3-VL writes none."""
CONVERSATIONS = (
    ("Segment the dog.", "<gsam>dog</gsam>", "And the cup?", "Sure: <gsam>cup</gsam>"),
    ("Where is the tram?", "Here: <gsam>tram</gsam>, on the left of the street."),
)
TARGETS = r".*language_model\.layers\.\d+\.(self_attn|mlp)\.\w+_proj"
LEARNING_RATE = 1e-2


@pytest.fixture(params=BASES)
def base(request, tmp_path) -> Path:
    folder = BASES[request.param](tmp_path / "base")
    if request.param == "qwen2.5":
        template = folder / "chat_template.jinja"
        template.write_text(SYSTEM + template.read_text())
    return folder


@pytest.fixture
def recipe(base, a_recipe, tmp_path):
    records = []
    for number, said in enumerate(CONVERSATIONS):
        picture = tmp_path / f"{number}.png"
        an_image(Size(60 + 50 * number, 90), seed=number).to_pil().save(picture)
        turns = [
            {"from": "user" if n % 2 == 0 else "assistant", "value": text}
            for n, text in enumerate(said)
        ]
        turns[0]["value"] = f"Picture 1: <img>{picture}</img>\n" + turns[0]["value"]
        records.append({"id": str(number), "conversations": turns})
    path = tmp_path / "two.json"
    path.write_text(json.dumps(records))
    return a_recipe(
        base=str(base), data=str(path), max_steps=2, save_steps=1, lora_dropout=0.0,
        learning_rate=LEARNING_RATE, schedule="constant",
    )  # fmt: skip


def documented_batch(base: Path) -> dict[str, Tensor]:
    """The conversations as the processor and its chat template write them, padded on the right."""
    processor = load_processor(base, AutoConfig.from_pretrained(base))
    texts, pictures = [], []
    for number, said in enumerate(CONVERSATIONS):
        messages = [
            {
                "role": "user" if n % 2 == 0 else "assistant",
                "content": [{"type": "text", "text": text}],
            }
            for n, text in enumerate(said)
        ]
        messages[0]["content"].insert(0, {"type": "image"})
        texts.append(processor.apply_chat_template(messages, tokenize=False))
        pictures.append([an_image(Size(60 + 50 * number, 90), seed=number).to_pil()])
    processor.tokenizer.padding_side = "right"
    batch = dict(processor(text=texts, images=pictures, padding=True, return_tensors="pt"))
    return batch | {"labels": labels_of_answers(batch["input_ids"], processor.tokenizer)}


def labels_of_answers(ids: Tensor, tokenizer) -> Tensor:
    """Label what stands between `<|im_start|>assistant` with its newline and `<|im_end|>`."""
    start, end = tokenizer.convert_tokens_to_ids(["<|im_start|>", "<|im_end|>"])
    opening = [start, *tokenizer("assistant\n")["input_ids"]]
    labels = torch.full_like(ids, -100)
    for row, tokens in enumerate(ids.tolist()):
        starts = [n for n in range(len(tokens)) if tokens[n : n + len(opening)] == opening]
        for n in starts:
            first, last = n + len(opening), tokens.index(end, n)
            labels[row, first : last + 1] = ids[row, first : last + 1]
    return labels


def documented_steps(
    base: Path, batch: dict[str, Tensor], steps: int
) -> Iterator[tuple[float, list[Tensor], dict[str, Tensor]]]:
    """Loss, gradients and weights of the LoRA matrices at each step of AdamW."""
    torch.manual_seed(0)
    network = AutoModelForImageTextToText.from_pretrained(base, dtype=torch.float32)
    lora = LoraConfig(
        task_type="CAUSAL_LM", r=4, lora_alpha=16, lora_dropout=0.0, target_modules=TARGETS
    )
    network = get_peft_model(network, lora).train()
    learned = {name: p for name, p in network.named_parameters() if p.requires_grad}
    optimizer = torch.optim.AdamW(
        learned.values(), lr=LEARNING_RATE, betas=(0.9, 0.95), weight_decay=0.1
    )
    for _ in range(steps):
        optimizer.zero_grad()
        loss = network(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learned.values(), 1.0)
        gradients = [p.grad.clone() for p in learned.values()]
        optimizer.step()
        weights = {name.replace(".default", ""): p.data.clone() for name, p in learned.items()}
        yield loss.item(), gradients, weights


def test_labels_are_those_of_answers_found_in_the_templates_text(base, recipe) -> None:
    expected = documented_batch(base)
    model = load_trainable_model(recipe)
    dialogues = select_dialogues(recipe.data, model, recipe.max_length).dialogues
    batch = model.collate([model.example(dialogue) for dialogue in dialogues])
    newline = int(model.processor.tokenizer("\n")["input_ids"][0])
    for row in range(len(CONVERSATIONS)):
        n = int(batch["attention_mask"][row].sum())
        # The template ends with a newline that nobody predicts: a reply stops before it.
        assert int(expected["attention_mask"][row].sum()) == n + 1
        assert expected["input_ids"][row, n] == newline
        for name in ("input_ids", "labels", "mm_token_type_ids"):
            assert batch[name][row, :n].tolist() == expected[name][row, :n].tolist(), name
        assert expected["labels"][row, n] == -100
    assert torch.equal(batch["pixel_values"], expected["pixel_values"])
    assert torch.equal(batch["image_grid_thw"], expected["image_grid_thw"])


def test_steps_are_plain_steps_of_transformers_and_peft(base, recipe) -> None:
    """The gradients of `lora_A` are zero at the first step, so there are two."""
    finetune(recipe)
    log = [json.loads(row) for row in (Path(recipe.output) / "log.jsonl").read_text().splitlines()]
    averages: dict[int, Any] = defaultdict(float)
    for step, (loss, gradients, weights) in enumerate(
        documented_steps(base, documented_batch(base), recipe.max_steps), start=1
    ):
        assert log[step - 1]["loss"] == pytest.approx(loss, rel=1e-6)
        checkpoint = Path(recipe.output) / "checkpoints" / f"checkpoint-{step}"
        states = torch.load(checkpoint / "optimizer.pt", weights_only=True)["state"].values()
        for number, (gradient, state) in enumerate(zip(gradients, states, strict=True)):
            averages[number] = 0.9 * averages[number] + 0.1 * gradient
            assert torch.allclose(averages[number], state["exp_avg"], rtol=0, atol=1e-6)
        adapter = load_file(checkpoint / "adapter_model.safetensors")
        assert adapter.keys() == weights.keys()
        for name, value in weights.items():
            assert torch.allclose(adapter[name], value, rtol=0, atol=1e-6), name
