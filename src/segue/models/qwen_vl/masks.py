"""Who may attend to whom: the causal mask, with padding and cached positions."""

import torch
from torch import Tensor
from transformers.cache_utils import Cache

from segue.errors import InputError


def causal_mask(
    attention_mask: Tensor | None, x: Tensor, n_cached: int, cache: Cache | None
) -> Tensor | None:
    """Build the mask of one forward pass.

    Args:
        attention_mask: None, (B, held + T) with 0 where padding stands, or a finished
            (B, 1, T, held + T) mask, bool or additive.
        x: (B, T, D), the new positions.
        n_cached: cached positions before them.
        cache: where keys will stand; a cache of fixed size is longer than what is filled.

    Returns:
        None where plain causal attention says the same; else (B or 1, 1, T, keys), bool (True
        attends) or, for a finished additive mask, in the dtype of `x`. A padded position
        attends to itself, so that no row is empty.

    Raises:
        InputError: the mask has another shape.
    """
    length = x.shape[1]
    keys = n_cached + length
    fixed = cache is not None and cache.is_compileable
    if fixed and cache is not None:
        keys, _ = cache.get_mask_sizes(length, 0)
    if attention_mask is not None and attention_mask.ndim == 4:
        additive = attention_mask.dtype != torch.bool
        return attention_mask.to(x.dtype) if additive else attention_mask
    padded = None
    if attention_mask is not None:
        if attention_mask.shape != (x.shape[0], n_cached + length):
            raise InputError(
                f"attention_mask must be {(x.shape[0], n_cached + length)} (rows, cached and new "
                f"positions), got {tuple(attention_mask.shape)}. Extend it with the cache."
            )
        if not bool(attention_mask.all()):
            padded = attention_mask.bool()
    if padded is None and not fixed and (length == 1 or n_cached == 0):
        return None
    query = torch.arange(n_cached, n_cached + length, device=x.device)[:, None]
    key = torch.arange(keys, device=x.device)
    mask = (key <= query)[None, None]  # (1, 1, T, keys)
    if padded is not None:
        padded = torch.nn.functional.pad(padded, (0, keys - padded.shape[1]))
        mask = mask & padded[:, None, None] | (key == query)
    return mask
