"""The recipe of the embedded detector: what it is trained on, for how long, and what is kept.

    train_detector("runs/detector", minutes=50)

draws its own pictures (never photographs, never the held-out drawing style), can be stopped and
started again at any moment, and leaves an ordinary transformers folder in
`runs/detector/weights`.
"""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from transformers import GroundingDinoForObjectDetection, GroundingDinoImageProcessor

from lab.detector.data import LabelledImages
from lab.detector.evaluate import calibrate_detector, write_detector_options
from lab.detector.losses import Targets, detector_loss, naming_loss
from lab.detector.network import (
    new_detector,
    new_namer,
    normalised_pixels,
    run_detector,
    token_centres,
)
from lab.detector.recipe import CUDA_WARM_START, WARM_START, DetectorRecipe
from lab.detector.tokenizer import (
    detector_tokenizer,
    nouns_of_tokens,
    vocabulary_tokens,
)
from lab.scenes.art import best_bank
from lab.scenes.sprites import SpriteBank
from lab.scenes.vocabulary import nouns
from lab.training.feed import BatchFeed, to_tensors
from lab.training.loop import Check, Figures, TrainingLoop
from lab.training.optimisers import matched_optimisers
from lab.training.precision import CPU, set_up, uses_bfloat16
from lab.training.schedules import Budget, Schedule
from lab.training.weights import load_weights, save_half_precision
from segue.detect.grounding_dino import DinoOptions

UNCALIBRATED = DinoOptions(box_threshold=0.3, text_threshold=0.3, nms_iou=0.5)
"""The detector's options until `calibrate_detector` has chosen the threshold."""


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
        device: torch.device = CPU,
        workers: int = 0,
    ) -> None:
        size = replace(recipe.size, vocabulary=len(vocabulary_tokens()))
        model = new_detector(size, recipe.seed, nouns_of_tokens()).to(device)
        optimisers = matched_optimisers(
            model, recipe.peak_rate, is_hidden_matrix, is_slow, newton_steps=4
        )
        schedule = Schedule(recipe.warm_up, recipe.hold)
        images = LabelledImages(bank, recipe)
        super().__init__(
            folder,
            budget,
            model,
            optimisers,
            schedule,
            check=check,
            averaged=True,
            feed=BatchFeed(images, workers),
        )
        self.size, self.recipe, self.device = size, recipe, device
        self.bfloat16 = uses_bfloat16(recipe.bfloat16, device)
        self.centres = {shape: token_centres(size, *shape).to(device) for shape in images.shapes}
        self.namer = new_namer(size, len(nouns()) + 1, recipe.seed).to(device)
        self.namer_adam = torch.optim.AdamW(self.namer.parameters(), lr=recipe.peak_rate)
        self.parts |= {"namer": self.namer, "namer_adam": self.namer_adam}

    def initialise(self, start: Path | None) -> None:
        """Load the weights in `start`, if there are any."""
        if start is not None:
            load_weights(self.model, start)
            assert self.average is not None, "the detector's weights are averaged"
            self.average.reset(self.model)

    def compute_loss(self, progress: float) -> tuple[Tensor, Figures]:
        """Compute the loss of one batch: finding objects, and naming what lies at each place."""
        batch = to_tensors(self.next_batch(), self.device)
        pixels = normalised_pixels(batch.images)
        output = run_detector(
            self.model, pixels, batch.ids, batch.attention, bfloat16=self.bfloat16
        )
        centres = self.centres[pixels.shape[-2], pixels.shape[-1]]
        targets = Targets(batch.boxes, batch.words, batch.words.sum(-1) > 0)
        loss = detector_loss(output, batch.attention, targets, centres)
        names = naming_loss(self.namer(output.places), batch.boxes, batch.nouns, centres)
        figures = {name: part.detach() for name, part in loss._asdict().items()}
        return loss.total + names, {**figures, "naming": names.detach()}

    def update(self, share: float) -> float | Tensor:
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
    device: str = "cpu",
    workers: int = 0,
) -> Path:
    """Train the detector, from scratch or from weights, and calibrate it.

    Args:
        out: the run's folder; a checkpoint, the log and the weights go here.
        minutes: wall clock over all parts of the run.
        steps: exactly so many steps instead.
        resume: resume from the checkpoint in `out`, where there is one.
        recipe: the numbers of the training; None: `DetectorRecipe()`, with `start` `WARM_START`
            or, on CUDA, `CUDA_WARM_START`.
        bank: the drawings, of which the held-out style is always left out; None: `best_bank()`.
        check: measures the network now and then; its figures go to `log.jsonl`.
        threads: of PyTorch; None: as it is.
        save_every: seconds between two checkpoints.
        calibrate_on: scenes on which the threshold is chosen.
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
        recipe = DetectorRecipe() if start is None else warm_start
    drawings = (bank or best_bank()).trainable()
    training = DetectorTraining(
        out, Budget(minutes, steps), recipe, drawings, check, place, workers
    )
    training.save_every = save_every
    training.begin(recipe, resume=resume, start=None if start is None else Path(start))
    training.run()
    calibrate_detector(
        training.folder.weights, scenes=calibrate_on, bank=drawings, device=str(place)
    )
    return training.folder.weights
