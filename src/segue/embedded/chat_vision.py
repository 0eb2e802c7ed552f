"""First stage of the embedded chat model: teach the visual tower to see, without language.

Every patch token and every resampler token says which noun it belongs to and where that object's
box is; the resampler tokens together name the background. The heads that read this off are
thrown away afterwards. The tower is the ordinary `segue.models.qwen_vl` one; only its
initialisation is special: the resampler's queries begin by attending to their own neighbourhood.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from segue.embedded import backgrounds
from segue.embedded.chat_data import CELLS, PATCHES, SIDE, SceneArrays, ShardReader
from segue.embedded.chat_vision_losses import BINS, dense_loss, words_loss
from segue.embedded.muon import Muon
from segue.embedded.training_run import Budget, RunFolder, prepare_processor, training_precision
from segue.embedded.vocabulary import nouns
from segue.models.qwen_vl.configuration import VisualConfig
from segue.models.qwen_vl.visual import VisualTower, sine_cosine_table

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class VisionRecipe:
    """How stage one is trained. The learning rate follows the share of `minutes` (or of `steps`,
    where given) that is spent: warm-up, constant, then linear down to a fiftieth.

    `words_weight` and the heads' numbers count where a trained tower is gone on with: see
    `train_vision` and `fit_heads`.
    """

    minutes: float = 55.0
    steps: int | None = None
    batch: int = 48
    muon_rate: float = 0.02
    adam_rate: float = 2e-3
    decay: float = 0.05
    warm_up: int = 60
    constant: float = 0.35
    background_weight: float = 0.3
    box_weight: float = 0.5
    place_weight: float = 0.2
    words_weight: float = 0.5
    head_batches: int = 25
    head_rounds: int = 10
    head_rate: float = 4e-3
    log_every: int = 25
    check_minutes: float = 4.0
    seed: int = 0


CONTINUED = VisionRecipe(
    batch=40, muon_rate=0.005, adam_rate=5e-4, constant=0.15, warm_up=30, seed=1
)
"""How to go on from a trained tower: a quarter of the rate, that falls nearly all the time."""


def visual_settings(image_start_id: int = 0) -> dict[str, Any]:
    """The `visual` entry of the embedded model's configuration."""
    return {
        "image_size": SIDE,
        "patch_size": SIDE // PATCHES,
        "width": 192,
        "layers": 6,
        "heads": 3,
        "mlp_ratio": 4.0,
        "output_dim": 256,
        "n_queries": CELLS**2,
        "positional_grid": PATCHES,
        "resampler_heads": 4,
        "image_start_id": image_start_id,
    }


def new_tower(settings: dict[str, Any] | None = None) -> VisualTower:
    """A tower to be trained from scratch; eager attention, whose CPU gradient is faster."""
    tower = VisualTower(VisualConfig.read(settings or visual_settings()), "eager")
    tower.reset()
    _attend_locally(tower)
    return tower


@torch.no_grad()
def _attend_locally(tower: VisualTower) -> None:
    """Make each resampler query start on the patches around its own place.

    Queries get positions in the patches' frame, and query and key projections are one rotation
    that favours the fast-changing channels of the position code.
    """
    pool, dim = tower.attn_pool, tower.config.output_dim
    side, grid = tower.config.query_grid, tower.config.grid
    places = (torch.arange(side) + 0.5) * grid / side - 0.5
    pool.pos_embed.copy_(sine_cosine_table(dim, places))
    pool.ln_q.weight.fill_(0.3)
    pool.ln_kv.weight.fill_(0.3)
    rates = 10000 ** -(torch.arange(dim // 4) / (dim // 4))
    gain = torch.where(rates >= 0.08, 4.0, 0.3).repeat(4)
    rotation = torch.linalg.qr(torch.randn(dim, dim))[0] * gain
    pool.attn.in_proj_weight[:dim] = rotation
    pool.attn.in_proj_weight[dim : 2 * dim] = rotation


class DenseHead(nn.Module):
    """Reads from a token: the noun (one more class for the background) and four coordinates."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.noun = nn.Linear(width, len(nouns()) + 1)
        self.box = nn.Linear(width, 4 * BINS)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """(N, T, width) to noun logits (N, T, 97) and box-bin logits (N, T, 4, BINS)."""
        tokens = self.norm(tokens)
        return self.noun(tokens), self.box(tokens).unflatten(-1, (4, BINS))


class Readings(NamedTuple):
    """What the training-only heads read: nouns and boxes of patches and of cells, and the place."""

    patches: tuple[Tensor, Tensor]
    cells: tuple[Tensor, Tensor]
    place: Tensor
    seen: Tensor
    """The cells themselves, (N, 64, 256)."""


class VisionTrainee(nn.Module):
    """The tower with its training-only heads.

    `words`, (2, 96, 256), are a language model's embeddings of the nouns in two languages: those
    that its tower should go on to meet.
    """

    words: Tensor

    def __init__(self, words: Tensor | None = None) -> None:
        super().__init__()
        self.tower = new_tower()
        self.patch_head = DenseHead(self.tower.config.width)
        self.cell_head = DenseHead(self.tower.config.output_dim)
        self.place_norm = nn.LayerNorm(self.tower.config.output_dim)
        self.place = nn.Linear(self.tower.config.output_dim, len(backgrounds.NAMES))
        self.register_buffer("words", torch.empty(0) if words is None else words)
        self.word_scale = nn.Parameter(torch.tensor(2.5))
        self.word_none = nn.Parameter(torch.zeros(()))

    def forward(self, pixels: Tensor) -> Readings:
        """Read normalised pixels (N, 3, S, S)."""
        return self.read(self.tower.encode_patches(pixels))

    def read(self, patches: Tensor) -> Readings:
        """Read encoded patches, (N, 144, 192)."""
        cells = self.tower.pool(patches)
        place = self.place(self.place_norm(cells.mean(1)))
        return Readings(self.patch_head(patches), self.cell_head(cells), place, cells)


def to_pixels(images: NDArray[np.uint8]) -> Tensor:
    """(N, S, S, 3) uint8 to (N, 3, S, S) float32, normalised as the processor does."""
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float().div_(255)
    return (pixels - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]


def batch_loss(
    model: VisionTrainee, arrays: SceneArrays, recipe: VisionRecipe
) -> tuple[Tensor, dict[str, float]]:
    """The whole loss on some scenes, and what to log."""
    with training_precision():
        readings = model(to_pixels(arrays.images))
    return readings_loss(model, readings, arrays, recipe)


def readings_loss(
    model: VisionTrainee, readings: Readings, arrays: SceneArrays, recipe: VisionRecipe
) -> tuple[Tensor, dict[str, float]]:
    """The whole loss on what was read, and what to log."""
    objects = torch.from_numpy(arrays.objects).long()
    loss, figures = torch.zeros(()), dict[str, float]()
    owner = {"patch": arrays.patches, "cell": arrays.cells}
    for name, reading in (("patch", readings.patches), ("cell", readings.cells)):
        owners = torch.from_numpy(owner[name].astype(np.int64))
        weights = recipe.background_weight, recipe.box_weight
        part, found = dense_loss(reading, owners, objects, *weights)
        loss = loss + part
        figures |= {f"{name}_{figure}": value for figure, value in found.items()}
    truth = torch.from_numpy(arrays.backgrounds).long()
    loss = loss + recipe.place_weight * F.cross_entropy(readings.place.float(), truth)
    figures["place"] = float((readings.place.argmax(-1) == truth).float().mean())
    if len(model.words):
        owners = torch.from_numpy(arrays.cells.astype(np.int64))
        scale, none = model.word_scale, model.word_none
        part, figures["words"] = words_loss(
            readings.seen, owners, objects, list(model.words), scale, none
        )
        loss = loss + recipe.words_weight * part
    return loss, {"loss": float(loss.detach()), **figures}


@torch.no_grad()
def check(model: VisionTrainee, arrays: SceneArrays, recipe: VisionRecipe) -> dict[str, float]:
    """The figures of `batch_loss`, averaged over held-out scenes."""
    model.eval()
    parts = np.array_split(np.arange(len(arrays)), max(1, len(arrays) // 50))
    rows = [batch_loss(model, arrays.rows(part), recipe)[1] for part in parts]
    model.train()
    return {name: round(float(np.mean([row[name] for row in rows])), 4) for name in rows[0]}


@dataclass
class Averages:
    """Averages figures between two lines of a log; a figure need not come every time."""

    rows: list[dict[str, float]] = field(default_factory=list)

    def add(self, figures: dict[str, float]) -> None:
        """Take the figures of one step."""
        self.rows.append(figures)

    def take(self) -> dict[str, float]:
        """The average of each figure since the last call."""
        names = sorted({name for row in self.rows for name in row})
        means = {n: float(np.mean([row[n] for row in self.rows if n in row])) for n in names}
        self.rows = []
        return means


class Optimisers:
    """Muon for the hidden matrices, AdamW for everything else, stepped together."""

    def __init__(self, model: nn.Module, recipe: VisionRecipe) -> None:
        hidden: list[nn.Parameter] = []
        other: list[nn.Parameter] = []
        plain: list[nn.Parameter] = []
        for name, parameter in model.named_parameters():
            if not parameter.requires_grad:
                continue
            in_tower = name.startswith("tower.") and parameter.ndim == 2
            if in_tower and "query" not in name and "positional" not in name:
                hidden.append(parameter)
            else:
                (other if parameter.ndim >= 2 else plain).append(parameter)
        self.muon = Muon(
            hidden, lr=recipe.muon_rate, weight_decay=recipe.decay, adjust_lr_fn="original"
        )
        self.adam = torch.optim.AdamW(
            [{"params": other, "weight_decay": recipe.decay}, {"params": plain, "weight_decay": 0}],
            lr=recipe.adam_rate,
            betas=(0.9, 0.98),
            foreach=True,
        )
        self.recipe = recipe

    def step(self, share: float) -> None:
        """Take a step at `share` of the full learning rates, and clear the gradients."""
        rates = ((self.muon, self.recipe.muon_rate), (self.adam, self.recipe.adam_rate))
        for optimiser, rate in rates:
            for group in optimiser.param_groups:
                group["lr"] = rate * share
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)

    def state(self) -> list[dict[str, Any]]:
        """Everything needed to go on later."""
        return [self.muon.state_dict(), self.adam.state_dict()]

    def load(self, state: list[dict[str, Any]]) -> None:
        """Go on from `state()`."""
        self.muon.load_state_dict(state[0])
        self.adam.load_state_dict(state[1])


def rate_share(spent: float, step: int, recipe: VisionRecipe) -> float:
    """The share of the full learning rate, when `spent` (0..1) of the training is over."""
    fall = max(0.0, (spent - recipe.constant) / (1 - recipe.constant))
    return min(1.0, (step + 1) / recipe.warm_up) * max(0.02, 1 - 0.98 * fall)


def fit_heads(
    model: VisionTrainee, reader: ShardReader, rng: np.random.Generator, recipe: VisionRecipe
) -> None:
    """Teach the training-only heads to read the tower as it is; the tower stays.

    They are not kept with the weights. Untrained ones would spoil the tower with what they do not
    know yet.
    """
    batches = [reader.batch(rng, recipe.batch) for _ in range(recipe.head_batches)]
    with torch.no_grad():
        seen = [model.tower.encode_patches(to_pixels(arrays.images)) for arrays in batches]
    heads = [p for name, p in model.named_parameters() if not name.startswith("tower.")]
    adam = torch.optim.Adam(heads, lr=recipe.head_rate)
    for _ in range(recipe.head_rounds):
        for number in rng.permutation(len(batches)):
            readings = model.read(seen[number])
            readings_loss(model, readings, batches[number], recipe)[0].backward()
            adam.step()
            model.zero_grad(set_to_none=True)
        for group in adam.param_groups:
            group["lr"] *= 0.75


def train_vision(
    shards: Path,
    out: Path,
    recipe: VisionRecipe,
    held: dict[str, SceneArrays],
    resume: bool = True,
    start: VisualTower | None = None,
    words: Tensor | None = None,
) -> VisionTrainee:
    """Train stage one on the shards in a folder; checkpoint and log are kept in `out`.

    Goes on from the checkpoint where there is one and `resume` is true. `held` are scenes to
    check on, by name. `start` is a trained tower to go on from, `words` the nouns' embeddings,
    (2, 96, 256), of the language model that it belongs to.
    """
    torch.manual_seed(recipe.seed)
    prepare_processor()
    run, rng = RunFolder(out), np.random.default_rng(recipe.seed)
    model, reader = VisionTrainee(words), ShardReader(shards)
    optimisers, step = Optimisers(model, recipe), 0
    state = run.load() if resume else None
    if state is None and start is not None:
        reader.refresh()
        model.tower.load_state_dict(start.state_dict())
        fit_heads(model, reader, rng, recipe)
    budget = Budget(recipe.minutes, recipe.steps)
    if state is not None:
        model.load_state_dict(state["model"])
        optimisers.load(state["optimisers"])
        rng.bit_generator.state = state["numpy"]
        torch.set_rng_state(state["torch"])
        budget.spent, step = state["seconds"], state["step"]
    reader.refresh()
    model.train()

    def note() -> None:
        run.save(
            {
                "model": model.state_dict(),
                "optimisers": optimisers.state(),
                "numpy": rng.bit_generator.state,
                "torch": torch.get_rng_state(),
                "seconds": budget.elapsed(),
                "step": step,
            }
        )
        checks = {name: check(model, arrays, recipe) for name, arrays in held.items()}
        run.log(step=step, minutes=budget.elapsed() / 60, **checks)

    noted, seen = budget.elapsed(), Averages()
    while (spent := budget.progress(step)) < 1:
        loss, figures = batch_loss(model, reader.batch(rng, recipe.batch), recipe)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimisers.step(rate_share(spent, step, recipe))
        step += 1
        seen.add(figures)
        if step % recipe.log_every == 0:
            run.log(step=step, minutes=budget.elapsed() / 60, **seen.take())
            reader.refresh()
        if budget.elapsed() - noted > 60 * recipe.check_minutes:
            noted = budget.elapsed()
            note()
    note()
    return model


def features(tower: VisualTower, images: NDArray[np.uint8]) -> NDArray[np.float16]:
    """What the language model will see of each picture: (N, 64, 256) float16."""
    with torch.no_grad(), training_precision():
        seen = tower(to_pixels(images)).float()
    assert math.isqrt(seen.shape[1]) == CELLS, "one feature per resampler cell"
    return seen.numpy().astype(np.float16)
