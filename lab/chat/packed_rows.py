"""Turns about scenes as rows of tokens, and what is learned from each place of a row."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lab.language.dialogues import Narrator

Ids = list[int]


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
