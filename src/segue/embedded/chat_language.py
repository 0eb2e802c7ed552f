"""Second stage of the embedded chat model: teach the language model to talk about what is seen.

The visual tower is frozen but for its last affine layer. Beside the next token, training-only
losses teach a few attention heads where to look (see `chat_turns.Look`): without them, the use
of the question's noun to select an object does not emerge in any reasonable time. The network is
the ordinary `segue.models.qwen_vl` one, and nothing but its own weights is kept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from segue.embedded.chat_data import CELLS, SceneArrays
from segue.embedded.chat_turns import FULL_MIX, QUERY_MIX, Look, Rows, TurnPacker
from segue.embedded.chat_vision import (
    BINS,
    Progress,
    ShardReader,
    _average,
    _clock,
    _write,
    bin_loss,
    box_bins,
    to_pixels,
    visual_settings,
)
from segue.embedded.tokens import noun_ids
from segue.embedded.vocabulary import nouns
from segue.models.qwen_vl.configuration import QwenVLConfig
from segue.models.qwen_vl.decoder import DecoderBlock
from segue.models.qwen_vl.modeling import QwenVLForCausalLM
from segue.models.qwen_vl.tokenizer import QwenVLTokenizer
from segue.models.qwen_vl.visual import VisualTower

HEADS, HEAD_WIDTH = 4, 64
WIDTH = HEADS * HEAD_WIDTH
# Which heads each look teaches: (layer, heads).
TAUGHT: dict[str, tuple[tuple[int, tuple[int, ...]], ...]] = {
    "noun": ((1, (0, 1)),),
    "box": ((2, (0, 1)),),
    "carry": ((0, (0,)), (2, (2,))),
    "copy": ((2, (3,)), (3, (3,))),
    "previous": ((0, (1,)),),
}
SAMPLES = {"noun": 320, "box": 320, "carry": 160, "copy": 160, "previous": 160}


@dataclass(frozen=True)
class LanguageRecipe:
    """How stage two is trained; times and shares as in `VisionRecipe`.

    For the first `query_share` of the time, turns ask for single nouns; then every kind of
    question. `look_weight` falls to `late_look_weight` over the same change.
    """

    minutes: float = 60.0
    steps: int | None = None
    batch: int = 20
    length: int = 384
    layers: int = 5
    rate: float = 1.5e-3
    muon_rate: float = 0.0
    decay: float = 0.05
    warm_up: int = 80
    constant: float = 0.35
    query_share: float = 0.15
    look_weight: float = 0.5
    late_look_weight: float = 0.15
    coordinate_weight: float = 0.3
    name_weight: float = 0.15
    pool: int = 3000
    compiled: bool = True
    log_every: int = 25
    save_minutes: float = 4.0
    seed: int = 0


def new_model(tokenizer: QwenVLTokenizer, layers: int) -> QwenVLForCausalLM:
    """The embedded chat model, language part untrained."""
    settings = QwenVLConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        num_hidden_layers=layers,
        num_attention_heads=HEADS,
        kv_channels=HEAD_WIDTH,
        intermediate_size=2 * 512,
        seq_length=2048,
        tie_word_embeddings=True,
        visual=visual_settings(tokenizer.picture_start_id),
    )
    model = QwenVLForCausalLM(settings)
    for block in model.transformer.h:
        for linear in (block.attn.c_attn, block.mlp.w1, block.mlp.w2):
            linear.reset_parameters()
        for end in (block.attn.c_proj, block.mlp.c_proj):
            nn.init.normal_(end.weight, std=0.02 / math.sqrt(2 * layers))
    nn.init.normal_(model.transformer.wte.weight, std=0.3)
    nn.init.constant_(model.transformer.ln_f.weight, 0.12)
    return model


@torch.no_grad()
def resampled(tower: VisualTower, images: NDArray[np.uint8]) -> Tensor:
    """What reaches the tower's last affine layer, normalised: (N, 64, 256) float32."""
    with torch.autocast("cpu", torch.bfloat16):
        found = tower.attn_pool(tower.encode_patches(to_pixels(images)))
    return F.layer_norm(found.float(), (WIDTH,), eps=1e-6)


def finish(tower: VisualTower, normal: Tensor) -> Tensor:
    """The tower's last affine layer on what `resampled` returned."""
    return (normal * tower.ln_post.weight + tower.ln_post.bias) @ tower.proj


class FeaturePool:
    """Pictures already seen by the frozen tower, renewed a little at every step."""

    def __init__(self, tower: VisualTower, reader: ShardReader, size: int) -> None:
        self.tower, self.reader, self.size = tower, reader, size
        self.normal = np.zeros((0, CELLS**2, WIDTH), np.float16)
        self.scenes: list[SceneArrays] = []
        self.at = 0

    def fill(self, rng: np.random.Generator) -> None:
        """Look at enough pictures to start with."""
        self.normal = np.zeros((self.size, CELLS**2, WIDTH), np.float16)
        self.objects = np.zeros((self.size, 5, 5), np.int16)
        self.cells = np.zeros((self.size, CELLS**2), np.int8)
        self.backgrounds = np.zeros(self.size, np.int8)
        for _ in range(-(-self.size // 50)):
            self.renew(rng, 50)

    def renew(self, rng: np.random.Generator, count: int) -> None:
        """Look at `count` new pictures in place of the oldest."""
        arrays = self.reader.batch(rng, count)
        where = np.arange(self.at, self.at + count) % self.size
        self.normal[where] = resampled(self.tower, arrays.images).numpy()
        self.objects[where], self.cells[where] = arrays.objects, arrays.cells
        self.backgrounds[where] = arrays.backgrounds
        self.at = (self.at + count) % self.size


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
    """The decoder on packed rows; `seen` (B, 64, 256) stands in the picture's slots."""
    core = trainee.model.transformer
    ids, turn = torch.from_numpy(rows.ids), torch.from_numpy(rows.turn)
    x = core.wte(ids)
    x = torch.cat([x[:, :first_cell], seen, x[:, first_cell + CELLS**2 :]], 1)
    rates = 10000 ** (-torch.arange(0, HEAD_WIDTH, 2) / HEAD_WIDTH)
    angles = torch.from_numpy(rows.positions)[:, None, :, None] * rates
    angles = torch.cat([angles, angles], -1)
    cos, sin = angles.cos().bfloat16(), angles.sin().bfloat16()
    visible = (turn[:, None, :] == 0) | (turn[:, None, :] == turn[:, :, None])
    visible &= torch.ones(visible.shape[-2:], dtype=torch.bool).tril()
    bias = torch.zeros(visible.shape, dtype=torch.bfloat16).masked_fill_(~visible, -1e9)[:, None]
    entering, scores = [], []
    for block in core.h:
        entering.append(x)
        x, found = trainee.step(block, x, cos, sin, bias)
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
    wanted[torch.from_numpy(number), torch.from_numpy(np.concatenate([k.keys for k in looks]))] = True
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
    row, at, number = (torch.from_numpy(column) for column in boxes.T)
    read = trainee.coordinates(trace.entering[3][row, at].float()).unflatten(-1, (4, BINS))
    truth = objects[row, number, 1:].float() / 1000
    with torch.no_grad():
        error = (box_bins(read) - truth).abs().mean()
    return bin_loss(read, truth), float(error)


def name_loss(
    trainee: Trainee, seen: Tensor, cells: Tensor, objects: Tensor, names: Tensor
) -> tuple[Tensor, float]:
    """Each object's cells should lie near the embedding of its English and Chinese name."""
    owned = cells >= 0
    noun = objects[..., 0].gather(1, cells.clamp(min=0))
    truth = torch.where(owned, noun, len(nouns()))
    keep = owned | (torch.rand(owned.shape) < 0.3)
    looking = F.normalize(seen[keep].float(), dim=-1)
    loss, named = torch.zeros(()), 0.0
    for language in (0, 1):
        table = F.normalize(trainee.model.transformer.wte(names[:, language]).float(), dim=-1)
        logits = looking @ table.T * trainee.name_scale.exp()
        logits = torch.cat([logits, trainee.name_none.expand(len(logits), 1)], 1)
        loss = loss + 0.5 * F.cross_entropy(logits, truth[keep])
        named += 0.5 * float((logits.argmax(1) == truth[keep])[owned[keep]].float().mean())
    return loss, named


def noun_table(tokenizer: QwenVLTokenizer) -> Tensor:
    """Token ids (96, 2): the English and the Chinese token of each noun."""
    table = [[0, 0] for _ in nouns()]
    for token, noun in noun_ids(tokenizer).items():
        text = tokenizer.decode([token]).strip()
        table[noun][0 if text.isascii() else 1] = token
    for noun in nouns():  # irregular plurals and " engines" must not stand for the noun itself
        word = noun.english.split(" ")
        table[noun.index][0] = tokenizer.encode(word[0] if len(word) == 1 else f" {word[-1]}")[-1]
    return torch.tensor(table)


@torch.no_grad()
def align(trainee: Trainee, tokenizer: QwenVLTokenizer, pool: FeaturePool) -> None:
    """Start with eyes and words in one space, and with heads that compare and copy.

    The tower's last layer becomes a whitening of what the pool has seen, of norm 8; a noun's
    embedding leans towards the direction that tells its cells from all others.
    """
    tower = trainee.model.transformer.visual
    directions = _whiten(tower, pool)
    wte = trainee.model.transformer.wte.weight
    for token, noun in noun_ids(tokenizer).items():
        wte[token] = 0.5 * wte[token] + 4 * directions[noun]
    _compare(trainee.model.transformer.h[1].attn.c_attn, directions)
    plain = wte[: len(tokenizer.ranks)]
    shapes = torch.linalg.svd(plain - plain.mean(0), full_matrices=False)[2]
    for number, layer in enumerate((2, 3)):
        attention = trainee.model.transformer.h[layer].attn
        basis = shapes[64 * number : 64 * (number + 1)]
        attention.c_attn.weight[2 * WIDTH + 192 : 3 * WIDTH] = basis
        attention.c_attn.bias[2 * WIDTH + 192 : 3 * WIDTH] = 0
        attention.c_proj.weight[:, 192:256] = basis.T * 0.3


def _whiten(tower: VisualTower, pool: FeaturePool) -> Tensor:
    """Set the tower's last layer; return one unit direction per noun, (96, 256)."""
    normal = torch.from_numpy(pool.normal.astype(np.float32)).flatten(0, 1)
    row = torch.from_numpy(np.maximum(pool.cells, 0).astype(np.int64))
    noun = torch.from_numpy(pool.objects[..., 0].astype(np.int64)).gather(1, row).flatten()
    noun = torch.where(torch.from_numpy(pool.cells).flatten() >= 0, noun, len(nouns()))
    total = torch.zeros(len(nouns()) + 1, WIDTH).index_add_(0, noun, normal)
    count = torch.bincount(noun, minlength=len(nouns()) + 1).clamp(min=1)
    means = total / count[:, None]
    within = torch.cov((normal - means[noun]).T)
    values, vectors = torch.linalg.eigh(within)
    whitening = (vectors * (values + 0.03 * values.mean()).clamp(min=1e-6).rsqrt()) @ vectors.T
    centre = means[:-1].mean(0)
    foreground = normal[noun < len(nouns())] - centre
    size = (foreground @ whitening).norm(dim=-1).mean()
    tower.ln_post.weight.fill_(1)
    tower.ln_post.bias.copy_(-centre)
    tower.proj.copy_(whitening * 8 / size)
    return F.normalize((means[:-1] - centre) @ whitening, dim=-1)


def _compare(projection: nn.Linear, directions: Tensor) -> None:
    """Make heads 0 and 1 match what lies in the nouns' subspace, wherever it stands.

    Queries and keys share 32 directions, in the half of the channels that turns slowly.
    """
    span = torch.linalg.svd(directions, full_matrices=False)[2][:64]
    for head in (0, 1):
        begin = head * HEAD_WIDTH
        slow = torch.tensor([begin + k for k in (*range(16, 32), *range(48, 64))])
        basis = span[torch.randperm(64)[:32]] * 2
        for offset in (0, WIDTH):
            projection.weight[offset + begin : offset + begin + HEAD_WIDTH] *= 0.3
            projection.weight[slow + offset] = basis


def batch_loss(
    trainee: Trainee,
    packer: TurnPacker,
    pool: FeaturePool,
    names: Tensor,
    recipe: LanguageRecipe,
    spent: float,
) -> tuple[Tensor, dict[str, float]]:
    """The whole loss on some scenes of the pool, and what to log."""
    rng = packer.rng
    where = rng.choice(pool.size, recipe.batch, replace=False)
    mix = QUERY_MIX if spent < recipe.query_share else FULL_MIX
    rows = packer.pack(pool.objects[where], pool.cells[where], pool.backgrounds[where], mix)
    objects = torch.from_numpy(pool.objects[where].astype(np.int64))
    cells = torch.from_numpy(pool.cells[where].astype(np.int64))
    seen = finish(trainee.model.transformer.visual, torch.from_numpy(pool.normal[where]).float())
    with torch.autocast("cpu", torch.bfloat16):
        trace = run(trainee, rows, seen, packer.first_cell)
        labels = torch.from_numpy(rows.labels)[:, 1:]
        told = labels >= 0
        logits = trainee.model.lm_head(trace.last[:, :-1][told]).float()
    each = F.cross_entropy(logits, labels[told], reduction="none")
    weights = torch.from_numpy(rows.weights)[:, 1:][told]
    words = (each * weights).sum() / weights.sum()
    looks, figures = looks_loss(rows, trace, rng)
    fade = min(1.0, max(0.0, (spent - recipe.query_share) / 0.1))
    look_weight = recipe.look_weight + fade * (recipe.late_look_weight - recipe.look_weight)
    named, figures["named"] = name_loss(trainee, seen, cells, objects, names)
    loss = words + look_weight * looks + recipe.name_weight * named
    if rows.boxes:
        read, figures["coordinate"] = coordinate_loss(trainee, rows, trace, objects, rng)
        loss = loss + recipe.coordinate_weight * read
    figures["words"] = float(words.detach())
    figures["loss"] = float(loss.detach())
    figures.update(_judge(packer, rows, logits.argmax(-1), told))
    return loss, figures


def _judge(packer: TurnPacker, rows: Rows, said: Tensor, told: Tensor) -> dict[str, float]:
    """How often the answers, word by word after the true beginning, come out right."""
    guess = torch.full(rows.ids.shape, -1)
    guess[:, 1:][told] = said
    guesses, found = guess.numpy(), {}
    for judged in rows.judged:
        place = slice(judged.start, judged.start + judged.length)
        right = guesses[judged.row, place] == rows.ids[judged.row, place]
        if judged.kind in ("ground", "exist"):
            name = f"{judged.kind}_{'yes' if judged.present else 'no'}"
            found.setdefault(name, []).append(right[0])
        else:
            found.setdefault(judged.kind, []).append(right.all())
        if judged.kind == "ground" and judged.present:
            true = rows.ids[judged.row, place]
            digit = next(i for i, token in enumerate(true) if int(token) in packer.digits)
            found.setdefault("digit", []).append(right[digit])
    return {name: float(np.mean(values)) for name, values in found.items()}


class LanguageOptimiser:
    """AdamW for everything, or Muon for the hidden matrices where `muon_rate` is given."""

    def __init__(self, trainee: Trainee, recipe: LanguageRecipe) -> None:
        hidden, matrices, plain = [], [], []
        for name, parameter in trainee.named_parameters():
            if not parameter.requires_grad:
                continue
            if recipe.muon_rate and ".h." in name and parameter.ndim == 2:
                hidden.append(parameter)
            else:
                (matrices if parameter.ndim >= 2 else plain).append(parameter)
        groups = [
            {"params": matrices, "weight_decay": recipe.decay},
            {"params": plain, "weight_decay": 0.0},
        ]
        adam = torch.optim.AdamW(groups, lr=recipe.rate, betas=(0.9, 0.98), foreach=True)
        self.parts: list[tuple[torch.optim.Optimizer, float]] = [(adam, recipe.rate)]
        if hidden:
            muon = torch.optim.Muon(
                hidden, lr=recipe.muon_rate, weight_decay=recipe.decay, adjust_lr_fn="original"
            )
            self.parts.append((muon, recipe.muon_rate))

    def step(self, share: float) -> None:
        """Take a step at `share` of the full rates, and clear the gradients."""
        for optimiser, rate in self.parts:
            for group in optimiser.param_groups:
                group["lr"] = rate * share
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)

    def state(self) -> list[dict[str, Any]]:
        """Everything needed to go on later."""
        return [optimiser.state_dict() for optimiser, _ in self.parts]

    def load(self, state: list[dict[str, Any]]) -> None:
        """Go on from `state()`."""
        for (optimiser, _), part in zip(self.parts, state, strict=True):
            optimiser.load_state_dict(part)


def language_share(spent: float, step: int, recipe: LanguageRecipe) -> float:
    """Share of the full learning rate: warm-up, constant, then linear to almost nothing."""
    fall = max(0.0, (spent - recipe.constant) / (1 - recipe.constant))
    return min(1.0, (step + 1) / recipe.warm_up) * max(0.01, 1 - fall)


def freeze_tower(model: QwenVLForCausalLM) -> None:
    """Leave of the visual tower only its last affine layer to be trained."""
    tower = model.transformer.visual
    tower.requires_grad_(False)
    tower.proj.requires_grad_(True)
    tower.ln_post.requires_grad_(True)


def train_language(
    shards: Path,
    out: Path,
    tokenizer: QwenVLTokenizer,
    tower: dict[str, Tensor],
    recipe: LanguageRecipe,
    resume: bool = True,
) -> QwenVLForCausalLM:
    """Train stage two; log to `language.jsonl`, keep `language.pt` in `out`.

    `tower` is the state of the tower that stage one made. Goes on from `language.pt` where it
    exists and `resume` is true.
    """
    torch.manual_seed(recipe.seed)
    torch.set_flush_denormal(True)
    out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(recipe.seed)
    model = new_model(tokenizer, recipe.layers)
    model.transformer.visual.load_state_dict(tower)
    freeze_tower(model)
    model.train()
    trainee = Trainee(model, recipe.compiled)
    optimiser, progress = LanguageOptimiser(trainee, recipe), Progress()
    reader = ShardReader(shards)
    reader.refresh()
    pool = FeaturePool(model.transformer.visual, reader, recipe.pool)
    pool.fill(rng)
    path = out / "language.pt"
    if resume and path.exists():
        state = torch.load(path, weights_only=False)
        trainee.load_state_dict(state["trainee"])
        optimiser.load(state["optimiser"])
        progress = Progress(**state["progress"])
        rng.bit_generator.state = state["numpy"]
        torch.set_rng_state(state["torch"])
    else:
        align(trainee, tokenizer, pool)
    _language_loop(trainee, tokenizer, pool, optimiser, progress, recipe, rng, out)
    return model


def _language_loop(
    trainee: Trainee,
    tokenizer: QwenVLTokenizer,
    pool: FeaturePool,
    optimiser: LanguageOptimiser,
    progress: Progress,
    recipe: LanguageRecipe,
    rng: np.random.Generator,
    out: Path,
) -> None:
    packer = TurnPacker(tokenizer, recipe.length, rng)
    names = noun_table(tokenizer)
    sums: list[dict[str, float]] = []
    saved = progress.seconds

    def save() -> None:
        part = out / "language.part"
        state = {
            "trainee": trainee.state_dict(),
            "optimiser": optimiser.state(),
            "progress": asdict(progress),
            "numpy": rng.bit_generator.state,
            "torch": torch.get_rng_state(),
        }
        torch.save(state, part)
        part.replace(out / "language.pt")

    with (out / "language.jsonl").open("a") as log:
        for spent in _clock(progress, recipe):  # type: ignore[arg-type]
            pool.renew(rng, recipe.batch // 2)
            loss, figures = batch_loss(trainee, packer, pool, names, recipe, spent)
            loss.backward()
            nn.utils.clip_grad_norm_(trainee.parameters(), 1.0)
            optimiser.step(language_share(spent, progress.step, recipe))
            sums.append(figures)
            if (progress.step + 1) % recipe.log_every == 0:
                _write(log, progress, _mean(sums))
                sums = []
            if progress.seconds - saved > 60 * recipe.save_minutes:
                saved = progress.seconds
                save()
                pool.reader.refresh()
        save()


def _mean(rows: list[dict[str, float]]) -> dict[str, float]:
    """Average of each figure over the rows that have it."""
    keys = sorted({key for row in rows for key in row})
    return {key: _average([{"v": row[key]} for row in rows if key in row])["v"] for key in keys}
