"""COCO instances -> questions for a category and its boxes, or its tag.

One dialogue a picture; some of its categories, one after the other, each in one language. A share
of the questions is for something that is not there. Crowds are left out with their category, since
their boxes are no objects.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from segue.box import Box, FramedBox, Size
from segue.convert.coco_names import CHINESE
from segue.convert.dialogue import Dialogue, Dropped, Truth, Turn, pointing, tags
from segue.convert.image_files import ImageFiles, Missing
from segue.convert.instances import Instance, Instances, Picture, read_instances, union_rle
from segue.convert.wording import Wording, absence


@dataclass(frozen=True, slots=True, kw_only=True)
class CocoOptions:
    """How pictures become dialogues."""

    wording: Wording = field(default_factory=Wording)
    questions: int = 3
    """At most so many a picture."""
    absent: float = 0.1
    """Share of questions for a category that is not in the picture."""
    most: int = 12
    """A category with more instances is left out: the answer would be too long."""
    smallest: float = 0.0005
    """Share of the picture below which an instance is too small to ask for."""
    masks: bool = False
    """Keep the true masks, for evaluation."""
    seed: int = 0


def convert_coco(
    instances: str | Path, files: ImageFiles, options: CocoOptions | None = None
) -> Iterator[Dialogue | Dropped]:
    """One dialogue, or the reason why there is none, for each picture of an instances file.

    Raises:
        InputError: the file cannot be read.
        MissingExtra: masks were asked for and faster-coco-eval is not installed.
    """
    options = options or CocoOptions()
    content = read_instances(instances)
    for number in sorted(content.pictures):
        yield _dialogue(content, content.pictures[number], files, options)


def _dialogue(
    content: Instances, picture: Picture, files: ImageFiles, options: CocoOptions
) -> Dialogue | Dropped:
    name = f"coco-{picture.id}"
    here = content.by_picture.get(picture.id, ())
    found = files.find(picture.file_name, "coco")
    if isinstance(found, Missing):
        return Dropped(name, found.reason, found.name)
    if found.size != picture.size:
        detail = f"{tuple(found.size)}, the annotations say {tuple(picture.size)}"
        return Dropped(name, "picture has another size", detail)
    rng = random.Random(f"{options.seed} {picture.id}")
    usable = _usable(here, picture.size, options)
    rng.shuffle(usable)
    chosen = usable[: options.questions]
    present = {instance.category for instance in here}
    others = [category for category in content.categories if category not in present]
    if others and rng.random() < options.absent * max(len(chosen), 1):
        chosen = [*chosen[: options.questions - 1], (rng.choice(others), [])]
        rng.shuffle(chosen)
    if not chosen:
        return Dropped(name, "nothing in it to ask for")
    turns: list[Turn] = []
    for category, group in chosen:
        turns += _turns(category, group, picture.size, options, rng)
    return Dialogue(
        id=name,
        images=(str(found.path),),
        turns=tuple(turns),
        source="coco",
        image_key=found.key,
        size=found.size,
    )


def _usable(
    here: Sequence[Instance], size: Size, options: CocoOptions
) -> list[tuple[str, list[Instance]]]:
    groups: dict[str, list[Instance]] = {}
    for instance in here:
        groups.setdefault(instance.category, []).append(instance)
    least = options.smallest * size.height * size.width
    return [
        (category, group)
        for category, group in groups.items()
        if len(group) <= options.most
        and not any(one.crowd or one.box.clipped(size).area < least for one in group)
    ]


def _turns(
    category: str, group: list[Instance], size: Size, options: CocoOptions, rng: random.Random
) -> list[Turn]:
    language = options.wording.language(rng)
    # The tag carries the English name in both languages: detectors read English.
    shown = CHINESE.get(category, category) if language == "zh" else category
    asked = Turn("user", options.wording.question(shown, language, rng))
    if not group:
        return [asked, Turn("assistant", absence(shown, language, rng), "absent", (category,))]
    boxes = tuple(one.box.clipped(size) for one in reading_order(group))
    truth = Truth(boxes, union_rle(group, size) if options.masks else None)
    if options.wording.route == "tag":
        return [asked, Turn("assistant", tags([category]), "tag", (category,), truth)]
    written = pointing(shown, [FramedBox.of(box, size) for box in boxes])
    return [asked, Turn("assistant", written, "box", (shown,), truth)] if written else []


def reading_order(group: Sequence[Instance]) -> list[Instance]:
    """Left to right, then top to bottom: an order that a model can learn."""

    def corner(instance: Instance) -> tuple[float, float]:
        box: Box = instance.box
        return box.x0, box.y0

    return sorted(group, key=corner)
