"""Turns about a scene as rows of tokens, and where attention should go while they are learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from segue.embedded.dialogues import Narrator
from segue.embedded.turn import Turn

if TYPE_CHECKING:
    from segue.embedded.chat_turns import TurnPacker

Ids = list[int]

_LISTED = ("describe", "caption", "background", "biggest", "beside")
"""Kinds whose answer names what the question does not; so do those of "the other one"."""
_WITH_BACKGROUND = ("describe", "caption", "background")
"""Kinds whose answer has the background, or nothing, after its last noun."""


@dataclass(frozen=True)
class Look:
    """Row `row`, token `at`: the attention of some head should lie on `keys` (token numbers)."""

    row: int
    at: int
    keys: NDArray[np.int64]


@dataclass(frozen=True)
class Judged:
    """Where an answer stands, so that training can report how well it is predicted."""

    row: int
    start: int
    length: int
    kind: str
    present: bool
    nouns: int


@dataclass
class Rows:
    """A batch: all arrays are (B, T).

    `labels` is -100 where nothing is learned; `turn` is 0 for the prompt, k for turn k, -1 for
    padding. `looks` are lists by name: noun, box, list, carry, copy, previous. `boxes` are
    (row, token, scene, object row) for every token of a box; `phrases` are (row, token, noun) for
    every token before a noun of a list. Row k begins with the picture of scene k; `pictures` are
    (row, first token, scene) of those that come later.
    """

    ids: NDArray[np.int64]
    labels: NDArray[np.int64]
    weights: NDArray[np.float32]
    positions: NDArray[np.int64]
    turn: NDArray[np.int64]
    looks: dict[str, list[Look]] = field(default_factory=dict)
    boxes: list[tuple[int, int, int, int]] = field(default_factory=list)
    phrases: list[tuple[int, int, int]] = field(default_factory=list)
    pictures: list[tuple[int, int, int]] = field(default_factory=list)
    judged: list[Judged] = field(default_factory=list)


@dataclass(frozen=True)
class Shown:
    """A picture of a row: the number of its scene, who tells of it, the object that owns each of
    its cells, and the token at which these begin."""

    scene: int
    narrator: Narrator
    cells: NDArray[np.int8]
    first_cell: int


@dataclass
class TurnLooks:
    """Adds the looks of one turn that stands at `start`.. and is about `shown`; its answer begins
    at `middle`."""

    packer: TurnPacker
    rows: Rows
    row: int
    start: int
    middle: int
    turn: Turn
    shown: Shown

    def add(self, stop: int) -> None:
        """Add all of them; the turn ends before token `stop`."""
        self.stop = stop
        self.tokens: Ids = self.rows.ids[self.row, :stop].tolist()
        self.outside = self._outside_boxes()
        tag, by_list = self.turn.kind.startswith("segment"), self._by_list()
        if tag:
            self._copies()
        if tag and not by_list:
            return
        self.named = [
            (at, self.packer.nouns[self.tokens[at]])
            for at in range(self.start, self.stop)
            if self.tokens[at] in self.packer.nouns
        ]
        if not tag:
            self._nouns()
            self._carries()
            self._boxes()
        if by_list:
            self._phrases()

    def _by_list(self) -> bool:
        return self._kind() in _LISTED or self.turn.kind.endswith("_other")

    def _kind(self) -> str:
        """The kind of turn, whatever it goes on from."""
        return self.turn.kind.split("_")[0]

    def _look(self, name: str, at: int, keys: NDArray[np.int64]) -> None:
        if len(keys):
            self.rows.looks[name].append(Look(self.row, at, keys))

    def _seen(self, rows: Sequence[int]) -> NDArray[np.int64]:
        """Token numbers of the cells that these objects own."""
        return np.flatnonzero(np.isin(self.shown.cells, rows)) + self.shown.first_cell

    def _nouns(self) -> None:
        """A noun looks at all its objects; one that is not there, at the very first token."""
        for at, noun in self.named:
            group = self.shown.narrator.groups.get(noun)
            keys = self._seen([thing.row for thing in group]) if group else np.zeros(1, np.int64)
            self._look("noun", at, keys)

    def _carries(self) -> None:
        """Later tokens look back at the noun they are about."""
        single = sum(at < self.middle for at, _ in self.named) == 1
        chosen = self.packer.rng.random(self.stop - self.start) < 0.3
        for (at, noun), following in zip(
            self.named, [*self.named[1:], (self.stop, -1)], strict=False
        ):
            if not single and at < self.middle:
                continue
            keys = np.array([a for a, n in self.named if a <= at and (single or n == noun)])
            for place in range(at + 1, min(following[0] + 1, self.stop)):
                if chosen[place - self.start]:
                    self._look("carry", place, keys)

    def _boxes(self) -> None:
        """Inside a box, look at the object that it frames."""
        number = -1
        for at in range(self.middle, self.stop):
            if self.tokens[at] == self.packer.box:
                number += 1
                row = self.turn.boxes[number]
                keys = self._seen([row])
            if not self.outside[at - self.start]:
                self._look("box", at, keys)
                self.rows.boxes.append((self.row, at, self.shown.scene, row))

    def _phrases(self) -> None:
        """While a list is told, look at what is named next; after it, at the background."""
        begin, answered = self.middle - 1, [pair for pair in self.named if pair[0] >= self.middle]
        if len(answered) < len(self.turn.named):
            return
        for (at, noun), rows in zip(answered, self.turn.named, strict=False):
            keys = self._seen(rows)
            for place in range(begin, at):
                if self.outside[place - self.start]:
                    self._look("list", place, keys)
                    self.rows.phrases.append((self.row, place, noun))
            begin = at
        if self._kind() not in _WITH_BACKGROUND:
            return
        keys = self._seen([-1])
        for place in range(begin + 1 if answered else begin, self.stop - 1):
            if self.outside[place - self.start]:
                self._look("list", place, keys)

    def _outside_boxes(self) -> list[bool]:
        """For each token of the turn, counted from its start, whether it is not inside a box."""
        inside, outside = False, []
        for token in self.tokens[self.start :]:
            inside = (inside or token == self.packer.box) and token != self.packer.box_end
            outside.append(not inside)
        return outside

    def _copies(self) -> None:
        """A word of the tag looks at the same word of the question, found by what precedes it."""
        tokens, packer = self.tokens, self.packer
        opening = len(packer.tag_start)
        for begin in range(self.middle, self.stop - opening):
            if tokens[begin + opening - 1] != packer.tag_start[-1]:
                continue
            if tokens[begin + opening - 2] != packer.tag_start[-2] and opening > 2:
                continue
            end = next(
                (a for a in range(begin + opening, self.stop) if tokens[a] == packer.tag_end[0]), 0
            )
            phrase = tokens[begin + opening : end]
            source = self._find(phrase)
            if not phrase or source is None:
                continue
            for number in range(len(phrase)):
                at = source + number
                # What stands before the first word of a packed talk is the prompt.
                before = len(packer.prompt) - 1 if at == self.start else at - 1
                self._look("copy", begin + opening - 1 + number, np.array([at]))
                self._look("previous", at, np.array([before]))

    def _find(self, phrase: Ids) -> int | None:
        for at in range(self.start, self.middle - len(phrase)):
            if self.tokens[at : at + len(phrase)] == phrase:
                return at
        return None
