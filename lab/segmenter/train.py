"""The recipe of the embedded segmenter: what it is trained on, for how long, and what is kept.

    train_segmenter("runs/segmenter", minutes=50)

draws its own pictures (never photographs, never the held-out drawing style), can be stopped and
started again at any moment, and leaves an ordinary transformers folder in
`runs/segmenter/weights`.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import SamImageProcessor, SamModel

from lab.scenes.art import best_bank
from lab.scenes.scene import SceneRecipe, render
from lab.scenes.shapes import cluttered_scene, drop_shapes, photographic
from lab.scenes.sprites import SpriteBank
from lab.segmenter.data import (
    Batch,
    Draw,
    MaskedScene,
    PromptPlan,
    ScenePool,
    make_batch,
)
from lab.segmenter.losses import segmenter_loss
from lab.segmenter.network import (
    Prompts,
    SegmenterOutput,
    SegmenterSize,
    new_segmenter,
    run_segmenter,
)
from lab.training.loop import Check, TrainingLoop
from lab.training.optimisers import matched_optimisers
from lab.training.precision import set_up_cpu
from lab.training.schedules import Budget, Schedule
from lab.training.weights import load_weights, save_half_precision
from segue.runtime.device import multiplies_bfloat16

SHIPPED_SIZE = SegmenterSize(
    patch=16, width=192, layers=6, heads=6, mlp_ratio=4.0, window=8, global_layers=(2, 5),
    decoder=128, decoder_mlp=256,
)  # fmt: skip


@dataclass(frozen=True)
class SegmenterRecipe:
    """The numbers of a training.

    `balanced_until` and `focal_from` are shares of the budget; see the losses.
    """

    size: SegmenterSize = field(default_factory=lambda: SHIPPED_SIZE)
    batch: int = 8
    peak_rate: float = 1.5e-3
    warm_up: int = 100
    hold: float = 0.35
    balanced_until: float = 0.08
    focal_from: float = 0.2
    pool: int = 400
    fresh: float = 0.2
    seed: int = 1
    bfloat16: bool = field(default_factory=multiplies_bfloat16)


WARM_START = SegmenterRecipe(
    peak_rate=7e-4, warm_up=40, hold=0.2, balanced_until=-0.2, focal_from=-0.1, seed=5
)
"""For training from weights: focal loss from the first step, and a lower rate, that falls
for four fifths of the time."""


def drawn_or_cluttered(bank: SpriteBank) -> Draw:
    """Return how training scenes are drawn.

    Half are plain drawn scenes, a fifth has shapes dropped on it, the rest is clutter.
    """
    outlines = tuple(np.ascontiguousarray(s.pixels[..., 3]) for s in bank.sprites)
    sides = (192, 256, 256, 256, 384)

    def draw(rng: np.random.Generator) -> MaskedScene:
        kind = rng.random()
        side = int(sides[int(rng.integers(len(sides)))])
        if kind < 0.35:
            picture, covers = cluttered_scene(rng, 256, outlines)
        else:
            recipe = SceneRecipe(side, side, smallest=0.12, overlap=0.3)
            scene = render(rng, bank, recipe)
            picture, covers = (
                scene.image.astype(np.float32),
                [m.astype(np.float32) for m in scene.masks],
            )
            if kind > 0.8:
                picture = drop_shapes(rng, picture, covers, int(rng.integers(1, 3)), outlines)
                picture = photographic(rng, picture) if rng.random() < 0.5 else picture
        masks = tuple((c * 255).astype(np.uint8) for c in covers if (c > 0.5).sum() >= 60)
        return MaskedScene(np.clip(picture, 0, 255).astype(np.uint8), masks)

    return draw


def choose_plan(rng: np.random.Generator) -> PromptPlan:
    """Choose boxes and single clicks mostly; on one step in four, clicks with negatives."""
    if rng.random() < 0.75:
        return PromptPlan()
    return PromptPlan(clicks=int(rng.integers(2, 5)))


def answer(
    model: SamModel, batch: Batch, refine: bool, bfloat16: bool
) -> tuple[SegmenterOutput, Tensor, int]:
    """Return the network's output, its targets, and how many of the prompts are boxes.

    `refine` asks one box or click a picture twice, the second time with the first answer as a
    mask prompt.
    """
    boxes = batch.prompts.boxes
    count = 0 if boxes is None else boxes.shape[1]
    if not refine:
        output = run_segmenter(model, batch.pixels, batch.prompts, bfloat16=bfloat16)
        return output, batch.targets, count
    with torch.autocast(batch.pixels.device.type, dtype=torch.bfloat16, enabled=bfloat16):
        embedding = model.vision_encoder(batch.pixels).last_hidden_state
    if boxes is not None and torch.rand(()) < 0.5:
        prompts, targets, count = Prompts(boxes[:, :1], None, None), batch.targets[:, :1], 1
    else:
        points, labels = batch.prompts.points, batch.prompts.labels
        assert points is not None, "every plan has points"
        assert labels is not None, "points come with labels"
        prompts = Prompts(None, points[:, :1], labels[:, :1])
        targets, count = batch.targets[:, count : count + 1], 0
    with torch.no_grad():
        first = run_segmenter(model, embedding, prompts, bfloat16=bfloat16, embedded=True)
    second_prompts = prompts._replace(masks=first.logits[:, 0, :1])
    output = run_segmenter(model, embedding, second_prompts, bfloat16=bfloat16, embedded=True)
    return output, targets, count


def is_hidden_matrix(name: str, parameter: Tensor) -> bool:
    """Return whether Muon moves this parameter: linear layers, not embeddings or tokens."""
    return "embed" not in name and "token" not in name


class SegmenterTraining(TrainingLoop):
    """One run of the segmenter."""

    check_every = 300.0

    def __init__(
        self,
        folder: str | Path,
        budget: Budget,
        recipe: SegmenterRecipe,
        draw: Draw,
        check: Check | None = None,
    ) -> None:
        model = new_segmenter(recipe.size, recipe.seed)
        optimisers = matched_optimisers(model, recipe.peak_rate, is_hidden_matrix)
        schedule = Schedule(recipe.warm_up, recipe.hold)
        super().__init__(folder, budget, model, optimisers, schedule, check=check, averaged=True)
        self.recipe = recipe
        self.pool = ScenePool(draw, recipe.seed, recipe.pool, recipe.fresh)
        self.parts["drawn"] = self.pool

    def initialise(self, start: Path | None) -> None:
        """Load the weights in `start`, if there are any."""
        if start is not None:
            load_weights(self.model, start)
            assert self.average is not None, "the segmenter's weights are averaged"
            self.average.reset(self.model)

    def compute_loss(self, progress: float) -> tuple[Tensor, dict[str, float]]:
        """Compute the loss of one batch: boxes and clicks, or now and then a corrected answer."""
        recipe, size = self.recipe, self.recipe.size
        rng, views = self.pool.views(self.step, recipe.batch, size.image)
        plan = choose_plan(rng)
        batch = make_batch(rng, views, plan, size.image, size.mask)
        torch.manual_seed(int(rng.integers(1 << 31)))
        refine = progress > recipe.focal_from and rng.random() < 0.12
        output, targets, boxes = answer(self.model, batch, refine, recipe.bfloat16)
        fade = (recipe.focal_from - progress) / (recipe.focal_from - recipe.balanced_until)
        loss = segmenter_loss(output, targets, boxes, plan.clicks, min(1.0, max(0.0, fade)))
        if refine:
            return loss.total, {}
        ious = {"box_iou": float(loss.box_iou), "point_iou": float(loss.point_iou)}
        return loss.total, {"loss": float(loss.total.detach()), **ious}

    def export(self, model: SamModel, folder: Path) -> None:
        """Write the segmenter."""
        save_segmenter(model, folder)


def save_segmenter(model: SamModel, folder: Path, zoom: float = 1.3) -> None:
    """Write an ordinary transformers folder in half precision, and `segue.json` beside it."""
    save_half_precision(model, folder)
    side = model.config.vision_config.image_size
    mask = 4 * side // model.config.vision_config.patch_size
    processor = SamImageProcessor(
        size={"longest_edge": side},
        pad_size={"height": side, "width": side},
        mask_size={"longest_edge": mask},
        mask_pad_size={"height": mask, "width": mask},
    )
    processor.save_pretrained(folder)
    settings = {"clip_to_box": True, "zoom": zoom}
    (folder / "segue.json").write_text(json.dumps(settings, indent=2) + "\n", "utf-8")


def train_segmenter(
    out: str | Path,
    minutes: float = 50.0,
    *,
    steps: int | None = None,
    resume: bool = True,
    recipe: SegmenterRecipe | None = None,
    bank: SpriteBank | None = None,
    check: Check | None = None,
    threads: int | None = None,
    save_every: float = 180.0,
    start: str | Path | None = None,
) -> Path:
    """Train the segmenter, from scratch or from weights.

    Args:
        out: the run's folder; a checkpoint, the log and the weights go here.
        minutes: wall clock over all parts of the run.
        steps: exactly so many steps instead.
        resume: resume from the checkpoint in `out`, where there is one.
        recipe: the numbers of the training; None: `SegmenterRecipe()`, with `start` `WARM_START`.
        bank: the drawings, of which the held-out styles are always left out; None: `best_bank()`.
        check: measures the network now and then; its figures go to `log.jsonl`.
        threads: of PyTorch; None: as it is.
        save_every: seconds between two checkpoints.
        start: a folder of weights to begin with instead of fresh ones.

    Returns:
        The folder with the weights.

    Raises:
        ModelError: the checkpoint or the weights in `start` cannot be used.
    """
    set_up_cpu(threads)
    recipe = recipe or (SegmenterRecipe() if start is None else WARM_START)
    drawings = (bank or best_bank()).trainable()
    draw = drawn_or_cluttered(drawings)
    training = SegmenterTraining(out, Budget(minutes, steps), recipe, draw, check)
    training.save_every = save_every
    training.begin(recipe, resume=resume, start=None if start is None else Path(start))
    training.run()
    return training.folder.weights
