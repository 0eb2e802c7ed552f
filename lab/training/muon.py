"""Muon (Jordan et al., 2024) in the number format that the machine is quick in.

The library's Muon makes its updates orthogonal in bfloat16, whatever the machine; on a processor
without bfloat16 instructions that alone takes five times as long as the rest of a training step.
"""

import math
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
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, group)
        return loss

    def _move(self, parameter: Tensor, group: dict[str, Any]) -> None:
        gradient, state = parameter.grad, self.state[parameter]
        assert gradient is not None, "only parameters with a gradient are moved"
        momentum = state.setdefault("momentum_buffer", torch.zeros_like(gradient))
        momentum.lerp_(gradient, 1 - group["momentum"])
        update = gradient.lerp(momentum, group["momentum"]) if group["nesterov"] else momentum
        update = orthogonal(update, group["ns_coefficients"], group["ns_steps"], group["eps"])
        rows, columns = parameter.shape
        if group["adjust_lr_fn"] == "match_rms_adamw":
            rate = group["lr"] * 0.2 * math.sqrt(max(rows, columns))
        else:
            rate = group["lr"] * math.sqrt(max(1.0, rows / columns))
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.add_(update, alpha=-rate)


def orthogonal(
    matrix: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float
) -> Tensor:
    """Return the matrix (rows, columns) with all its singular values moved to about 1.

    Newton-Schulz iteration with the coefficients of the odd quintic polynomial; with the usual
    ones the singular values end between 0.5 and 1.5.
    """
    a, b, c = coefficients
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    if multiplies_bfloat16(x.device):
        x = x.bfloat16()
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x
