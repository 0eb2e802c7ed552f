"""Parts that both trainings share: a budget of time, averaged weights, the optimiser, checkpoints,
the log.

It knows nothing about networks or data. A run's whole state is one file; it is written beside the
old one and then put in its place, so that a run killed at any moment goes on from its last
checkpoint, exactly.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from segue.embedded.muon import Muon
from segue.errors import ModelError, SegueError
from segue.runtime.device import multiplies_bfloat16

HELD_OUT_STYLE = "twemoji"
"""The drawings that no training sees, so that there is something to measure a new style on."""


@dataclass
class Budget:
    """How long a run lasts: ``minutes`` of wall clock over all its parts, or exactly ``steps``
    where given.

    The learning rate follows the share of the budget that is spent, so that it has come down when
    the time is over however busy the machine was. ``spent`` is the time of earlier parts, in
    seconds.
    """

    minutes: float
    steps: int | None = None
    spent: float = 0.0
    _started: float = field(default_factory=time.monotonic)

    def elapsed(self) -> float:
        """Seconds spent, earlier parts included."""
        return self.spent + time.monotonic() - self._started

    def progress(self, step: int) -> float:
        """Share of the budget spent after ``step`` steps: 0 at the start, 1 or more when it is
        over."""
        if self.steps is not None:
            return step / self.steps
        return self.elapsed() / (60 * self.minutes)


def learning_rate(peak: float, step: int, progress: float, warm_up: int, hold: float) -> float:
    """Linear rise over ``warm_up`` steps, ``peak`` until ``hold`` of the budget is spent, then
    linear to 1 % of it."""
    fall = min(1.0, max(0.01, (1 - progress) / (1 - hold)))
    return peak * min(1.0, (step + 1) / warm_up) * fall


class AveragedWeights:
    """An exponential moving average of a network's floating-point state; these are the weights that
    are shipped."""

    def __init__(self, model: nn.Module, decay: float = 0.998) -> None:
        self.decay = decay
        self.state = {
            name: value.detach().clone()
            for name, value in model.state_dict().items()
            if value.is_floating_point()
        }

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Take the weights of step ``step`` in; early steps count more, so that the start is soon
        forgotten."""
        share = 1 - min(self.decay, (1 + step) / (10 + step))
        for name, value in model.state_dict().items():
            if name in self.state:
                self.state[name].lerp_(value, share)

    def lent_to(self, model: nn.Module) -> _Lent:
        """A context in which ``model`` carries the averaged weights; its own come back
        afterwards."""
        return _Lent(model, self.state)


class _Lent:
    def __init__(self, model: nn.Module, state: dict[str, Tensor]) -> None:
        self.model, self.state = model, state
        self.own: dict[str, Tensor] = {}

    def __enter__(self) -> nn.Module:
        self.own = {name: value.clone() for name, value in self.model.state_dict().items()}
        self.model.load_state_dict(self.state, strict=False)
        self.was_training = self.model.training
        return self.model.eval()

    def __exit__(self, *_: object) -> None:
        self.model.load_state_dict(self.own)
        self.model.train(self.was_training)


class Optimisers:
    """Muon for hidden matrices, AdamW for everything else, under one learning rate and one gradient
    clip.

    ``is_matrix(name, parameter)`` says which go to Muon; ``slow(name)`` which learn at a tenth of
    the rate;
    ``newton_steps`` is Muon's own effort a step, a good part of the time of a small network.
    """

    def __init__(
        self,
        model: nn.Module,
        is_matrix: Callable[[str, Tensor], bool],
        slow: Callable[[str], bool] = lambda _: False,
        newton_steps: int = 5,
    ) -> None:
        named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
        self.parameters = [p for _, p in named]
        matrices = [p for n, p in named if p.ndim == 2 and is_matrix(n, p)]
        known = {id(p) for p in matrices}
        rest = [(n, p) for n, p in named if id(p) not in known]
        self.muon = Muon(
            matrices,
            lr=1e-3,
            weight_decay=0.02,
            ns_steps=newton_steps,
            adjust_lr_fn="match_rms_adamw",
        )
        groups = [
            {"params": [p for n, p in rest if not slow(n)], "scale": 1.0},
            {"params": [p for n, p in rest if slow(n)], "scale": 0.1},
        ]
        self.adam = torch.optim.AdamW(
            [g for g in groups if g["params"]], lr=1e-3, betas=(0.9, 0.98), weight_decay=0.01
        )

    def step(self, rate: float) -> float:
        """Clip the gradients to norm 1, move at ``rate``, clear them; returns the norm before
        clipping."""
        norm = nn.utils.clip_grad_norm_(self.parameters, 1.0)
        for optimiser in (self.muon, self.adam):
            for group in optimiser.param_groups:
                group["lr"] = rate * group.get("scale", 1.0)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        return float(norm)

    def state_dict(self) -> dict[str, Any]:
        """Both optimisers' states."""
        return {"muon": self.muon.state_dict(), "adam": self.adam.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what ``state_dict`` gave."""
        self.muon.load_state_dict(state["muon"])
        self.adam.load_state_dict(state["adam"])


@dataclass
class RunFolder:
    """The files of a run: ``checkpoint.pt``, ``log.jsonl`` (one JSON object a line), ``weights/``
    for what is shipped."""

    path: Path

    def __post_init__(self) -> None:
        self.path = Path(self.path)
        self.path.mkdir(parents=True, exist_ok=True)

    @property
    def checkpoint(self) -> Path:
        """Where the state of the run is kept."""
        return self.path / "checkpoint.pt"

    @property
    def weights(self) -> Path:
        """The folder with the averaged weights, in transformers' layout."""
        return self.path / "weights"

    def save(self, state: dict[str, Any]) -> None:
        """Replace the checkpoint in one step."""
        part = self.checkpoint.with_suffix(".part")
        torch.save(state, part)
        os.replace(part, self.checkpoint)

    def load(self) -> dict[str, Any] | None:
        """The checkpoint, or None where there is none yet. SegueError where it cannot be read."""
        if not self.checkpoint.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(self.checkpoint, weights_only=True)
        except Exception as error:
            raise SegueError(
                f"cannot read the checkpoint {self.checkpoint}: {error}; "
                "delete it to start the run afresh"
            ) from error
        return state

    def log(self, **fields: Any) -> None:
        """Add one line to the log, numbers rounded to five digits."""
        tidy = {k: round(v, 5) if isinstance(v, float) else v for k, v in fields.items()}
        with (self.path / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(tidy) + "\n")


def load_weights(model: PreTrainedModel, folder: Path) -> None:
    """Fill a network with the weights of a transformers folder, in float32.

    Raises:
        ModelError: the folder has no weights, or those of another network.
    """
    if not (folder / "model.safetensors").is_file():
        raise ModelError(f"{folder} has no model.safetensors. Give a folder of trained weights.")
    found = (
        type(model).from_pretrained(folder, dtype="float32", trust_remote_code=False).state_dict()
    )
    wrong = [
        n for n, t in model.state_dict().items() if n not in found or found[n].shape != t.shape
    ]
    if wrong:
        raise ModelError(
            f"The weights in {folder} are of another network: {wrong[0]} does not fit. "
            "Train with the size they were made with."
        )
    model.load_state_dict(found)


def save_halves(model: PreTrainedModel, folder: Path, **config: Any) -> None:
    """Write an ordinary transformers folder, in half precision, for everybody to read.

    ``config`` are entries of ``config.json`` to set, in it and in the configs of its parts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    halves = {
        name: value.half() if value.is_floating_point() else value
        for name, value in model.state_dict().items()
    }
    model.save_pretrained(folder, state_dict=halves)
    (folder / "model.safetensors").chmod(0o644)  # it is written for its owner only
    written = json.loads((folder / "config.json").read_text("utf-8"))
    written["dtype"] = "float16"
    for part in (written, *(v for k, v in written.items() if k.endswith("_config"))):
        part.update(config)
    (folder / "config.json").write_text(json.dumps(written, indent=2) + "\n", "utf-8")


def prepare_processor(threads: int | None = None) -> None:
    """Settings for training on a processor. Denormal numbers alone make some products 25 times
    slower."""
    torch.set_flush_denormal(True)
    if threads is not None:
        torch.set_num_threads(threads)


def training_precision(device: str | torch.device = "cpu") -> torch.autocast:
    """Autocast to bfloat16 where the device multiplies it fast, else nothing; a context."""
    kind = torch.device(device).type
    return torch.autocast(kind, torch.bfloat16, enabled=multiplies_bfloat16(device))


def mean_of(values: Iterable[float]) -> float:
    """The mean, or 0.0 of nothing."""
    listed = list(values)
    return sum(listed) / len(listed) if listed else 0.0
