"""How much memory a network will need, told before its weights are read.

The sum of weights, of keys and values for the tokens in use (the cache), and of what is computed
at once while a prompt with a picture is read (the work). Weights are exact; the other two are
calculated from the configuration, rounded up rather than down. What the caches keep beyond the
conversation at hand has a budget of its own (`segue.runtime.memory`). Nothing is read here: what is
stored is the matter of `segue.runtime.weights.need`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from segue.errors import InputError

CONTEXT_TOKENS = 8192
"""Tokens in use unless `?context=` says more or less: a large picture, and a talk about it."""
LEAST_CONTEXT = 512
"""A small picture, a question and an answer."""
PICTURE_TOKENS = 4096
"""No picture takes more, as a rule."""
TIGHT_SHARE = 0.85
"""Of what is free: who takes more is close to the edge."""
QUANTIZED_BYTES: Mapping[str, float] = {"4bit": 0.53, "8bit": 1.01}
"""Of one value, its share of the scales included."""
VISION_STAGE_BYTES = 2**30
"""What a large detector or segmenter computes at once, at most, for one picture."""
LARGE_STAGE_BYTES = 100_000_000
"""Weights of a detector or segmenter that counts as large."""

_STREAM_TENSORS, _INNER_TENSORS = 12, 3
"""So many tensors of a layer's width, and of its inner width, live at once while it computes."""
Verdict = Literal["fits", "tight", "does not fit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkShape:
    """What of a network's configuration its need of memory depends on; zeros: nothing is known."""

    layers: int = 0
    """That keep keys and values of all tokens."""
    window_layers: int = 0
    """That keep those of the newest only."""
    window: int = 0
    """How many tokens these keep."""
    key_value_width: int = 0
    """Heads of keys times their size."""
    width: int = 0
    inner_width: int = 0
    """Of the feed-forward part of a layer."""
    vision_width: int = 0
    vision_inner_width: int = 0
    patches_per_token: int = 4
    """Patches of a picture that become one token."""
    max_context: int | None = None
    """Tokens that it was trained to follow."""

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "NetworkShape":
        """Read a `config.json`; what it does not say counts as nothing."""
        text = _part(config, "text_config", "language_config", "llm_config") or config
        vision = _part(config, "vision_config", "visual") or {}
        heads = _int(text, "num_attention_heads")
        width = _int(text, "hidden_size")
        head = _int(text, "head_dim", "kv_channels") or width // max(heads, 1)
        kinds = [str(kind) for kind in text.get("layer_types") or ()]
        windows = sum("sliding" in kind or "chunked" in kind for kind in kinds)
        whole = sum("full" in kind for kind in kinds) if kinds else _int(text, "num_hidden_layers")
        merge = _int(vision, "spatial_merge_size", "merge_size") or 1
        vision_width = _int(vision, "hidden_size", "embed_dim", "width")
        ratio = vision.get("mlp_ratio", 4)
        return cls(
            layers=whole,
            window_layers=windows,
            window=_int(text, "sliding_window"),
            key_value_width=head * (_int(text, "num_key_value_heads") or heads),
            width=width,
            inner_width=_int(text, "intermediate_size", "moe_intermediate_size"),
            vision_width=vision_width,
            vision_inner_width=_int(vision, "intermediate_size")
            or int(vision_width * (ratio if isinstance(ratio, int | float) else 4)),
            patches_per_token=merge**2,
            max_context=_int(text, "max_position_embeddings", "seq_length") or None,
        )

    def cache_values(self, tokens: int) -> int:
        """Return how many values the keys and values of so many tokens are."""
        kept = self.layers * tokens + self.window_layers * min(tokens, self.window or tokens)
        return 2 * kept * self.key_value_width

    def work_values(self, tokens: int) -> int:
        """Return how many values live at once while a prompt of so many tokens is read."""
        text = tokens * _values_at_once(self.width, self.inner_width)
        patches = min(tokens, PICTURE_TOKENS) * self.patches_per_token
        return max(text, patches * _values_at_once(self.vision_width, self.vision_inner_width))

    def tokens_in_use(self, context: int | None = None) -> int:
        """Return the tokens to reckon with: those asked for, else the usual; never above its own.

        >>> NetworkShape(max_context=4096).tokens_in_use(), NetworkShape().tokens_in_use(2048)
        (4096, 2048)
        """
        return min(context or CONTEXT_TOKENS, self.max_context or CONTEXT_TOKENS**2)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryNeed:
    """Bytes that a network needs."""

    weights: int = 0
    cache: int = 0
    """Keys and values of the tokens in use."""
    work: int = 0
    """What is computed at once."""

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.cache + self.work

    def verdict(self, free_bytes: int) -> Verdict:
        """Say whether it fits into what is free.

        >>> [MemoryNeed(weights=8).verdict(free) for free in (20, 9, 7)]
        ['fits', 'tight', 'does not fit']
        """
        if self.total > free_bytes:
            return "does not fit"
        return "tight" if self.total > TIGHT_SHARE * free_bytes else "fits"


def read_context(context: int | str | None) -> int | None:
    """Return the value of the option `context`, tokens of prompt and reply; None stays None.

    Raises:
        InputError: it is no whole number, or too small to ask anything.

    >>> read_context("4096")
    4096
    """
    if context is None:
        return None
    text = str(context)
    if not text.isdecimal() or int(text) < LEAST_CONTEXT:
        raise InputError(
            f"context must be a number of tokens, at least {LEAST_CONTEXT}, got {text[:40]!r}."
        )
    return int(text)


def sum_of(needs: Iterable[MemoryNeed]) -> MemoryNeed:
    """Return what networks need together that work one after another."""
    listed = list(needs)
    return MemoryNeed(
        weights=sum(need.weights for need in listed),
        cache=sum(need.cache for need in listed),
        work=max((need.work for need in listed), default=0),
    )


def need_of_vision(weights: int) -> MemoryNeed:
    """Return what a detector or segmenter will need, from the size of its weights in memory."""
    return MemoryNeed(
        weights=weights, work=VISION_STAGE_BYTES if weights > LARGE_STAGE_BYTES else 0
    )


def _values_at_once(width: int, inner_width: int) -> int:
    return _STREAM_TENSORS * width + _INNER_TENSORS * inner_width


def _part(config: Mapping[str, Any], *names: str) -> Mapping[str, Any] | None:
    found = (config.get(name) for name in names)
    return next((part for part in found if isinstance(part, Mapping)), None)


def _int(config: Mapping[str, Any], *names: str) -> int:
    """Return the first of the settings that is a whole number, 0 where none is."""
    found = (config.get(name) for name in names)
    return next((value for value in found if isinstance(value, int)), 0)
