"""Muon and AdamW stepped together, in the two combinations that the trainings use."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lab.training.muon import Muon

Member = tuple[torch.optim.Optimizer, float]
"""An optimiser and its peak learning rate."""


class Optimisers:
    """Optimisers that are stepped together, under one schedule and one gradient clip."""

    def __init__(
        self, parameters: list[nn.Parameter], members: Mapping[str, Member], max_norm: float = 1.0
    ) -> None:
        """Put optimisers together.

        Args:
            parameters: those whose gradients are clipped together.
            members: the optimisers by name. A parameter group may have a "scale": its rate is
                that share of its optimiser's.
            max_norm: the largest norm of the gradient that a step may have.
        """
        self.parameters = parameters
        self.members = dict(members)
        self.max_norm = max_norm

    def step(self, share: float) -> Tensor:
        """Clip the gradients, take a step and clear them.

        Args:
            share: of the peak learning rates.

        Returns:
            The norm of the gradients before clipping.
        """
        norm = nn.utils.clip_grad_norm_(self.parameters, self.max_norm)
        for optimiser, peak in self.members.values():
            for group in optimiser.param_groups:
                group["lr"] = peak * share * group.get("scale", 1.0)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        return norm.detach()

    def state_dict(self) -> dict[str, Any]:
        """Return the state of every optimiser by name."""
        return {name: optimiser.state_dict() for name, (optimiser, _) in self.members.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        for name, (optimiser, _) in self.members.items():
            optimiser.load_state_dict(state[name])


def matched_optimisers(
    model: nn.Module,
    peak: float,
    is_matrix: Callable[[str, Tensor], bool],
    is_slow: Callable[[str], bool] = lambda _: False,
    newton_steps: int = 5,
) -> Optimisers:
    """Give hidden matrices to Muon and the others to AdamW, under one learning rate.

    Args:
        model: what is trained.
        peak: the learning rate of both; Muon's updates are scaled to the size of AdamW's.
        is_matrix: which 2-D parameters, by name and value, go to Muon.
        is_slow: which of the others learn at a tenth of the rate.
        newton_steps: Muon's own effort a step, a good part of the time of a small network.
    """
    named_parameters = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    matrices = [p for name, p in named_parameters if p.ndim == 2 and is_matrix(name, p)]
    matrix_ids = {id(p) for p in matrices}
    remaining = [(name, p) for name, p in named_parameters if id(p) not in matrix_ids]
    muon = Muon(
        matrices, lr=peak, weight_decay=0.02, ns_steps=newton_steps, adjust_lr_fn="match_rms_adamw"
    )
    groups = [
        {"params": [p for name, p in remaining if not is_slow(name)], "scale": 1.0},
        {"params": [p for name, p in remaining if is_slow(name)], "scale": 0.1},
    ]
    adam = torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=peak,
        betas=(0.9, 0.98),
        weight_decay=0.01,
    )
    return Optimisers(
        [p for _, p in named_parameters], {"muon": (muon, peak), "adam": (adam, peak)}
    )


def separate_optimisers(
    model: nn.Module,
    is_hidden: Callable[[str], bool],
    *,
    muon_rate: float,
    adam_rate: float,
    decay: float,
    max_norm: float,
) -> Optimisers:
    """Give hidden matrices to Muon and the others to AdamW, each with a learning rate of its own.

    Args:
        model: what is trained.
        is_hidden: which 2-D parameters, by name, go to Muon.
        muon_rate: Muon's peak rate; 0: AdamW trains everything.
        adam_rate: AdamW's peak rate.
        decay: weight decay of all parameters but those of one dimension.
        max_norm: see `Optimisers`.
    """
    named_parameters = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    hidden = [p for name, p in named_parameters if muon_rate and p.ndim == 2 and is_hidden(name)]
    hidden_ids = {id(p) for p in hidden}
    remaining = [p for _, p in named_parameters if id(p) not in hidden_ids]
    groups = [
        {"params": [p for p in remaining if p.ndim >= 2], "weight_decay": decay},
        {"params": [p for p in remaining if p.ndim < 2], "weight_decay": 0.0},
    ]
    adam = torch.optim.AdamW(groups, lr=adam_rate, betas=(0.9, 0.98), foreach=True)
    members: dict[str, Member] = {"adam": (adam, adam_rate)}
    if hidden:
        muon = Muon(hidden, lr=muon_rate, weight_decay=decay, adjust_lr_fn="original")
        members["muon"] = (muon, muon_rate)
    return Optimisers([p for _, p in named_parameters], members, max_norm)
