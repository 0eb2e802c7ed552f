"""What this package makes of pictures, prompts and conversations, written to a folder."""

import copy
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from segue.chat.transformers import TransformersChat, load
from segue.values.image import Image
from segue.values.message import Message, Sampling

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
GREEDY = Sampling(temperature=0, max_new_tokens=16)
SYSTEM = "Be brief."


def conversation(pictures: list[Image]) -> list[Message]:
    """Three turns with two pictures and a system message; replies are made up."""
    return [
        Message("system", SYSTEM),
        Message("user", "What is this?", (pictures[0],)),
        Message("assistant", "A plane."),
        Message("user", "And this? Compare.", (pictures[1],)),
        Message("assistant", "A beach, with more sand."),
        Message("user", "Are you sure?"),
    ]


def write_package_side(kind: str, folder: Path, files: list[Path]) -> dict[str, Any]:
    """Write a miniature of `kind`, and what goes to its network, into `folder`.

    Returns:
        What the table says of the replies.
    """
    from tiny_any_chat import tiny_chat_of

    tiny_chat_of(kind, folder / "model")
    chat = load(folder / "model", device="cpu", dtype="float32", name=kind)
    arrays: dict[str, np.ndarray] = {}
    facts: dict[str, Any] = {"seen": {}, "refused": {}}
    for file in files:
        image = Image.open(file)
        try:
            tensors = _tensors(chat, [Message("user", "what?", (image,))])
        except Exception as error:
            facts["refused"][file.name] = str(error)[:200]
            continue
        for name, value in tensors.items():
            arrays[f"{file.name}/{name}"] = value.numpy()
        facts["seen"][file.name] = list(chat.seen_size(image.size))
    try:
        talk = conversation([Image.open(files[0]), Image.open(files[1])])
        facts["prompt"] = chat._prompts.write(talk).text
        facts["prompt_ids"] = _tensors(chat, talk)["input_ids"][0].tolist()
    except Exception as error:
        facts["prompt_refused"] = str(error)[:200]
    np.savez(folder / "package.npz", **arrays)
    (folder / "package.json").write_text(json.dumps(facts), encoding="utf-8")
    return replies(chat, [Image.open(file) for file in (files[0], files[1])])


def _tensors(chat: TransformersChat, messages: list[Message]) -> dict[str, torch.Tensor]:
    prompt = chat._prompts.write(messages)
    return chat._tensors(prompt, [chat._picture(image) for image in prompt.images])


def replies(chat: TransformersChat, pictures: list[Image]) -> dict[str, Any]:
    """Compare three turns with the cache that is kept with reading all anew, token by token.

    A second picture comes in the second turn. Reading anew is `generate` on the whole prompt.
    """
    if not chat._writer._resumes:
        return {"kept": False}
    tokens = wrong = 0
    messages: list[Message] = []
    for question, images in (
        ("What is this? " * 5, pictures[:1]), ("And this?", pictures[1:]), ("Are you sure?", []),
    ):  # fmt: skip
        messages.append(Message("user", question, tuple(images)))
        reply, kept = _written(chat, messages)
        anew = _anew(chat, messages)
        tokens += len(anew)
        wrong += sum(a != b for a, b in zip(kept, anew)) + abs(len(kept) - len(anew))
        messages.append(Message("assistant", reply))
    return {"kept": True, "tokens": tokens, "wrong": wrong}


def _written(chat: TransformersChat, messages: list[Message]) -> tuple[str, list[int]]:
    """Return a reply as this package streams it, with its ids."""
    ids: list[int] = []
    hook = _Watcher(chat, ids)
    try:
        return "".join(chat.stream(messages, GREEDY)), ids
    finally:
        hook.remove()


class _Watcher:
    """Notes the ids that `generate` of a network gives back."""

    def __init__(self, chat: TransformersChat, ids: list[int]) -> None:
        self.model, generate = chat.model, chat.model.generate

        def watched(*args: Any, **kwargs: Any) -> Any:
            length = kwargs["input_ids"].shape[1]
            out = generate(*args, **kwargs)
            ids.extend(out[0, length:].tolist())
            return out

        self.model.generate = watched

    def remove(self) -> None:
        del self.model.generate


@torch.inference_mode()
def _anew(chat: TransformersChat, messages: list[Message]) -> list[int]:
    tensors = _tensors(chat, messages)
    settings = copy.deepcopy(chat.model.generation_config)
    settings.update(
        do_sample=False, max_new_tokens=GREEDY.max_new_tokens, max_length=None,
        eos_token_id=sorted(chat._writer._ends) or None,
        pad_token_id=chat.processor.tokenizer.pad_token_id,
    )  # fmt: skip
    if hasattr(chat.model, "forget_features"):
        chat.model.forget_features()
    if hasattr(getattr(chat.model, "model", None), "rope_deltas"):
        chat.model.model.rope_deltas = None
    out = chat.model.generate(**tensors, generation_config=settings)
    return out[0, tensors["input_ids"].shape[1] :].tolist()
