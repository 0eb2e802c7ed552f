"""Turns as tokens: many questions about one picture packed into one row, and where to look.

A row is the picture's prompt, then turn after turn. In a packed row each turn sees the prompt and
itself, and its positions go on from the prompt, so it is exactly the prompt of a single question.
Some rows are ordinary conversations instead, with history.

Beside the tokens, every row says where attention should go while it is learned (`Look`): a noun
looks at the cells of its objects, a box at the cells of its object, and so on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from segue.embedded import backgrounds
from segue.embedded.chat_data import CELLS
from segue.embedded.dialogues import Narrator, Thing, Turn, known_kinds
from segue.embedded.tokens import noun_ids
from segue.models.qwen_vl.prompts import DEFAULT_SYSTEM
from segue.models.qwen_vl.tokenizer import QwenVLTokenizer

Ids = list[int]

QUERY_MIX = {"ground": 0.3, "absent": 0.27, "exist": 0.18, "segment": 0.04, "segment_new": 0.09}
QUERY_MIX |= {"describe": 0.07, "caption": 0.05}
FULL_MIX = {
    "describe": 0.15,
    "caption": 0.1,
    "ground": 0.21,
    "absent": 0.13,
    "ground_two": 0.05,
    "exist": 0.08,
    "count": 0.06,
    "count_all": 0.01,
    "where": 0.05,
    "side": 0.03,
    "background": 0.04,
    "segment": 0.05,
    "segment_new": 0.09,
    "segment_two": 0.03,
}


LATE_MIX = FULL_MIX | {"describe": 0.36, "segment": 0.03, "segment_new": 0.05}
"""What is slowest to learn, the list of a description, gets more room at the end."""


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
    (row, token, object row) for every token of a box; `phrases` are (row, token, noun) for every
    token before a noun of a list.
    """

    ids: NDArray[np.int64]
    labels: NDArray[np.int64]
    weights: NDArray[np.float32]
    positions: NDArray[np.int64]
    turn: NDArray[np.int64]
    looks: dict[str, list[Look]] = field(default_factory=dict)
    boxes: list[tuple[int, int, int]] = field(default_factory=list)
    phrases: list[tuple[int, int, int]] = field(default_factory=list)
    judged: list[Judged] = field(default_factory=list)


class TurnPacker:
    """Packs turns about scenes into rows of a fixed length.

    Args:
        tokenizer: the embedded model's.
        length: tokens per row.
        rng: chooses kinds, nouns and phrasings.
        leave_out: kinds of turns that are never asked, whatever the mix says.
        chinese: the share of turns in Chinese, 0..1.

    Raises:
        UnknownName: there is no such kind of turn.
    """

    def __init__(
        self,
        tokenizer: QwenVLTokenizer,
        length: int,
        rng: np.random.Generator,
        leave_out: Sequence[str] = (),
        chinese: float = 0.47,
    ) -> None:
        self.length, self.rng, self.chinese = length, rng, chinese
        self.leave_out = known_kinds(leave_out)
        encode = tokenizer.encode
        start, end = tokenizer.turn_start_id, tokenizer.turn_end_id
        newline = encode("\n")
        slots = [tokenizer.picture_pad_id] * CELLS**2
        system = [start, *encode(f"system\n{DEFAULT_SYSTEM}"), end, *newline]
        user = [start, *encode("user"), *newline]
        before = [*system, *user, *encode("Picture 1: "), tokenizer.picture_start_id]
        self.first_cell = len(before)
        self.prompt = [*before, *slots, tokenizer.picture_end_id, *newline]
        self.reply = [end, *newline, start, *encode("assistant"), *newline]
        self.next_turn = [*newline, *user]
        self.end = end
        self.question: Callable[[str], Ids] = encode
        self.answer: Callable[[str], Ids] = tokenizer.encode_markup
        self.nouns = noun_ids(tokenizer)
        self.digits = {encode(str(digit))[0] for digit in range(10)}
        self.box, self.box_end = tokenizer.specials["<box>"], tokenizer.specials["</box>"]
        self.reference = tokenizer.specials["<ref>"]
        self.tag_start, self.tag_end = encode("<gsam>"), encode("</")

    def pack(
        self,
        objects: NDArray[np.int16],
        cells: NDArray[np.int8],
        places: NDArray[np.int8],
        mix: dict[str, float],
    ) -> Rows:
        """Rows for some scenes; the arrays are those of `chat_data.SceneArrays`."""
        count = len(objects)
        shape = (count, self.length)
        rows = Rows(
            ids=np.full(shape, self.end, np.int64),
            labels=np.full(shape, -100, np.int64),
            weights=np.zeros(shape, np.float32),
            positions=np.zeros(shape, np.int64),
            turn=np.full(shape, -1, np.int64),
            looks={name: [] for name in ("noun", "box", "list", "carry", "copy", "previous")},
        )
        for row in range(count):
            things = [
                Thing(int(values[0]), tuple(int(v) for v in values[1:]), number)  # type: ignore[arg-type]
                for number, values in enumerate(objects[row])
                if values[0] >= 0
            ]
            place = backgrounds.NAMES[places[row]]
            self._fill(rows, row, Narrator(things, place, self.rng), cells[row], mix)
        return rows

    def _turns(self, narrator: Narrator, mix: dict[str, float], count: int) -> list[Turn]:
        mix = {kind: share for kind, share in mix.items() if kind not in self.leave_out}
        kinds = self.rng.choice(
            list(mix), count, p=np.array(list(mix.values())) / sum(mix.values())
        )
        waiting = [int(n) for n in self.rng.permutation(list(narrator.groups))]
        turns = []
        for kind in kinds:
            noun = waiting.pop() if kind == "ground" and waiting else None
            turn = narrator.ask(str(kind), bool(self.rng.random() < self.chinese), noun)
            if turn is not None:
                turns.append(turn)
        return turns

    def _fill(
        self,
        rows: Rows,
        row: int,
        narrator: Narrator,
        cells: NDArray[np.int8],
        mix: dict[str, float],
    ) -> None:
        size = len(self.prompt)
        rows.ids[row, :size] = self.prompt
        rows.turn[row, :size] = 0
        rows.positions[row, :size] = np.arange(size)
        at, history = size, self.rng.random() < 0.12
        turns = self._turns(narrator, mix, 16)
        if history:
            turns = self._with_follow_ups(narrator, turns)
        for number, turn in enumerate(turns):
            lead = self.next_turn if history and number else []
            question = [*lead, *self.question(turn.question), *self.reply]
            answer = [*self.answer(turn.answer), self.end]
            stop = at + len(question) + len(answer)
            if stop > self.length:
                if history:
                    break
                continue
            begin = at if history else size
            rows.ids[row, at:stop] = question + answer
            rows.positions[row, at:stop] = np.arange(begin, begin + stop - at)
            rows.turn[row, at:stop] = 1 if history else number + 1
            middle = at + len(question)
            rows.labels[row, middle:stop] = answer
            rows.weights[row, middle:stop] = self._weights(turn, answer)
            _TurnLooks(self, rows, row, at, middle, turn, narrator, cells).add(stop)
            rows.judged.append(
                Judged(row, middle, len(answer), turn.kind, turn.present, len(narrator.groups))
            )
            at = stop

    def _with_follow_ups(self, narrator: Narrator, turns: list[Turn]) -> list[Turn]:
        mixed: list[Turn] = []
        for turn in turns:
            mixed.append(turn)
            more = narrator.follow(turn, turn.chinese) if self.rng.random() < 0.4 else None
            if more is not None and more.kind not in self.leave_out:
                mixed.append(more)
        return mixed

    def _weights(self, turn: Turn, answer: Ids) -> list[float]:
        """First token of a verdict 2; digits by their place; words inside a tag 1.5; nouns 2.5."""
        weights = [1.0] * len(answer)
        run = 0
        for at in range(len(answer) - 1, -1, -1):
            run = run + 1 if answer[at] in self.digits else 0
            if run:
                weights[at] = (0.3, 1.0, 1.5)[min(run, 3) - 1]
        if turn.kind in ("describe", "caption"):
            weights = [
                2.5 if token in self.nouns else weight
                for token, weight in zip(answer, weights, strict=True)
            ]
        if turn.kind in ("ground", "exist", "count"):
            weights[0] = 2.0
        if turn.kind.startswith("segment"):
            weights = [1.5] * len(answer)
        return weights


@dataclass
class _TurnLooks:
    """Adds the looks of one turn that stands at `start`..; its answer begins at `middle`."""

    packer: TurnPacker
    rows: Rows
    row: int
    start: int
    middle: int
    turn: Turn
    narrator: Narrator
    cells: NDArray[np.int8]

    def add(self, stop: int) -> None:
        """Add all of them; the turn ends before token `stop`."""
        self.stop = stop
        self.tokens: Ids = self.rows.ids[self.row, :stop].tolist()
        self.outside = self._outside_boxes()
        if self.turn.kind.startswith("segment"):
            self._copies()
            return
        self.named = [
            (at, self.packer.nouns[self.tokens[at]])
            for at in range(self.start, self.stop)
            if self.tokens[at] in self.packer.nouns
        ]
        self._nouns()
        self._carries()
        self._boxes()
        if self.turn.kind in ("describe", "caption", "background"):
            self._phrases()

    def _look(self, name: str, at: int, keys: NDArray[np.int64]) -> None:
        if len(keys):
            self.rows.looks[name].append(Look(self.row, at, keys))

    def _seen(self, rows: Sequence[int]) -> NDArray[np.int64]:
        """Token numbers of the cells that these objects own."""
        return np.flatnonzero(np.isin(self.cells, rows)) + self.packer.first_cell

    def _nouns(self) -> None:
        """A noun looks at all its objects; one that is not there, at the very first token."""
        for at, noun in self.named:
            group = self.narrator.groups.get(noun)
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
                self.rows.boxes.append((self.row, at, row))

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
                target = np.array([source + number])
                self._look("copy", begin + opening - 1 + number, target)
                self._look("previous", source + number, target - 1)

    def _find(self, phrase: Ids) -> int | None:
        for at in range(self.start, self.middle - len(phrase)):
            if self.tokens[at : at + len(phrase)] == phrase:
                return at
        return None
