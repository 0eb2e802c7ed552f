"""Turns as tokens: many questions about one picture packed into one row, and where to look.

A row is the picture's prompt, then talk after talk: a question alone, or one with what follows it.
Each talk sees the prompt and itself, and its positions go on from the prompt, so it is exactly what
the model is given when it is asked. Some rows are one long conversation instead, and in some of
these a second picture is shown on the way.

Beside the tokens, every row says where attention should go while it is learned (`Look`): a noun
looks at the cells of its objects, a box at the cells of its object, and so on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from segue.embedded import backgrounds
from segue.embedded.chat_data import CELLS
from segue.embedded.chat_looks import Ids, Judged, Rows, Shown, TurnLooks
from segue.embedded.dialogues import Narrator, known_kinds
from segue.embedded.follow_ups import earlier, follow
from segue.embedded.tokens import noun_ids
from segue.embedded.turn import Thing, Turn
from segue.models.qwen_vl.prompts import DEFAULT_SYSTEM
from segue.models.qwen_vl.tokenizer import QwenVLTokenizer

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
    "colour": 0.03,
    "background": 0.04,
    "biggest": 0.015,
    "beside": 0.025,
    "talk": 0.04,
    "segment": 0.05,
    "segment_new": 0.09,
    "segment_bare": 0.015,
    "segment_two": 0.03,
}


LATE_MIX = FULL_MIX | {"describe": 0.36, "segment": 0.04, "segment_new": 0.05}
"""What is slowest to learn, the list of a description, gets more room at the end."""
MORE_MIX = FULL_MIX | {
    "describe": 0.55,
    "caption": 0.08,
    "ground": 0.2,
    "segment_new": 0.14,
    "count": 0.09,
    "where": 0.12,
    "side": 0.08,
    "colour": 0.05,
    "beside": 0.05,
    "biggest": 0.03,
    "talk": 0.07,
}
"""What training goes on with: mostly descriptions, and more of what was learned least."""

_FOLLOWED, _MORE, _THANKED = 0.25, 0.4, 0.2
"""Share of turns outside a conversation that another follows; of turns inside one that another
follows; of those that follow, the share of small talk."""
_SECOND, _AT_ONCE, _BACK = 0.08, 0.3, 0.25
"""Share of rows with a second picture; of these, the share where it comes together with the first;
of the turns after it, the share that asks about the first."""


class PackedScenes(NamedTuple):
    """What is told of some scenes; the arrays are those of `chat_data.SceneArrays`."""

    objects: NDArray[np.int16]
    cells: NDArray[np.int8]
    backgrounds: NDArray[np.int8]
    colours: NDArray[np.int8]


class Place(NamedTuple):
    """Where the next turn goes: the row, the number of the talk, the token from which positions
    count, the next token."""

    row: int
    number: int
    start: int
    at: int


class TurnPacker:
    """Packs turns about scenes into rows of a fixed length.

    Args:
        tokenizer: the embedded model's.
        length: tokens per row.
        rng: chooses kinds, nouns and phrasings.
        leave_out: kinds of turns that are never asked, whatever the mix says.
        chinese: the share of turns in Chinese, 0..1.
        long: the share of rows that are one conversation, 0..1.
        apart: every other talk stands up to so many positions further from its picture, as if
            other turns lay between.

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
        long: float = 0.12,
        apart: int = 0,
    ) -> None:
        self.length, self.rng, self.chinese = length, rng, chinese
        self.long, self.apart = long, apart
        self.leave_out = known_kinds(leave_out)
        encode = tokenizer.encode
        start, end = tokenizer.turn_start_id, tokenizer.turn_end_id
        newline = encode("\n")
        self.newline, self.slots = newline, [tokenizer.picture_pad_id] * CELLS**2
        self.picture_start, self.picture_end = tokenizer.picture_start_id, tokenizer.picture_end_id
        system = [start, *encode(f"system\n{DEFAULT_SYSTEM}"), end, *newline]
        user = [start, *encode("user"), *newline]
        before = [*system, *user, *encode("Picture 1: "), self.picture_start]
        self.first_cell = len(before)
        self.prompt = [*before, *self.slots, self.picture_end, *newline]
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

    def pack(self, scenes: PackedScenes, mix: Mapping[str, float]) -> Rows:
        """One row for each of some scenes."""
        count = len(scenes.objects)
        shape = (count, self.length)
        rows = Rows(
            ids=np.full(shape, self.end, np.int64),
            labels=np.full(shape, -100, np.int64),
            weights=np.zeros(shape, np.float32),
            positions=np.zeros(shape, np.int64),
            turn=np.full(shape, -1, np.int64),
            looks={name: [] for name in ("noun", "box", "list", "carry", "copy", "previous")},
        )
        shown = [self._shown(scenes, number) for number in range(count)]
        for row in range(count):
            self._begin(rows, row)
            if count > 1 and self.rng.random() < _SECOND:
                self._fill_two(rows, shown[row], shown[(row + 1) % count], mix)
            else:
                self._fill(rows, shown[row], mix)
        return rows

    def _shown(self, scenes: PackedScenes, number: int) -> Shown:
        """One scene as the picture that a row begins with."""
        things = [
            Thing(int(noun), (int(x0), int(y0), int(x1), int(y1)), row, int(colour))
            for row, ((noun, x0, y0, x1, y1), colour) in enumerate(
                zip(scenes.objects[number], scenes.colours[number], strict=True)
            )
            if noun >= 0
        ]
        place = backgrounds.NAMES[scenes.backgrounds[number]]
        narrator = Narrator(things, place, self.rng)
        return Shown(number, narrator, scenes.cells[number], self.first_cell)

    def _turns(self, narrator: Narrator, mix: Mapping[str, float], count: int) -> list[Turn]:
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

    def _begin(self, rows: Rows, row: int) -> None:
        size = len(self.prompt)
        rows.ids[row, :size] = self.prompt
        rows.turn[row, :size] = 0
        rows.positions[row, :size] = np.arange(size)

    def _fill(self, rows: Rows, shown: Shown, mix: Mapping[str, float]) -> None:
        start = len(self.prompt)
        for number, talk in enumerate(self._talks(shown.narrator, mix), 1):
            place = Place(shown.scene, number, start - self._gap(), start)
            for turn in talk:
                lead = self.next_turn if place.at > start else []
                place = self._add(rows, place, lead, turn, shown)
            start = place.at

    def _gap(self) -> int:
        """How far from its picture a talk stands."""
        far = self.apart > 0 and self.rng.random() < 0.5
        return int(self.rng.integers(self.apart)) if far else 0

    def _fill_two(self, rows: Rows, first: Shown, second: Shown, mix: Mapping[str, float]) -> None:
        """A conversation in which a second picture is shown, at once or after some turns."""
        rng, size = self.rng, len(self.prompt)
        place = Place(first.scene, 1, size, size)
        if rng.random() >= _AT_ONCE:
            for turn in self._turns(first.narrator, mix, int(rng.integers(1, 3))):
                lead = self.next_turn if place.at > size else []
                place = self._add(rows, place, lead, turn, first)
        lead = self.next_turn if place.at > size else []
        before = [*lead, *self.question("Picture 2: "), self.picture_start]
        second = replace(second, first_cell=place.at + len(before))
        lead = [*before, *self.slots, self.picture_end, *self.newline]
        for turn in self._turns(second.narrator, mix, 8):
            back = bool(rng.random() < _BACK)
            asked = earlier(first.narrator, turn.chinese, 1) if back else turn
            if asked is not None and not self.leave_out & {asked.kind, asked.kind.split("_")[0]}:
                reached = self._add(rows, place, lead, asked, first if back else second)
                if lead is not self.next_turn and reached.at > place.at:
                    rows.pictures.append((first.scene, second.first_cell, second.scene))
                    lead = self.next_turn
                place = reached

    def _add(self, rows: Rows, place: Place, lead: Ids, turn: Turn, shown: Shown) -> Place:
        """Write one turn about a picture; returns where the next may stand, which is the same
        place where there is no room."""
        row, number, start, at = place
        question = [*lead, *self.question(turn.question), *self.reply]
        answer = [*self.answer(turn.answer), self.end]
        middle, stop = at + len(question), at + len(question) + len(answer)
        if stop > self.length:
            return place
        rows.ids[row, at:stop] = question + answer
        rows.positions[row, at:stop] = np.arange(at, stop) - start + len(self.prompt)
        rows.turn[row, at:stop] = number
        rows.labels[row, middle:stop] = answer
        rows.weights[row, middle:stop] = self._weights(turn, answer)
        TurnLooks(self, rows, row, at, middle, turn, shown).add(stop)
        groups = len(shown.narrator.groups)
        rows.judged.append(Judged(row, middle, len(answer), turn.kind, turn.present, groups))
        return place._replace(at=stop)

    def _talks(self, narrator: Narrator, mix: Mapping[str, float]) -> list[list[Turn]]:
        """What is talked about, each talk by itself: turns with what follows, or one long talk."""
        turns = self._turns(narrator, mix, 16)
        if self.rng.random() < self.long:
            return [[turn for one in turns for turn in self._followed(narrator, one, _MORE)]]
        return [self._followed(narrator, turn, _FOLLOWED) for turn in turns]

    def _followed(self, narrator: Narrator, turn: Turn, share: float) -> list[Turn]:
        """The turn, and perhaps some that go on from it."""
        talk = [turn]
        while self.rng.random() < share:
            chat = "talk" not in self.leave_out and self.rng.random() < _THANKED
            more = (
                narrator.ask("talk", turn.chinese)
                if chat
                else follow(narrator, talk[-1], turn.chinese)
            )
            if more is None or more.kind in self.leave_out:
                break
            talk.append(more)
        return talk

    def _weights(self, turn: Turn, answer: Ids) -> list[float]:
        """What each token counts: the first of a verdict 2, digits by their place, words of a tag
        1.5, nouns of a description 3 and what stands before them 2, small talk 2."""
        weights = [1.0] * len(answer)
        run = 0
        for at in range(len(answer) - 1, -1, -1):
            run = run + 1 if answer[at] in self.digits else 0
            if run:
                weights[at] = (0.3, 1.0, 1.5)[min(run, 3) - 1]
        if turn.kind.split("_")[0] in ("describe", "caption"):
            following = [*answer[1:], self.end]
            weights = [
                3.0 if token in self.nouns else 2.0 if then in self.nouns else weight
                for token, then, weight in zip(answer, following, weights, strict=True)
            ]
        if turn.kind.split("_")[0] in ("ground", "exist", "count"):
            weights[0] = 2.0
        if turn.kind.startswith("segment"):
            weights = [1.5] * len(answer)
        if turn.kind == "talk":
            weights = [2.0] * len(answer)
        return weights
