"""Averages over a training: of its weights, and of the figures between two lines of its log."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class AveragedWeights:
    """An exponential moving average of a network's floating-point state, which is shipped."""

    def __init__(self, model: nn.Module, decay: float = 0.998) -> None:
        self.decay = decay
        self.reset(model)

    def reset(self, model: nn.Module) -> None:
        """Start over from the network's weights."""
        self.state = {
            name: value.detach().clone()
            for name, value in model.state_dict().items()
            if value.is_floating_point()
        }

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Take in the weights of step `step`; early steps count more, to forget the start soon."""
        share = 1 - min(self.decay, (1 + step) / (10 + step))
        values = model.state_dict()
        torch._foreach_lerp_(
            list(self.state.values()), [values[name] for name in self.state], share
        )

    def swapped_in(self, model: nn.Module) -> "_SwappedWeights":
        """Return a context in which `model` carries the averaged weights, ready to be used."""
        return _SwappedWeights(model, self.state)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the averaged weights by name."""
        return self.state

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore what `state_dict` returned."""
        for name, value in state.items():
            self.state[name].copy_(value)


class _SwappedWeights:
    def __init__(self, model: nn.Module, state: dict[str, Tensor]) -> None:
        self.model, self.state = model, state
        self.original: dict[str, Tensor] = {}

    def __enter__(self) -> nn.Module:
        self.original = {name: value.clone() for name, value in self.model.state_dict().items()}
        self.model.load_state_dict(self.state, strict=False)
        self.was_training = self.model.training
        return self.model.eval()

    def __exit__(self, *_: object) -> None:
        self.model.load_state_dict(self.original)
        self.model.train(self.was_training)


class FigureMeans:
    """Means of the figures between two lines of a log; a figure need not come at every step.

    >>> means = FigureMeans()
    >>> means.add({"loss": 1.0})
    >>> means.add({"loss": 3.0, "iou": 0.5})
    >>> means.take(), means.take()
    ({'loss': 2.0, 'iou': 0.5}, {})
    """

    def __init__(self) -> None:
        self._rows: list[Mapping[str, float | Tensor]] = []

    def add(self, figures: Mapping[str, float | Tensor]) -> None:
        """Add the figures of one step."""
        self._rows.append(figures)

    def take(self) -> dict[str, float]:
        """Return the mean of each figure since the last call."""
        values: dict[str, list[float]] = {}
        for row in self._rows:
            for name, value in row.items():
                values.setdefault(name, []).append(float(value))
        self._rows.clear()
        return {name: sum(column) / len(column) for name, column in values.items()}
