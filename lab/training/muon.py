"""Muon (Jordan et al., 2024) in the number format that the machine is quick in.

The library's Muon makes its updates orthogonal in bfloat16, whatever the machine; on a processor
without bfloat16 instructions that alone takes five times as long as the rest of a training step.
"""

import math
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from segue.runtime.device import multiplies_bfloat16


class Muon(torch.optim.Muon):
    """`torch.optim.Muon`, options and state included, in float32 where bfloat16 does not pay."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take a step at the rates of the parameter groups."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            by_shape = defaultdict[torch.Size, list[Tensor]](list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    by_shape[parameter.shape].append(parameter)
            for parameters in by_shape.values():
                self._move(parameters, group)
        return loss

    def _move(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        """Move parameters of one shape together: each alone is a dozen small products."""
        gradients = [p.grad for p in parameters if p.grad is not None]
        momenta = [
            self.state[p].setdefault("momentum_buffer", torch.zeros_like(p)) for p in parameters
        ]
        torch._foreach_lerp_(momenta, gradients, 1 - group["momentum"])
        momentum = torch.stack(momenta)
        if group["nesterov"]:
            momentum = torch.stack(gradients).lerp(momentum, group["momentum"])
        updates = orthogonal(momentum, group["ns_coefficients"], group["ns_steps"], group["eps"])
        rows, columns = parameters[0].shape
        if group["adjust_lr_fn"] == "match_rms_adamw":
            rate = group["lr"] * 0.2 * math.sqrt(max(rows, columns))
        else:
            rate = group["lr"] * math.sqrt(max(1.0, rows / columns))
        torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_add_(parameters, list(updates.to(parameters[0].dtype)), alpha=-rate)


def orthogonal(
    matrix: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float
) -> Tensor:
    """Return matrices (..., rows, columns) with all their singular values moved to about 1.

    Newton-Schulz iteration with the coefficients of the odd quintic polynomial; with the usual
    ones the singular values end between 0.5 and 1.5.
    """
    a, b, c = coefficients
    tall = matrix.shape[-2] > matrix.shape[-1]
    x = (matrix.mT if tall else matrix).reshape(-1, *sorted(matrix.shape[-2:]))
    if multiplies_bfloat16(x.device):
        x = x.bfloat16()
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.mT if tall else x).reshape(matrix.shape)
