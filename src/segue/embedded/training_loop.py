"""The loop of a training: steps until the budget is spent, with checkpoints, figures and checks.

What a step learns from, and how the network is shipped, is up to each training.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from segue.embedded.training_run import (
    AveragedWeights,
    Budget,
    Optimisers,
    RunFolder,
    load_weights,
    mean_of,
)

Check = Callable[[Any], dict[str, float]]
"""Measures a network; its figures go to the log."""


class TrainingLoop(ABC):
    """One run: its network, optimisers, pictures and clock. ``run`` goes on until the budget is
    spent."""

    check_every = 480.0
    """Seconds between two checks."""

    def __init__(
        self,
        out: str | Path,
        budget: Budget,
        model: PreTrainedModel,
        optimisers: Optimisers,
        pool: Any,
        check: Check | None,
    ) -> None:
        """``pool`` is where pictures come from: its ``drawn`` says how far it has come, and
        ``go_to`` brings a fresh one there."""
        self.folder, self.budget, self.check = RunFolder(Path(out)), budget, check
        self.model, self.optimisers, self.pool = model, optimisers, pool
        self.parts: dict[str, Any] = {"model": model, "optimisers": optimisers}
        """What has a state that the checkpoint keeps, by name."""
        self.average = AveragedWeights(model)
        self.step = 0
        self.recent: list[dict[str, float]] = []
        """Figures of the steps since the last line of the log."""

    @abstractmethod
    def learn(self, progress: float) -> float:
        """Learn from one batch, ``progress`` of the budget being spent; returns the loss, and adds
        its figures to ``recent``."""

    @abstractmethod
    def ship(self, model: Any, folder: Path) -> None:
        """Write a network as it is used."""

    def begin(self, recipe: Any, *, resume: bool, start: str | Path | None) -> None:
        """Take up the folder's checkpoint where there is one and ``resume`` says so, else the
        weights in ``start`` where given; log that, with the recipe's numbers."""
        resumed = resume and self.resume()
        if start is not None and not resumed:
            load_weights(self.model, Path(start))
            self.average = AveragedWeights(self.model)
        event = "resumed" if resumed else "started"
        self.folder.log(event=event, step=self.step, recipe=asdict(recipe))

    def resume(self) -> bool:
        """Take up the folder's checkpoint, if there is one."""
        state = self.folder.load()
        if state is None:
            return False
        for name, part in self.parts.items():
            part.load_state_dict(state[name])
        self.average.state = state["average"]
        self.step, self.budget.spent = state["step"], state["spent"]
        self.pool.go_to(state["drawn"])
        return True

    def save(self) -> None:
        """Write the checkpoint and the averaged weights."""
        self.folder.save(
            {
                **{name: part.state_dict() for name, part in self.parts.items()},
                "average": self.average.state,
                "step": self.step,
                "spent": self.budget.elapsed(),
                "drawn": self.pool.drawn,
            }
        )
        with self.average.lent_to(self.model) as model:
            self.ship(model, self.folder.weights)

    def one_step(self) -> float:
        """Learn from one batch; returns the loss."""
        loss = self.learn(self.budget.progress(self.step))
        self.average.update(self.model, self.step)
        self.step += 1
        return loss

    def run(self, save_every: float = 180.0, report_every: int = 25) -> None:
        """Train until the budget is spent, logging and saving on the way."""
        self.model.train()
        saved = checked = self.budget.elapsed()
        while self.budget.progress(self.step) < 1:
            self.one_step()
            now = self.budget.elapsed()
            if self.step % report_every == 0:
                self.report(now)
            if now - saved > save_every:
                self.save()
                saved = self.budget.elapsed()
            if now - checked > self.check_every:
                self.validate()
                checked = self.budget.elapsed()
        self.save()
        self.validate()

    def report(self, now: float) -> None:
        """One line of the log: the means of the latest figures, ``now`` in seconds."""
        names = self.recent[0] if self.recent else ()
        means = {name: mean_of(figures[name] for figures in self.recent) for name in names}
        self.recent.clear()
        self.folder.log(step=self.step, minutes=now / 60, cpu=time.process_time() / 60, **means)

    def validate(self) -> None:
        """Run the check on the averaged weights and log what it says."""
        if self.check is None:
            return
        with self.average.lent_to(self.model) as model:
            measured = self.check(model)
        self.folder.log(step=self.step, minutes=self.budget.elapsed() / 60, check=measured)
