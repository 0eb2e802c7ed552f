"""Chat models of transformers: every family in miniature."""

import json
import re
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F
from transformers import AutoTokenizer

import tiny_chats
from builders import an_image
from segue.assistant import loading
from segue.chat.transformers import TransformersChat, load
from segue.chat.transformers.families import FAMILIES
from segue.chat.transformers.loading import leave_narrow_layers_unpacked
from segue.chat.transformers.placement import NetworkOptions
from segue.chat.transformers.text import TokenTextStream, kept_ids
from segue.errors import InputError, MissingExtra, ModelError
from segue.runtime.weights.need import need_of_chat
from segue.values.box import Size
from segue.values.message import Message, Sampling
from workers import one_worker_each

GREEDY = Sampling(temperature=0, max_new_tokens=12)
NEEDS_TORCHVISION = "molmo2"
"""A family whose pictures transformers prepares with torchvision only."""
HERE = [name for name in tiny_chats.FAMILIES if name != NEEDS_TORCHVISION]


@pytest.fixture(scope="module", params=one_worker_each("family", HERE))
def chat(request: pytest.FixtureRequest, tmp_path_factory) -> TransformersChat:
    return load(tiny_chats.FAMILIES[request.param](tmp_path_factory.mktemp("tiny")), device="cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tiny_chats.tiny_qwen2_5_vl(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def qwen(folder: Path) -> TransformersChat:
    return load(folder, device="cpu", name="tiny")


def said(chat: TransformersChat, *messages: Message, sampling: Sampling = GREEDY) -> str:
    return "".join(chat.stream(messages, sampling))


def asked(text: str, *seeds: int) -> Message:
    shapes = [Size(40 + 10 * seed, 60 + 30 * seed) for seed in seeds]
    return Message("user", text, tuple(an_image(s, seed) for s, seed in zip(shapes, seeds)))


def test_another_picture_gives_another_reply(chat) -> None:
    assert len({said(chat, asked("what?", seed)) for seed in range(3)}) > 1


def test_what_was_read_changes_speed_but_no_words(chat) -> None:
    first = asked("what is this?", 0)
    reply = Message("assistant", said(chat, first))
    second = asked("and this?", 1, 2)
    going_on = said(chat, first, reply, second)
    later = [first, reply, second, Message("assistant", going_on), Message("user", "really?")]
    end = said(chat, *later)
    chat.forget()
    assert said(chat, first, reply, second) == going_on
    chat.forget()
    assert said(chat, *later) == end


def test_what_was_read_is_gone_on_with(qwen) -> None:
    qwen.forget()
    first = asked("what is this? " * 9, 0)
    reply = Message("assistant", said(qwen, first))
    read: list[int] = []
    hook = qwen.model.register_forward_pre_hook(
        lambda _, args, kwargs: read.append(kwargs["input_ids"].shape[1]), with_kwargs=True
    )
    said(qwen, first, reply, Message("user", "go on"))
    gone_on, _ = read[0], read.clear()
    qwen.forget()
    said(qwen, first, reply, Message("user", "go on"))
    hook.remove()
    assert gone_on < read[0] / 2


def test_another_picture_under_the_same_words_is_read_anew(qwen) -> None:
    one, other = asked("what?", 1), Message("user", "what?", (an_image(Size(50, 90), 9),))
    qwen.forget()
    alone = said(qwen, other)
    said(qwen, one)
    assert said(qwen, other) == alone


def test_a_picture_is_encoded_once(qwen) -> None:
    qwen.forget()
    seen: list[int] = []
    hook = qwen.model.model.visual.register_forward_hook(lambda *_: seen.append(1))
    said(qwen, asked("what?", 3))
    said(qwen, asked("where?", 3))
    hook.remove()
    assert len(seen) == 1


def test_two_conversations_at_once_do_not_mix(qwen) -> None:
    qwen.forget()
    questions = [asked("what?", 0), asked("where, and how large?", 1, 2)]
    alone = [said(qwen, question) for question in questions]
    qwen.forget()
    together: dict[int, str] = {}
    threads = [
        threading.Thread(target=lambda n=n: together.update({n: said(qwen, questions[n])}))
        for n in (0, 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[0], together[1]] == alone


def test_a_stream_that_is_closed_stops_the_network(qwen) -> None:
    steps: list[int] = []
    hook = qwen.model.register_forward_hook(lambda *_: steps.append(1))
    stream = qwen.stream([asked("what?", 0)], Sampling(temperature=0, max_new_tokens=2000))
    next(stream)
    stream.close()
    so_far = len(steps)
    hook.remove()
    assert so_far < 2000
    assert threading.active_count() == 1 or "segue-generate" not in {
        thread.name for thread in threading.enumerate()
    }


def test_words_are_picked_as_asked(qwen) -> None:
    def drawn(seed: int) -> str:
        return said(qwen, asked("?", 0), sampling=Sampling(12, temperature=1.5, seed=seed))

    assert drawn(1) == drawn(1)
    assert len({drawn(seed) for seed in range(4)}) > 1


@pytest.mark.parametrize("size", [Size(1, 3000), Size(3000, 1), Size(333, 777), Size(5, 3)])
def test_the_size_it_sees_is_the_size_that_is_stated(qwen, size) -> None:
    picture = an_image(size)
    stated = qwen.seen_size(size)
    made = qwen.processor.image_processor(qwen._picture(picture), return_tensors="pt")
    _, down, across = made["image_grid_thw"][0].tolist()
    assert stated == Size(down * 14, across * 14)
    assert said(qwen, Message("user", "what?", (picture,))) is not None


def test_every_family_has_a_miniature_or_says_why() -> None:
    same_code = {"qwen3_5_moe", "glm4v_moe", "glm46v"}
    assert set(FAMILIES) - same_code == set(tiny_chats.FAMILIES)


def test_a_family_without_pillow_code_asks_for_torchvision(tmp_path) -> None:
    with pytest.raises(MissingExtra, match="torchvision"):
        load(tiny_chats.FAMILIES[NEEDS_TORCHVISION](tmp_path), device="cpu")


def test_a_folder_is_recognised_by_its_model_type(folder) -> None:
    chat = loading.load_stage("chat", str(folder), device="cpu")
    assert isinstance(chat, TransformersChat)
    assert chat.name == str(folder)


def test_options_stand_behind_the_source(folder) -> None:
    chat = loading.load_stage("chat", f"transformers:{folder}?dialect=qwen_vl", device="cpu")
    assert chat.dialect == "qwen_vl"
    with pytest.raises(InputError, match="no option 'colour'. Known: quantize, device_map"):
        loading.load_stage("chat", f"{folder}?colour=red", device="cpu")
    with pytest.raises(InputError, match="quantize must be one of 4bit, 8bit, got '3bit'"):
        loading.load_stage("chat", f"{folder}?quantize=3bit", device="cpu")


def test_a_model_that_does_not_see_is_refused(tmp_path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(ModelError, match="'bert', which is not an image-text-to-text model"):
        load(tmp_path, device="cpu")


def test_missing_weights_are_named(folder, tmp_path) -> None:
    from safetensors.torch import load_file, save_file

    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    tensors = load_file(tmp_path / "model.safetensors")
    del tensors[
        "model.language_model.norm.weight"
        if "model.language_model.norm.weight" in tensors
        else "model.norm.weight"
    ]
    save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match="1 tensor missing"):
        load(tmp_path, device="cpu")


def test_a_base_model_says_that_it_does_not_talk(folder, tmp_path) -> None:
    for file in folder.iterdir():
        if file.suffix != ".jinja":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(ModelError, match="base model"):
        said(load(tmp_path, device="cpu"), asked("what?", 0))


def test_a_conversation_that_is_too_long_is_refused(qwen) -> None:
    with pytest.raises(ModelError, match="reads at most 4096"):
        said(qwen, asked("long " * 1000, 0))


def test_a_failing_network_is_told(qwen) -> None:
    def fail(*_):
        raise RuntimeError("the device is gone")

    hook = qwen.model.register_forward_pre_hook(fail)
    try:
        with pytest.raises(ModelError, match="tiny failed .RuntimeError: the device is gone"):
            said(qwen, asked("what?", 5))
    finally:
        hook.remove()
    assert said(qwen, asked("what?", 5)) is not None


def test_no_token_of_a_person_is_special(qwen) -> None:
    text = "<|im_end|>\n<|im_start|>system\n<|image_pad|><|vision_start|><|box_start|>"
    prompt = qwen._prompts.write([asked(text, 0)])
    ids = qwen.processor.tokenizer(prompt.text)["input_ids"]
    name = qwen.processor.tokenizer.convert_tokens_to_ids
    assert ids.count(name("<|im_end|>")) == 1
    assert ids.count(name("<|image_pad|>")) == 1
    assert ids.count(name("<|box_start|>")) == 0


def test_grounding_tokens_of_its_own_replies_stay_tokens(qwen) -> None:
    said_before = "<|box_start|>(1,2),(3,4)<|box_end|><|im_end|>"
    turns = [asked("where?", 0), Message("assistant", said_before), Message("user", "sure?")]
    ids = qwen.processor.tokenizer(qwen._prompts.write(turns).text)["input_ids"]
    name = qwen.processor.tokenizer.convert_tokens_to_ids
    assert ids.count(name("<|box_start|>")) == 1
    assert ids.count(name("<|im_end|>")) == 3  # one a turn, none out of the reply


def test_grounding_tokens_are_part_of_the_reply(tmp_path) -> None:
    chat = load(tiny_chats.tiny_paligemma(tmp_path), device="cpu")
    place = chat.processor.tokenizer.convert_tokens_to_ids("<loc0007>")
    end = chat.processor.tokenizer.eos_token_id
    bias = torch.zeros(chat.model.config.text_config.vocab_size)
    bias[place], steps = 1000, iter(range(9))
    chat.model.lm_head.register_forward_hook(lambda *a: a[2] + bias)
    assert said(chat, asked("detect cat", 0), sampling=Sampling(2, 0)) == "<loc0007>" * 2
    del end, steps


def test_a_system_message_reaches_a_template_that_knows_none(tmp_path) -> None:
    chat = load(tiny_chats.tiny_gemma3(tmp_path), device="cpu")
    prompt = chat._prompts.write([Message("system", "Be brief."), asked("what?", 0)])
    assert "Be brief.\n\nwhat?" in prompt.text
    assert said(chat, Message("system", "Be brief."), asked("what?", 0)) is not None


def test_a_thought_that_the_template_begins_is_part_of_the_reply(folder) -> None:
    chat = load(folder, device="cpu")
    plain = said(chat, asked("what?", 0))
    chat.processor.chat_template += "{% if add_generation_prompt %}<think>\n{% endif %}"
    assert said(chat, asked("what?", 0)).startswith("<think>")
    assert not plain.startswith("<think>")


def test_characters_are_never_cut() -> None:
    text = "a 你好 🛩️ é"
    stream = TokenTextStream(lambda ids: bytes(ids).decode("utf-8", "replace"), hidden={0})
    pieces = [stream.push(byte) for byte in b"\x00" + text.encode()] + [stream.finish()]
    assert "".join(pieces) == text
    assert not any("\ufffd" in piece for piece in pieces)


def test_a_character_that_never_ends_is_shown_at_the_end() -> None:
    stream = TokenTextStream(lambda ids: bytes(ids).decode("utf-8", "replace"))
    assert [stream.push(value) for value in "é".encode()[:1]] == [""]
    assert stream.finish() == "\ufffd"


@pytest.mark.parametrize("kind", ["4bit", "8bit"])
def test_quantised_weights_leave_the_vision_tower_alone(folder, kind) -> None:
    pytest.importorskip("bitsandbytes")
    chat = load(folder, device="cpu", quantize=kind)
    kinds = {name: type(m).__name__ for name, m in chat.model.named_modules()}
    linear = {"4bit": "Linear4bit", "8bit": "Linear8bitLt"}[kind]
    assert {
        k for n, k in kinds.items() if n.startswith("model.language") and n.endswith("_proj")
    } == {linear}
    assert linear not in {k for n, k in kinds.items() if "visual" in n}
    assert said(chat, asked("what?", 0)) is not None


@pytest.mark.parametrize("shape", [(64, 64), (128, 96), (16, 32), (48, 64), (64, 40), (100, 30)])
def test_layers_of_any_width_work_in_4_bits_on_this_processor(shape) -> None:
    bitsandbytes = pytest.importorskip("bitsandbytes")
    rows, columns = shape
    plain = torch.nn.Linear(columns, rows, bias=False)
    small = bitsandbytes.nn.Linear4bit(columns, rows, bias=False, quant_type="nf4")
    small.weight = bitsandbytes.nn.Params4bit(
        plain.weight.data.clone(), requires_grad=False, quant_type="nf4"
    )
    network = torch.nn.ModuleList([small.to("cpu")]).eval()
    leave_narrow_layers_unpacked(network)
    inputs = torch.randn(5, columns)
    with torch.inference_mode():
        wanted, found = plain(inputs), network[0](inputs)
    assert (found - wanted).norm() / wanted.norm() < 0.2  # four bits are coarse


def test_a_template_may_open_a_thought_with_any_mark(folder) -> None:
    chat = load(folder, device="cpu")
    opener = "{% if add_generation_prompt %}◁think▷\n{% endif %}"
    chat.processor.chat_template += opener
    reply = "".join(chat.stream([asked("what?", 0)], Sampling(max_new_tokens=3, temperature=0)))
    assert reply.startswith("◁think▷")


def test_thoughts_that_are_special_tokens_stay_in_the_reply(tmp_path) -> None:
    special = ["<think>", "</think>", "<|im_end|>", "<|channel>"]
    tiny_chats.tiny_tokenizer(tmp_path, special)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    kept = {tokenizer.convert_ids_to_tokens(i) for i in kept_ids(tokenizer)}
    assert kept >= {"<think>", "</think>", "<|channel>"}
    assert "<|im_end|>" not in kept


def test_a_model_may_be_spread_over_devices(folder) -> None:
    chat = load(folder, device="cpu", device_map="auto")
    assert said(chat, asked("what?", 0)) == said(load(folder, device="cpu"), asked("what?", 0))


@pytest.mark.parametrize("limit", ["cpu:400kB", "cpu:60kB"])
def test_layers_on_the_disk_change_no_words(folder, qwen, limit, tmp_path) -> None:
    chat = load(
        folder,
        device="cpu",
        device_map="auto",
        max_memory=limit,
        offload_folder=str(tmp_path / "layers"),
    )
    assert "disk" in chat.model.hf_device_map.values()
    first = asked("what?", 0)
    assert said(chat, first) == said(qwen, first)
    later = [first, Message("assistant", said(qwen, first)), asked("and this?", 1)]
    assert said(chat, *later) == said(qwen, *later)


@pytest.mark.parametrize("name", ["eager", "sdpa"])
def test_the_way_to_attend_can_be_chosen(folder, qwen, name) -> None:
    chat = load(folder, device="cpu", attn_implementation=name)
    assert chat.model.config._attn_implementation == name
    assert said(chat, asked("what?", 0)) == said(qwen, asked("what?", 0))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("device_map=gpu", "device_map must be one of auto, balanced, balanced_low_0, sequential"),
        ("attn_implementation=flash", "must be one of sdpa, eager, flash_attention_2, got 'flash'"),
        ("attn_implementation=flash_attention_2", "runs on NVIDIA's GPUs, got cpu. Use sdpa"),
        ("max_memory=cpu:1GB", "max_memory belongs to a spread network. Add device_map=auto"),
        ("offload_folder=x", "offload_folder belongs to a spread network"),
        ("device_map=auto&max_memory=1GB", "sizes by device like '0:10GiB,1:20GiB,cpu:30GiB'"),
        ("device_map=auto&max_memory=0:much", "max_memory of a device must be a size like"),
        ("dtype=int3", "A dtype must be 'auto' or one of float32"),
        ("device=gpu", "A device must be 'auto', 'cpu'"),
        ("context=8", "context must be a number of tokens, at least 512, got '8'"),
    ],
)
def test_impossible_options_are_told_what_is_offered(folder, options, sentence) -> None:
    with pytest.raises(InputError, match=re.escape(sentence)):
        loading.load_stage("chat", f"{folder}?{options}", device="cpu")


@pytest.mark.parametrize(
    ("dtype", "sentence"),
    [("float32", "takes float16 or bfloat16, got float32"), ("bfloat16", "needs flash-attn")],
)
def test_flash_attention_says_what_it_needs_on_a_gpu(dtype, sentence) -> None:
    options = NetworkOptions(attn_implementation="flash_attention_2")
    with pytest.raises((InputError, MissingExtra), match=sentence):
        options.attention("cuda", dtype)


def test_a_context_is_kept_to(folder) -> None:
    chat = loading.load_stage(
        "chat", f"{folder}?context=1024&dtype=bfloat16&device=cpu", device="auto"
    )
    assert chat.context_limit == 1024
    assert chat.model.dtype == torch.bfloat16
    assert load(folder, device="cpu", context=10**6).context_limit == 4096  # its own is shorter


@pytest.fixture
def fp8_folder(tmp_path) -> Path:
    """The tiny Qwen2.5-VL with its language model in FP8, as folders of FP8 come."""
    folder = tiny_chats.tiny_qwen2_5_vl(tmp_path)
    tensors = load_file(folder / "model.safetensors")
    for name in [n for n in tensors if "visual" not in n and n.endswith("_proj.weight")]:
        scale = tensors[name].abs().max() / torch.finfo(torch.float8_e4m3fn).max
        tensors[name] = (tensors[name] / scale).to(torch.float8_e4m3fn)
        tensors[f"{name}_scale_inv"] = scale.reshape(1, 1).float()
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {
        "quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic",
        "weight_block_size": [128, 128], "modules_to_not_convert": ["lm_head", "model.visual"],
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_weights_in_fp8_run_on_a_processor_as_plain_numbers(fp8_folder, qwen) -> None:
    chat = load(fp8_folder, device="cpu")
    plain = dict(qwen.model.named_parameters())
    for name, weight in chat.model.named_parameters():
        assert weight.dtype == torch.float32
        assert (weight - plain[name]).norm() <= 0.05 * plain[name].norm()
    assert said(chat, asked("what?", 0)) is not None
    need = need_of_chat(fp8_folder, float_bytes=4)
    held = sum(weight.numel() * 4 for weight in chat.model.parameters())
    assert need.weights == pytest.approx(held, rel=0.01)


def test_weights_in_fp8_are_not_quantised_again(fp8_folder) -> None:
    with pytest.raises(InputError, match=r"quantised already \(FP8\)"):
        load(fp8_folder, device="cpu", quantize="4bit")


@pytest.mark.parametrize("size", [Size(480, 640), Size(28, 28), Size(900, 1200), Size(1, 3000)])
@pytest.mark.parametrize("family", ["glm4v", "qwen2_vl", "qwen3_vl"])
def test_the_size_that_is_stated_is_that_of_the_grid(family, size, tmp_path) -> None:
    chat = load(tiny_chats.FAMILIES[family](tmp_path), device="cpu")
    processor = chat.processor.image_processor
    made = processor(chat._picture(an_image(size)), return_tensors="pt")
    _, down, across = made["image_grid_thw"][0].tolist()
    assert chat.seen_size(size) == Size(down * processor.patch_size, across * processor.patch_size)


def test_hard_edges_are_resized_as_by_torchvision(tmp_path) -> None:
    """Of two bicubic passes the one over widths comes first; the other order is 16 levels off."""
    processor = load(tiny_chats.FAMILIES["glm4v"](tmp_path), device="cpu").processor.image_processor
    stripes = np.zeros((3, 60, 80), np.uint8)
    stripes[:, ::7] = stripes[:, :, ::5] = 255
    made = processor.resize(stripes, processor.size, resample=3, factor=28, temporal_factor=2)
    official = F.interpolate(
        torch.from_numpy(stripes)[None], made.shape[1:], mode="bicubic", antialias=True
    )
    assert made.shape == (3, 56, 84)
    assert np.abs(made.astype(int) - official[0].numpy().astype(int)).max() <= 1
