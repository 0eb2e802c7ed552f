"""COCO instances -> questions for a category and its boxes, or its tag.

One dialogue a picture; some of its categories, one after the other, each in one language. A share
of the questions is for something that is not there. Crowds are left out with their category, since
their boxes are no objects.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from segue.convert.accounts import Accounts
from segue.convert.datasets.coco_names import CHINESE
from segue.convert.datasets.instances import ANNOTATION, Instance, Instances, Picture
from segue.convert.datasets.instances_file import read_instances
from segue.convert.datasets.upright_picture import UprightPicture, upright_picture
from segue.convert.datasets.wording import Wording, absence
from segue.convert.dialogue import Dialogue, Dropped, Turn, pointing, tags
from segue.convert.exif import Exif
from segue.convert.image_files import ImageFiles
from segue.errors import InputError
from segue.values.frames import FramedBox


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
    exif: Exif | None = None
    """What boxes were drawn on where a picture is turned by its EXIF data; None: sizes tell, and
    pictures of which they do not are dropped."""
    seed: int = 0


def convert_coco(
    instances: str | Path,
    files: ImageFiles,
    options: CocoOptions | None = None,
    accounts: Accounts | None = None,
) -> Iterator[Dialogue | Dropped]:
    """One dialogue, or the reason why there is none, for each picture of an instances file.

    Args:
        instances: the file.
        files: where the pictures are.
        options: how they become dialogues.
        accounts: where every annotation is counted as used or dropped.

    Raises:
        InputError: the file cannot be read.
        MissingExtra: masks were asked for and faster-coco-eval is not installed.
    """
    options, accounts = options or CocoOptions(), accounts or Accounts()
    content = read_instances(instances, accounts, shapes=options.masks)
    yield from content.dropped
    for number in sorted(content.pictures, key=lambda id: (isinstance(id, str), id)):
        yield _dialogue(content, content.pictures[number], files, options, accounts)


def _dialogue(
    content: Instances,
    picture: Picture,
    files: ImageFiles,
    options: CocoOptions,
    accounts: Accounts,
) -> Dialogue | Dropped:
    name = f"coco-{picture.id}"
    here = content.by_picture.get(picture.id, [])
    upright = upright_picture(picture, files, options.exif, name)
    if isinstance(upright, Dropped):
        _drop(accounts, here, "its picture was dropped", upright.reason)
        return upright
    rng = random.Random(f"{options.seed} {picture.id!a}")
    usable = _usable(
        here, upright, content.incomplete_categories.get(picture.id, set()), options, accounts
    )
    rng.shuffle(usable)
    chosen = usable[: options.questions]
    others = [name for name in content.categories if content.may_be_absent(name, picture.id)]
    if others and rng.random() < options.absent * max(len(chosen), 1):
        chosen = [*chosen[: options.questions - 1], (rng.choice(others), [])]
        rng.shuffle(chosen)
    kept = {category for category, group in chosen if group}
    for category, group in usable:
        if category not in kept:
            _drop(accounts, group, "beyond the questions of a picture")
    turns: list[Turn] = []
    for category, group in chosen:
        turns += _turns(category, group, upright, options, rng, accounts)
    if not turns:
        return Dropped(name, "nothing in it to ask for")
    return Dialogue(
        id=name,
        images=(str(upright.found.path),),
        turns=tuple(turns),
        source="coco",
        image_key=upright.found.key,
        size=upright.found.size,
        notes=upright.notes,
    )


def _drop(accounts: Accounts, group: Sequence[Instance], reason: str, detail: str = "") -> None:
    for one in group:
        accounts.drop(ANNOTATION, one.place, reason, detail)


def _usable(
    here: Sequence[Instance],
    upright: UprightPicture,
    incomplete: set[str],
    options: CocoOptions,
    accounts: Accounts,
) -> list[tuple[str, list[Instance]]]:
    """Categories with all their instances; a category of which one cannot be told is left out."""
    groups: dict[str, list[Instance]] = {}
    for instance in here:
        groups.setdefault(instance.category, []).append(instance)
    least = options.smallest * upright.found.size.height * upright.found.size.width
    usable = []
    for category, group in groups.items():
        crowds = [one for one in group if one.crowd]
        specks = [one for one in group if not one.crowd and upright.box(one).area < least]
        others = [one for one in group if not one.crowd and upright.box(one).area >= least]
        if category in incomplete:
            _drop(accounts, group, "beside a damaged one of its category")
        elif len(group) > options.most:
            _drop(accounts, group, "too many of its category")
        elif crowds or specks:
            _drop(accounts, crowds, "a crowd")
            _drop(accounts, specks, "too small to ask for")
            _drop(accounts, others, "beside a crowd or a speck of its category")
        else:
            usable.append((category, group))
    return usable


def _turns(
    category: str,
    group: list[Instance],
    upright: UprightPicture,
    options: CocoOptions,
    rng: random.Random,
    accounts: Accounts,
) -> list[Turn]:
    language = options.wording.language(rng)
    # The tag carries the English name in both languages: detectors read English.
    label = CHINESE.get(category, category) if language == "zh" else category
    asked = Turn("user", options.wording.question(label, language, rng))
    if not group:
        return [asked, Turn("assistant", absence(label, language, rng), "absent", (category,))]
    try:
        truth = upright.truth(group, options.masks)
    except InputError as error:
        _drop(accounts, group, "a mask of its category makes no sense", str(error))
        return []
    if options.masks and truth.mask is None:
        accounts.note(ANNOTATION, "group without a mask")
    written = pointing(label, [FramedBox.of(box, upright.found.size) for box in truth.boxes])
    if options.wording.route == "box" and written.count("<box>") < len(group):
        _drop(accounts, group, "box without area on the grid")
        return []
    accounts.use(ANNOTATION, len(group))
    if options.wording.route == "tag":
        return [asked, Turn("assistant", tags([category]), "tag", (category,), truth)]
    return [asked, Turn("assistant", written, "box", (label,), truth)]
