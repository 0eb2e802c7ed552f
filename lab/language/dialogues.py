"""Questions and answers about a drawn scene: what the embedded chat model is taught to say.

Everything here is text and integers; tokens and tensors are the business of `lab/chat`. What is
said of one thing beside its name is in `relations.py`, follow-ups are in `follow_ups.py`, small
talk in `small_talk.py`. Objects are always listed from left to right, grouped by noun, so there is
one right answer.
"""

from collections.abc import Iterable
from dataclasses import replace

from lab.language import relations
from lab.language.narrator import SceneNarrator
from lab.language.phrasing import (
    CHINESE_NUMBERS,
    NUMBERS,
    box_text,
    chinese_count,
    english_count,
    fill,
    join,
    lower_first,
    made_up_word,
    none_of,
    tag,
    there_are,
)
from lab.language.questions import (
    ADJECTIVES,
    HELD_OUT_CHINESE,
    HELD_OUT_NOUNS,
    OTHER_CHINESE,
    OTHER_NOUNS,
)
from lab.language.small_talk import small_talk
from lab.language.turn import Turn
from lab.scenes import backgrounds
from lab.scenes.vocabulary import nouns
from segue.errors import UnknownName
from segue.runtime.catalog import unknown_name_message

_TRAINED_NOUNS = tuple(sorted(set(OTHER_NOUNS) - set(HELD_OUT_NOUNS)))
_TRAINED_CHINESE = tuple(sorted(set(OTHER_CHINESE) - set(HELD_OUT_CHINESE)))


class Narrator(SceneNarrator):
    """Asks and answers about one scene."""

    def ask(self, kind: str, chinese: bool, noun: int | None = None) -> Turn | None:
        """Make a turn of this kind (see `KINDS`); None where the scene does not allow it.

        `noun` is what to ask about; left out, one is drawn.
        """
        if kind in relations.KINDS:
            return relations.KINDS[kind](self, chinese, noun)
        turn: Turn | None = getattr(self, f"_{kind}")(chinese, noun)
        return turn

    # The kinds ------------------------------------------------------------------------------

    def _describe(self, chinese: bool, noun: int | None) -> Turn:
        named_rows = tuple(self.rows(n) for n in self.groups)
        counts = [(n, len(group)) for n, group in self.groups.items()]
        if chinese:
            names = join([chinese_count(*count) for count in counts], True)
            answer = f"图片里有{names}，背景是{backgrounds.CHINESE[self.background]}。"
        else:
            names = join([english_count(*count) for count in counts], False)
            place = backgrounds.ENGLISH[self.background]
            answer = f"The picture shows {names}. The background is {place}."
        return Turn(
            "describe", self.question("describe", chinese), answer, chinese, named_rows=named_rows
        )

    def _caption(self, chinese: bool, noun: int | None) -> Turn:
        count = chinese_count if chinese else english_count
        parts = [
            f"<ref>{count(n, len(group))}</ref>" + "".join(box_text(t.box) for t in group)
            for n, group in self.groups.items()
        ]
        return Turn(
            "caption",
            self.question("caption", chinese),
            join(parts, chinese) + ("。" if chinese else "."),
            chinese,
            boxes=tuple(t.row for group in self.groups.values() for t in group),
            named_rows=tuple(self.rows(n) for n in self.groups),
        )

    def _ground(self, chinese: bool, noun: int | None) -> Turn:
        noun = self.present() if noun is None else noun
        question = self.question("ground", chinese, noun)
        if noun not in self.groups:
            return Turn("ground", question, none_of(noun, chinese), chinese, noun, False)
        answer, rows = self.reference(noun, chinese), self.rows(noun)
        return Turn("ground", question, answer, chinese, noun, True, rows, (rows,))

    def _absent(self, chinese: bool, noun: int | None) -> Turn:
        return self._ground(chinese, self.absent() if noun is None else noun)

    def _ground_two(self, chinese: bool, noun: int | None) -> Turn | None:
        if len(self.groups) < 2:
            return None
        first, second = (int(n) for n in self.rng.permutation(list(self.groups))[:2])
        if self.rng.random() < 0.2:
            second = self.absent()
        question = self.question("ground_two", chinese, first, second)
        answer = self.reference(first, chinese)
        rows, second_rows = self.rows(first), self.rows(second)
        if second_rows:
            joiner = "和" if chinese else " and "
            answer += joiner + self.reference(second, chinese)
            return Turn(
                "ground_two",
                question,
                answer,
                chinese,
                boxes=rows + second_rows,
                named_rows=(rows, second_rows),
            )
        answer += ("，" if chinese else ". ") + none_of(second, chinese)
        return Turn("ground_two", question, answer, chinese, boxes=rows, named_rows=(rows,))

    def _exist(self, chinese: bool, noun: int | None) -> Turn:
        if noun is None:
            noun = self.present() if self.rng.random() < 0.5 else self.absent()
        question, count = self.question("exist", chinese, noun), len(self.groups.get(noun, ()))
        if not count:
            lead = "没有，" if chinese else "No, "
            answer = lead + lower_first(none_of(noun, chinese))
            return Turn("exist", question, answer, chinese, noun, False)
        lead = "有，" if chinese else "Yes, "
        answer = lead + lower_first(there_are(noun, count, chinese))
        return Turn("exist", question, answer, chinese, noun, named_rows=(self.rows(noun),))

    def _count(self, chinese: bool, noun: int | None) -> Turn:
        if noun is None:
            several = [n for n, group in self.groups.items() if len(group) > 1]
            share = self.rng.random()
            noun = self.absent() if share < 0.15 else self.present()
            if several and 0.15 <= share < 0.6:
                noun = int(self.rng.choice(several))
        question, count = self.question("count", chinese, noun), len(self.groups.get(noun, ()))
        if not count:
            return Turn("count", question, none_of(noun, chinese), chinese, noun, False)
        answer, named_rows = there_are(noun, count, chinese), (self.rows(noun),)
        return Turn("count", question, answer, chinese, noun, named_rows=named_rows)

    def _count_all(self, chinese: bool, noun: int | None) -> Turn:
        count = len(self.things)
        verb, ending = ("is", "") if count == 1 else ("are", "s")
        answer = f"There {verb} {NUMBERS[count]} object{ending} in the picture."
        if chinese:
            answer = f"图片里一共有{CHINESE_NUMBERS[count]}个物体。"
        return Turn("count_all", self.question("count_all", chinese), answer, chinese)

    def _background(self, chinese: bool, noun: int | None) -> Turn:
        answer = f"The background is {backgrounds.ENGLISH[self.background]}."
        if chinese:
            answer = f"背景是{backgrounds.CHINESE[self.background]}。"
        return Turn("background", self.question("background", chinese), answer, chinese)

    def _talk(self, chinese: bool, noun: int | None) -> Turn:
        return Turn("talk", *small_talk(self.rng, chinese), chinese)

    def _talk_held_out(self, chinese: bool, noun: int | None) -> Turn:
        return Turn("talk_held_out", *small_talk(self.rng, chinese, held_out=True), chinese)

    def _segment(self, chinese: bool, noun: int | None) -> Turn:
        if noun is None:
            noun = (
                self.present() if self.rng.random() < 0.4 else int(self.rng.integers(len(nouns())))
            )
        question, answer = self.question("segment", chinese, noun), tag(nouns()[noun].english)
        return Turn("segment", question, answer, chinese, noun, noun in self.groups)

    def _segment_new(self, chinese: bool, noun: int | None) -> Turn:
        phrase = self._new_phrase(chinese)
        template = self.phrase("segment", chinese)
        return Turn("segment_new", fill(template, phrase), tag(phrase), chinese)

    def _segment_bare(self, chinese: bool, noun: int | None) -> Turn:
        in_vocabulary = noun is not None or self.rng.random() < 0.5
        turn = (self._segment if in_vocabulary else self._segment_new)(chinese, noun)
        template = self.phrase("segment_bare", chinese)
        question = template.format(n=nouns()[turn.noun].english, z=nouns()[turn.noun].chinese)
        if turn.noun < 0:
            question = fill(template, turn.answer.removeprefix("<gsam>").removesuffix("</gsam>"))
        return replace(turn, kind="segment_bare", question=question)

    def _segment_held_out(self, chinese: bool, noun: int | None) -> Turn:
        words = HELD_OUT_CHINESE if chinese else HELD_OUT_NOUNS
        phrase = words[self.rng.integers(len(words))]
        template = self.phrase("segment", chinese)
        return Turn("segment_held_out", fill(template, phrase), tag(phrase), chinese)

    def _segment_two(self, chinese: bool, noun: int | None) -> Turn:
        first, second = (int(n) for n in self.rng.choice(len(nouns()), 2, replace=False))
        if len(self.groups) > 1 and self.rng.random() < 0.6:
            first, second = (int(n) for n in self.rng.permutation(list(self.groups))[:2])
        a, b = nouns()[first].english, nouns()[second].english
        question = self.question("segment_two", chinese, first, second)
        if not chinese and self.rng.random() < 0.4:
            a, b = self._new_phrase(False), self._new_phrase(False)
            question = fill(self.phrase("segment_two", False), a, b)
        answer = tag(a) + ("和" if chinese else " and ") + tag(b)
        return Turn("segment_two", question, answer, chinese)

    def _new_phrase(self, chinese: bool) -> str:
        if chinese:
            return str(self.rng.choice(_TRAINED_CHINESE))
        share = self.rng.random()
        if share < 0.45:
            word = made_up_word(self.rng)
        elif share < 0.8:
            word = str(self.rng.choice(_TRAINED_NOUNS))
        else:
            word = nouns()[self.rng.integers(len(nouns()))].english
        if self.rng.random() < 0.35:
            made_up = self.rng.random() < 0.4
            first = made_up_word(self.rng) if made_up else str(self.rng.choice(ADJECTIVES))
            return f"{first} {word}"
        return word


KINDS = (
    "describe",
    "caption",
    "ground",
    "absent",
    "ground_two",
    "exist",
    "count",
    "count_all",
    "where",
    "side",
    "colour",
    "background",
    "biggest",
    "beside",
    "talk",
    "segment",
    "segment_new",
    "segment_bare",
    "segment_two",
)

FOLLOW_KINDS = (
    *("segment_it", "segment_again", "segment_other"),
    *("ground_it", "ground_again", "ground_other"),
    *("exist_again", "count_again", "where_again", "where_other"),
)
"""Turns that `follow_ups.follow` makes of the turn before."""

EARLIER_KINDS = tuple(
    f"{kind}_earlier" for kind in ("exist", "count", "where", "describe", "background")
)
"""Turns that `follow_ups.earlier` makes about a picture that is not the newest."""

TAG_KINDS = tuple(kind for kind in (*KINDS, *FOLLOW_KINDS) if kind.startswith("segment"))
"""The turns that are answered with the `<gsam>` tag."""


def check_kinds(kinds: Iterable[str]) -> frozenset[str]:
    """Return the kinds as a set.

    Raises:
        UnknownName: one of them is not a kind of turn.
    """
    all_kinds = dict.fromkeys((*KINDS, *FOLLOW_KINDS, *EARLIER_KINDS))
    for kind in kinds:
        if kind not in all_kinds:
            raise UnknownName(unknown_name_message("kind of turn", kind, all_kinds))
    return frozenset(kinds)
