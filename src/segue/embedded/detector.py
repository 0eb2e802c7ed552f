"""The recipe of the embedded detector: what it is trained on, for how long, and what is kept.

    train_detector("runs/detector", minutes=50)

draws its own pictures (never photographs, never the held-out drawing style), can be stopped and
started again at any moment, and leaves an ordinary transformers folder in
``runs/detector/weights``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor
from transformers import GroundingDinoForObjectDetection, GroundingDinoImageProcessor

from segue.device import multiplies_bfloat16
from segue.embedded.detector_evaluation import calibrate_detector
from segue.embedded.detector_losses import DetectorLoss, detector_loss, naming_loss
from segue.embedded.detector_network import (
    DetectorSize,
    new_detector,
    new_namer,
    run_detector,
    token_centres,
)
from segue.embedded.detector_phrases import (
    detector_tokenizer,
    nouns_of_tokens,
    vocabulary_tokens,
)
from segue.embedded.detector_samples import PicturePool
from segue.embedded.detector_settings import DetectorSettings, write_settings
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
from segue.embedded.vocabulary import nouns

Check = Callable[[GroundingDinoForObjectDetection], dict[str, float]]


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


def is_hidden_matrix(name: str, parameter: Tensor) -> bool:
    """Whether Muon should move this parameter: weights of linear layers, not tables or thin
    heads."""
    tables = ("embedd", "relative_position", "level_embed", "sampling_offsets")
    return parameter.shape[0] > 4 and not any(word in name for word in tables)


class DetectorTraining:
    """One run: its network, optimisers, data and clock. ``run`` goes on until the budget is
    spent."""

    def __init__(
        self,
        out: str | Path,
        budget: Budget,
        recipe: DetectorRecipe,
        bank: SpriteBank,
        check: Check | None,
    ) -> None:
        size = replace(recipe.size, vocabulary=len(vocabulary_tokens()))
        self.size, self.recipe, self.check = size, recipe, check
        self.folder, self.budget = RunFolder(Path(out)), budget
        self.model = new_detector(size, recipe.seed, nouns_of_tokens())
        self.optimisers = Optimisers(
            self.model, is_hidden_matrix, lambda name: "sampling_offsets" in name, newton_steps=4
        )
        self.namer = new_namer(size, len(nouns()) + 1, recipe.seed)
        self.namer_adam = torch.optim.AdamW(self.namer.parameters(), lr=1e-3)
        self.average = AveragedWeights(self.model)
        self.pool = PicturePool(
            bank, recipe.seed, size.image, recipe.pool, recipe.fresh, recipe.restyle
        )
        self.step = 0
        self.recent: list[tuple[float, ...]] = []

    def resume(self) -> bool:
        """Take up the folder's checkpoint, if there is one."""
        state = self.folder.load()
        if state is None:
            return False
        self.model.load_state_dict(state["model"])
        self.optimisers.load_state_dict(state["optimisers"])
        self.namer.load_state_dict(state["namer"])
        self.namer_adam.load_state_dict(state["namer_adam"])
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
                "namer": self.namer.state_dict(),
                "namer_adam": self.namer_adam.state_dict(),
                "average": self.average.state,
                "step": self.step,
                "spent": self.budget.elapsed(),
                "drawn": list(self.pool.drawn),
            }
        )
        with self.average.lent_to(self.model) as model:
            save_detector(model, self.folder.weights, DetectorSettings())

    def one_step(self) -> float:
        """Draw a batch, learn from it; returns the loss."""
        recipe, progress = self.recipe, self.budget.progress(self.step)
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
        self.average.update(self.model, self.step)
        self.step += 1
        self.recent.append((*(float(part.detach()) for part in loss), float(names.detach()), norm))
        return self.recent[-1][0]

    def run(self, save_every: float = 180.0, check_every: float = 480.0, report: int = 25) -> None:
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
        columns = (*DetectorLoss._fields, "naming", "norm")
        means = {
            n: mean_of(c) for n, c in zip(columns, zip(*self.recent, strict=True), strict=True)
        }
        self.recent.clear()
        self.folder.log(step=self.step, minutes=now / 60, cpu=time.process_time() / 60, **means)

    def validate(self) -> None:
        """Run the check on the averaged weights and log what it says."""
        if self.check is None:
            return
        with self.average.lent_to(self.model) as model:
            measured = self.check(model)
        self.folder.log(step=self.step, minutes=self.budget.elapsed() / 60, check=measured)


def save_detector(
    model: GroundingDinoForObjectDetection, folder: Path, settings: DetectorSettings
) -> None:
    """Write an ordinary transformers folder in half precision, tokenizer included, and
    ``segue.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    halves = {
        name: value.half() if value.is_floating_point() else value
        for name, value in model.state_dict().items()
    }
    model.save_pretrained(folder, state_dict=halves)
    (folder / "model.safetensors").chmod(0o644)  # it is written for its owner only
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config["dtype"] = "float16"
    # The text mask acts differently in the library's fused attention: use what was trained with.
    for part in (config, config["text_config"], config["backbone_config"]):
        part["attn_implementation"] = "eager"
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", "utf-8")
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
    ``log.jsonl``. ``start`` is a folder of weights to begin with instead of fresh ones.
    """
    prepare_processor(threads)
    recipe = recipe or DetectorRecipe()
    drawings = (bank or best_bank()).without(HELD_OUT_STYLE)
    training = DetectorTraining(out, Budget(minutes, steps), recipe, drawings, check)
    resumed = resume and training.resume()
    if start is not None and not resumed:
        load_weights(training.model, Path(start))
        training.average = AveragedWeights(training.model)
    training.folder.log(
        event="resumed" if resumed else "started", step=training.step, recipe=asdict(recipe)
    )
    training.run(save_every=save_every)
    calibrate_detector(training.folder.weights, scenes=calibrate_on, bank=drawings)
    return training.folder.weights
