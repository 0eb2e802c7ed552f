import json

import pytest
import torch
from transformers import DynamicCache

from segue.errors import InputError
from segue.models.qwen_vl import QwenVLConfig, QwenVLForCausalLM
from segue.models.qwen_vl.cache import GrowingCache
from segue.models.qwen_vl.decoder import ntk_alpha
from tiny_qwen_vl import TRAINED_LENGTH, a_model, ids_with_pictures, some_pixels

A_PROMPTS = ("text", "img1", "img2", "base_ground", "base_ref", "refbox")
C_PROMPTS = ("readme_turn1", "readme_turn2", "base_caption", "base_ground_caption", "base_ref",
             "base_vqa", "injection")  # fmt: skip


def test_the_full_network_has_the_published_keys_and_size(shared) -> None:
    folder = shared / "golden" / "qwen_vl"
    config = QwenVLConfig.from_dict(json.loads((folder / "qwen-vl-chat.config.json").read_text()))
    with torch.device("meta"):
        model = QwenVLForCausalLM(config)
    index = json.loads((folder / "pytorch_model.bin.index.json").read_text())
    assert set(model.state_dict()) == set(index["weight_map"])
    assert len(model.state_dict()) == 853
    assert sum(weight.numel() for weight in model.parameters()) == 9_656_935_168


@pytest.mark.parametrize(
    ("name", "attention"), [*((name, "sdpa") for name in A_PROMPTS), ("img2", "eager")]
)
def test_logits_equal_the_original(set_a, name: str, attention: str) -> None:
    ids = set_a.numbers[f"{name}_ids"][None]
    prompt = set_a.processor.complete(set_a.parts(set_a.meta["prompts"][name]["raw_text"]))
    set_a.model.set_attn_implementation(attention)
    with torch.inference_mode():
        logits = set_a.model(input_ids=ids, pixel_values=set_a.pixels(prompt)).logits
    set_a.model.set_attn_implementation("sdpa")
    assert (logits[:, -16:] - set_a.numbers[f"{name}_logits_last16"]).abs().max() < 2e-5
    assert torch.equal(logits.argmax(-1).int(), set_a.numbers[f"{name}_argmax"].int())


@pytest.mark.parametrize("name", C_PROMPTS)
def test_logits_equal_the_original_on_the_real_vocabulary(set_c, name: str) -> None:
    golden = set_c.numbers
    ids = golden[f"{name}_ids"]
    prompt = set_c.processor.complete(set_c.parts(set_c.meta["prompts"][name]["raw_text"]))
    with torch.inference_mode():
        logits = set_c.model(
            input_ids=ids[None], pixel_values=set_c.pixels(prompt), logits_to_keep=1
        ).logits[0, -1]
    assert (logits[::37] - golden[f"{name}_last_logits_every37"]).abs().max() < 2e-5
    assert logits.argmax() == golden[f"{name}_last_top50_idx"][0]


def test_hidden_states_equal_the_original(set_a) -> None:
    prompt = set_a.processor.complete(set_a.parts(set_a.meta["prompts"]["img1"]["raw_text"]))
    with torch.inference_mode():
        states = set_a.model(
            input_ids=set_a.numbers["img1_ids"][None],
            pixel_values=set_a.pixels(prompt),
            output_hidden_states=True,
        ).hidden_states
    for index, state in enumerate(states):
        assert (state[0] - set_a.numbers[f"img1_hidden{index}"]).abs().max() < 2e-5


def test_a_left_padded_batch_equals_the_original(set_a) -> None:
    ids, mask = set_a.numbers["batch_ids"], set_a.numbers["batch_mask"]
    prompts = [set_a.processor.complete(set_a.parts(text)) for text in set_a.meta["batch"]["texts"]]
    batch = set_a.processor.batch(prompts)
    assert torch.equal(batch["input_ids"], ids.long())
    assert torch.equal(batch["attention_mask"], mask.long())
    with torch.inference_mode():
        logits = set_a.model(**batch).logits[:, -16:]
    off = (logits - set_a.numbers["batch_logits_last16"]).abs() * mask[:, -16:, None]
    assert off.max() < 2e-5
    written = set_a.model.generate(
        **batch, do_sample=False, max_new_tokens=12, min_new_tokens=4, top_p=None, top_k=None
    )
    assert torch.equal(written[:, ids.shape[1] :], set_a.numbers["batch_generated"].long())


def test_loss_and_gradients_equal_the_original(set_a) -> None:
    ids, labels = set_a.numbers["train_ids"].long(), set_a.numbers["train_labels"].long()
    paths = [set_a.folder / "images" / name for name in ("scene.png", "tall.png")]
    batch = (ids, (ids != 512).long(), set_a.processor.image_processor(paths), labels)
    with torch.inference_mode():
        answering = set_a.model(*batch).loss.item()
    assert answering == pytest.approx(set_a.meta["loss_eval"], abs=1e-5)
    model = set_a.model.train()
    try:
        loss = model(*batch).loss
        loss.backward()
        assert loss.item() == pytest.approx(set_a.meta["loss_train"], abs=1e-5)
        norms = {n: w.grad.norm().item() for n, w in model.named_parameters() if w.grad is not None}
        expected = {n: g for n, g in set_a.meta["grad_norms_train"].items() if g is not None}
        assert norms == pytest.approx(expected, rel=1e-4)
    finally:
        model.zero_grad()
        model.eval()


def test_bfloat16_stays_near_float32(set_a) -> None:
    low = QwenVLForCausalLM(set_a.model.config)
    low.load_state_dict(set_a.model.state_dict())
    low.to(torch.bfloat16).eval()
    prompt = set_a.processor.complete(set_a.parts(set_a.meta["prompts"]["img1"]["raw_text"]))
    with torch.inference_mode():
        logits = low(
            input_ids=set_a.numbers["img1_ids"][None], pixel_values=set_a.pixels(prompt)
        ).logits
    assert logits.dtype == torch.bfloat16
    off = (logits[0, -1].float() - set_a.numbers["img1_logits_last16"][0, -1]).abs().max()
    assert off < 0.25  # the original itself is off by 0.15


@pytest.mark.parametrize("n_words", [21, TRAINED_LENGTH + 30])
@pytest.mark.parametrize("cache_class", [DynamicCache, GrowingCache])
def test_reading_in_pieces_equals_reading_at_once(tiny, n_words: int, cache_class) -> None:
    ids = ids_with_pictures("ab", 1, "abc" * (n_words // 3))
    whole = tiny(ids, pixel_values=some_pixels()).logits
    alpha = ntk_alpha(ids.shape[1], TRAINED_LENGTH)
    embedded = tiny.transformer.embed(ids, tiny.get_image_features(some_pixels()))
    cache, parts = cache_class(), []
    for piece in embedded.split(13, dim=1):
        parts.append(tiny(inputs_embeds=piece, past_key_values=cache, ntk_alpha=alpha).logits)
    assert torch.allclose(torch.cat(parts, 1), whole, atol=2e-4)


def test_decoding_keeps_the_stretch_of_the_prompt(tiny) -> None:
    ids = ids_with_pictures("word" * (TRAINED_LENGTH // 4))
    cache = GrowingCache()
    step = tiny(ids, past_key_values=cache).logits
    more = ids_with_pictures("some")
    stepped = [tiny(token[:, None], past_key_values=cache).logits for token in more.unbind(1)]
    assert cache.ntk_alpha == 1.0
    together = tiny(torch.cat([ids, more], 1), ntk_alpha=1.0).logits
    assert torch.allclose(torch.cat([step, *stepped], 1), together, atol=1e-4)
    stretched = tiny(torch.cat([ids, more], 1)).logits
    assert not torch.allclose(stretched, together, atol=1e-2)


def test_padding_on_the_left_does_not_change_a_short_row(tiny) -> None:
    row = ids_with_pictures("hello", 1, "x")
    padded = torch.cat([torch.zeros(1, 9, dtype=torch.long), row], 1)
    mask = (torch.arange(padded.shape[1]) >= 9).long()[None]
    alone = tiny(row, pixel_values=some_pixels()).logits
    beside = tiny(padded, mask, pixel_values=some_pixels()).logits[:, 9:]
    assert torch.allclose(alone, beside, atol=1e-4)
    assert beside.isfinite().all()


@pytest.mark.parametrize("additive", [False, True])
def test_packed_turns_equal_separate_ones(tiny, additive: bool) -> None:
    prefix, turns = "prefix", ("first?", "other")
    separate = [tiny(ids_with_pictures(prefix + turn)).logits[0, -1] for turn in turns]
    ids = ids_with_pictures(prefix + "".join(turns))
    owner = torch.tensor([0] * 6 + [1] * 6 + [2] * 5)
    allowed = torch.ones(17, 17).tril().bool() & ((owner == 0) | (owner == owner[:, None]))
    mask = allowed[None, None]
    if additive:
        mask = torch.zeros(mask.shape).masked_fill(~mask, torch.finfo(torch.float32).min)
    positions = torch.tensor([[*range(12), *range(6, 11)]])
    logits = tiny(ids, mask, position_ids=positions).logits[0]
    assert torch.allclose(logits[11], separate[0], atol=1e-4)
    assert torch.allclose(logits[16], separate[1], atol=1e-4)


def test_what_stands_in_the_slots_has_no_effect(tiny) -> None:
    ids = ids_with_pictures("a", 2, "b")
    other = ids.clone()
    start = tiny.config.visual_config.image_start_id
    first = (ids[0] == start).nonzero()[0, 0]
    other[0, first + 1 : first + 17] = start  # even the id of <img> itself
    logits = [tiny(i, pixel_values=some_pixels(2)).logits for i in (ids, other)]
    assert torch.equal(*logits)


@pytest.mark.parametrize("n_pixels", [0, 1, 3])
def test_pictures_and_places_must_be_equal_in_number(tiny, n_pixels: int) -> None:
    pixels = some_pixels(n_pixels) if n_pixels else None
    with pytest.raises(InputError, match="2 pictures of 16 slots"):
        tiny(ids_with_pictures(2), pixel_values=pixels)


def test_labels_are_shifted_and_the_sum_is_divided_as_asked(tiny) -> None:
    ids = ids_with_pictures("some words")
    labels = ids.clone()
    labels[:, :4] = -100
    output = tiny(ids, labels=labels)
    summed = torch.nn.functional.cross_entropy(output.logits[0, 3:-1], ids[0, 4:], reduction="sum")
    assert output.loss.item() == pytest.approx(summed.item() / 6, rel=1e-5)
    shared_loss = tiny(ids, labels=labels, num_items_in_batch=12).loss
    assert shared_loss.item() == pytest.approx(summed.item() / 12, rel=1e-5)


def test_training_never_stretches() -> None:
    model = a_model()
    ids = ids_with_pictures("various " * (TRAINED_LENGTH // 6))
    model(ids)  # leaves nothing behind that training would use
    stretched = model(ids).logits
    trained = model.train()(ids).logits
    plain = a_model(use_dynamic_ntk=False, use_logn_attn=False)(ids).logits
    assert torch.allclose(trained, plain, atol=1e-4)
    assert not torch.allclose(trained, stretched, atol=1e-2)


def test_gradient_checkpointing_changes_no_gradient() -> None:
    def gradients(checkpointing: bool) -> dict[str, torch.Tensor]:
        model = a_model().train()
        if checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        ids = ids_with_pictures("ab", 1, "cde")
        model(ids, pixel_values=some_pixels(), labels=ids).loss.backward()
        return {n: w.grad for n, w in model.named_parameters() if w.grad is not None}

    plain, checkpointed = gradients(False), gradients(True)
    assert plain.keys() == checkpointed.keys()
    for name, gradient in plain.items():
        assert torch.allclose(gradient, checkpointed[name], atol=1e-6), name


def test_a_batch_without_pictures_gives_the_visual_tower_zero_gradients() -> None:
    model = a_model().train()
    ids = ids_with_pictures("no picture")
    model(ids, labels=ids).loss.backward()
    grads = [w.grad for w in model.transformer.visual.parameters() if w.requires_grad]
    assert all(grad is not None and not grad.any() for grad in grads)


def test_tied_embeddings_are_one_matrix() -> None:
    model = a_model(tie_word_embeddings=True)
    assert model.lm_head.weight is model.transformer.wte.weight


def test_generate_repeats_pictures_with_their_rows(tiny) -> None:
    ids = torch.cat([ids_with_pictures(2, "a"), ids_with_pictures("b" * 18, 1, "a")])
    pixels = some_pixels(3)
    options = {"max_new_tokens": 4, "do_sample": False, "pad_token_id": 0, "eos_token_id": 469}
    mask = torch.ones_like(ids)
    plain = tiny.generate(ids, attention_mask=mask, pixel_values=pixels, **options)
    options |= {"num_beams": 3, "num_return_sequences": 3}
    beams = tiny.generate(ids, attention_mask=mask, pixel_values=pixels, **options)
    scores = [_score(tiny, row[None], pixels[:2]) for row in (plain[0], beams[0])]
    assert scores[1] >= scores[0] - 1e-4  # beams find nothing worse than greedy


def _score(model: QwenVLForCausalLM, ids: torch.Tensor, pixels: torch.Tensor) -> float:
    logits = model(ids, pixel_values=pixels).logits[0, -5:-1].log_softmax(-1)
    return logits.gather(1, ids[0, -4:, None]).sum().item()


def test_generate_in_pieces_stretches_for_the_whole_prompt(tiny) -> None:
    ids = ids_with_pictures("various " * (TRAINED_LENGTH // 6))
    options = {"max_new_tokens": 5, "do_sample": False, "pad_token_id": 0, "eos_token_id": 469}
    mask = torch.ones_like(ids)
    at_once = tiny.generate(ids, attention_mask=mask, **options)
    pieces = tiny.generate(ids, attention_mask=mask, prefill_chunk_size=30, **options)
    assert torch.equal(at_once, pieces)


def test_lora_fits_the_published_module_names() -> None:
    peft = pytest.importorskip("peft")
    model = a_model()
    settings = peft.LoraConfig(
        r=4, lora_alpha=16, target_modules=["c_attn", "attn.c_proj", "w1", "w2"],
        task_type="CAUSAL_LM",
    )  # fmt: skip
    tuned = peft.get_peft_model(model, settings)
    targets = {n.rpartition(".lora_A")[0] for n, _ in tuned.named_parameters() if "lora_A" in n}
    assert len(targets) == 4 * model.config.num_hidden_layers
    assert not any("visual" in name for name in targets)
    ids = ids_with_pictures("ab", 1, "cde")
    optimiser = torch.optim.AdamW([w for w in tuned.parameters() if w.requires_grad], 1e-2)
    tuned.train()
    losses = []
    for _ in range(4):
        loss = tuned(input_ids=ids, pixel_values=some_pixels(), labels=ids).loss
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    merged = tuned.merge_and_unload()
    assert set(merged.state_dict()) == set(a_model().state_dict())
