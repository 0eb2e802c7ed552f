"""RefCOCO, RefCOCO+, RefCOCOg and gRefCOCO -> a phrase, and the boxes it means.

Two files are needed: the references (`refs(unc).p`, `refs(umd).p`, `grefs(unc).json`) and the
instances of the same folder. One dialogue a picture and split, a turn for each reference.

The `.p` files are pickles. They are read by an unpickler that knows lists, dicts, text and numbers
only, so a file that would run a program is refused.

Source: https://github.com/lichengunc/refer for the format; gRefCOCO, arXiv:2306.00968.
"""

import json
import pickle
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from segue.box import FramedBox
from segue.convert.captions import phrases_of
from segue.convert.coco import reading_order
from segue.convert.dialogue import Dialogue, Dropped, Truth, Turn, plain, pointing, tags
from segue.convert.image_files import ImageFiles, Located, Missing
from segue.convert.instances import Instance, Instances, read_instances, union_rle
from segue.convert.wording import Wording, absence
from segue.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferOptions:
    """How references become dialogues."""

    wording: Wording = field(default_factory=lambda: Wording(chinese=0.0))
    """The sentences are English, so the questions are too unless asked otherwise."""
    splits: tuple[str, ...] = ()
    """Only these; empty: all."""
    sentences: int = 1
    """How many of the sentences of one reference to use; each becomes a question."""
    turns: int = 4
    """At most so many questions in one dialogue; a picture may give several dialogues."""
    masks: bool = False
    """Keep the true masks, for evaluation."""
    source: str = "refcoco"
    seed: int = 0


class _PlainUnpickler(pickle.Unpickler):
    """Lists, dicts, text and numbers come without any class; everything else is refused."""

    def find_class(self, module_name: str, global_name: str) -> NoReturn:
        raise pickle.UnpicklingError(f"it wants to use {module_name}.{global_name}")


def read_references(path: str | Path) -> list[dict[str, Any]]:
    """Read a file of references, pickled or JSON.

    Raises:
        InputError: it cannot be read, holds more than plain values, or no list.
    """
    path = Path(path)
    try:
        if path.suffix == ".json":
            value = json.loads(path.read_text(encoding="utf-8"))
        else:
            with path.open("rb") as file:
                value = _PlainUnpickler(file, encoding="latin1").load()
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.") from error
    except Exception as error:  # a damaged pickle raises nearly anything
        raise InputError(
            f"{path} is not a plain file of references ({error}). Expected refs(unc).p, "
            "refs(umd).p or grefs(unc).json."
        ) from error
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise InputError(f"{path} must hold a list of references, got {type(value).__name__}.")
    return value


def convert_refer(
    references: str | Path,
    instances: str | Path,
    files: ImageFiles,
    options: ReferOptions | None = None,
) -> Iterator[Dialogue | Dropped]:
    """Dialogues about each picture, or the reason why there is none.

    Raises:
        InputError: a file cannot be read.
        MissingExtra: masks were asked for and faster-coco-eval is not installed.
    """
    options = options or ReferOptions()
    content = read_instances(instances)
    groups: dict[tuple[int, str], list[dict[str, Any]]] = {}
    for entry in read_references(references):
        try:
            key = int(entry["image_id"]), str(entry["split"])
            _ids(entry), _sentences(entry)
        except (KeyError, TypeError, ValueError) as error:
            yield Dropped(
                f"{options.source}-{entry.get('ref_id')}", "reference damaged", repr(error)
            )
            continue
        if not options.splits or key[1] in options.splits:
            groups.setdefault(key, []).append(entry)
    for (image_id, split), entries in sorted(groups.items()):
        yield from _dialogues(image_id, split, entries, content, files, options)


def _dialogues(
    image_id: int,
    split: str,
    entries: Sequence[Mapping[str, Any]],
    content: Instances,
    files: ImageFiles,
    options: ReferOptions,
) -> Iterator[Dialogue | Dropped]:
    name = f"{options.source}-{split}-{image_id}"
    # `file_name` of a reference ends in the number of the annotation; the picture has none.
    found = files.find(f"COCO_train2014_{image_id:012d}.jpg", "coco")
    if isinstance(found, Missing):
        yield Dropped(name, found.reason, found.name)
        return
    picture = content.pictures.get(image_id)
    if picture is not None and picture.size != found.size:
        detail = f"{tuple(found.size)}, the annotations say {tuple(picture.size)}"
        yield Dropped(name, "picture has another size", detail)
        return
    rng = random.Random(f"{options.seed} {image_id} {split}")
    asked: list[list[Turn]] = []
    for entry in entries:
        group = [content.by_id[number] for number in _ids(entry) if number in content.by_id]
        if len(group) < len(_ids(entry)):
            yield Dropped(f"{name}-{entry.get('ref_id')}", "annotation not in the instances file")
            continue
        sentences = _sentences(entry)
        if options.sentences < len(sentences):
            sentences = rng.sample(sentences, options.sentences)
        asked += [pair for s in sentences if (pair := _turns(s, group, found, options, rng))]
    for number, at in enumerate(range(0, len(asked), options.turns), 1):
        turns = tuple(turn for pair in asked[at : at + options.turns] for turn in pair)
        yield Dialogue(
            id=f"{name}-{number}",
            images=(str(found.path),),
            turns=turns,
            source=options.source,
            image_key=found.key,
            split=split,
            size=found.size,
        )


def _turns(
    sentence: str,
    group: Sequence[Instance],
    found: Located,
    options: ReferOptions,
    rng: random.Random,
) -> list[Turn]:
    language = options.wording.language(rng)
    thing = _without_article(sentence) if language == "en" else sentence
    asked = Turn("user", options.wording.question(thing, language, rng))
    if not group:
        return [asked, Turn("assistant", absence(thing, language, rng), "absent", (sentence,))]
    boxes = tuple(one.box.clipped(found.size) for one in reading_order(group))
    truth = Truth(boxes, union_rle(group, found.size) if options.masks else None)
    if options.wording.route == "tag":
        # One tag for the whole sentence: cut at its commas it would mean something else.
        phrase = " ".join(phrases_of(sentence))
        return [asked, Turn("assistant", tags([phrase]), "tag", (phrase,), truth)] if phrase else []
    written = pointing(sentence, [FramedBox.of(box, found.size) for box in boxes])
    return [asked, Turn("assistant", written, "box", (sentence,), truth)] if written else []


def _without_article(sentence: str) -> str:
    first, _, rest = sentence.partition(" ")
    return rest if rest and first.lower() in ("the", "a", "an") else sentence


def _ids(entry: Mapping[str, Any]) -> list[int]:
    """Annotations of a reference; none when it means nothing in the picture."""
    value = entry["ann_id"]
    numbers = [int(number) for number in (value if isinstance(value, list) else [value])]
    return [number for number in numbers if number != -1]


def _sentences(entry: Mapping[str, Any]) -> list[str]:
    cleaned = (plain(str(sentence["sent"])) for sentence in entry["sentences"])
    return [words for words in cleaned if words]
