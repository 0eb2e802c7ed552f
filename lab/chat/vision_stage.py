"""First stage of the embedded chat model: teach the visual tower to see, without language.

Every patch token and every resampler token says which noun it belongs to and where that object's
box is; the resampler tokens together name the background. The heads that read this off are
thrown away afterwards. The tower is the ordinary `segue.models.qwen_vl` one; only its
initialisation is special: the resampler's queries begin by attending to their own neighbourhood.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from lab.chat.data import CELLS, PATCHES, SIDE, DrawScene, SceneArrays, SceneStream
from lab.chat.vision_losses import BINS, dense_loss, words_loss
from lab.scenes import backgrounds
from lab.scenes.vocabulary import nouns
from lab.training.feed import BatchFeed, tensor
from lab.training.loop import Figures, RandomState, TrainingLoop
from lab.training.optimisers import separate_optimisers
from lab.training.precision import CPU, training_precision
from lab.training.schedules import Budget, Schedule
from segue.models.qwen_vl.configuration import VisualConfig
from segue.models.qwen_vl.visual import VisualTower, sine_cosine_table

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class VisionRecipe:
    """How stage one is trained.

    The learning rate follows the share of `minutes` (or of `steps`, where given) that is spent:
    warm-up, constant, then linear down to a fiftieth.

    `fresh` is the share of new scenes in a batch, the others come from the latest `pool`.
    `words_weight` and the heads' numbers count where training starts from a trained tower: see
    `train_vision` and `fit_heads`.
    """

    minutes: float = 55.0
    steps: int | None = None
    batch: int = 48
    muon_rate: float = 0.02
    adam_rate: float = 2e-3
    decay: float = 0.05
    warm_up: int = 60
    hold: float = 0.35
    background_weight: float = 0.3
    box_weight: float = 0.5
    place_weight: float = 0.2
    words_weight: float = 0.5
    head_batches: int = 25
    head_rounds: int = 10
    head_rate: float = 4e-3
    pool: int = 2000
    fresh: float = 0.3
    log_every: int = 25
    check_minutes: float = 4.0
    seed: int = 0


WARM_START = VisionRecipe(batch=40, muon_rate=0.005, adam_rate=5e-4, hold=0.15, warm_up=30, seed=1)
"""For training from a tower: a quarter of the rate, that falls nearly all the time."""

CUDA_WARM_START = replace(
    WARM_START,
    batch=256,
    muon_rate=0.01,
    adam_rate=1e-3,
    head_batches=20,
    check_minutes=1.0,
    seed=13,
)
"""The same with large batches, for an accelerator."""


def visual_settings(image_start_id: int = 0) -> dict[str, Any]:
    """Return the `visual` entry of the embedded model's configuration."""
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
    """Make a tower to be trained from scratch, with eager attention: its CPU gradient is faster."""
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
        """Turn tokens (N, T, width) into noun logits (N, T, 97) and box logits (N, T, 4, BINS)."""
        tokens = self.norm(tokens)
        return self.noun(tokens), self.box(tokens).unflatten(-1, (4, BINS))


class Readings(NamedTuple):
    """What the training-only heads read: nouns and boxes of patches and of cells, and the place."""

    patches: tuple[Tensor, Tensor]
    cells: tuple[Tensor, Tensor]
    place: Tensor
    cells_seen: Tensor
    """The cells themselves, (N, 64, 256)."""


class VisionWrapper(nn.Module):
    """The tower with its training-only heads.

    `words`, (2, 96, 256), are a language model's embeddings of the nouns in two languages: those
    that its tower should still match.
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


def to_pixels(images: NDArray[np.uint8], device: torch.device = CPU) -> Tensor:
    """Normalise images as the processor does: (N, S, S, 3) uint8 to (N, 3, S, S) float32."""
    pixels = torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float().div_(255)
    mean, std = (torch.tensor(values, device=device)[:, None, None] for values in (MEAN, STD))
    return (pixels - mean) / std


def batch_loss(
    model: VisionWrapper, arrays: SceneArrays, recipe: VisionRecipe
) -> tuple[Tensor, dict[str, Tensor]]:
    """Compute the whole loss on some scenes, and what to log."""
    device = model.place.weight.device
    with training_precision(device):
        readings = model(to_pixels(arrays.images, device))
    return readings_loss(model, readings, arrays, recipe)


def readings_loss(
    model: VisionWrapper, readings: Readings, arrays: SceneArrays, recipe: VisionRecipe
) -> tuple[Tensor, dict[str, Tensor]]:
    """Compute the whole loss on what was read, and what to log."""
    device = readings.place.device
    objects = tensor(arrays.objects, device).long()
    loss, figures = torch.zeros((), device=device), dict[str, Tensor]()
    owner = {"patch": arrays.patches, "cell": arrays.cells}
    for name, reading in (("patch", readings.patches), ("cell", readings.cells)):
        owners = tensor(owner[name], device).long()
        weights = recipe.background_weight, recipe.box_weight
        part, part_figures = dense_loss(reading, owners, objects, *weights)
        loss = loss + part
        figures |= {f"{name}_{figure}": value for figure, value in part_figures.items()}
    truth = tensor(arrays.backgrounds, device).long()
    loss = loss + recipe.place_weight * F.cross_entropy(readings.place.float(), truth)
    figures["place"] = (readings.place.argmax(-1) == truth).float().mean()
    if len(model.words):
        owners = tensor(arrays.cells, device).long()
        scale, none_logit = model.word_scale, model.word_none
        part, figures["words"] = words_loss(
            readings.cells_seen, owners, objects, list(model.words), scale, none_logit
        )
        loss = loss + recipe.words_weight * part
    return loss, {"loss": loss.detach(), **figures}


@torch.no_grad()
def check(model: VisionWrapper, arrays: SceneArrays, recipe: VisionRecipe) -> dict[str, float]:
    """Return the figures of `batch_loss`, averaged over held-out scenes."""
    model.eval()
    parts = np.array_split(np.arange(len(arrays)), max(1, len(arrays) // 50))
    rows = [batch_loss(model, arrays.rows(part), recipe)[1] for part in parts]
    model.train()
    return {name: round(float(np.mean([float(row[name]) for row in rows])), 4) for name in rows[0]}


def fit_heads(
    model: VisionWrapper,
    batches: list[SceneArrays],
    rng: np.random.Generator,
    recipe: VisionRecipe,
) -> None:
    """Train the training-only heads on the tower as it is; the tower stays.

    They are not kept with the weights. Untrained ones would spoil the tower with what they do not
    know yet.
    """
    device = model.place.weight.device
    with torch.no_grad():
        encoded = [
            model.tower.encode_patches(to_pixels(arrays.images, device)) for arrays in batches
        ]
    heads = [p for name, p in model.named_parameters() if not name.startswith("tower.")]
    adam = torch.optim.Adam(heads, lr=recipe.head_rate)
    for _ in range(recipe.head_rounds):
        for number in rng.permutation(len(batches)):
            readings = model.read(encoded[number])
            readings_loss(model, readings, batches[number], recipe)[0].backward()
            adam.step()
            model.zero_grad(set_to_none=True)
        for group in adam.param_groups:
            group["lr"] *= 0.75


def is_hidden_matrix(name: str) -> bool:
    """Return whether Muon moves this matrix: those of the tower, but for tables."""
    return name.startswith("tower.") and "query" not in name and "positional" not in name


_HEAD_STEP = 1 << 40
"""Where the numbers of the batches begin that heads are fitted on; no run comes that far."""


class VisionTraining(TrainingLoop):
    """One run of stage one."""

    def __init__(
        self,
        draw: DrawScene,
        folder: Path,
        recipe: VisionRecipe,
        held_out: Mapping[str, SceneArrays],
        words: Tensor | None,
        device: torch.device = CPU,
        workers: int = 0,
    ) -> None:
        self.recipe, self.rng = recipe, np.random.default_rng(recipe.seed)
        model = VisionWrapper(words).to(device)
        self.stream = SceneStream(
            draw, batch=recipe.batch, seed=recipe.seed, pool=recipe.pool, fresh=recipe.fresh
        )
        optimisers = separate_optimisers(
            model,
            is_hidden_matrix,
            muon_rate=recipe.muon_rate,
            adam_rate=recipe.adam_rate,
            decay=recipe.decay,
            max_norm=5.0,
        )

        def check_all(model: VisionWrapper) -> dict[str, dict[str, float]]:
            return {name: check(model, arrays, recipe) for name, arrays in held_out.items()}

        super().__init__(
            folder,
            Budget(recipe.minutes, recipe.steps),
            model,
            optimisers,
            Schedule(recipe.warm_up, recipe.hold, end=0.02, floor=0.02),
            check=check_all if held_out else None,
            feed=BatchFeed(self.stream, workers),
        )
        self.parts["random"] = RandomState(self.rng)
        self.save_every = self.check_every = 60 * recipe.check_minutes
        self.report_every = recipe.log_every

    def initialise(self, start: VisualTower | None) -> None:
        """Take the tower of `start`, if there is one, and fit the heads to it."""
        if start is not None:
            self.model.tower.load_state_dict(start.state_dict())
            batches = [self.stream.batch(_HEAD_STEP + n) for n in range(self.recipe.head_batches)]
            fit_heads(self.model, batches, self.rng, self.recipe)
            self.budget.restart_clock()

    def compute_loss(self, progress: float) -> tuple[Tensor, Figures]:
        """Compute the loss of one batch of scenes."""
        return batch_loss(self.model, self.next_batch(), self.recipe)


def train_vision(
    draw: DrawScene,
    out: Path,
    recipe: VisionRecipe,
    held_out: Mapping[str, SceneArrays],
    resume: bool = True,
    start: VisualTower | None = None,
    words: Tensor | None = None,
    device: torch.device = CPU,
    workers: int = 0,
) -> VisionWrapper:
    """Train stage one.

    Args:
        draw: draws a scene to learn from.
        out: the run's folder; a checkpoint and the log go here.
        recipe: the numbers of the training.
        held_out: scenes to check on, by name.
        resume: resume from the checkpoint in `out`, where there is one.
        start: a trained tower to begin with instead of a fresh one.
        words: the nouns' embeddings, (2, 96, 256), of the language model that the tower belongs to.
        device: where the network is trained.
        workers: processes that draw scenes; 0: this one.

    Returns:
        The tower with its training-only heads.

    Raises:
        ModelError: the checkpoint cannot be used.
    """
    torch.manual_seed(recipe.seed)
    training = VisionTraining(draw, out, recipe, held_out, words, device, workers)
    training.begin(recipe, resume=resume, start=start)
    training.run()
    model: VisionWrapper = training.model
    return model
