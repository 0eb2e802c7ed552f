"""Turns about a scene as rows of tokens, and where attention should go while they are learned."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lab.chat.packed_rows import AttentionTarget, Ids, Markers, PackedRows, RowImage
from lab.language.turn import Turn

_LIST_KINDS = ("describe", "caption", "background", "biggest", "beside")
"""Kinds whose answer names what the question does not; so do those of "the other one"."""
_BACKGROUND_KINDS = ("describe", "caption", "background")
"""Kinds whose answer has the background, or nothing, after its last noun."""


@dataclass
class TurnTargets:
    """Adds the attention targets of one turn.

    The turn begins at token `start` of a row, its answer at `middle`, and it is about `image`.
    """

    markers: Markers
    rng: np.random.Generator
    rows: PackedRows
    row: int
    start: int
    middle: int
    turn: Turn
    image: RowImage

    def add(self, end: int) -> None:
        """Add all of them; the turn ends before token `stop`."""
        self.end = end
        self.tokens: Ids = self.rows.ids[self.row, :end].tolist()
        self.outside_boxes = self._find_outside_boxes()
        tag, by_list = self.turn.kind.startswith("segment"), self._by_list()
        if tag:
            self._copies()
        if tag and not by_list:
            return
        self.noun_places = [
            (at, self.markers.nouns[self.tokens[at]])
            for at in range(self.start, self.end)
            if self.tokens[at] in self.markers.nouns
        ]
        if not tag:
            self._nouns()
            self._carries()
            self._boxes()
        if by_list:
            self._phrases()

    def _by_list(self) -> bool:
        return self._kind() in _LIST_KINDS or self.turn.kind.endswith("_other")

    def _kind(self) -> str:
        """Return the kind of the turn, without what makes it a follow-up."""
        return self.turn.kind.split("_")[0]

    def _add_target(self, name: str, at: int, keys: NDArray[np.int64]) -> None:
        if len(keys):
            self.rows.targets[name].append(AttentionTarget(self.row, at, keys))

    def _cells_of(self, rows: Sequence[int]) -> NDArray[np.int64]:
        """Return the token numbers of the cells that these objects own."""
        return np.flatnonzero(np.isin(self.image.cells, rows)) + self.image.first_cell

    def _nouns(self) -> None:
        """Point each noun at all its objects; an absent one at the very first token."""
        for at, noun in self.noun_places:
            group = self.image.narrator.groups.get(noun)
            keys = (
                self._cells_of([thing.row for thing in group]) if group else np.zeros(1, np.int64)
            )
            self._add_target("noun", at, keys)

    def _carries(self) -> None:
        """Point later tokens back at the noun they are about."""
        single = sum(at < self.middle for at, _ in self.noun_places) == 1
        is_chosen = self.rng.random(self.end - self.start) < 0.3
        for (at, noun), following in zip(
            self.noun_places, [*self.noun_places[1:], (self.end, -1)], strict=False
        ):
            if not single and at < self.middle:
                continue
            keys = np.array([a for a, n in self.noun_places if a <= at and (single or n == noun)])
            for place in range(at + 1, min(following[0] + 1, self.end)):
                if is_chosen[place - self.start]:
                    self._add_target("carry", place, keys)

    def _boxes(self) -> None:
        """Point the tokens inside a box at the object that it frames."""
        number = -1
        for at in range(self.middle, self.end):
            if self.tokens[at] == self.markers.box:
                number += 1
                row = self.turn.boxes[number]
                keys = self._cells_of([row])
            if not self.outside_boxes[at - self.start]:
                self._add_target("box", at, keys)
                self.rows.boxes.append((self.row, at, self.image.scene, row))

    def _phrases(self) -> None:
        """Point each place of a list at what is named next; after the list, at the background."""
        begin, answer_nouns = (
            self.middle - 1,
            [pair for pair in self.noun_places if pair[0] >= self.middle],
        )
        if len(answer_nouns) < len(self.turn.named_rows):
            return
        for (at, noun), rows in zip(answer_nouns, self.turn.named_rows, strict=False):
            keys = self._cells_of(rows)
            for place in range(begin, at):
                if self.outside_boxes[place - self.start]:
                    self._add_target("list", place, keys)
                    self.rows.phrases.append((self.row, place, noun))
            begin = at
        if self._kind() not in _BACKGROUND_KINDS:
            return
        keys = self._cells_of([-1])
        for place in range(begin + 1 if answer_nouns else begin, self.end - 1):
            if self.outside_boxes[place - self.start]:
                self._add_target("list", place, keys)

    def _find_outside_boxes(self) -> list[bool]:
        """Return for each token of the turn whether it is not inside a box."""
        inside, outside_boxes = False, []
        for token in self.tokens[self.start :]:
            inside = (inside or token == self.markers.box) and token != self.markers.box_end
            outside_boxes.append(not inside)
        return outside_boxes

    def _copies(self) -> None:
        """Point each word of a tag at the same word of the question, found by what precedes it."""
        tokens, markers = self.tokens, self.markers
        opening = len(markers.tag_start)
        for begin in range(self.middle, self.end - opening):
            if tokens[begin + opening - 1] != markers.tag_start[-1]:
                continue
            if tokens[begin + opening - 2] != markers.tag_start[-2] and opening > 2:
                continue
            end = next(
                (a for a in range(begin + opening, self.end) if tokens[a] == markers.tag_end[0]), 0
            )
            phrase = tokens[begin + opening : end]
            source = self._find(phrase)
            if not phrase or source is None:
                continue
            for number in range(len(phrase)):
                at = source + number
                # What stands before the first word of a packed dialogue is the prompt.
                previous = markers.prompt_length - 1 if at == self.start else at - 1
                self._add_target("copy", begin + opening - 1 + number, np.array([at]))
                self._add_target("previous", at, np.array([previous]))

    def _find(self, phrase: Ids) -> int | None:
        for at in range(self.start, self.middle - len(phrase)):
            if self.tokens[at : at + len(phrase)] == phrase:
                return at
        return None
