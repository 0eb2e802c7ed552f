"""The recipe of the embedded detector: what it is trained on, for how long, and what is kept.

    train_detector("runs/detector", minutes=50)

draws its own pictures (never photographs, never the held-out drawing style), can be stopped and
started again at any moment, and leaves an ordinary transformers folder in
``runs/detector/weights``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor
from transformers import GroundingDinoForObjectDetection, GroundingDinoImageProcessor

from segue.embedded.detector_evaluation import calibrate_detector
from segue.embedded.detector_losses import detector_loss, naming_loss
from segue.embedded.detector_network import (
    DetectorSize,
    new_detector,
    new_namer,
    run_detector,
    token_centres,
)
from segue.embedded.detector_phrases import detector_tokenizer, nouns_of_tokens, vocabulary_tokens
from segue.embedded.detector_samples import PicturePool
from segue.embedded.detector_settings import DetectorSettings, write_settings
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
from segue.embedded.vocabulary import nouns
from segue.runtime.device import multiplies_bfloat16


@dataclass(frozen=True)
class DetectorRecipe:
    """The numbers of a training. ``phrases`` is the longest caption; ``fresh`` the share of new
    pictures in a batch."""

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


CONTINUED = DetectorRecipe(batch=12, peak_rate=7e-4, hold=0.33, seed=3)
"""How to go on from trained weights: a lower rate, that falls for two thirds of the time."""


def is_hidden_matrix(name: str, parameter: Tensor) -> bool:
    """Whether Muon should move this parameter: weights of linear layers, not tables or thin
    heads."""
    tables = ("embedd", "relative_position", "level_embed", "sampling_offsets")
    return parameter.shape[0] > 4 and not any(word in name for word in tables)


class DetectorTraining(TrainingLoop):
    """One run of the detector."""

    def __init__(
        self,
        out: str | Path,
        budget: Budget,
        recipe: DetectorRecipe,
        bank: SpriteBank,
        check: Check | None,
    ) -> None:
        size = replace(recipe.size, vocabulary=len(vocabulary_tokens()))
        model = new_detector(size, recipe.seed, nouns_of_tokens())
        optimisers = Optimisers(
            model, is_hidden_matrix, lambda name: "sampling_offsets" in name, newton_steps=4
        )
        pool = PicturePool(bank, recipe.seed, size.image, recipe.pool, recipe.fresh, recipe.restyle)
        super().__init__(out, budget, model, optimisers, pool, check)
        self.size, self.recipe = size, recipe
        self.namer = new_namer(size, len(nouns()) + 1, recipe.seed)
        self.namer_adam = torch.optim.AdamW(self.namer.parameters(), lr=1e-3)
        self.parts |= {"namer": self.namer, "namer_adam": self.namer_adam}

    def learn(self, progress: float) -> float:
        """One batch: finding, and naming what lies at each place."""
        recipe = self.recipe
        batch = self.pool.batch(self.step, recipe.batch, recipe.phrases, self.size.text_length)
        output = run_detector(
            self.model, batch.pixels, batch.ids, batch.attention, bfloat16=recipe.bfloat16
        )
        centres = token_centres(self.size, *batch.pixels.shape[-2:])
        loss = detector_loss(output, batch.attention, batch.targets, centres)
        names = naming_loss(self.namer(output.places), batch.all_boxes, batch.all_nouns, centres)
        (loss.total + names).backward()
        rate = learning_rate(recipe.peak_rate, self.step, progress, recipe.warm_up, recipe.hold)
        norm = self.optimisers.step(rate)
        self.namer_adam.param_groups[0]["lr"] = rate
        self.namer_adam.step()
        self.namer_adam.zero_grad()
        figures = {name: float(part.detach()) for name, part in loss._asdict().items()}
        self.recent.append({**figures, "naming": float(names.detach()), "norm": norm})
        return figures["total"]

    def ship(self, model: GroundingDinoForObjectDetection, folder: Path) -> None:
        """See ``save_detector``."""
        save_detector(model, folder, DetectorSettings())


def save_detector(
    model: GroundingDinoForObjectDetection, folder: Path, settings: DetectorSettings
) -> None:
    """Write an ordinary transformers folder in half precision, tokenizer included, and
    ``segue.json``."""
    # The text mask acts differently in the library's fused attention: use what was trained with.
    save_halves(model, folder, attn_implementation="eager")
    side = model.config.backbone_config.image_size
    GroundingDinoImageProcessor(size={"shortest_edge": side, "longest_edge": side}).save_pretrained(
        folder
    )
    detector_tokenizer().save_pretrained(folder)
    write_settings(folder, settings)


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
    """Train from scratch (or go on) and return the folder with the weights.

    Parameters as for ``train_segmenter``: ``minutes`` of wall clock over all parts of the run, or
    exactly ``steps``;
    ``resume`` takes up the checkpoint in ``out``; ``bank`` are the drawings, of which the held-out
    style is always left out; ``check`` measures the network now and then and its figures go to
    ``log.jsonl``. ``start`` is a folder of weights to begin with instead of fresh ones;
    ``recipe`` is then by default ``CONTINUED``.
    """
    prepare_processor(threads)
    recipe = recipe or (DetectorRecipe() if start is None else CONTINUED)
    drawings = (bank or best_bank()).without(HELD_OUT_STYLE)
    training = DetectorTraining(out, Budget(minutes, steps), recipe, drawings, check)
    training.begin(recipe, resume=resume, start=start)
    training.run(save_every=save_every)
    calibrate_detector(training.folder.weights, scenes=calibrate_on, bank=drawings)
    return training.folder.weights
