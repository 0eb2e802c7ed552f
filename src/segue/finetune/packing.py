"""Packing: several short conversations in one row, none of which sees another.

A row has the mask and the positions that its conversations have alone, so their tokens get the
same logits; only padding is saved.
"""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Sequence
from random import Random

import torch
from torch import Tensor


def pack(lengths: Sequence[int], capacity: int, seed: int = 0) -> list[list[int]]:
    """Divide examples into rows: best fit, the longest first; equally long ones as `seed` draws.

    Args:
        lengths: tokens of each example, at most `capacity`.
        capacity: tokens of a row.
        seed: another one gives other rows.

    Returns:
        Numbers of examples, row by row; each example once.

    Example:
        >>> [sorted(row) for row in pack([5, 3, 8, 2], 8)]
        [[2], [0, 1], [3]]
    """
    order = list(range(len(lengths)))
    Random(seed).shuffle(order)
    order.sort(key=lambda number: -lengths[number])
    rows: list[list[int]] = []
    rows_by_space: dict[int, list[int]] = defaultdict(list)
    spaces: list[int] = []  # those that rows have left, sorted, each once
    for number in order:
        length = lengths[number]
        place = bisect_left(spaces, length)
        if place == len(spaces):
            rows.append([])
            row, space = len(rows) - 1, capacity
        else:
            space = spaces[place]
            row = rows_by_space[space].pop()
            if not rows_by_space[space]:
                spaces.pop(place)
        rows[row].append(number)
        left = space - length
        if not rows_by_space[left]:
            insort(spaces, left)
        rows_by_space[left].append(row)
    return rows


def block_masks_and_positions(lengths: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Return what keeps the conversations of rows apart; padding is a block of its own.

    Args:
        lengths: tokens of each conversation, row by row.

    Returns:
        The mask (rows, 1, T, T), bool, True where a query attends to a key, and the positions
        (rows, T), which begin at 0 with each conversation; T is the length of the longest row.
    """
    longest = max(sum(row) for row in lengths)
    padded_rows = [[*row, longest - sum(row)] for row in lengths]
    blocks = torch.stack(
        [torch.arange(len(row)).repeat_interleave(torch.tensor(row)) for row in padded_rows]
    )
    positions = torch.stack([torch.cat([torch.arange(n) for n in row]) for row in padded_rows])
    is_same_block = blocks[:, :, None] == blocks[:, None, :]
    is_earlier = torch.ones(longest, longest, dtype=torch.bool).tril()
    return (is_same_block & is_earlier)[:, None], positions
