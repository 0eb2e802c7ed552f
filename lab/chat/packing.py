"""Turns as tokens: many questions about one image packed into one row, and where to look.

A row is the image's prompt, then dialogue after dialogue: a question alone, or with follow-ups.
Each dialogue sees the prompt and itself, and its positions continue the prompt's, so it is exactly
what the model is given when it is asked. Some rows are one long conversation instead, and in some
of these a second image is shown on the way.

Beside the tokens, every row says where attention should go while it is learned
(`AttentionTarget`): from a noun to the cells of its objects, from a box to those of its object, and
so on.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from lab.chat.attention_targets import TurnTargets
from lab.chat.data import CELLS, SceneArrays
from lab.chat.packed_rows import TARGETS, Ids, Markers, PackedRows, RowImage, ScoredSpan
from lab.language.dialogues import Narrator, check_kinds
from lab.language.follow_ups import about_earlier, follow
from lab.language.tokens import noun_ids
from lab.language.turn import Thing, Turn
from lab.scenes import backgrounds
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
WARM_START_MIX = FULL_MIX | {
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
"""For training from weights: mostly descriptions, and more of what was learned least."""

_FOLLOW_UP_SHARE, _CONVERSATION_SHARE, _SMALL_TALK_SHARE = 0.25, 0.4, 0.2
"""Share of turns outside a conversation that another follows; of turns inside one that another
follows; of those that follow, the share of small talk."""
_SECOND_IMAGE_SHARE, _TOGETHER_SHARE, _EARLIER_IMAGE_SHARE = 0.08, 0.3, 0.25
"""Share of rows with a second picture; of these, the share where it comes together with the first;
of the turns after it, the share that asks about the first."""


class RowCursor(NamedTuple):
    """Where the next turn goes.

    That is the row, the number of the dialogue, the token from which positions count, and the next
    token.
    """

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
        chinese_share: the share of turns in Chinese, 0..1.
        long_share: the share of rows that are one conversation, 0..1.
        max_gap: every other dialogue stands up to so many positions further from its picture, as if
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
        chinese_share: float = 0.47,
        long_share: float = 0.12,
        max_gap: int = 0,
    ) -> None:
        self.length, self.rng, self.chinese_share = length, rng, chinese_share
        self.long_share, self.max_gap = long_share, max_gap
        self.leave_out = check_kinds(leave_out)
        encode = tokenizer.encode
        start, end = tokenizer.turn_start_id, tokenizer.turn_end_id
        newline = encode("\n")
        self.newline, self.slots = newline, [tokenizer.picture_pad_id] * CELLS**2
        self.picture_start, self.picture_end = tokenizer.picture_start_id, tokenizer.picture_end_id
        system = [start, *encode(f"system\n{DEFAULT_SYSTEM}"), end, *newline]
        user = [start, *encode("user"), *newline]
        prompt = [*system, *user, *encode("Picture 1: "), self.picture_start]
        self.first_cell = len(prompt)
        self.prompt = [*prompt, *self.slots, self.picture_end, *newline]
        self.reply = [end, *newline, start, *encode("assistant"), *newline]
        self.next_turn = [*newline, *user]
        self.end = end
        self.question: Callable[[str], Ids] = encode
        self.answer: Callable[[str], Ids] = tokenizer.encode_markup
        self.markers = Markers(
            nouns=noun_ids(tokenizer),
            digits=frozenset(encode(str(digit))[0] for digit in range(10)),
            box=tokenizer.specials["<box>"],
            box_end=tokenizer.specials["</box>"],
            tag_start=encode("<gsam>"),
            tag_end=encode("</"),
            prompt_length=len(self.prompt),
        )

    def pack(self, scenes: SceneArrays, mix: Mapping[str, float]) -> PackedRows:
        """Pack one row for each of some scenes."""
        count = len(scenes)
        shape = (count, self.length)
        rows = PackedRows(
            ids=np.full(shape, self.end, np.int64),
            labels=np.full(shape, -100, np.int64),
            weights=np.zeros(shape, np.float32),
            positions=np.zeros(shape, np.int64),
            turn=np.full(shape, -1, np.int64),
            targets={name: [] for name in TARGETS},
        )
        images = [self._row_image(scenes, number) for number in range(count)]
        for row in range(count):
            self._begin(rows, row)
            if count > 1 and self.rng.random() < _SECOND_IMAGE_SHARE:
                self._fill_two(rows, images[row], images[(row + 1) % count], mix)
            else:
                self._fill(rows, images[row], mix)
        return rows

    def _row_image(self, scenes: SceneArrays, number: int) -> RowImage:
        """Return one scene as the image that a row begins with."""
        things = [
            Thing(int(noun), (int(x0), int(y0), int(x1), int(y1)), row, int(colour))
            for row, ((noun, x0, y0, x1, y1), colour) in enumerate(
                zip(scenes.objects[number], scenes.colours[number], strict=True)
            )
            if noun >= 0
        ]
        background = backgrounds.NAMES[scenes.backgrounds[number]]
        narrator = Narrator(things, background, self.rng)
        return RowImage(number, narrator, scenes.cells[number], self.first_cell)

    def _turns(self, narrator: Narrator, mix: Mapping[str, float], count: int) -> list[Turn]:
        mix = {kind: share for kind, share in mix.items() if kind not in self.leave_out}
        kinds = self.rng.choice(
            list(mix), count, p=np.array(list(mix.values())) / sum(mix.values())
        )
        waiting = [int(n) for n in self.rng.permutation(list(narrator.groups))]
        turns = []
        for kind in kinds:
            noun = waiting.pop() if kind == "ground" and waiting else None
            turn = narrator.ask(str(kind), bool(self.rng.random() < self.chinese_share), noun)
            if turn is not None:
                turns.append(turn)
        return turns

    def _begin(self, rows: PackedRows, row: int) -> None:
        size = len(self.prompt)
        rows.ids[row, :size] = self.prompt
        rows.turn[row, :size] = 0
        rows.positions[row, :size] = np.arange(size)

    def _fill(self, rows: PackedRows, image: RowImage, mix: Mapping[str, float]) -> None:
        start = len(self.prompt)
        for number, dialogue in enumerate(self._dialogues(image.narrator, mix), 1):
            cursor = RowCursor(image.scene, number, start - self._gap(), start)
            for turn in dialogue:
                lead = self.next_turn if cursor.at > start else []
                cursor = self._add(rows, cursor, lead, turn, image)
            start = cursor.at

    def _gap(self) -> int:
        """Choose how far from its image a dialogue stands."""
        far = self.max_gap > 0 and self.rng.random() < 0.5
        return int(self.rng.integers(self.max_gap)) if far else 0

    def _fill_two(
        self, rows: PackedRows, first: RowImage, second: RowImage, mix: Mapping[str, float]
    ) -> None:
        """Write a conversation in which a second image is shown, at once or after some turns."""
        rng, size = self.rng, len(self.prompt)
        cursor = RowCursor(first.scene, 1, size, size)
        if rng.random() >= _TOGETHER_SHARE:
            for turn in self._turns(first.narrator, mix, int(rng.integers(1, 3))):
                lead = self.next_turn if cursor.at > size else []
                cursor = self._add(rows, cursor, lead, turn, first)
        lead = self.next_turn if cursor.at > size else []
        image_start = [*lead, *self.question("Picture 2: "), self.picture_start]
        second = replace(second, first_cell=cursor.at + len(image_start))
        lead = [*image_start, *self.slots, self.picture_end, *self.newline]
        for turn in self._turns(second.narrator, mix, 8):
            back = bool(rng.random() < _EARLIER_IMAGE_SHARE)
            chosen_turn = about_earlier(first.narrator, turn.chinese, 1) if back else turn
            if chosen_turn is not None and not self.leave_out & {
                chosen_turn.kind,
                chosen_turn.kind.split("_")[0],
            }:
                reached = self._add(rows, cursor, lead, chosen_turn, first if back else second)
                if lead is not self.next_turn and reached.at > cursor.at:
                    rows.pictures.append((first.scene, second.first_cell, second.scene))
                    lead = self.next_turn
                cursor = reached

    def _add(
        self, rows: PackedRows, cursor: RowCursor, lead: Ids, turn: Turn, image: RowImage
    ) -> RowCursor:
        """Write one turn about an image.

        Returns:
            Where the next turn may stand: the same place where there was no room.
        """
        row, number, start, at = cursor
        question = [*lead, *self.question(turn.question), *self.reply]
        answer = [*self.answer(turn.answer), self.end]
        middle, stop = at + len(question), at + len(question) + len(answer)
        if stop > self.length:
            return cursor
        rows.ids[row, at:stop] = question + answer
        rows.positions[row, at:stop] = np.arange(at, stop) - start + len(self.prompt)
        rows.turn[row, at:stop] = number
        rows.labels[row, middle:stop] = answer
        rows.weights[row, middle:stop] = self._weights(turn, answer)
        TurnTargets(self.markers, self.rng, rows, row, at, middle, turn, image).add(stop)
        groups = len(image.narrator.groups)
        rows.scored_spans.append(
            ScoredSpan(row, middle, len(answer), turn.kind, turn.present, groups)
        )
        return cursor._replace(at=stop)

    def _dialogues(self, narrator: Narrator, mix: Mapping[str, float]) -> list[list[Turn]]:
        """Choose the dialogues of a row: turns with follow-ups, or one long conversation."""
        turns = self._turns(narrator, mix, 16)
        if self.rng.random() < self.long_share:
            return [
                [
                    follow_up
                    for turn in turns
                    for follow_up in self._with_follow_ups(narrator, turn, _CONVERSATION_SHARE)
                ]
            ]
        return [self._with_follow_ups(narrator, turn, _FOLLOW_UP_SHARE) for turn in turns]

    def _with_follow_ups(self, narrator: Narrator, turn: Turn, share: float) -> list[Turn]:
        """Return the turn, and perhaps some follow-ups."""
        dialogue = [turn]
        while self.rng.random() < share:
            chat = "talk" not in self.leave_out and self.rng.random() < _SMALL_TALK_SHARE
            follow_up = (
                narrator.ask("talk", turn.chinese)
                if chat
                else follow(narrator, dialogue[-1], turn.chinese)
            )
            if follow_up is None or follow_up.kind in self.leave_out:
                break
            dialogue.append(follow_up)
        return dialogue

    def _weights(self, turn: Turn, answer: Ids) -> list[float]:
        """Weigh each token of an answer.

        The first of a verdict counts 2, digits by their place, words of a tag 1.5, nouns of a
        description 3 and what stands before them 2, small talk 2.
        """
        weights = [1.0] * len(answer)
        digit_run = 0
        for at in range(len(answer) - 1, -1, -1):
            digit_run = digit_run + 1 if answer[at] in self.markers.digits else 0
            if digit_run:
                weights[at] = (0.3, 1.0, 1.5)[min(digit_run, 3) - 1]
        if turn.kind.split("_")[0] in ("describe", "caption"):
            following = [*answer[1:], self.end]
            weights = [
                3.0
                if token in self.markers.nouns
                else 2.0
                if next_token in self.markers.nouns
                else weight
                for token, next_token, weight in zip(answer, following, weights, strict=True)
            ]
        if turn.kind.split("_")[0] in ("ground", "exist", "count"):
            weights[0] = 2.0
        if turn.kind.startswith("segment"):
            weights = [1.5] * len(answer)
        if turn.kind == "talk":
            weights = [2.0] * len(answer)
        return weights
