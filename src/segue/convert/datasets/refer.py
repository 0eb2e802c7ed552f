"""RefCOCO, RefCOCO+, RefCOCOg and gRefCOCO -> a phrase, and the boxes it means.

Two files are needed: the references (`refs(unc).p`, `refs(umd).p`, `grefs(unc).json`) and the
instances of the same folder. One dialogue a picture and split, a turn for each reference.

How the `.p` files, which are pickles, are read safely is in `references_file.py`.

Source: https://github.com/lichengunc/refer for the format; gRefCOCO, arXiv:2306.00968.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segue.annotations.fields import read_identity, read_object, short_repr
from segue.convert.accounts import Accounts
from segue.convert.datasets.captions import LONGEST, phrases_of
from segue.convert.datasets.instances import Id, Instance, Instances
from segue.convert.datasets.instances_file import read_instances
from segue.convert.datasets.references_file import read_references
from segue.convert.datasets.upright_picture import UprightPicture, upright_picture
from segue.convert.datasets.wording import Wording, absence
from segue.convert.dialogue import Dialogue, Dropped, Truth, Turn, plain, pointing, tags
from segue.convert.exif import Exif
from segue.convert.image_files import ImageFiles
from segue.convert.split_name import NO_SPLIT, is_split_name
from segue.errors import InputError
from segue.files.atomic import printable_path
from segue.files.unicode import is_well_formed, well_formed
from segue.values.frames import FramedBox

LONGEST_SENTENCE = 400
"""Characters; a longer reference is a text that went astray."""


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
    exif: Exif | None = None
    """What boxes were drawn on where a picture is turned by its EXIF data, see `CocoOptions`."""
    source: str = "refcoco"
    seed: int = 0


REFERENCE, SENTENCE = "reference", "sentence"


def convert_refer(
    references: str | Path,
    instances: str | Path,
    files: ImageFiles,
    options: ReferOptions | None = None,
    accounts: Accounts | None = None,
) -> Iterator[Dialogue | Dropped]:
    """Dialogues about each picture, or the reason why there is none.

    Args:
        references: the file of references.
        instances: the COCO file that they point into.
        files: where the pictures are.
        options: how they become dialogues.
        accounts: where every reference and sentence is counted as used or dropped.

    Raises:
        InputError: a file cannot be read.
        MissingExtra: masks were asked for and faster-coco-eval is not installed.
    """
    made = _Maker(options or ReferOptions(), accounts or Accounts(), files, Path(references).name)
    made.content = read_instances(instances, made.instance_accounts(), shapes=made.options.masks)
    made.close_instance_accounts()
    yield from made.dialogues(read_references(references))


@dataclass(frozen=True, slots=True)
class _Reference:
    """One reference whose fields make sense."""

    place: str
    """Where it stands in the file."""
    name: str
    """Of the record, should it be dropped."""
    image_id: Id
    annotations: tuple[Id, ...]
    """Empty: it means nothing in the picture."""
    split: str
    sentences: tuple[str, ...]


class _Maker:
    """Makes the dialogues of one file of references."""

    content: Instances

    def __init__(
        self, options: ReferOptions, accounts: Accounts, files: ImageFiles, file: str
    ) -> None:
        self.options, self.accounts, self.files, self.file = (
            options,
            accounts,
            files,
            printable_path(file),
        )

    def instance_accounts(self) -> Accounts:
        """Accounts of the instances file, where an annotation that can be read counts as used."""
        self._instances = Accounts()
        self._instances.log = self.accounts.log
        return self._instances

    def close_instance_accounts(self) -> None:
        for kind, counts in self._instances.kinds.items():
            counts.used = counts.read - counts.dropped
            self.accounts.kinds[kind] = counts

    def dialogues(self, entries: Sequence[Mapping[str, Any]]) -> Iterator[Dialogue | Dropped]:
        groups: dict[tuple[Id, str], list[_Reference]] = {}
        self.accounts.read(REFERENCE, len(entries))
        for number, entry in enumerate(entries, 1):
            place = f"reference {number} of {self.file}"
            name = f"{self.options.source}-{short_repr(entry.get('ref_id'))}"
            try:
                one = self._read(entry, place, name)
            except (InputError, LookupError, TypeError, ValueError, AttributeError) as error:
                detail = f"{error} is missing" if isinstance(error, KeyError) else str(error)
                self.accounts.drop(REFERENCE, place, "reference damaged", detail)
                yield Dropped(name, "reference damaged", f"{place}: {detail}")
                continue
            if self.options.splits and one.split not in self.options.splits:
                self._drop(one, "of a split that was not asked for")
            elif not is_split_name(one.split):
                yield self._drop(one, NO_SPLIT, short_repr(one.split))
            elif not one.sentences:
                yield self._drop(one, "reference without a sentence")
            else:
                groups.setdefault((one.image_id, one.split), []).append(one)
        for key in sorted(groups, key=lambda key: (isinstance(key[0], str), key)):
            yield from self._of_picture(*key, groups[key])

    def _read(self, entry: Mapping[str, Any], place: str, name: str) -> _Reference:
        image_id = read_identity(entry["image_id"], "image_id")
        sentences = [read_object(one, "a sentence")["sent"] for one in entry["sentences"]]
        annotations, split = _ids(entry["ann_id"]), str(entry["split"])
        return _Reference(
            place,
            name,
            self.content.id_of_duplicate.get(image_id, image_id),
            annotations,
            split,
            self._words(sentences, place),
        )

    def _words(self, sentences: Sequence[Any], place: str) -> tuple[str, ...]:
        """The sentences of a sound reference as plain text; those without words are dropped."""
        self.accounts.read(SENTENCE, len(sentences))
        texts = []
        for text in sentences:
            words = plain(well_formed(text)) if isinstance(text, str) else ""
            if isinstance(text, str) and not is_well_formed(text):
                self.accounts.note(SENTENCE, "half a character became U+FFFD")
            if not any(character.isalnum() for character in words):
                self.accounts.drop(SENTENCE, place, "sentence without words", short_repr(text))
            else:
                texts.append(words)
        return tuple(texts)

    def _drop(self, one: _Reference, reason: str, detail: str = "") -> Dropped:
        self.accounts.drop(REFERENCE, one.place, reason, detail)
        for _ in one.sentences:
            self.accounts.drop(SENTENCE, one.place, "its reference was dropped", reason)
        return Dropped(one.name, reason, detail)

    def _of_picture(
        self, image_id: Id, split: str, references: Sequence[_Reference]
    ) -> Iterator[Dialogue | Dropped]:
        options = self.options
        name = f"{options.source}-{split}-{image_id}"
        picture = self.content.pictures.get(image_id)
        if picture is None:
            upright: UprightPicture | Dropped = Dropped(name, "picture not in the instances file")
        else:
            upright = upright_picture(picture, self.files, options.exif, name)
        if isinstance(upright, Dropped):
            for one in references:
                self._drop(one, upright.reason, upright.detail)
            yield upright
            return
        rng = random.Random(f"{options.seed} {image_id!a} {split}")
        asked: list[list[Turn]] = []
        for one in references:
            pairs = self._questions(one, references, upright, rng)
            if isinstance(pairs, Dropped):
                yield pairs
            else:
                asked += pairs
        for number, at in enumerate(range(0, len(asked), options.turns), 1):
            turns = tuple(turn for pair in asked[at : at + options.turns] for turn in pair)
            yield Dialogue(
                id=f"{name}-{number}",
                images=(str(upright.found.path),),
                turns=turns,
                source=options.source,
                image_key=upright.found.key,
                split=split,
                size=upright.found.size,
                notes=upright.notes,
            )

    def _questions(
        self,
        one: _Reference,
        beside: Sequence[_Reference],
        upright: UprightPicture,
        rng: random.Random,
    ) -> list[list[Turn]] | Dropped:
        """Question and answer for some sentences of a reference, or why there are none."""
        group: list[Instance] = []
        for number in one.annotations:
            instance = self.content.find(one.image_id, number)
            if isinstance(instance, str):
                return self._drop(one, instance, f"annotation {number!r}")
            group.append(instance)
        if not group and self._contradicted(one, beside):
            return self._drop(one, "said to be absent, another entry says it is there")
        try:
            truth = upright.truth(group, self.options.masks) if group else None
        except InputError as error:
            return self._drop(one, "mask makes no sense", str(error))
        chosen = list(one.sentences)
        if self.options.sentences < len(chosen):
            chosen = rng.sample(chosen, self.options.sentences)
            for _ in range(len(one.sentences) - len(chosen)):
                self.accounts.drop(SENTENCE, one.place, "beyond --sentences")
        pairs = []
        for sentence in chosen:
            turns = _turns(sentence, truth, upright, self.options, rng)
            if isinstance(turns, str):
                self.accounts.drop(SENTENCE, one.place, turns, short_repr(sentence))
                continue
            self.accounts.use(SENTENCE)
            pairs.append(turns)
        if pairs:
            self.accounts.use(REFERENCE)
            return pairs
        self.accounts.drop(REFERENCE, one.place, "none of its sentences can be used")
        return Dropped(one.name, "none of its sentences can be used")

    def _contradicted(self, one: _Reference, beside: Sequence[_Reference]) -> bool:
        """Whether what a reference calls absent is there by another entry of the files."""
        there = {_bare(text) for other in beside if other.annotations for text in other.sentences}
        return any(
            _bare(text) in there or not self.content.may_be_absent(_bare(text), one.image_id)
            for text in one.sentences
        )


def _turns(
    sentence: str,
    truth: Truth | None,
    upright: UprightPicture,
    options: ReferOptions,
    rng: random.Random,
) -> list[Turn] | str:
    """Question and answer, or the reason why the sentence cannot be used."""
    language = options.wording.language(rng)
    thing = _without_article(sentence) if language == "en" else sentence
    asked = Turn("user", options.wording.question(thing, language, rng))
    if len(sentence) > LONGEST_SENTENCE:
        return "sentence is too long"
    if truth is None:
        return [asked, Turn("assistant", absence(thing, language, rng), "absent", (sentence,))]
    if options.wording.route == "tag":
        # One tag for the whole sentence: cut at its commas it would mean something else.
        phrase = " ".join(phrases_of(sentence))
        if not phrase or len(phrase) > LONGEST:
            return "phrase is too long" if phrase or len(sentence) > LONGEST else "no phrase in it"
        return [asked, Turn("assistant", tags([phrase]), "tag", (phrase,), truth)]
    boxes = [FramedBox.of(box, upright.found.size) for box in truth.boxes]
    written = pointing(sentence, boxes)
    if written.count("<box>") < len(boxes):
        return "box without area on the grid"
    return [asked, Turn("assistant", written, "box", (sentence,), truth)]


def _without_article(sentence: str) -> str:
    first, _, rest = sentence.partition(" ")
    return rest if rest and first.lower() in ("the", "a", "an") else sentence


def _bare(sentence: str) -> str:
    return " ".join(_without_article(sentence.strip()).lower().split()).strip(" .,!?")


def _ids(value: Any) -> tuple[Id, ...]:
    """Annotations of a reference; none when it means nothing in the picture.

    Raises:
        InputError: an id makes no sense, or "nothing" stands beside something.
    """
    numbers = [
        read_identity(one, "ann_id") for one in (value if isinstance(value, list) else [value])
    ]
    if numbers == [-1] * len(numbers):
        return ()
    if -1 in numbers:
        raise InputError(f"ann_id means nothing and something: {short_repr(value)}")
    return tuple(dict.fromkeys(numbers))
