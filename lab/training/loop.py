"""The loop of a training: steps until the budget is spent, with checkpoints, figures and checks.

What a step learns from, and how the network is exported, is up to each training.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from lab.training.averaging import AveragedWeights, FigureMeans
from lab.training.feed import BatchFeed
from lab.training.optimisers import Optimisers
from lab.training.run_folder import TrainingFolder
from lab.training.schedules import Budget, Schedule
from segue.errors import ModelError

Figures = Mapping[str, float | Tensor]
"""Of one step. Tensors are read only when a line of the log is written."""
Check = Callable[[Any], Mapping[str, Any]]
"""Measures a network; its figures go to the log."""


class Stateful(Protocol):
    """Something whose state the checkpoint keeps."""

    def state_dict(self) -> Any:
        """Return the state."""

    def load_state_dict(self, state: Any) -> Any:
        """Restore what `state_dict` returned."""


class RandomState:
    """The random numbers of a training: a NumPy generator, and PyTorch's own."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def state_dict(self) -> dict[str, Any]:
        """Return the state of both generators."""
        return {"numpy": self.rng.bit_generator.state, "torch": torch.get_rng_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.rng.bit_generator.state = state["numpy"]
        torch.set_rng_state(state["torch"])


class TrainingLoop(ABC):
    """One run: its network, optimisers, data and clock."""

    save_every = 180.0
    """Seconds between two checkpoints."""
    check_every = 480.0
    """Seconds between two checks."""
    report_every = 25
    """Steps between two lines of figures in the log."""

    def __init__(
        self,
        folder: str | Path,
        budget: Budget,
        model: Any,
        optimisers: Optimisers,
        schedule: Schedule,
        *,
        check: Check | None = None,
        averaged: bool = False,
        feed: BatchFeed[Any] | None = None,
    ) -> None:
        """Put a run together.

        Args:
            folder: where checkpoint, log and weights go.
            budget: how long the run lasts.
            model: the module that is trained.
            optimisers: of its parameters.
            schedule: of the learning rate.
            check: measures the network now and then.
            averaged: export and check a moving average of the weights instead of the last ones.
            feed: the batches to learn from; the state of its source is kept.
        """
        self.folder = TrainingFolder(Path(folder))
        self.budget, self.schedule, self.check = budget, schedule, check
        self.model, self.optimisers = model, optimisers
        self.parts: dict[str, Stateful] = {"model": model, "optimisers": optimisers}
        """What has a state that the checkpoint keeps, by name."""
        self.average = AveragedWeights(model) if averaged else None
        if self.average is not None:
            self.parts["average"] = self.average
        self.feed = feed
        if feed is not None:
            self.parts["drawn"] = feed.source
        self.step = 0
        self.figures = FigureMeans()
        """Of the steps since the last line of the log."""

    @abstractmethod
    def compute_loss(self, progress: float) -> tuple[Tensor, Figures]:
        """Compute the loss of the next batch.

        Args:
            progress: the share of the budget that is spent.

        Returns:
            What is minimised, and the figures of this step for the log; they may be empty.
        """

    def next_batch(self) -> Any:
        """Return the batch of this step from the feed."""
        assert self.feed is not None, "a training that takes batches is made with a feed"
        return self.feed.take(self.step)

    def export(self, model: Any, folder: Path) -> None:  # noqa: B027
        """Write the network as it is used; by default nothing is written."""

    def initialise(self, start: Any) -> None:  # noqa: B027
        """Prepare the network of a run that begins.

        Args:
            start: trained weights to begin with; None: fresh ones.
        """

    def begin(self, recipe: Any, *, resume: bool, start: Any = None) -> None:
        """Resume from the folder's checkpoint, or begin.

        Args:
            recipe: a dataclass of the run's numbers, for the log.
            resume: whether to look for a checkpoint.
            start: see `initialise`.
        """
        resumed = resume and self.resume()
        if not resumed:
            self.initialise(start)
        event = "resumed" if resumed else "started"
        self.folder.log(event=event, step=self.step, recipe=asdict(recipe))

    def resume(self) -> bool:
        """Restore the folder's checkpoint; returns whether there is one.

        Raises:
            ModelError: the checkpoint is of another version of the training.
        """
        state = self.folder.load()
        if state is None:
            return False
        missing = sorted(self.parts.keys() - state.keys())
        if missing:
            raise ModelError(
                f"The checkpoint {self.folder.checkpoint} has no {missing[0]!r}: another version "
                "of this training wrote it. Start over with --fresh."
            )
        for name, part in self.parts.items():
            part.load_state_dict(state[name])
        self.step, self.budget.spent = state["step"], state["spent"]
        return True

    def save(self) -> None:
        """Write the checkpoint, and export the network."""
        state = {name: part.state_dict() for name, part in self.parts.items()}
        self.folder.save(state | {"step": self.step, "spent": self.budget.elapsed()})
        self._with_exported_weights(lambda model: self.export(model, self.folder.weights))

    def one_step(self) -> float:
        """Learn from one batch; returns the loss."""
        progress = self.budget.progress(self.step)
        loss, figures = self.compute_loss(progress)
        loss.backward()
        norm = self.update(self.schedule.share(self.step, progress))
        if figures:
            self.figures.add({**figures, "norm": norm})
        if self.average is not None:
            self.average.update(self.model, self.step)
        self.step += 1
        return float(loss.detach())

    def update(self, share: float) -> float | Tensor:
        """Step the optimisers at `share` of their peak rates; returns the gradient's norm."""
        return self.optimisers.step(share)

    def run(self) -> None:
        """Train until the budget is spent, logging and saving on the way."""
        self.model.train()
        last_save = last_check = self.budget.elapsed()
        while self.budget.progress(self.step) < 1:
            self.one_step()
            now = self.budget.elapsed()
            if self.step % self.report_every == 0:
                self.report(now)
            if now - last_save > self.save_every:
                self.save()
                last_save = self.budget.elapsed()
            if now - last_check > self.check_every:
                self.validate()
                last_check = self.budget.elapsed()
        if self.feed is not None:
            self.feed.close()
        self.save()
        self.validate()

    def report(self, now: float) -> None:
        """Write one line of the log: the means of the latest figures, at `now` in seconds."""
        minutes, cpu = now / 60, time.process_time() / 60
        self.folder.log(step=self.step, minutes=minutes, cpu=cpu, **self.figures.take())

    def validate(self) -> None:
        """Run the check on the weights that are exported, and log its figures."""
        if self.check is None:
            return
        figures = self._with_exported_weights(self.check)
        self.folder.log(step=self.step, minutes=self.budget.elapsed() / 60, check=figures)

    def _with_exported_weights(self, use: Callable[[Any], Any]) -> Any:
        if self.average is None:
            return use(self.model)
        with self.average.swapped_in(self.model) as model:
            return use(model)
