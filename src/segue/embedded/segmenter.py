"""The recipe of the embedded segmenter: what it is trained on, for how long, and what is kept.

    train_segmenter("runs/segmenter", minutes=50)

draws its own pictures (never photographs, never the held-out drawing style), can be stopped and
started again at any moment, and leaves an ordinary transformers folder in
``runs/segmenter/weights``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import SamImageProcessor, SamModel

from segue.embedded.scenes import SceneRecipe, render
from segue.embedded.segmenter_losses import segmenter_loss
from segue.embedded.segmenter_network import (
    Prompts,
    SegmenterOutput,
    SegmenterSize,
    new_segmenter,
    run_segmenter,
)
from segue.embedded.segmenter_samples import (
    Batch,
    Draw,
    MaskedScene,
    PromptPlan,
    ScenePool,
    make_batch,
)
from segue.embedded.shapes import cluttered_scene, drop_shapes, photographic
from segue.embedded.sprites import SpriteBank, best_bank
from segue.embedded.training_loop import Check, TrainingLoop
from segue.embedded.training_run import (
    HELD_OUT_STYLE,
    Budget,
    Optimisers,
    learning_rate,
    prepare_processor,
    save_halves,
)
from segue.runtime.device import multiplies_bfloat16

SHIPPED_SIZE = SegmenterSize(
    patch=16, width=192, layers=6, heads=6, mlp_ratio=4.0, window=8, global_layers=(2, 5),
    decoder=128, decoder_mlp=256,
)  # fmt: skip


@dataclass(frozen=True)
class SegmenterRecipe:
    """The numbers of a training. ``balanced_until`` and ``focal_from`` are shares of the budget;
    see the losses."""

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


CONTINUED = SegmenterRecipe(
    peak_rate=7e-4, warm_up=40, hold=0.2, balanced_until=-0.2, focal_from=-0.1, seed=5
)
"""How to go on from trained weights: focal loss from the first step, and a lower rate, that falls
for four fifths of the time."""


def drawn_or_cluttered(bank: SpriteBank) -> Draw:
    """How training scenes are drawn: half are plain drawn scenes, a fifth has shapes dropped on it,
    the rest is clutter."""
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
    """Boxes and single clicks mostly; on one step in four, clicks with negatives."""
    if rng.random() < 0.75:
        return PromptPlan()
    return PromptPlan(clicks=int(rng.integers(2, 5)))


def answer(
    model: SamModel, batch: Batch, refine: bool, bfloat16: bool
) -> tuple[SegmenterOutput, Tensor, int]:
    """The network's output, the targets it is measured against, and how many of the prompts are
    boxes.

    ``refine`` asks one box or click a picture twice, the second time with the first answer as a
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
    again = prompts._replace(masks=first.logits[:, 0, :1])
    output = run_segmenter(model, embedding, again, bfloat16=bfloat16, embedded=True)
    return output, targets, count


def is_hidden_matrix(name: str, parameter: Tensor) -> bool:
    """Whether Muon should move this parameter: weights of linear layers, not embeddings or
    tokens."""
    return "embed" not in name and "token" not in name


class SegmenterTraining(TrainingLoop):
    """One run of the segmenter."""

    check_every = 300.0

    def __init__(
        self,
        out: str | Path,
        budget: Budget,
        recipe: SegmenterRecipe,
        draw: Draw,
        check: Check | None,
    ) -> None:
        model = new_segmenter(recipe.size, recipe.seed)
        pool = ScenePool(draw, recipe.seed, recipe.pool, recipe.fresh)
        super().__init__(out, budget, model, Optimisers(model, is_hidden_matrix), pool, check)
        self.recipe = recipe

    def learn(self, progress: float) -> float:
        """One batch: boxes and clicks, or now and then the correction of an answer."""
        recipe, size = self.recipe, self.recipe.size
        rng, views = self.pool.views(self.step, recipe.batch, size.image)
        plan = choose_plan(rng)
        batch = make_batch(rng, views, plan, size.image, size.mask)
        torch.manual_seed(int(rng.integers(1 << 31)))
        refine = progress > recipe.focal_from and rng.random() < 0.12
        output, targets, boxes = answer(self.model, batch, refine, recipe.bfloat16)
        fade = (recipe.focal_from - progress) / (recipe.focal_from - recipe.balanced_until)
        loss = segmenter_loss(output, targets, boxes, plan.clicks, min(1.0, max(0.0, fade)))
        loss.total.backward()
        rate = learning_rate(recipe.peak_rate, self.step, progress, recipe.warm_up, recipe.hold)
        norm = self.optimisers.step(rate)
        value = float(loss.total.detach())
        if not refine:
            ious = {"box_iou": float(loss.box_iou), "point_iou": float(loss.point_iou)}
            self.recent.append({"loss": value, **ious, "norm": norm})
        return value

    def ship(self, model: SamModel, folder: Path) -> None:
        """See ``save_segmenter``."""
        save_segmenter(model, folder)


def save_segmenter(model: SamModel, folder: Path, zoom: float = 1.3) -> None:
    """Write an ordinary transformers folder in half precision, and ``segue.json`` with the settings
    for looking."""
    save_halves(model, folder)
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
    """Train from scratch (or go on) and return the folder with the weights.

    Parameters: ``minutes`` of wall clock over all parts of the run, or exactly ``steps``;
    ``resume`` takes up the checkpoint in ``out``; ``bank`` are the drawings (default: all fetched
    styles, else the shipped sheet; the held-out style is always left out); ``check`` measures the
    network now and then and its figures go to ``log.jsonl``; ``start`` is a folder of weights to
    begin with instead of fresh ones; ``recipe`` is then by default ``CONTINUED``.
    """
    prepare_processor(threads)
    recipe = recipe or (SegmenterRecipe() if start is None else CONTINUED)
    drawings = (bank or best_bank()).without(HELD_OUT_STYLE)
    budget = Budget(minutes, steps)
    training = SegmenterTraining(out, budget, recipe, drawn_or_cluttered(drawings), check)
    training.begin(recipe, resume=resume, start=start)
    training.run(save_every=save_every)
    return training.folder.weights
