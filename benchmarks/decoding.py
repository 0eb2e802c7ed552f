"""What segue's streaming costs over plain `generate`, and what the kept cache saves.

    python -m benchmarks.decoding [FAMILY SIZE [DTYPE]]

Random weights of the sizes in `full_size_chats`, a drawn scene, greedy, both sides in turn on one
network. Plain `generate` is transformers' own: no stream, its dynamic cache, everything read anew
in each turn.
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
