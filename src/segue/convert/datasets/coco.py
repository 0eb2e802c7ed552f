"""COCO instances -> questions for a category and its boxes, or its tag.

One dialogue for each picture asks for some of its categories, one after the other, each in one
language. A share of the questions is for an absent category. Crowds are dropped with their
category, since their boxes are not objects.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from segue.convert.datasets.coco_instances import ANNOTATION, CocoImage, CocoInstance, CocoInstances
from segue.convert.datasets.coco_instances_reader import read_instances
from segue.convert.datasets.coco_names import CHINESE
from segue.convert.datasets.question_templates import QuestionStyle, absence_answer
from segue.convert.datasets.upright_picture import UprightPicture, locate_upright_picture
from segue.convert.dialogue import (
    Dialogue,
    DialogueTurn,
    DroppedRecord,
    GroundTruth,
    box_markup,
    tag_markup,
)
from segue.convert.entry_tally import EntryTally
from segue.convert.exif import PixelFrame
from segue.convert.image_files import ImageFiles, PictureFinder
from segue.errors import InputError
from segue.values.frames import FramedBox


@dataclass(frozen=True, slots=True, kw_only=True)
class CocoOptions:
    """How pictures become dialogues."""

    question_style: QuestionStyle = field(default_factory=QuestionStyle)
    questions: int = 3
    """Maximum for each picture."""
    absent_share: float = 0.1
    """Share of questions for a category that is not in the picture."""
    max_instances: int = 12
    """A category with more instances is left out: the answer would be too long."""
    min_area_share: float = 0.0005
    """Share of the picture below which an instance is too small to ask for."""
    masks: bool = False
    """Keep the true masks, for evaluation."""
    exif: PixelFrame | None = None
    """Which pixels boxes refer to where EXIF data rotate a picture; None: decided by sizes, and
    pictures where sizes do not decide are dropped."""
    seed: int = 0
    source: str = "coco"
    """What the dialogues say they come from."""
    list_question: str | None = None
    """Asked first about pictures of which all objects are known: all of them, with their boxes, are
    the answer. Needs the box route; None: it is not asked."""

    def __post_init__(self) -> None:
        if self.list_question is not None and self.question_style.route != "box":
            raise InputError("A question for all objects is answered with boxes: use route 'box'.")


def convert_coco(
    instances: str | Path,
    files: ImageFiles,
    options: CocoOptions | None = None,
    tally: EntryTally | None = None,
) -> Iterator[Dialogue | DroppedRecord]:
    """Yield one dialogue, or the reason why there is none, for each picture of an instances file.

    Args:
        instances: the file.
        files: where the pictures are.
        options: how they become dialogues.
        tally: where every annotation is counted as used or dropped.

    Raises:
        InputError: the file cannot be read.
        MissingExtra: masks were requested and faster-coco-eval is not installed.
    """
    options, tally = options or CocoOptions(), tally or EntryTally()
    yield from convert_instances(
        read_instances(instances, tally, shapes=options.masks), files, options, tally
    )


def convert_instances(
    content: CocoInstances, files: PictureFinder, options: CocoOptions, tally: EntryTally
) -> Iterator[Dialogue | DroppedRecord]:
    """Yield one dialogue, or the reason why there is none, for each picture.

    Args:
        content: what is known of the pictures.
        files: where they are.
        options: how they become dialogues.
        tally: where every annotation is counted as used or dropped.
    """
    yield from content.dropped
    for number in sorted(content.pictures, key=lambda id: (isinstance(id, str), id)):
        yield _dialogue(content, content.pictures[number], files, options, tally)


def _dialogue(
    content: CocoInstances,
    picture: CocoImage,
    files: PictureFinder,
    options: CocoOptions,
    tally: EntryTally,
) -> Dialogue | DroppedRecord:
    read_record_id = f"{options.source}-{picture.id}"
    instances = content.by_picture.get(picture.id, [])
    upright = locate_upright_picture(picture, files, options.exif, read_record_id)
    if isinstance(upright, DroppedRecord):
        _drop_instances(tally, instances, "its picture was dropped", upright.reason)
        return upright
    rng = random.Random(f"{options.seed} {picture.id!a}")
    usable_groups = _usable_categories(
        instances, upright, content.incomplete_categories.get(picture.id, set()), options, tally
    )
    rng.shuffle(usable_groups)
    chosen_groups = usable_groups[: options.questions]
    absent_categories = [
        read_record_id
        for read_record_id in content.categories
        if content.may_be_absent(read_record_id, picture.id)
    ]
    if absent_categories and rng.random() < options.absent_share * max(len(chosen_groups), 1):
        chosen_groups = [
            *chosen_groups[: options.questions - 1],
            (rng.choice(absent_categories), []),
        ]
        rng.shuffle(chosen_groups)
    turns: list[DialogueTurn] = []
    n_usable = sum(len(group) for _, group in usable_groups)
    if picture.id in content.complete_pictures and n_usable == len(instances):
        turns = _list_all(usable_groups, upright, options)
    chosen_categories = {category for category, group in chosen_groups if group}
    for category, group in usable_groups:
        if category not in chosen_categories and turns:
            tally.count_used(ANNOTATION, len(group))
        elif category not in chosen_categories:
            _drop_instances(tally, group, "beyond the questions of a picture")
    for category, group in chosen_groups:
        turns += _question_and_answer(category, group, upright, options, rng, tally)
    if not turns:
        return DroppedRecord(read_record_id, "nothing in it to ask for")
    return Dialogue(
        id=read_record_id,
        images=(str(upright.image.path),),
        turns=tuple(turns),
        source=options.source,
        image_key=upright.image.key,
        size=upright.image.size,
        notes=upright.notes,
    )


def _drop_instances(
    tally: EntryTally, group: Sequence[CocoInstance], reason: str, detail: str = ""
) -> None:
    for instance in group:
        tally.count_dropped(ANNOTATION, instance.place, reason, detail)


def _usable_categories(
    instances: Sequence[CocoInstance],
    upright: UprightPicture,
    incomplete: set[str],
    options: CocoOptions,
    tally: EntryTally,
) -> list[tuple[str, list[CocoInstance]]]:
    """Return categories with all their instances; one with an unusable instance is dropped."""
    groups: dict[str, list[CocoInstance]] = {}
    for instance in instances:
        groups.setdefault(instance.category, []).append(instance)
    min_area = options.min_area_share * upright.image.size.height * upright.image.size.width
    usable_groups = []
    for category, group in groups.items():
        crowds = [instance for instance in group if instance.crowd]
        specks = [
            instance
            for instance in group
            if not instance.crowd and upright.box(instance).area < min_area
        ]
        large_instances = [
            instance
            for instance in group
            if not instance.crowd and upright.box(instance).area >= min_area
        ]
        if category in incomplete:
            _drop_instances(tally, group, "beside a damaged one of its category")
        elif len(group) > options.max_instances:
            _drop_instances(tally, group, "too many of its category")
        elif crowds or specks:
            _drop_instances(tally, crowds, "a crowd")
            _drop_instances(tally, specks, "too small to ask for")
            _drop_instances(tally, large_instances, "beside a crowd or a speck of its category")
        else:
            usable_groups.append((category, group))
    return usable_groups


def _list_all(
    groups: Sequence[tuple[str, list[CocoInstance]]], upright: UprightPicture, options: CocoOptions
) -> list[DialogueTurn]:
    """Ask for all objects, left to right; no turns where that is not asked or cannot be said."""
    if options.list_question is None or not groups:
        return []
    boxes_by_category = {
        category: upright.boxes_in_reading_order(group) for category, group in groups
    }
    categories = sorted(boxes_by_category, key=lambda name: (boxes_by_category[name][0].x0, name))
    markups = []
    for category in categories:
        boxes = boxes_by_category[category]
        size = upright.image.size
        markup = box_markup(category, [FramedBox.of(box, size) for box in boxes])
        if markup.count("<box>") < len(boxes):
            return []
        markups.append(markup)
    all_boxes = tuple(box for category in categories for box in boxes_by_category[category])
    return [
        DialogueTurn("user", options.list_question),
        DialogueTurn(
            "assistant", ", ".join(markups), "box", tuple(categories), GroundTruth(all_boxes)
        ),
    ]


def _question_and_answer(
    category: str,
    group: list[CocoInstance],
    upright: UprightPicture,
    options: CocoOptions,
    rng: random.Random,
    tally: EntryTally,
) -> list[DialogueTurn]:
    language = options.question_style.choose_language(rng)
    # The tag carries the English name in both languages: detectors read English.
    label = CHINESE.get(category, category) if language == "zh" else category
    question = DialogueTurn("user", options.question_style.make_question(label, language, rng))
    if not group:
        return [
            question,
            DialogueTurn("assistant", absence_answer(label, language, rng), "absent", (category,)),
        ]
    try:
        truth = upright.truth(group, options.masks)
    except InputError as error:
        _drop_instances(tally, group, "a mask of its category makes no sense", str(error))
        return []
    if options.masks and truth.mask is None:
        tally.count_note(ANNOTATION, "group without a mask")
    markup = box_markup(label, [FramedBox.of(box, upright.image.size) for box in truth.boxes])
    if options.question_style.route == "box" and markup.count("<box>") < len(group):
        _drop_instances(tally, group, "box without area on the grid")
        return []
    tally.count_used(ANNOTATION, len(group))
    if options.question_style.route == "tag":
        return [
            question,
            DialogueTurn("assistant", tag_markup([category]), "tag", (category,), truth),
        ]
    return [question, DialogueTurn("assistant", markup, "box", (label,), truth)]
