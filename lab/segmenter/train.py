"""The recipe of the embedded segmenter: what it is trained on, for how long, and what is kept.

    train_segmenter("runs/segmenter", minutes=50)

draws its own pictures (never photographs, never the held-out drawing style), can be stopped and
started again at any moment, and leaves an ordinary transformers folder in
`runs/segmenter/weights`.
"""

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import SamImageProcessor, SamModel

from lab.scenes.art import best_bank
from lab.scenes.scene import SceneRecipe
from lab.scenes.shapes import cluttered_scene, drop_shapes, photographic
from lab.scenes.sprites import SpriteBank
from lab.scenes.worlds import render_some_world
from lab.segmenter.data import Draw, MaskedScene, ScenePool, SegmenterBatch
from lab.segmenter.losses import segmenter_loss
from lab.segmenter.network import (
    Prompts,
    SegmenterOutput,
    new_segmenter,
    normalised_pixels,
    run_segmenter,
)
from lab.segmenter.recipe import CUDA_WARM_START, WARM_START, SegmenterRecipe
from lab.training.feed import BatchFeed, to_tensors
from lab.training.loop import Check, Figures, TrainingLoop
from lab.training.optimisers import matched_optimisers
from lab.training.precision import CPU, set_up, uses_bfloat16
from lab.training.schedules import Budget, Schedule
from lab.training.weights import load_weights, save_half_precision


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
            scene = render_some_world(rng, bank, recipe)
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


def answer(
    model: SamModel, batch: SegmenterBatch[Tensor], refine: bool, bfloat16: bool
) -> tuple[SegmenterOutput, Tensor, int]:
    """Return the network's output, its targets, and how many of the prompts are boxes.

    `refine` asks one box or click a picture twice, the second time with the first answer as a
    mask prompt.
    """
    pixels = normalised_pixels(batch.images, batch.sizes)
    targets, count = batch.targets.float() / 255, batch.boxes.shape[1]
    prompts = Prompts(batch.boxes, batch.points, batch.labels)
    if not refine:
        return run_segmenter(model, pixels, prompts, bfloat16=bfloat16), targets, count
    with torch.autocast(pixels.device.type, dtype=torch.bfloat16, enabled=bfloat16):
        embedding = model.vision_encoder(pixels).last_hidden_state
    if int(batch.seed) % 2:
        prompts, targets, count = Prompts(batch.boxes[:, :1], None, None), targets[:, :1], 1
    else:
        prompts = Prompts(None, batch.points[:, :1], batch.labels[:, :1])
        targets, count = targets[:, count : count + 1], 0
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
        device: torch.device = CPU,
        workers: int = 0,
    ) -> None:
        model = new_segmenter(recipe.size, recipe.seed).to(device)
        optimisers = matched_optimisers(model, recipe.peak_rate, is_hidden_matrix)
        super().__init__(
            folder,
            budget,
            model,
            optimisers,
            Schedule(recipe.warm_up, recipe.hold),
            check=check,
            averaged=True,
            feed=BatchFeed(ScenePool(draw, recipe), workers),
        )
        self.recipe, self.device = recipe, device
        self.bfloat16 = uses_bfloat16(recipe.bfloat16, device)

    def initialise(self, start: Path | None) -> None:
        """Load the weights in `start`, if there are any."""
        if start is not None:
            load_weights(self.model, start)
            assert self.average is not None, "the segmenter's weights are averaged"
            self.average.reset(self.model)

    def compute_loss(self, progress: float) -> tuple[Tensor, Figures]:
        """Compute the loss of one batch: boxes and clicks, or now and then a corrected answer."""
        arrays, recipe = self.next_batch(), self.recipe
        rng = np.random.default_rng(arrays.seed)
        refine = progress > recipe.focal_from and rng.random() < 0.12
        batch = to_tensors(arrays._replace(seed=None), self.device)._replace(seed=arrays.seed[0])
        output, targets, boxes = answer(self.model, batch, refine, self.bfloat16)
        fade = (recipe.focal_from - progress) / (recipe.focal_from - recipe.balanced_until)
        clicks = arrays.labels.shape[-1]
        loss = segmenter_loss(output, targets, boxes, clicks, min(1.0, max(0.0, fade)))
        if refine:
            return loss.total, {}
        ious = {"box_iou": loss.box_iou, "point_iou": loss.point_iou}
        return loss.total, {"loss": loss.total.detach(), **ious}

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
    device: str = "cpu",
    workers: int = 0,
) -> Path:
    """Train the segmenter, from scratch or from weights.

    Args:
        out: the run's folder; a checkpoint, the log and the weights go here.
        minutes: wall clock over all parts of the run.
        steps: exactly so many steps instead.
        resume: resume from the checkpoint in `out`, where there is one.
        recipe: the numbers of the training; None: `SegmenterRecipe()`, with `start` `WARM_START`
            or, on CUDA, `CUDA_WARM_START`.
        bank: the drawings, of which the held-out style is always left out; None: `best_bank()`.
        check: measures the network now and then; its figures go to `log.jsonl`.
        threads: of PyTorch; None: as it is.
        save_every: seconds between two checkpoints.
        start: a folder of weights to begin with instead of fresh ones.
        device: where the network is trained; its recipe from weights depends on that.
        workers: processes that draw batches; 0: this one.

    Returns:
        The folder with the weights.

    Raises:
        ModelError: the checkpoint or the weights in `start` cannot be used.
    """
    place = set_up(device, threads)
    if recipe is None:
        warm_start = CUDA_WARM_START if place.type == "cuda" else WARM_START
        recipe = SegmenterRecipe() if start is None else warm_start
    drawings = (bank or best_bank()).trainable()
    draw = drawn_or_cluttered(drawings)
    training = SegmenterTraining(out, Budget(minutes, steps), recipe, draw, check, place, workers)
    training.save_every = save_every
    training.begin(recipe, resume=resume, start=None if start is None else Path(start))
    training.run()
    return training.folder.weights
