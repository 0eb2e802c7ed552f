"""Sample the next token of a reply."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from segue.errors import InputError
from segue.values.message import Sampling

_FIRST_CANDIDATES = 256
"""So many of the likeliest tokens are looked at before the whole vocabulary is sorted."""
COLDEST = 1e-4
"""Below this temperature the likeliest token is taken, which is what sampling would come to; logits
divided by so little are not numbers any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingSettings:
    """How to pick a token; every setting is decided."""

    max_new_tokens: int = 512
    temperature: float = 1.0
    """0 is greedy."""
    top_p: float = 1.0
    """Pick among the likeliest tokens that together reach this probability, in (0, 1]."""
    top_k: int = 0
    """Pick among so many; 0 is no limit."""
    seed: int | None = None
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            InputError: a value is out of range.
        """
        if self.max_new_tokens < 1:
            raise InputError(f"max_new_tokens must be at least 1, got {self.max_new_tokens}.")
        if not 0 <= self.temperature <= 100:
            raise InputError(f"temperature must be in [0, 100], got {self.temperature}.")
        if not 0 < self.top_p <= 1:
            raise InputError(f"top_p must be in (0, 1], got {self.top_p}. 1 switches it off.")
        if self.top_k < 0:
            raise InputError(f"top_k must be 0 (no limit) or more, got {self.top_k}.")

    @classmethod
    def of(cls, sampling: Sampling, published: dict[str, Any]) -> "SamplingSettings":
        """Return what the caller asks for, else what the checkpoint's generation settings say.

        Args:
            sampling: the caller's wishes; None stands for "as published".
            published: `generation_config.json`.
        """
        temperature = sampling.temperature
        if temperature is None:
            # Asking for a top_p is asking to sample, whatever the checkpoint does by itself.
            samples = published.get("do_sample", False) or sampling.top_p is not None
            temperature = published.get("temperature", 1.0) if samples else 0.0
        top_p = sampling.top_p if sampling.top_p is not None else published.get("top_p", 1.0)
        length = sampling.max_new_tokens
        return cls(
            max_new_tokens=length if length is not None else published.get("max_new_tokens", 512),
            temperature=float(temperature),
            top_p=float(top_p),
            top_k=int(published.get("top_k", 0) or 0),
            seed=sampling.seed,
            stop=sampling.stop,
        )


class TokenSampler:
    """Samples tokens for one reply."""

    def __init__(self, choice: SamplingSettings) -> None:
        self._choice = choice
        self._random = torch.Generator()
        if choice.seed is None:
            self._random.seed()
        else:
            self._random.manual_seed(choice.seed)

    def sample(self, logits: Tensor) -> int:
        """Pick from logits (vocabulary,)."""
        choice = self._choice
        if choice.temperature < COLDEST:
            return int(logits.argmax())
        probabilities = (logits.float() / choice.temperature).softmax(-1)
        weights, ids = self._likeliest(probabilities)
        weights = weights.cpu()
        if choice.top_p < 1:
            # A token stays if those before it do not reach top_p yet: the first always does.
            in_top_p = weights.cumsum(0) - weights < choice.top_p
            in_top_p[0] = True  # top_p may be smaller than the smallest number of this format
            weights = weights * in_top_p
        return int(ids[int(torch.multinomial(weights, 1, generator=self._random))])

    def _likeliest(self, probabilities: Tensor) -> tuple[Tensor, Tensor]:
        """(M,) probabilities in falling order, enough for `top_k` and `top_p`, and their ids."""
        choice, total = self._choice, len(probabilities)
        limit = min(choice.top_k or total, total)
        if limit > _FIRST_CANDIDATES and choice.top_p < 1:
            weights, ids = probabilities.topk(min(_FIRST_CANDIDATES, total))
            if float(weights.sum()) >= choice.top_p:
                return weights, ids
        if choice.top_p == 1 and limit == total:
            return probabilities, torch.arange(total)
        return probabilities.topk(limit)
