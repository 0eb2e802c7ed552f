"""Stage two's losses: the next word, where heads look, what a box's state knows, names."""

from collections.abc import Sequence
from typing import NamedTuple, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from lab.chat.data import CELLS
from lab.chat.packed_rows import Markers, RowArrays, ScoredSpan, TargetArrays
from lab.chat.vision_losses import BINS, bin_loss, box_bins, words_loss
from segue.models.qwen_vl.decoder import DecoderBlock
from segue.models.qwen_vl.modeling import QwenVLForCausalLM

HEADS, HEAD_WIDTH = 4, 64
WIDTH = HEADS * HEAD_WIDTH
LISTING = 3
"""The last block whose heads look at what is named next."""
# Which heads each look teaches: (layer, heads).
TARGET_HEADS: dict[str, tuple[tuple[int, tuple[int, ...]], ...]] = {
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


class TrainingWrapper(nn.Module):
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
    """Run one decoder block; returns its attention scores (B, heads, T, T) too."""
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


def run_decoder(
    wrapper: TrainingWrapper, rows: RowArrays[Tensor], features: Tensor, first_cell: int
) -> Trace:
    """Run the decoder on packed rows; `features` (B, 64, 256) stand in the images' slots."""
    core, device = wrapper.model.transformer, rows.ids.device
    x = core.wte(rows.ids)
    x = torch.cat([x[:, :first_cell], features, x[:, first_cell + CELLS**2 :]], 1)
    if len(rows.pictures):
        row, token, scene = rows.pictures.T
        cells = torch.arange(CELLS**2, device=device)
        x = x.index_put((row[:, None], token[:, None] + cells), features[scene].to(x.dtype))
    rates = 10000 ** (-torch.arange(0, HEAD_WIDTH, 2, device=device) / HEAD_WIDTH)
    angles = rows.positions[:, None, :, None] * rates
    angles = torch.cat([angles, angles], -1)
    enabled = torch.is_autocast_enabled(device.type)
    dtype = torch.get_autocast_dtype(device.type) if enabled else x.dtype
    cos, sin = angles.cos().to(dtype), angles.sin().to(dtype)
    turn = rows.turn
    visible = (turn[:, None, :] == 0) | (turn[:, None, :] == turn[:, :, None])
    visible &= torch.ones(visible.shape[-2:], dtype=torch.bool, device=device).tril()
    bias = torch.zeros(visible.shape, dtype=dtype, device=device)
    bias = bias.masked_fill_(~visible, -1e9)[:, None]
    entering, scores = [], []
    for block in core.h:
        entering.append(x)
        x, block_scores = wrapper.step(cast(DecoderBlock, block), x, cos, sin, bias)
        scores.append(block_scores)
    return Trace(core.ln_f(x), entering, scores)


def attention_loss(
    targets: TargetArrays[Tensor], scores: Tensor, heads: tuple[int, ...]
) -> tuple[Tensor, Tensor]:
    """Return minus the mean log of the attention that lies on the keys, and that attention."""
    is_key = torch.zeros(
        len(targets.rows), scores.shape[-1], dtype=torch.bool, device=scores.device
    )
    is_key[targets.owners, targets.keys] = True
    head_rows = torch.tensor(heads, device=scores.device)[None]
    scores_at = scores[targets.rows[:, None], head_rows, targets.tokens[:, None]].float()
    on_keys = scores_at.masked_fill(~is_key[:, None], -1e9).logsumexp(-1)  # of (n, heads, T)
    missing = scores_at.logsumexp(-1) - on_keys
    return missing.mean(), (-missing).exp().mean().detach()


def attention_losses(rows: RowArrays[Tensor], trace: Trace) -> tuple[Tensor, dict[str, Tensor]]:
    """Return all attention losses, and the attention on their targets."""
    total, figures = torch.zeros((), device=rows.ids.device), dict[str, Tensor]()
    for name, targets in rows.targets.items():
        for layer, heads in TARGET_HEADS[name]:
            if layer < len(trace.scores):
                loss, figures[f"at_{name}{layer}"] = attention_loss(
                    targets, trace.scores[layer], heads
                )
                total = total + (0.5 if name == "previous" else 1.0) * loss
    return total, figures


def coordinate_loss(
    wrapper: TrainingWrapper, rows: RowArrays[Tensor], trace: Trace, objects: Tensor
) -> tuple[Tensor, Tensor]:
    """Read the framed object's coordinates off the state that enters block 3."""
    row, token, scene, number = rows.boxes.T
    readings = wrapper.coordinates(trace.entering[3][row, token].float()).unflatten(-1, (4, BINS))
    truth = objects[scene, number, 1:].float() / 1000
    with torch.no_grad():
        error = (box_bins(readings) - truth).abs().mean()
    return bin_loss(readings, truth), error


def name_loss(
    wrapper: TrainingWrapper, features: Tensor, cells: Tensor, objects: Tensor, names: Tensor
) -> tuple[Tensor, Tensor]:
    """Pull each object's cells towards the embeddings of its English and Chinese name."""
    tables = [wrapper.model.transformer.wte(names[:, language]) for language in (0, 1)]
    return words_loss(features, cells, objects, tables, wrapper.name_scale, wrapper.name_none)


def phrase_loss(
    wrapper: TrainingWrapper, rows: RowArrays[Tensor], trace: Trace, names: Tensor
) -> Tensor:
    """Point the state before a noun of a list, after the heads that look at it, to its name."""
    row, token, noun = rows.phrases.T
    layer = min(LISTING + 1, len(trace.entering) - 1)
    state = F.normalize(trace.entering[layer][row, token].float(), dim=-1)
    loss = state.new_zeros(())
    for language in (0, 1):
        table = F.normalize(wrapper.model.transformer.wte(names[:, language]).float(), dim=-1)
        logits = state @ table.T * wrapper.name_scale.exp()
        loss = loss + 0.5 * F.cross_entropy(logits, noun)
    return loss


def token_accuracies(
    markers: Markers,
    ids: NDArray[np.int64],
    spans: Sequence[ScoredSpan],
    predictions: NDArray[np.int64],
) -> dict[str, float]:
    """Measure how often answers are right, token by token after the true beginning.

    Args:
        markers: of the rows.
        ids: (B, T), the rows.
        spans: the answers in them.
        predictions: (B, T), what was predicted for each token; anything outside answers.
    """
    accuracies: dict[str, list[bool]] = {}
    for span in spans:
        tokens = slice(span.start, span.start + span.length)
        correct = predictions[span.row, tokens] == ids[span.row, tokens]
        if span.kind in _VERDICTS:
            name = f"{span.kind}_{'yes' if span.present else 'no'}"
            accuracies.setdefault(name, []).append(correct[0])
        else:
            accuracies.setdefault(span.kind, []).append(correct.all())
        if span.kind == "ground" and span.present:
            truth = ids[span.row, tokens]
            digit = next(i for i, token in enumerate(truth) if int(token) in markers.digits)
            accuracies.setdefault("digit", []).append(correct[digit])
    return {name: float(np.mean(values)) for name, values in accuracies.items()}
