"""What segue's streaming costs over plain `generate`, and what the kept cache saves.

    python -m benchmarks.decoding [FAMILY SIZE [DTYPE]]

Random weights of the sizes in `full_size_chats`, a drawn scene, greedy, both sides in turn on one
network. Plain `generate` is transformers' own: no stream, its dynamic cache, everything read anew
in each turn. What random weights would say has no boxes: for the list of boxes both sides are
dictated the reply that the bundled model gave, and compute all the same.
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks import full_size_chats
from benchmarks.timing import Ratio, compare, median_after
from segue.assistant.loading import load_stage
from segue.embedded.samples import samples
from segue.models.qwen_vl.processor import QwenVLProcessor
from segue.values.image import Image
from segue.values.message import Message, Sampling

RUNS = (("qwen_vl", "1.8b", "float32"), ("qwen_vl", "1.8b", "bfloat16"), ("qwen3_vl", "0.6b", None))
TOKENS = 32
ROUNDS = 2
BOXES = (
    "<ref>two cups</ref><box>(52,443),(354,792)</box><box>(57,443),(343,807)</box>, "
    "<ref>a hamburger</ref><box>(354,546),(635,833)</box> and <ref>an apple</ref>"
    "<box>(656,510),(901,807)</box>."
)
"""A reply of the bundled model."""


def main() -> None:
    """Print the ratios of one family and size, or of all `RUNS`."""
    given = sys.argv[1:4]
    runs = [(given[0], given[1], given[2] if len(given) > 2 else None)] if given else RUNS
    for family, size, dtype in runs:
        print(f"{family} {size} {dtype or 'dtype by itself'}")
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "chat"
            write = {"qwen_vl": full_size_chats.write_qwen_vl}
            write.get(family, full_size_chats.write_qwen3_vl)(folder, size)
            backend = {"qwen_vl": "qwen_vl"}.get(family, "transformers")
            chat = load_stage("chat", f"{backend}:{folder}", dtype=dtype)
        for ratio in ratios(chat, samples()[0].image):
            print(ratio, flush=True)
        if isinstance(chat.processor, QwenVLProcessor):
            print(boxes_ratio(chat, samples()[0].image), flush=True)


def boxes_ratio(chat: Any, image: Image, rounds: int = ROUNDS) -> Ratio:
    """Compare a dictated list of boxes, whose first token both sides have read already."""
    ids = chat.processor.tokenizer.encode_markup(BOXES)
    messages = [Message("user", "List the objects with their boxes.", (image,))]
    dictation = Dictation(chat.model, len(chat.processor.chat(messages).ids), ids)
    seconds: dict[tuple[str, int], float] = {}
    for count in (1, len(ids)):
        sampling = Sampling(max_new_tokens=count, temperature=0)

        def ours(sampling: Sampling = sampling) -> None:
            chat.forget()
            _drain(chat, messages, sampling)

        ratio = compare(
            f"{count} tokens", ("segue", ours), ("generate", _plain(chat, messages, count)), rounds
        )
        seconds["segue", count], seconds["generate", count] = ratio.ours_s, ratio.theirs_s
    dictation.remove()
    further = {side: seconds[side, len(ids)] - seconds[side, 1] for side in ("segue", "generate")}
    return Ratio(
        f"a list of boxes, {len(ids) - 1} further tokens",
        "segue", "generate", further["segue"], further["generate"],
    )  # fmt: skip


class Dictation:
    """Lets a network of Qwen-VL write given ids, by the places where it reads."""

    def __init__(self, model: Any, prompt_length: int, ids: list[int]) -> None:
        self._ids, self._last, self._start = ids, prompt_length - 1, 0
        self._hooks = [
            model.transformer.register_forward_pre_hook(self._note_start, with_kwargs=True),
            model.lm_head.register_forward_hook(self._write),
        ]

    def remove(self) -> None:
        """Let the network speak for itself again."""
        for hook in self._hooks:
            hook.remove()

    def _note_start(self, _module: Any, _args: Any, kwargs: dict[str, Any]) -> None:
        cache = kwargs.get("past_key_values")
        self._start = 0 if cache is None else int(cache.get_seq_length())

    def _write(self, _module: Any, _args: Any, output: torch.Tensor) -> torch.Tensor:
        logits = torch.full_like(output, -9.0)
        n_rows = output.shape[1]
        first = max(self._start, self._last) - self._last
        for row in range(n_rows):
            logits[0, row, self._ids[min(first + row, len(self._ids) - 1)]] = 9.0
        return logits


def ratios(chat: Any, image: Image, tokens: int = TOKENS, rounds: int = ROUNDS) -> list[Ratio]:
    """Compare a chat model with plain `generate` of its own network.

    Args:
        chat: segue's backend, native or of transformers.
        image: what is talked about.
        tokens: length of a reply.
        rounds: how often each side has its turn.

    Returns:
        A reply, a stream of tokens alone, and the first word of a second turn.
    """
    first = [Message("user", "What is in the picture?", (image,))]
    whole = Sampling(max_new_tokens=tokens, temperature=0)
    word = Sampling(max_new_tokens=1, temperature=0)
    reply = _drain(chat, first, whole)
    second = [*first, Message("assistant", reply), Message("user", "And what is behind it?")]

    def anew(messages: list[Message], sampling: Sampling) -> Callable[[], object]:
        def run() -> None:
            chat.forget()
            _drain(chat, messages, sampling)

        return run

    plain = {size: _plain(chat, first, size) for size in (1, tokens)}
    reply_ratio = compare(
        "a reply", ("segue", anew(first, whole)), ("generate", plain[tokens]), rounds
    )
    word_ratio = compare(
        "its first token", ("segue", anew(first, word)), ("generate", plain[1]), rounds
    )
    stream = Ratio(
        f"{tokens - 1} further tokens", "segue", "generate",
        reply_ratio.ours_s - word_ratio.ours_s, reply_ratio.theirs_s - word_ratio.theirs_s,
    )  # fmt: skip
    kept = median_after(anew(first, whole), lambda: _drain(chat, second, word), rounds)
    reread = median_after(lambda: None, _plain(chat, second, 1), rounds)
    return [
        reply_ratio,
        stream,
        Ratio("first token of a second turn", "segue", "generate", kept, reread),
    ]


def _drain(chat: Any, messages: list[Message], sampling: Sampling) -> str:
    return "".join(chat.stream(messages, sampling))


def _plain(chat: Any, messages: list[Message], tokens: int) -> Callable[[], object]:
    """Give a call of the network's own `generate`, pictures and words prepared in it."""

    @torch.inference_mode()
    def run() -> None:
        chat.forget()  # the features of pictures, which it would keep
        chat.model.generate(
            **_inputs(chat, messages),
            max_new_tokens=tokens,
            min_new_tokens=tokens,
            do_sample=False,
            use_cache=True,
        )

    return run


def _inputs(chat: Any, messages: list[Message]) -> dict[str, Any]:
    processor, model = chat.processor, chat.model
    if isinstance(processor, QwenVLProcessor):
        batch = processor.batch([processor.chat(messages)])
        return {name: tensor.to(model.device) for name, tensor in batch.items()}
    turns = [
        {
            "role": message.role,
            "content": [{"type": "image"} for _ in message.images]
            + [{"type": "text", "text": message.text}],
        }
        for message in messages
    ]
    text = processor.apply_chat_template(turns, add_generation_prompt=True)
    pictures = [image.to_pil() for message in messages for image in message.images]
    inputs = processor(text=[text], images=[pictures], return_tensors="pt")
    return dict(inputs.to(model.device, dtype=model.dtype))


if __name__ == "__main__":
    main()
