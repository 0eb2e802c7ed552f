"""The recipe of the embedded detector: what it is trained on, for how long, and what is kept.

    train_detector("runs/detector", minutes=50)

draws its own pictures (never photographs, never the held-out drawing style), can be stopped and
started again at any moment, and leaves an ordinary transformers folder in
`runs/detector/weights`.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor
from transformers import GroundingDinoForObjectDetection, GroundingDinoImageProcessor

from lab.detector.data import ImagePool
from lab.detector.evaluate import calibrate_detector, write_detector_options
from lab.detector.losses import detector_loss, naming_loss
from lab.detector.network import (
    DetectorSize,
    new_detector,
    new_namer,
    run_detector,
    token_centres,
)
from lab.detector.tokenizer import (
    detector_tokenizer,
    nouns_of_tokens,
    vocabulary_tokens,
)
from lab.scenes.art import best_bank
from lab.scenes.sprites import SpriteBank
from lab.scenes.vocabulary import nouns
from lab.training.loop import Check, TrainingLoop
from lab.training.optimisers import matched_optimisers
from lab.training.precision import set_up_cpu
from lab.training.schedules import Budget, Schedule
from lab.training.weights import load_weights, save_half_precision
from segue.detect.grounding_dino import DinoOptions
from segue.runtime.device import multiplies_bfloat16


@dataclass(frozen=True)
class DetectorRecipe:
    """The numbers of a training.

    `phrases` is the longest caption; `fresh` the share of new images in a batch.
    """

    size: DetectorSize = field(default_factory=DetectorSize)
    batch: int = 8
    peak_rate: float = 1.2e-3
    warm_up: int = 80
    hold: float = 0.55
    phrases: int = 24
    pool: int = 120
    fresh: float = 0.4
    restyle: float = 0.3
    seed: int = 1
    bfloat16: bool = field(default_factory=multiplies_bfloat16)


UNCALIBRATED = DinoOptions(box_threshold=0.3, text_threshold=0.3, nms_iou=0.5)
"""The detector's options until `calibrate_detector` has chosen the threshold."""

WARM_START = DetectorRecipe(batch=12, peak_rate=7e-4, hold=0.33, seed=3)
"""For training from weights: a lower rate, that falls for two thirds of the time."""


def is_hidden_matrix(name: str, parameter: Tensor) -> bool:
    """Return whether Muon moves this parameter: linear layers, not tables or thin heads."""
    tables = ("embedd", "relative_position", "level_embed", "sampling_offsets")
    return parameter.shape[0] > 4 and not any(word in name for word in tables)


def is_slow(name: str) -> bool:
    """Return whether a parameter learns at a tenth of the rate."""
    return "sampling_offsets" in name


class DetectorTraining(TrainingLoop):
    """One run of the detector."""

    def __init__(
        self,
        folder: str | Path,
        budget: Budget,
        recipe: DetectorRecipe,
        bank: SpriteBank,
        check: Check | None = None,
    ) -> None:
        size = replace(recipe.size, vocabulary=len(vocabulary_tokens()))
        model = new_detector(size, recipe.seed, nouns_of_tokens())
        optimisers = matched_optimisers(
            model, recipe.peak_rate, is_hidden_matrix, is_slow, newton_steps=4
        )
        schedule = Schedule(recipe.warm_up, recipe.hold)
        super().__init__(folder, budget, model, optimisers, schedule, check=check, averaged=True)
        self.size, self.recipe = size, recipe
        self.pool = ImagePool(
            bank, recipe.seed, size.image, recipe.pool, recipe.fresh, recipe.restyle
        )
        self.namer = new_namer(size, len(nouns()) + 1, recipe.seed)
        self.namer_adam = torch.optim.AdamW(self.namer.parameters(), lr=recipe.peak_rate)
        self.parts |= {"namer": self.namer, "namer_adam": self.namer_adam, "drawn": self.pool}

    def initialise(self, start: Path | None) -> None:
        """Load the weights in `start`, if there are any."""
        if start is not None:
            load_weights(self.model, start)
            assert self.average is not None, "the detector's weights are averaged"
            self.average.reset(self.model)

    def compute_loss(self, progress: float) -> tuple[Tensor, dict[str, float]]:
        """Compute the loss of one batch: finding objects, and naming what lies at each place."""
        recipe = self.recipe
        batch = self.pool.batch(self.step, recipe.batch, recipe.phrases, self.size.text_length)
        output = run_detector(
            self.model, batch.pixels, batch.ids, batch.attention, bfloat16=recipe.bfloat16
        )
        centres = token_centres(self.size, *batch.pixels.shape[-2:])
        loss = detector_loss(output, batch.attention, batch.targets, centres)
        names = naming_loss(self.namer(output.places), batch.all_boxes, batch.all_nouns, centres)
        figures = {name: float(part.detach()) for name, part in loss._asdict().items()}
        return loss.total + names, {**figures, "naming": float(names.detach())}

    def update(self, share: float) -> float:
        """Step the optimisers, and that of the training-only classifier."""
        norm = super().update(share)
        self.namer_adam.param_groups[0]["lr"] = self.recipe.peak_rate * share
        self.namer_adam.step()
        self.namer_adam.zero_grad()
        return norm

    def export(self, model: GroundingDinoForObjectDetection, folder: Path) -> None:
        """Write the detector, not calibrated yet."""
        save_detector(model, folder, UNCALIBRATED)


def save_detector(
    model: GroundingDinoForObjectDetection, folder: Path, options: DinoOptions
) -> None:
    """Write an ordinary transformers folder in half precision.

    It holds the tokenizer and `segue.json`, too.
    """
    # The text mask acts differently in the library's fused attention: use what was trained with.
    save_half_precision(model, folder, attn_implementation="eager")
    side = model.config.backbone_config.image_size
    GroundingDinoImageProcessor(size={"shortest_edge": side, "longest_edge": side}).save_pretrained(
        folder
    )
    detector_tokenizer().save_pretrained(folder)
    write_detector_options(folder, options)


def train_detector(
    out: str | Path,
    minutes: float = 50.0,
    *,
    steps: int | None = None,
    resume: bool = True,
    recipe: DetectorRecipe | None = None,
    bank: SpriteBank | None = None,
    check: Check | None = None,
    threads: int | None = None,
    save_every: float = 180.0,
    calibrate_on: int = 200,
    start: str | Path | None = None,
) -> Path:
    """Train the detector, from scratch or from weights, and calibrate it.

    Args:
        out: the run's folder; a checkpoint, the log and the weights go here.
        minutes: wall clock over all parts of the run.
        steps: exactly so many steps instead.
        resume: resume from the checkpoint in `out`, where there is one.
        recipe: the numbers of the training; None: `DetectorRecipe()`, with `start` `WARM_START`.
        bank: the drawings, of which the held-out styles are always left out; None: `best_bank()`.
        check: measures the network now and then; its figures go to `log.jsonl`.
        threads: of PyTorch; None: as it is.
        save_every: seconds between two checkpoints.
        calibrate_on: scenes on which the threshold is chosen.
        start: a folder of weights to begin with instead of fresh ones.

    Returns:
        The folder with the weights.

    Raises:
        ModelError: the checkpoint or the weights in `start` cannot be used.
    """
    set_up_cpu(threads)
    recipe = recipe or (DetectorRecipe() if start is None else WARM_START)
    drawings = (bank or best_bank()).trainable()
    training = DetectorTraining(out, Budget(minutes, steps), recipe, drawings, check)
    training.save_every = save_every
    training.begin(recipe, resume=resume, start=None if start is None else Path(start))
    training.run()
    calibrate_detector(training.folder.weights, scenes=calibrate_on, bank=drawings)
    return training.folder.weights
