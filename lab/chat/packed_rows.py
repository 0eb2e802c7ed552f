"""Turns about scenes as rows of tokens, and what is learned from each place of a row."""

from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from lab.language.dialogues import Narrator

Ids = list[int]
Array = TypeVar("Array")
"""NumPy arrays where rows are packed, tensors where they are learned from."""
TARGETS = ("noun", "box", "list", "carry", "copy", "previous")
"""What attention is taught: from where, to what."""


class Markers(NamedTuple):
    """The token ids by which the parts of a row are recognised."""

    nouns: dict[int, int]
    """The noun that each token stands for."""
    digits: frozenset[int]
    box: int
    box_end: int
    tag_start: Ids
    tag_end: Ids
    prompt_length: int
    """Tokens before the first turn of a row."""


@dataclass(frozen=True)
class AttentionTarget:
    """Row `row`, token `at`: the attention of some head should lie on `keys` (token numbers)."""

    row: int
    token: int
    keys: NDArray[np.int64]


@dataclass(frozen=True)
class ScoredSpan:
    """Where an answer stands, so that training can report how well it is predicted."""

    row: int
    start: int
    length: int
    kind: str
    present: bool
    nouns: int


@dataclass
class PackedRows:
    """A batch: all arrays are (B, T).

    `labels` is -100 where nothing is learned; `turn` is 0 for the prompt, k for turn k, -1 for
    padding. `targets` are lists by name: noun, box, list, carry, copy, previous. `boxes` are
    (row, token, scene, object row) for every token of a box; `phrases` are (row, token, noun) for
    every token before a noun of a list. Row k begins with the picture of scene k; `pictures` are
    (row, first token, scene) of those that come later.
    """

    ids: NDArray[np.int64]
    labels: NDArray[np.int64]
    weights: NDArray[np.float32]
    positions: NDArray[np.int64]
    turn: NDArray[np.int64]
    targets: dict[str, list[AttentionTarget]] = field(default_factory=dict)
    boxes: list[tuple[int, int, int, int]] = field(default_factory=list)
    phrases: list[tuple[int, int, int]] = field(default_factory=list)
    pictures: list[tuple[int, int, int]] = field(default_factory=list)
    scored_spans: list[ScoredSpan] = field(default_factory=list)


@dataclass(frozen=True)
class RowImage:
    """An image of a row.

    It has the number of its scene, the narrator of that scene, the object that owns each of its
    cells, and the token at which these begin.
    """

    scene: int
    narrator: Narrator
    cells: NDArray[np.int8]
    first_cell: int


class TargetArrays(NamedTuple, Generic[Array]):
    """Attention targets as arrays.

    `rows` and `tokens` (n,) are where each stands; `owners` and `keys` (m,) say that `keys[j]` is a
    key of target `owners[j]`. All are int64.
    """

    rows: Array
    tokens: Array
    owners: Array
    keys: Array


class RowArrays(NamedTuple, Generic[Array]):
    """A batch of packed rows as arrays, see `PackedRows`; targets and boxes are a sample."""

    ids: Array
    labels: Array
    weights: Array
    positions: Array
    turn: Array
    targets: dict[str, TargetArrays[Array]]
    """Those that there are."""
    boxes: Array
    """(k, 4) int64."""
    phrases: Array
    """(k, 3) int64."""
    pictures: Array
    """(k, 3) int64."""


def row_arrays(
    rows: PackedRows, rng: np.random.Generator, limits: dict[str, int]
) -> RowArrays[NDArray[Any]]:
    """Return packed rows as arrays.

    Args:
        rows: what was packed.
        rng: chooses the sample.
        limits: the largest number of attention targets of each name, and of "boxes".
    """
    targets = {
        name: _target_arrays(_sample(rows.targets[name], limits[name], rng))
        for name in TARGETS
        if rows.targets[name]
    }
    return RowArrays(
        rows.ids, rows.labels, rows.weights, rows.positions, rows.turn, targets,
        np.array(_sample(rows.boxes, limits["boxes"], rng), np.int64).reshape(-1, 4),
        np.array(rows.phrases, np.int64).reshape(-1, 3),
        np.array(rows.pictures, np.int64).reshape(-1, 3),
    )  # fmt: skip


def _target_arrays(targets: list[AttentionTarget]) -> TargetArrays[NDArray[Any]]:
    return TargetArrays(
        np.array([target.row for target in targets], np.int64),
        np.array([target.token for target in targets], np.int64),
        np.repeat(np.arange(len(targets)), [len(target.keys) for target in targets]),
        np.concatenate([target.keys for target in targets]),
    )


Item = TypeVar("Item")


def _sample(items: list[Item], most: int, rng: np.random.Generator) -> list[Item]:
    if len(items) <= most:
        return items
    return [items[number] for number in rng.choice(len(items), most, replace=False)]
