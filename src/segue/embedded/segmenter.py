"""The recipe of the embedded segmenter: what it is trained on, for how long, and what is kept.

    train_segmenter("runs/segmenter", minutes=50)

draws its own pictures (never photographs, never the held-out drawing style), can be stopped and
started again at any moment, and leaves an ordinary transformers folder in
``runs/segmenter/weights``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import SamImageProcessor, SamModel

from segue.device import multiplies_bfloat16
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
from segue.embedded.training_run import (
    HELD_OUT_STYLE,
    AveragedWeights,
    Budget,
    Optimisers,
    RunFolder,
    learning_rate,
    load_weights,
    mean_of,
    prepare_processor,
)

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


Check = Callable[[SamModel], dict[str, float]]


class SegmenterTraining:
    """One run: its network, optimisers, data and clock. ``run`` goes on until the budget is
    spent."""

    def __init__(
        self,
        out: str | Path,
        budget: Budget,
        recipe: SegmenterRecipe,
        draw: Draw,
        check: Check | None,
    ) -> None:
        self.folder, self.budget, self.recipe, self.check = (
            RunFolder(Path(out)),
            budget,
            recipe,
            check,
        )
        self.model = new_segmenter(recipe.size, recipe.seed)
        self.optimisers = Optimisers(self.model, is_hidden_matrix)
        self.average = AveragedWeights(self.model)
        self.pool = ScenePool(draw, recipe.seed, recipe.pool, recipe.fresh)
        self.step = 0
        self.recent: list[tuple[float, float, float, float]] = []

    def resume(self) -> bool:
        """Take up the folder's checkpoint, if there is one."""
        state = self.folder.load()
        if state is None:
            return False
        self.model.load_state_dict(state["model"])
        self.optimisers.load_state_dict(state["optimisers"])
        self.average.state = state["average"]
        self.step, self.budget.spent = state["step"], state["spent"]
        self.pool.go_to(state["drawn"])
        return True

    def save(self) -> None:
        """Write the checkpoint and the averaged weights."""
        self.folder.save(
            {
                "model": self.model.state_dict(),
                "optimisers": self.optimisers.state_dict(),
                "average": self.average.state,
                "step": self.step,
                "spent": self.budget.elapsed(),
                "drawn": self.pool.drawn,
            }
        )
        with self.average.lent_to(self.model) as model:
            save_segmenter(model, self.folder.weights)

    def one_step(self) -> float:
        """Draw a batch, learn from it; returns the loss."""
        recipe, progress = self.recipe, self.budget.progress(self.step)
        size = recipe.size
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
        self.average.update(self.model, self.step)
        self.step += 1
        value = float(loss.total.detach())
        if not refine:
            self.recent.append((value, float(loss.box_iou), float(loss.point_iou), norm))
        return value

    def run(self, save_every: float = 180.0, check_every: float = 300.0, report: int = 25) -> None:
        """Train until the budget is spent, logging and saving on the way."""
        self.model.train()
        saved = checked = self.budget.elapsed()
        while self.budget.progress(self.step) < 1:
            self.one_step()
            now = self.budget.elapsed()
            if self.step % report == 0:
                self.report(now)
            if now - saved > save_every:
                self.save()
                saved = self.budget.elapsed()
            if now - checked > check_every:
                self.validate()
                checked = self.budget.elapsed()
        self.save()
        self.validate()

    def report(self, now: float) -> None:
        """One line of the log about the latest steps."""
        loss, box, point, norm = (mean_of(column) for column in zip(*self.recent, strict=True))
        self.recent.clear()
        self.folder.log(
            step=self.step, minutes=now / 60, cpu=time.process_time() / 60, loss=loss,
            box_iou=box, point_iou=point, norm=norm,
        )  # fmt: skip

    def validate(self) -> None:
        """Run the check on the averaged weights and log what it says."""
        if self.check is None:
            return
        with self.average.lent_to(self.model) as model:
            measured = self.check(model)
        self.folder.log(step=self.step, minutes=self.budget.elapsed() / 60, check=measured)


def save_segmenter(model: SamModel, folder: Path, zoom: float = 1.3) -> None:
    """Write an ordinary transformers folder in half precision, and ``segue.json`` with the settings
    for looking."""
    folder.mkdir(parents=True, exist_ok=True)
    side = model.config.vision_config.image_size
    mask = 4 * side // model.config.vision_config.patch_size
    halves = {name: value.half() for name, value in model.state_dict().items()}
    model.save_pretrained(folder, state_dict=halves)
    (folder / "model.safetensors").chmod(0o644)  # it is written for its owner only
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config["dtype"] = "float16"
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", "utf-8")
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
    begin with instead of fresh ones.
    """
    prepare_processor(threads)
    recipe = recipe or SegmenterRecipe()
    drawings = (bank or best_bank()).without(HELD_OUT_STYLE)
    budget = Budget(minutes, steps)
    training = SegmenterTraining(out, budget, recipe, drawn_or_cluttered(drawings), check)
    resumed = resume and training.resume()
    if start is not None and not resumed:
        load_weights(training.model, Path(start))
        training.average = AveragedWeights(training.model)
    training.folder.log(
        event="resumed" if resumed else "started", step=training.step, recipe=_plain(recipe)
    )
    training.run(save_every=save_every)
    return training.folder.weights


def _plain(recipe: Any) -> dict[str, Any]:
    return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(recipe).items()}
