"""Measures of the embedded chat model on held-out scenes, through the ordinary network.

Every number is greedy generation by a loaded checkpoint on scenes drawn from a given seed:
new compositions of the trained drawing styles, of the held-out style, or of the third world. The
turn before a follow-up is the true one.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from lab.chat.data import describe_scene
from lab.chat.replies import Query, generate_replies
from lab.language.dialogues import Narrator
from lab.language.follow_ups import about_earlier, other_one, repeat
from lab.language.phrasing import chinese_count, english_count, with_tail
from lab.language.questions import HELD_OUT_CHINESE_TAILS, HELD_OUT_TAILS
from lab.language.small_talk import ANSWERS
from lab.language.turn import Thing, Turn
from lab.scenes.held_out import Draw, held_out_worlds
from lab.scenes.scene import Scene, SceneRecipe, render
from lab.scenes.sprites import SpriteBank
from lab.scenes.vocabulary import nouns
from segue.dialects import BoxMention
from segue.dialects.qwen_vl import dialect
from segue.models.qwen_vl import QwenVLForCausalLM, QwenVLProcessor, load
from segue.values.box import Box

_DIALECT = dialect()
_COUNTS = {
    phrase: (noun.index, number)
    for noun in nouns()
    for number in range(1, 6)
    for phrase in (english_count(noun.index, number), chinese_count(noun.index, number))
}


SCENE_KINDS = (
    *("describe", "caption", "absent", "exist", "exist", "count", "where", "side"),
    *("colour", "background"),
    *("segment", "segment_held_out", "segment_bare", "segment_two"),
    *("biggest", "beside", "talk", "talk_held_out"),
)
"""What is asked once about every scene; `ground` is asked for each of its nouns."""


WORLD_COLUMNS = {"scenes": "trained styles", "style": "held-out style"}
"""What the columns of this evaluation call the `held_out_worlds`, where they say it otherwise."""


@dataclass(frozen=True)
class ChatQuestion:
    """One question about one held-out scene, with the true turn.

    `previous_turn` is the true turn before it, which was about scene number `earlier_scene` where
    that is another.
    """

    scene: int
    turn: Turn
    things: tuple[Thing, ...]
    previous_turn: Turn | None = None
    earlier_scene: int | None = None

    def group(self) -> list[Box]:
        """Return the true boxes of the noun that the question is about."""
        return [Box(*thing.box) for thing in self.things if thing.noun == self.turn.noun]


@dataclass
class Tally:
    """Scores by name; the mean and the number of each are the result."""

    scores: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, score_reply: float) -> None:
        """Count one score."""
        self.scores.setdefault(name, []).append(float(score_reply))

    def means(self) -> dict[str, tuple[float, int]]:
        """Return the mean and the number of scores, by name."""
        return {k: (round(float(np.mean(v)), 4), len(v)) for k, v in sorted(self.scores.items())}


def things_of(scene: Scene) -> tuple[Thing, ...]:
    """Return the objects of a scene, as the narrator takes them."""
    truth = describe_scene(scene)
    return tuple(
        Thing(
            int(row[0]), (int(row[1]), int(row[2]), int(row[3]), int(row[4])), number, int(colour)
        )
        for number, (row, colour) in enumerate(zip(truth.objects, truth.colours, strict=True))
        if row[0] >= 0
    )


def questions_about(scenes: Sequence[Scene], seed: int) -> list[ChatQuestion]:
    """Make all questions of an evaluation; languages alternate."""
    rng = np.random.default_rng(seed)
    questions: list[ChatQuestion] = []
    other_turn: Narrator | None = None
    for number, scene in enumerate(scenes):
        things = things_of(scene)
        narrator = Narrator(things, scene.background, rng)
        turns = [narrator.ask(kind, number % 2 == 1) for kind in SCENE_KINDS]
        for place, noun in enumerate(narrator.groups):
            turns.append(narrator.ask("ground", (number + place) % 2 == 1, noun))
        questions += [ChatQuestion(number, turn, things) for turn in turns if turn is not None]
        questions += _follow_up_questions(narrator, number, things)
        if other_turn is not None:
            questions += _second_image_questions(other_turn, narrator, number, things)
        other_turn = narrator
    return questions


def _follow_up_questions(
    narrator: Narrator, number: int, things: tuple[Thing, ...]
) -> list[ChatQuestion]:
    """Make questions that follow another, and requests with words after the noun."""
    chinese, questions = number % 2 == 1, []
    for act in ("ground", "segment"):
        previous_turn = narrator.ask(act, chinese, narrator.present())
        if previous_turn is None:
            continue
        for held_out in (False, True):
            turn = repeat(narrator, previous_turn, chinese, held_out=held_out)
            if turn is not None:
                questions.append(ChatQuestion(number, turn, things, previous_turn))
        other_turn = other_one(narrator, previous_turn, chinese)
        if other_turn is not None:
            questions.append(ChatQuestion(number, other_turn, things, previous_turn))
    tails = HELD_OUT_CHINESE_TAILS if chinese else HELD_OUT_TAILS
    for kind in ("segment", "segment_new"):
        turn = narrator.ask(kind, chinese)
        if turn is not None:
            question = with_tail(turn.question, tails[number % len(tails)])
            turn = replace(turn, kind=f"{kind}_tail", question=question)
            questions.append(ChatQuestion(number, turn, things))
    return questions


def _second_image_questions(
    first: Narrator, second: Narrator, number: int, things: tuple[Thing, ...]
) -> list[ChatQuestion]:
    """Make questions with the image of scene `number`, after a turn about the scene before it.

    They are about the new image, and about the earlier one in wordings of training and in others.
    """
    chinese = number % 2 == 1
    previous_turn = first.ask("ground", chinese, first.present())
    noun = int(second.rng.choice([*second.groups, second.absent()]))
    turn = second.ask("ground", chinese, noun)
    kinds = {True: "second picture: frame", False: "second picture: absent"}
    turns = [turn and replace(turn, kind=kinds[turn.present])]
    for held_out in (False, True):
        turn_about_first = about_earlier(first, chinese, 1, held_out=held_out)
        wording = "new" if held_out else "trained"
        turns.append(
            turn_about_first
            and replace(turn_about_first, kind=f"picture before, {wording} wordings")
        )
    return [
        ChatQuestion(number, turn, things, previous_turn, number - 1)
        for turn in turns
        if turn is not None
    ]


def named_boxes(reply: str) -> list[tuple[str, Box]]:
    """Return the boxes of a reply on the 0-1000 grid, each with the phrase that it stands for.

    The product's own dialect reads them: a box without sense is left out, a repeated one comes
    once.

    >>> named_boxes("<ref>dog</ref><box>(1,2),(3,4)</box> <box>(1,2)</box>")
    [('dog', Box(x0=1.0, y0=2.0, x1=3.0, y1=4.0))]
    """
    mentions = (event for event in _DIALECT.read([reply]) if isinstance(event, BoxMention))
    return [
        (mention.phrase, Box.spanning(box.xa, box.ya, box.xb, box.yb))
        for mention in mentions
        for box in [mention.box]
    ]


def reply_boxes(reply: str) -> list[Box]:
    """Return the boxes of a reply on the 0-1000 grid, in the order in which they were written."""
    return [box for _, box in named_boxes(reply)]


def match_ious(predicted: Iterable[Box], truth: Sequence[Box]) -> list[float]:
    """Return for each true box the IoU with its own predicted box, best pairs first."""
    pairs = [(f.iou(t), i, j) for i, f in enumerate(predicted) for j, t in enumerate(truth)]
    used: set[int] = set()
    best_ious: dict[int, float] = {}
    for score_reply, i, j in sorted(pairs, reverse=True):
        if i not in used and j not in best_ious:
            used.add(i)
            best_ious[j] = score_reply
    return [best_ious.get(j, 0.0) for j in range(len(truth))]


def parse_description(text: str) -> list[tuple[int, int] | None]:
    """Return what a description lists, as (noun, number); None for what is not understood."""
    english = re.match(r"The picture shows (.*?)\.", text)
    if english:
        # "a airplane" is a slip of grammar, not of what was seen.
        parts = [re.sub(r"^an ", "a ", part) for part in re.split(r", | and ", english[1])]
        return [_COUNTS.get(part) or _COUNTS.get(re.sub(r"^a ", "an ", part)) for part in parts]
    chinese = re.match(r"图片里有(.*?)，背景", text)
    if chinese:
        return [_COUNTS.get(part) for part in re.split("、|和", chinese[1])]
    return [None]


def score_reply(question: ChatQuestion, reply: str, tally: Tally) -> None:
    """Score one reply by every measure of its kind."""
    turn = question.turn
    language = "zh" if turn.chinese else "en"
    if turn.kind == "describe":
        _score_description(question, reply, tally)
    elif turn.kind == "caption":
        _score_caption(question, reply, tally)
    elif turn.kind == "ground" and turn.present:
        _score_box(question, reply, tally, language)
    elif turn.kind.startswith("talk"):
        name = f"small talk, {'new' if turn.kind == 'talk_held_out' else 'trained'} wordings"
        tally.add(f"{name}: no tag, box or description", reply in ANSWERS)
        tally.add(f"{name}: the right answer, {language}", reply == turn.answer)
    elif question.previous_turn is not None:
        _score_follow_up(turn, reply, tally, language)
    elif turn.kind == "exist":
        verdict = reply.startswith(("Yes", "有") if turn.present else ("No", "没有"))
        tally.add(f"exist, {'present' if turn.present else 'absent'}", verdict)
    else:
        name = "absent: says so" if turn.kind == "ground" else turn.kind
        tally.add(name, reply == turn.answer)
        tally.add(f"{name}, {language}", reply == turn.answer)


def is_correct(question: ChatQuestion, reply: str) -> bool:
    """Return whether a reply is right, by the first measure of its kind."""
    tally = Tally()
    score_reply(question, reply, tally)
    return next(iter(tally.scores.values()))[0] == 1


def query_of(question: ChatQuestion) -> Query:
    """Return the question as it is put to the model."""
    previous_turn = (
        None
        if question.previous_turn is None
        else (question.previous_turn.question, question.previous_turn.answer)
    )
    turn = question.turn
    return Query(question.scene, turn.question, previous_turn, turn.answer, question.earlier_scene)


def _score_description(question: ChatQuestion, reply: str, tally: Tally) -> None:
    truth: dict[int, int] = {}
    for thing in question.things:
        truth[thing.noun] = truth.get(thing.noun, 0) + 1
    counts = parse_description(reply)
    exact = len(counts) == len(truth) and set(counts) == set(truth.items())
    tally.add(f"describe: exact set, {len(question.things)} objects", exact)
    if len(question.things) <= 3:
        tally.add("describe: exact set, 1-3 objects", exact)
        tally.add(
            f"describe: exact set, 1-3 objects, {'zh' if question.turn.chinese else 'en'}", exact
        )
    predicted_nouns = {item[0] for item in counts if item}
    tally.add("describe: recall of nouns", len(predicted_nouns & set(truth)) / len(truth))
    tally.add(
        "describe: precision of nouns", len(predicted_nouns & set(truth)) / max(1, len(counts))
    )


def _score_caption(question: ChatQuestion, reply: str, tally: Tally) -> None:
    predicted = [
        ((_COUNTS.get(phrase) or _COUNTS.get(re.sub("^a ", "an ", phrase)) or (-1, 0))[0], box)
        for phrase, box in named_boxes(reply)
    ]
    hits = 0
    for noun in {thing.noun for thing in question.things}:
        truth = [Box(*thing.box) for thing in question.things if thing.noun == noun]
        overlaps = match_ious([box for name, box in predicted if name == noun], truth)
        hits += sum(value >= 0.5 for value in overlaps)
    tally.add("caption: F1 of noun and box", 2 * hits / (len(predicted) + len(question.things)))


def _score_box(question: ChatQuestion, reply: str, tally: Tally, language: str) -> None:
    truth, predicted = question.group(), reply_boxes(reply)
    overlaps = match_ious(predicted, truth)
    if len(truth) > 1:
        tally.add(
            "ground several: all found", len(predicted) == len(truth) and min(overlaps) >= 0.5
        )
        tally.add("ground several: recall", float(np.mean([v >= 0.5 for v in overlaps])))
        return
    first = predicted[0].iou(truth[0]) if predicted else 0.0
    kinds = len({thing.noun for thing in question.things})
    side = max(truth[0].width, truth[0].height) / 1000
    size = "small" if side < 0.25 else "middle" if side < 0.4 else "large"
    tally.add("ground one: Acc@0.5", first >= 0.5)
    tally.add("ground one: Acc@0.75", first >= 0.75)
    tally.add("ground one: mean IoU", first)
    tally.add(f"ground one: Acc@0.5, {language}", first >= 0.5)
    tally.add(f"ground one: Acc@0.5, {size}", first >= 0.5)
    tally.add("ground one: wrongly denied", not predicted)
    if kinds >= 3:
        tally.add("ground one: Acc@0.5, 3+ nouns", first >= 0.5)


def _score_follow_up(turn: Turn, reply: str, tally: Tally, language: str) -> None:
    """Score a follow-up: a tag, a box or a no must be that of the right noun."""
    correct = reply == turn.answer
    if truth := reply_boxes(turn.answer):
        predicted = reply_boxes(reply)
        is_same_act = reply.split("<box>")[0] == turn.answer.split("<box>")[0]
        correct = is_same_act and max(match_ious(predicted, truth)) >= 0.5
    tally.add(f"{turn.kind}, {language}", correct)
    tally.add(turn.kind, correct)


def held_out_scenes(bank: SpriteBank, count: int, seed: int, *, draw: Draw = render) -> list[Scene]:
    """Draw scenes as they are evaluated: no style changes, no squeezing."""
    rng, recipe = np.random.default_rng(seed), SceneRecipe(restyle=0.0, squeeze=0.0)
    return [draw(rng, bank, recipe) for _ in range(count)]


def measure_chat(
    model: QwenVLForCausalLM,
    processor: QwenVLProcessor,
    bank: SpriteBank,
    count: int = 300,
    seed: int = 910001,
    *,
    draw: Draw = render,
) -> dict[str, tuple[float, int]]:
    """Measure a model on held-out scenes.

    Returns:
        Measure to (mean, number of questions).
    """
    scenes = held_out_scenes(bank, count, seed, draw=draw)
    questions = questions_about(scenes, seed)
    images = [scene.image for scene in scenes]
    queries = [query_of(question) for question in questions]
    tally = Tally()
    for question, reply in zip(
        questions, generate_replies(model, processor, images, queries), strict=True
    ):
        score_reply(question, reply, tally)
    return tally.means()


def evaluate_chat(
    weights: str | Path, *, scenes: int = 300, seed: int = 910001
) -> dict[str, dict[str, float]]:
    """Measure a folder of weights on held-out scenes.

    Returns:
        For each measure, its value in each of the `held_out_worlds`; with the number of questions.
    """
    model, processor = load(Path(weights), dtype="float32", device="cpu")
    table: dict[str, dict[str, float]] = {}
    for column, (world_name, world) in enumerate(held_out_worlds().items()):
        name = WORLD_COLUMNS.get(world_name, world_name)
        measured = measure_chat(
            model, processor, world.bank, scenes, seed + column, draw=world.draw
        )
        for measure, (value, number) in measured.items():
            table.setdefault(measure, {}).update({name: value, f"questions, {name}": number})
    return table
