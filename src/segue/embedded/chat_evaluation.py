"""Measures of the embedded chat model on held-out scenes, through the ordinary network.

Every number is greedy generation by a loaded checkpoint on scenes drawn from a given seed:
new compositions of the trained drawing styles, or of the held-out style. The turn before a
follow-up is the true one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from segue.embedded.chat_data import describe, draw_scenes
from segue.embedded.chat_replies import Query, replies
from segue.embedded.dialogues import Narrator
from segue.embedded.follow_ups import again, earlier, other
from segue.embedded.phrasing import chinese_count, english_count, with_tail
from segue.embedded.questions import HELD_OUT_CHINESE_TAILS, HELD_OUT_TAILS
from segue.embedded.scenes import Scene, SceneRecipe
from segue.embedded.small_talk import ANSWERS
from segue.embedded.sprites import HELD_OUT_STYLE, SpriteBank, best_bank
from segue.embedded.turn import Thing, Turn
from segue.embedded.vocabulary import nouns
from segue.models.qwen_vl import QwenVLForCausalLM, QwenVLProcessor, load

GridBox = tuple[int, int, int, int]

_BOX = re.compile(r"<box>\((\d+),(\d+)\),\((\d+),(\d+)\)</box>")
_REFERENCE = re.compile(r"<ref>(.*?)</ref>((?:<box>.*?</box>)*)")
_COUNTS = {
    phrase: (noun.index, number)
    for noun in nouns()
    for number in range(1, 6)
    for phrase in (english_count(noun.index, number), chinese_count(noun.index, number))
}


ASKED = (
    *("describe", "caption", "absent", "exist", "exist", "count", "where", "side"),
    *("colour", "background"),
    *("segment", "segment_held_out", "segment_bare", "segment_two"),
    *("biggest", "beside", "talk", "talk_held_out"),
)
"""What is asked once about every scene; `ground` is asked for each of its nouns."""


@dataclass(frozen=True)
class Asked:
    """One question about one held-out scene, with the true turn, and the true one before it, which
    was about scene number `earlier` where that is another."""

    scene: int
    turn: Turn
    things: tuple[Thing, ...]
    before: Turn | None = None
    earlier: int | None = None

    def group(self) -> list[GridBox]:
        """The true boxes of the noun that the question is about."""
        return [thing.box for thing in self.things if thing.noun == self.turn.noun]


@dataclass
class Tally:
    """Scores by name; the mean and the number of each are the result."""

    scores: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, score: float) -> None:
        """Count one score."""
        self.scores.setdefault(name, []).append(float(score))

    def means(self) -> dict[str, tuple[float, int]]:
        """Mean and number of scores, by name."""
        return {k: (round(float(np.mean(v)), 4), len(v)) for k, v in sorted(self.scores.items())}


def things_of(scene: Scene) -> tuple[Thing, ...]:
    """The objects of a scene, as the narrator wants them."""
    truth = describe(scene)
    return tuple(
        Thing(
            int(row[0]), (int(row[1]), int(row[2]), int(row[3]), int(row[4])), number, int(colour)
        )
        for number, (row, colour) in enumerate(zip(truth.objects, truth.colours, strict=True))
        if row[0] >= 0
    )


def questions_about(scenes: Sequence[Scene], seed: int) -> list[Asked]:
    """All questions of an evaluation; languages alternate."""
    rng = np.random.default_rng(seed)
    asked: list[Asked] = []
    last: Narrator | None = None
    for number, scene in enumerate(scenes):
        things = things_of(scene)
        narrator = Narrator(things, scene.background, rng)
        turns = [narrator.ask(kind, number % 2 == 1) for kind in ASKED]
        for place, noun in enumerate(narrator.groups):
            turns.append(narrator.ask("ground", (number + place) % 2 == 1, noun))
        asked += [Asked(number, turn, things) for turn in turns if turn is not None]
        asked += _new_skills(narrator, number, things)
        if last is not None:
            asked += _second_picture(last, narrator, number, things)
        last = narrator
    return asked


def _new_skills(narrator: Narrator, number: int, things: tuple[Thing, ...]) -> list[Asked]:
    """Questions that go on from another, and requests with words after the noun."""
    chinese, asked = number % 2 == 1, []
    for act in ("ground", "segment"):
        before = narrator.ask(act, chinese, narrator.present())
        if before is None:
            continue
        for held_out in (False, True):
            turn = again(narrator, before, chinese, held_out=held_out)
            if turn is not None:
                asked.append(Asked(number, turn, things, before))
        last = other(narrator, before, chinese)
        if last is not None:
            asked.append(Asked(number, last, things, before))
    tails = HELD_OUT_CHINESE_TAILS if chinese else HELD_OUT_TAILS
    for kind in ("segment", "segment_new"):
        turn = narrator.ask(kind, chinese)
        if turn is not None:
            question = with_tail(turn.question, tails[number % len(tails)])
            turn = replace(turn, kind=f"{kind}_tail", question=question)
            asked.append(Asked(number, turn, things))
    return asked


def _second_picture(
    first: Narrator, second: Narrator, number: int, things: tuple[Thing, ...]
) -> list[Asked]:
    """Questions with the picture of scene `number`, after a turn about the scene before it: about
    the new picture, and about the one before in wordings of training and in others."""
    chinese = number % 2 == 1
    before = first.ask("ground", chinese, first.present())
    noun = int(second.rng.choice([*second.groups, second.absent()]))
    turn = second.ask("ground", chinese, noun)
    kinds = {True: "second picture: frame", False: "second picture: absent"}
    turns = [turn and replace(turn, kind=kinds[turn.present])]
    for held_out in (False, True):
        asked = earlier(first, chinese, 1, held_out=held_out)
        wording = "new" if held_out else "trained"
        turns.append(asked and replace(asked, kind=f"picture before, {wording} wordings"))
    return [Asked(number, one, things, before, number - 1) for one in turns if one is not None]


def boxes_in(text: str) -> list[GridBox]:
    """All boxes of a reply."""
    return [(int(a), int(b), int(c), int(d)) for a, b, c, d in _BOX.findall(text)]


def overlap(a: GridBox, b: GridBox) -> float:
    """Intersection over union; a box that is empty or inside out overlaps with nothing."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return width * height / (areas - width * height)


def matched(found: Iterable[GridBox], true: Sequence[GridBox]) -> list[float]:
    """For each true box, the overlap with the found box that is left for it, best pairs first."""
    pairs = [(overlap(f, t), i, j) for i, f in enumerate(found) for j, t in enumerate(true)]
    taken: set[int] = set()
    best: dict[int, float] = {}
    for score, i, j in sorted(pairs, reverse=True):
        if i not in taken and j not in best:
            taken.add(i)
            best[j] = score
    return [best.get(j, 0.0) for j in range(len(true))]


def listed(text: str) -> list[tuple[int, int] | None]:
    """What a description lists, as (noun, number); None for what is not understood."""
    english = re.match(r"The picture shows (.*?)\.", text)
    if english:
        # "a airplane" is a slip of grammar, not of what was seen.
        parts = [re.sub(r"^an ", "a ", part) for part in re.split(r", | and ", english[1])]
        return [_COUNTS.get(part) or _COUNTS.get(re.sub(r"^a ", "an ", part)) for part in parts]
    chinese = re.match(r"图片里有(.*?)，背景", text)
    if chinese:
        return [_COUNTS.get(part) for part in re.split("、|和", chinese[1])]
    return [None]


def score(asked: Asked, said: str, tally: Tally) -> None:
    """Judge one reply."""
    turn = asked.turn
    language = "zh" if turn.chinese else "en"
    if turn.kind == "describe":
        _score_description(asked, said, tally)
    elif turn.kind == "caption":
        _score_caption(asked, said, tally)
    elif turn.kind == "ground" and turn.present:
        _score_box(asked, said, tally, language)
    elif turn.kind.startswith("talk"):
        name = f"small talk, {'new' if turn.kind == 'talk_held_out' else 'trained'} wordings"
        tally.add(f"{name}: no tag, box or description", said in ANSWERS)
        tally.add(f"{name}: the right answer, {language}", said == turn.answer)
    elif asked.before is not None:
        _score_follow_up(turn, said, tally, language)
    elif turn.kind == "exist":
        verdict = said.startswith(("Yes", "有") if turn.present else ("No", "没有"))
        tally.add(f"exist, {'present' if turn.present else 'absent'}", verdict)
    else:
        name = "absent: says so" if turn.kind == "ground" else turn.kind
        tally.add(name, said == turn.answer)
        tally.add(f"{name}, {language}", said == turn.answer)


def right(asked: Asked, said: str) -> bool:
    """Whether a reply is right, by the first measure of its kind."""
    tally = Tally()
    score(asked, said, tally)
    return next(iter(tally.scores.values()))[0] == 1


def query_of(asked: Asked) -> Query:
    """The question as it is put to the model."""
    before = None if asked.before is None else (asked.before.question, asked.before.answer)
    turn = asked.turn
    return Query(asked.scene, turn.question, before, turn.answer, asked.earlier)


def _score_description(asked: Asked, said: str, tally: Tally) -> None:
    truth: dict[int, int] = {}
    for thing in asked.things:
        truth[thing.noun] = truth.get(thing.noun, 0) + 1
    found = listed(said)
    exact = len(found) == len(truth) and set(found) == set(truth.items())
    tally.add(f"describe: exact set, {len(asked.things)} objects", exact)
    if len(asked.things) <= 3:
        tally.add("describe: exact set, 1-3 objects", exact)
        tally.add(
            f"describe: exact set, 1-3 objects, {'zh' if asked.turn.chinese else 'en'}", exact
        )
    named = {item[0] for item in found if item}
    tally.add("describe: recall of nouns", len(named & set(truth)) / len(truth))
    tally.add("describe: precision of nouns", len(named & set(truth)) / max(1, len(found)))


def _score_caption(asked: Asked, said: str, tally: Tally) -> None:
    found = [
        ((_COUNTS.get(phrase) or _COUNTS.get(re.sub("^a ", "an ", phrase)) or (-1, 0))[0], box)
        for phrase, boxes in _REFERENCE.findall(said)
        for box in boxes_in(boxes)
    ]
    hits = 0
    for noun in {thing.noun for thing in asked.things}:
        true = [thing.box for thing in asked.things if thing.noun == noun]
        overlaps = matched([box for name, box in found if name == noun], true)
        hits += sum(value >= 0.5 for value in overlaps)
    tally.add("caption: F1 of noun and box", 2 * hits / (len(found) + len(asked.things)))


def _score_box(asked: Asked, said: str, tally: Tally, language: str) -> None:
    true, found = asked.group(), boxes_in(said)
    overlaps = matched(found, true)
    if len(true) > 1:
        tally.add("ground several: all found", len(found) == len(true) and min(overlaps) >= 0.5)
        tally.add("ground several: recall", float(np.mean([v >= 0.5 for v in overlaps])))
        return
    first = overlap(found[0], true[0]) if found else 0.0
    kinds = len({thing.noun for thing in asked.things})
    side = max(true[0][2] - true[0][0], true[0][3] - true[0][1]) / 1000
    size = "small" if side < 0.25 else "middle" if side < 0.4 else "large"
    tally.add("ground one: Acc@0.5", first >= 0.5)
    tally.add("ground one: Acc@0.75", first >= 0.75)
    tally.add("ground one: mean IoU", first)
    tally.add(f"ground one: Acc@0.5, {language}", first >= 0.5)
    tally.add(f"ground one: Acc@0.5, {size}", first >= 0.5)
    tally.add("ground one: wrongly denied", not found)
    if kinds >= 3:
        tally.add("ground one: Acc@0.5, 3+ nouns", first >= 0.5)


def _score_follow_up(turn: Turn, said: str, tally: Tally, language: str) -> None:
    """Right where it does the same with the right noun: a tag, a box that lies on it, or a no."""
    right = said == turn.answer
    if boxes_in(turn.answer):
        true, found = boxes_in(turn.answer), boxes_in(said)
        same = said.split("<box>")[0] == turn.answer.split("<box>")[0]
        right = same and max(matched(found, true)) >= 0.5
    tally.add(f"{turn.kind}, {language}", right)
    tally.add(turn.kind, right)


def held_out_scenes(bank: SpriteBank, count: int, seed: int) -> list[Scene]:
    """Scenes as they are evaluated: no style changes, no squeezing."""
    stream = draw_scenes(seed, bank, SceneRecipe(restyle=0.0, squeeze=0.0))
    return [scene for scene, _ in zip(stream, range(count), strict=False)]


def measure_chat(
    model: QwenVLForCausalLM,
    processor: QwenVLProcessor,
    bank: SpriteBank,
    count: int = 300,
    seed: int = 910001,
) -> dict[str, tuple[float, int]]:
    """All measures on `count` held-out scenes: name to (mean, number of questions)."""
    scenes = held_out_scenes(bank, count, seed)
    asked = questions_about(scenes, seed)
    images = [scene.image for scene in scenes]
    queries = [query_of(one) for one in asked]
    tally = Tally()
    for one, said in zip(asked, replies(model, processor, images, queries), strict=True):
        score(one, said, tally)
    return tally.means()


def evaluate_chat(
    weights: str | Path, *, scenes: int = 300, seed: int = 910001
) -> dict[str, dict[str, float]]:
    """Measure a folder of weights on held-out scenes.

    Returns:
        For each measure, its value on the trained drawing styles and, where the drawings have
        been fetched, on the held-out style; with the number of questions.
    """
    model, processor = load(Path(weights), dtype="float32", device="cpu")
    bank = best_bank()
    banks = {"trained styles": bank.without(HELD_OUT_STYLE)}
    if HELD_OUT_STYLE in bank.styles:
        banks["held-out style"] = bank.only(HELD_OUT_STYLE)
    table: dict[str, dict[str, float]] = {}
    for column, (name, drawings) in enumerate(banks.items()):
        measured = measure_chat(model, processor, drawings, scenes, seed + column)
        for measure, (value, number) in measured.items():
            table.setdefault(measure, {}).update({name: value, f"questions, {name}": number})
    return table
