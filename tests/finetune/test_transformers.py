"""Fine-tuning models of transformers, without torchvision: Qwen2-VL, Qwen2.5-VL, Qwen3-VL."""

import json
from dataclasses import replace

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText

from builders import an_image
from segue.assistant.loading import load_stage
from segue.convert.dataset import read_dialogues
from segue.convert.dialogue import Dialogue, DialogueTurn
from segue.dialects import DIALECTS, BoxMention
from segue.errors import InputError
from segue.finetune.markup_translation import translate_markup
from segue.finetune.merge import merge
from segue.finetune.train import finetune
from segue.finetune.trainable_models import load_trainable_model
from segue.values.box import Size
from segue.values.message import Message
from tiny_chats import tiny_qwen2_5_vl, tiny_qwen2_vl, tiny_qwen3_vl

BASES = {"qwen2": tiny_qwen2_vl, "qwen2.5": tiny_qwen2_5_vl, "qwen3": tiny_qwen3_vl}


@pytest.fixture(params=BASES)
def base_path(request, tmp_path_factory):
    return BASES[request.param](tmp_path_factory.mktemp("model") / request.param)


@pytest.fixture
def a_lesson(tmp_path) -> Dialogue:
    picture = tmp_path / "p.png"
    an_image().to_pil().save(picture)
    turns = (
        DialogueTurn("user", "Segment the dog."), DialogueTurn("assistant", "<gsam>dog</gsam>"),
        DialogueTurn("user", "And the cup?"), DialogueTurn("assistant", "Sure: <gsam>cup</gsam>"),
    )  # fmt: skip
    return Dialogue("d", (str(picture),), turns)


def test_exactly_the_answers_are_learned(base_path, a_recipe, a_lesson) -> None:
    model = load_trainable_model(a_recipe(base=str(base_path)))
    per_token = model.example(a_lesson).per_token
    pairs = zip(per_token["input_ids"], per_token["labels"], strict=True)
    learned = model.processor.tokenizer.decode([i for i, label in pairs if label != -100])
    assert learned == "<gsam>dog</gsam><|im_end|>Sure: <gsam>cup</gsam><|im_end|>"
    assert model.count_tokens(a_lesson) == len(per_token["input_ids"])
    assert len({len(values) for values in per_token.values()}) == 1


def test_the_prompt_is_the_one_that_it_answers(base_path, a_recipe, a_lesson) -> None:
    model = load_trainable_model(a_recipe(base=str(base_path)))
    chat = load_stage("chat", str(base_path), device="cpu")
    messages = [Message("user", "Segment the dog.", (an_image(),))]
    prompt = chat._tensors(chat._prompts.write(messages), [an_image().to_pil()])
    example = model.example(replace(a_lesson, turns=a_lesson.turns[:2]))
    n = prompt["input_ids"].shape[1]
    assert example.per_token["input_ids"][:n] == prompt["input_ids"][0].tolist()
    assert all(label == -100 for label in example.per_token["labels"][:n])
    for name, value in example.vision_inputs.items():
        assert torch.equal(value, prompt[name]), name


def logits_float64(network, batch) -> torch.Tensor:
    values = {name: v.double() if v.is_floating_point() else v for name, v in batch.items()}
    with torch.no_grad():
        return network.double()(**values).logits


def test_it_learns_and_merges(base_path, a_recipe, data, tmp_path) -> None:
    recipe = a_recipe(
        base=str(base_path), validation=str(data), eval_steps=2, eval_questions=2,
        eval_max_new_tokens=3, max_steps=2, learning_rate=1e-3,
    )  # fmt: skip
    adapter = finetune(recipe)
    learned = load_file(adapter / "adapter_model.safetensors")
    assert any(value.abs().sum() > 0 for name, value in learned.items() if "lora_B" in name)
    assert not any("visual" in name for name in learned)

    target = merge(adapter, tmp_path / "merged")
    copied = {path.name for path in base_path.iterdir()} - {"model.safetensors"}
    for name in copied:
        assert (target / name).read_bytes() == (base_path / name).read_bytes(), name
    base, beside, merged = (
        AutoModelForImageTextToText.from_pretrained(str(f)) for f in (base_path, base_path, target)
    )
    adapted = PeftModel.from_pretrained(beside, str(adapter))
    model = load_trainable_model(recipe)
    batch = model.collate([model.example(next(iter(read_dialogues(data))))])
    # In float64: what float32 arithmetic rounds on the way is more than what merging changes.
    base_logits, adapted_logits, merged_logits = (
        logits_float64(net, batch) for net in (base, adapted, merged)
    )
    assert (adapted_logits - base_logits).abs().max() > 0.1
    assert (adapted_logits - merged_logits).abs().max() < 1e-5
    chat = load_stage("chat", f"{base_path}+{adapter}", device="cpu")
    assert chat.dialect == load_stage("chat", str(target), device="cpu").dialect


@pytest.mark.parametrize("vision", ["merger", "lora", "full"])
def test_the_vision_side_learns_when_asked(a_recipe, tmp_path, vision) -> None:
    base = tiny_qwen3_vl(tmp_path / "base")
    adapter = finetune(a_recipe(base=str(base), train_vision=vision, max_steps=1))
    seeing = [n for n in load_file(adapter / "adapter_model.safetensors") if "visual" in n]
    assert seeing
    assert all(("lora_" in name) == (vision == "lora") for name in seeing)
    if vision == "merger":
        assert any("deepstack" in name for name in seeing)
        assert not any(".blocks." in name for name in seeing)


def test_pictures_can_be_shrunk(a_recipe, a_lesson, tmp_path) -> None:
    base = str(tiny_qwen2_5_vl(tmp_path / "base"))
    large, small = (
        load_trainable_model(
            a_recipe(base=base, min_pixels=784 * min_patches, max_pixels=784 * max_patches)
        )
        for min_patches, max_patches in ((9, 16), (1, 2))
    )
    assert large.count_tokens(a_lesson) > small.count_tokens(a_lesson)
    assert len(small.example(a_lesson).per_token["labels"]) == small.count_tokens(a_lesson)
    with pytest.raises(InputError, match="mask = 'qwen'"):
        load_trainable_model(a_recipe(base=base, mask="qwen"))


@pytest.mark.parametrize("dialect", ["qwen2_vl", "qwen2_5_vl", "qwen3_vl"])
def test_boxes_are_written_in_the_models_own_markup(dialect) -> None:
    network_size = Size(height=280, width=560)
    translated = translate_markup(
        "<ref>cup</ref><box>(100,200),(300,999)</box>", dialect, lambda: network_size
    )
    (event,) = [e for e in DIALECTS.load(dialect).read([translated]) if isinstance(e, BoxMention)]
    assert event.phrase == "cup"
    box = event.box
    numbers = [box.xa, box.ya, box.xb, box.yb]
    assert numbers == ([56, 56, 168, 280] if dialect == "qwen2_5_vl" else [100, 200, 300, 999])
    assert (
        translate_markup("A dog. <gsam>dog</gsam>", dialect, lambda: network_size)
        == "A dog. <gsam>dog</gsam>"
    )


def test_untranslatable_answers_are_dropped_and_counted(a_recipe, tmp_path) -> None:
    assert translate_markup("<ref>a</ref><box>(1,2),(3,4)</box>", "internvl", lambda: None) is None
    both = "<ref>a</ref><box>(1,2),(3,4)</box> and <gsam>b</gsam>"
    assert translate_markup(both, "qwen3_vl", lambda: None) is None
    base = tiny_qwen3_vl(tmp_path / "base")
    path = tmp_path / "d.json"
    turns = [
        [{"from": "user", "value": "q"}, {"from": "assistant", "value": v}] for v in (both, "a")
    ]
    path.write_text(json.dumps([{"id": str(n), "conversations": t} for n, t in enumerate(turns)]))
    finetune(a_recipe(base=str(base), data=str(path), max_steps=1, batch_size=1))
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["data"]["train"]["dropped"] == {"boxes that this model writes in another way": 1}
