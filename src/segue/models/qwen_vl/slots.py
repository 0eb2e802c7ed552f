"""Where pictures stand in a sequence of ids, and how their features are put there.

A picture is `<img>`, a fixed number of slots, `</img>`. What stands in the slots never reaches
the network; the original wrote the bytes of a path there, this package writes nothing.
"""

import torch
from torch import Tensor

from segue.errors import InputError
from segue.models.qwen_vl.configuration import VisualConfig


def find_pictures(input_ids: Tensor, config: VisualConfig) -> tuple[Tensor, Tensor]:
    """Find every whole picture.

    Args:
        input_ids: (B, T) int64.
        config: tells the id of `<img>` and the number of slots.

    Returns:
        (N,) row and (N,) column of each `<img>`, row by row, left to right. An `<img>` that is
        not followed by its slots and `</img>` is an ordinary token.
    """
    span = config.n_queries + 1
    starts = (input_ids == config.image_start_id).nonzero()  # (M, 2), row-major
    if len(starts) == 0:
        return starts[:, 0], starts[:, 1]
    ends = starts[:, 1] + span
    fits = ends < input_ids.shape[1]
    last = ends.clamp(max=input_ids.shape[1] - 1)
    fits &= input_ids[starts[:, 0], last] == config.image_start_id + 1
    starts = starts[fits]
    top_level = _without_nested(starts.tolist(), span)
    if len(top_level) < len(starts):
        starts = starts[torch.tensor(top_level, device=starts.device)]
    return starts[:, 0], starts[:, 1]


def _without_nested(starts: list[list[int]], span: int) -> list[int]:
    """Return indices of pictures that do not begin inside another: slots may hold any id."""
    top_level: list[int] = []
    row, free_from = -1, 0
    for index, (this_row, column) in enumerate(starts):
        if this_row != row:
            row, free_from = this_row, 0
        if column >= free_from:
            top_level.append(index)
            free_from = column + span + 1
    return top_level


def fill_slots(
    embeddings: Tensor, input_ids: Tensor, features: Tensor | None, config: VisualConfig
) -> Tensor:
    """Write the features of each picture over the embeddings of its slots.

    Args:
        embeddings: (B, T, D), the embedded ids.
        input_ids: (B, T) int64.
        features: (N, queries, D), pictures in reading order, row by row; None where the
            conversation has none.
        config: tells the id of `<img>` and the number of slots.

    Returns:
        (B, T, D); gradients flow to the features and to the remaining embeddings.

    Raises:
        InputError: the ids hold another number of pictures than `features`.
    """
    rows, columns = find_pictures(input_ids, config)
    n_features = 0 if features is None else len(features)
    if len(rows) != n_features:
        raise InputError(
            f"input_ids hold {len(rows)} pictures of {config.n_queries} slots, got {n_features} "
            "pictures. Pass one picture for each, in reading order."
        )
    if features is None or n_features == 0:
        return embeddings
    slots = torch.arange(1, config.n_queries + 1, device=rows.device)
    where = (rows[:, None], columns[:, None] + slots)  # (N, 1) and (N, queries)
    return embeddings.index_put(where, features.to(embeddings))
