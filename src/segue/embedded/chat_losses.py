"""Stage two's losses: the next word, where heads look, what a box's state knows, names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segue.embedded.chat_data import CELLS
from segue.embedded.chat_looks import Look, Rows
from segue.embedded.chat_turns import TurnPacker
from segue.embedded.chat_vision_losses import BINS, bin_loss, box_bins, words_loss
from segue.models.qwen_vl.decoder import DecoderBlock
from segue.models.qwen_vl.modeling import QwenVLForCausalLM

HEADS, HEAD_WIDTH = 4, 64
WIDTH = HEADS * HEAD_WIDTH
LISTING = 3
"""The last block whose heads look at what is named next."""
# Which heads each look teaches: (layer, heads).
TAUGHT: dict[str, tuple[tuple[int, tuple[int, ...]], ...]] = {
    "noun": ((1, (0, 1)),),
    "box": ((2, (0, 1)),),
    "list": ((2, (0, 1)), (3, (0, 1))),
    "carry": ((0, (0,)), (2, (2,))),
    "copy": ((2, (3,)), (3, (3,))),
    "previous": ((0, (1,)),),
}
_VERDICTS = (
    *("ground", "exist", "ground_again", "ground_other", "exist_again"),
    "exist_earlier",
)
"""Kinds of turns whose first word says whether the thing is there."""
SAMPLES = {"noun": 320, "box": 320, "list": 320, "carry": 160, "copy": 160, "previous": 160}


class Trainee(nn.Module):
    """The model with its training-only parts: coordinate reader and name scale."""

    def __init__(self, model: QwenVLForCausalLM, compiled: bool) -> None:
        super().__init__()
        self.model = model
        self.coordinates = nn.Sequential(nn.RMSNorm(WIDTH), nn.Linear(WIDTH, 4 * BINS))
        self.name_scale = nn.Parameter(torch.tensor(2.0))
        self.name_none = nn.Parameter(torch.zeros(()))
        self.step = torch.compile(block_step, dynamic=False) if compiled else block_step


def block_step(
    block: DecoderBlock, x: Tensor, cos: Tensor, sin: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor]:
    """One decoder block that also returns its attention scores (B, heads, T, T)."""
    batch, length, width = x.shape
    packed = block.attn.c_attn(block.ln_1(x)).view(batch, length, 3, HEADS, HEAD_WIDTH)
    query, key, value = packed.permute(2, 0, 3, 1, 4).unbind(0)
    query, key = _rotate(query, cos, sin), _rotate(key, cos, sin)
    scores = (query @ key.transpose(-1, -2)) * HEAD_WIDTH**-0.5 + bias
    mixed = scores.float().softmax(-1).to(value.dtype) @ value
    x = x + block.attn.c_proj(mixed.transpose(1, 2).reshape(batch, length, width))
    return x + block.mlp(block.ln_2(x)), scores


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.chunk(2, -1)
    return x * cos + torch.cat([-second, first], -1) * sin


class Trace(NamedTuple):
    """The last state, what entered each block, and each block's attention scores."""

    last: Tensor
    entering: list[Tensor]
    scores: list[Tensor]


def run(trainee: Trainee, rows: Rows, seen: Tensor, first_cell: int) -> Trace:
    """The decoder on packed rows; `seen` (B, 64, 256) stands in the pictures' slots."""
    core = trainee.model.transformer
    ids, turn = torch.from_numpy(rows.ids), torch.from_numpy(rows.turn)
    x = core.wte(ids)
    x = torch.cat([x[:, :first_cell], seen, x[:, first_cell + CELLS**2 :]], 1)
    if rows.pictures:
        row, at, scene = torch.tensor(rows.pictures).T
        x = x.index_put((row[:, None], at[:, None] + torch.arange(CELLS**2)), seen[scene])
    rates = 10000 ** (-torch.arange(0, HEAD_WIDTH, 2) / HEAD_WIDTH)
    angles = torch.from_numpy(rows.positions)[:, None, :, None] * rates
    angles = torch.cat([angles, angles], -1)
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
    cos, sin = angles.cos().to(dtype), angles.sin().to(dtype)
    visible = (turn[:, None, :] == 0) | (turn[:, None, :] == turn[:, :, None])
    visible &= torch.ones(visible.shape[-2:], dtype=torch.bool).tril()
    bias = torch.zeros(visible.shape, dtype=dtype).masked_fill_(~visible, -1e9)[:, None]
    entering, scores = [], []
    for block in core.h:
        entering.append(x)
        x, found = trainee.step(cast(DecoderBlock, block), x, cos, sin, bias)
        scores.append(found)
    return Trace(core.ln_f(x), entering, scores)


def look_loss(
    looks: Sequence[Look], scores: Tensor, heads: tuple[int, ...]
) -> tuple[Tensor, float]:
    """Minus the log of the attention that lies on the keys, averaged; and that attention."""
    row = torch.tensor([look.row for look in looks])[:, None]
    at = torch.tensor([look.at for look in looks])[:, None]
    wanted = torch.zeros(len(looks), scores.shape[-1], dtype=torch.bool)
    number = np.repeat(np.arange(len(looks)), [len(look.keys) for look in looks])
    wanted[torch.from_numpy(number), torch.from_numpy(np.concatenate([k.keys for k in looks]))] = (
        True
    )
    found = scores[row, torch.tensor(heads)[None], at].float()  # (n, heads, T)
    on_keys = found.masked_fill(~wanted[:, None], -1e9).logsumexp(-1)
    missing = found.logsumexp(-1) - on_keys
    return missing.mean(), float((-missing).exp().mean().detach())


def looks_loss(
    rows: Rows, trace: Trace, rng: np.random.Generator
) -> tuple[Tensor, dict[str, float]]:
    """All attention losses on a sample of the looks, and the attention they found."""
    total, figures = torch.zeros(()), {}
    for name, heads_at in TAUGHT.items():
        looks = rows.looks[name]
        if not looks:
            continue
        if len(looks) > SAMPLES[name]:
            chosen = rng.choice(len(looks), SAMPLES[name], replace=False)
            looks = [looks[number] for number in chosen]
        for layer, heads in heads_at:
            if layer < len(trace.scores):
                loss, figures[f"at_{name}{layer}"] = look_loss(looks, trace.scores[layer], heads)
                total = total + (0.5 if name == "previous" else 1.0) * loss
    return total, figures


def coordinate_loss(
    trainee: Trainee, rows: Rows, trace: Trace, objects: Tensor, rng: np.random.Generator
) -> tuple[Tensor, float]:
    """Read the framed object's coordinates off the state that enters block 3."""
    boxes = np.array(rows.boxes)
    boxes = boxes[rng.choice(len(boxes), min(len(boxes), 500), replace=False)]
    row, at, scene, number = (torch.from_numpy(column) for column in boxes.T)
    read = trainee.coordinates(trace.entering[3][row, at].float()).unflatten(-1, (4, BINS))
    truth = objects[scene, number, 1:].float() / 1000
    with torch.no_grad():
        error = (box_bins(read) - truth).abs().mean()
    return bin_loss(read, truth), float(error)


def name_loss(
    trainee: Trainee, seen: Tensor, cells: Tensor, objects: Tensor, names: Tensor
) -> tuple[Tensor, float]:
    """Each object's cells should lie near the embedding of its English and Chinese name."""
    tables = [trainee.model.transformer.wte(names[:, language]) for language in (0, 1)]
    return words_loss(seen, cells, objects, tables, trainee.name_scale, trainee.name_none)


def phrase_loss(trainee: Trainee, rows: Rows, trace: Trace, names: Tensor) -> Tensor:
    """Before a noun of a list, the state after the heads that look at it should point to its
    name."""
    row, at, noun = (torch.from_numpy(column) for column in np.array(rows.phrases).T)
    after = min(LISTING + 1, len(trace.entering) - 1)
    state = F.normalize(trace.entering[after][row, at].float(), dim=-1)
    loss = torch.zeros(())
    for language in (0, 1):
        table = F.normalize(trainee.model.transformer.wte(names[:, language]).float(), dim=-1)
        logits = state @ table.T * trainee.name_scale.exp()
        loss = loss + 0.5 * F.cross_entropy(logits, noun)
    return loss


def judge(packer: TurnPacker, rows: Rows, said: Tensor, told: Tensor) -> dict[str, float]:
    """How often the answers, word by word after the true beginning, come out right."""
    guess = torch.full(rows.ids.shape, -1)
    guess[:, 1:][told] = said
    guesses = guess.numpy()
    found: dict[str, list[bool]] = {}
    for judged in rows.judged:
        place = slice(judged.start, judged.start + judged.length)
        right = guesses[judged.row, place] == rows.ids[judged.row, place]
        if judged.kind in _VERDICTS:
            name = f"{judged.kind}_{'yes' if judged.present else 'no'}"
            found.setdefault(name, []).append(right[0])
        else:
            found.setdefault(judged.kind, []).append(right.all())
        if judged.kind == "ground" and judged.present:
            true = rows.ids[judged.row, place]
            digit = next(i for i, token in enumerate(true) if int(token) in packer.digits)
            found.setdefault("digit", []).append(right[digit])
    return {name: float(np.mean(values)) for name, values in found.items()}
