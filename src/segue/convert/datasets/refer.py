"""RefCOCO, RefCOCO+, RefCOCOg and gRefCOCO -> a phrase, and the boxes it refers to.

Two files are needed: the references (`refs(unc).p`, `refs(umd).p`, `grefs(unc).json`) and the
instances of the same folder. One dialogue a picture and split, a turn for each reference.

How the `.p` files, which are pickles, are read safely is in `references_reader.py`.

Source: https://github.com/lichengunc/refer for the format; gRefCOCO, arXiv:2306.00968.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segue.annotations.fields import read_identity, read_object, short_repr
from segue.convert.datasets.captions import MAX_PHRASE_LENGTH, split_caption
from segue.convert.datasets.coco_instances import CocoInstance, CocoInstances, EntryId
from segue.convert.datasets.coco_instances_reader import read_instances
from segue.convert.datasets.question_templates import QuestionStyle, absence_answer
from segue.convert.datasets.references_reader import read_references
from segue.convert.datasets.upright_picture import UprightPicture, locate_upright_picture
from segue.convert.dialogue import (
    Dialogue,
    DialogueTurn,
    DroppedRecord,
    GroundTruth,
    box_markup,
    strip_markup,
    tag_markup,
)
from segue.convert.entry_tally import EntryTally
from segue.convert.exif import PixelFrame
from segue.convert.image_files import ImageFiles
from segue.convert.split_name import NO_SPLIT, is_split_name
from segue.errors import InputError
from segue.files.atomic import printable_path
from segue.files.unicode import is_well_formed, well_formed
from segue.values.frames import FramedBox

MAX_SENTENCE_LENGTH = 400
"""Characters; a longer reference is not a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferOptions:
    """How references become dialogues."""

    question_style: QuestionStyle = field(default_factory=lambda: QuestionStyle(chinese_share=0.0))
    """The sentences are English, so the questions are too by default."""
    splits: tuple[str, ...] = ()
    """Only these; empty: all."""
    sentences: int = 1
    """How many of the sentences of one reference to use; each becomes a question."""
    turns: int = 4
    """Maximum number of questions in one dialogue; a picture may give several dialogues."""
    masks: bool = False
    """Keep the true masks, for evaluation."""
    exif: PixelFrame | None = None
    """Which pixels boxes refer to where EXIF data rotate a picture, see `CocoOptions`."""
    source: str = "refcoco"
    seed: int = 0


REFERENCE, SENTENCE = "reference", "sentence"


def convert_refer(
    references: str | Path,
    instances: str | Path,
    files: ImageFiles,
    options: ReferOptions | None = None,
    tally: EntryTally | None = None,
) -> Iterator[Dialogue | DroppedRecord]:
    """Yield dialogues about each picture, or the reason why there is none.

    Args:
        references: the file of references.
        instances: the COCO file that they point into.
        files: where the pictures are.
        options: how they become dialogues.
        tally: where every reference and sentence is counted as used or dropped.

    Raises:
        InputError: a file cannot be read.
        MissingExtra: masks were requested and faster-coco-eval is not installed.
    """
    maker = _DialogueMaker(
        options or ReferOptions(), tally or EntryTally(), files, Path(references).name
    )
    maker.content = read_instances(
        instances, maker.start_instance_tally(), shapes=maker.options.masks
    )
    maker.merge_instance_tally()
    yield from maker.dialogues(read_references(references))


@dataclass(frozen=True, slots=True)
class _Reference:
    """One valid reference."""

    place: str
    """Where it stands in the file."""
    name: str
    """Of the record, should it be dropped."""
    image_id: EntryId
    annotation_ids: tuple[EntryId, ...]
    """Empty: it refers to nothing in the picture."""
    split: str
    sentences: tuple[str, ...]


class _DialogueMaker:
    """Makes the dialogues of one file of references."""

    content: CocoInstances

    def __init__(
        self, options: ReferOptions, tally: EntryTally, files: ImageFiles, file: str
    ) -> None:
        self.options, self.tally, self.files, self.file = (
            options,
            tally,
            files,
            printable_path(file),
        )

    def start_instance_tally(self) -> EntryTally:
        """Start a tally of the instances file, where each readable annotation counts as used."""
        self._instance_tally = EntryTally()
        self._instance_tally.log = self.tally.log
        return self._instance_tally

    def merge_instance_tally(self) -> None:
        for kind, counts in self._instance_tally.kinds.items():
            counts.n_used = counts.n_read - counts.n_dropped
            self.tally.kinds[kind] = counts

    def dialogues(self, entries: Sequence[Mapping[str, Any]]) -> Iterator[Dialogue | DroppedRecord]:
        groups: dict[tuple[EntryId, str], list[_Reference]] = {}
        self.tally.count_read(REFERENCE, len(entries))
        for number, entry in enumerate(entries, 1):
            place = f"reference {number} of {self.file}"
            name = f"{self.options.source}-{short_repr(entry.get('ref_id'))}"
            try:
                reference = self._parse_reference(entry, place, name)
            except (InputError, LookupError, TypeError, ValueError, AttributeError) as error:
                detail = f"{error} is missing" if isinstance(error, KeyError) else str(error)
                self.tally.count_dropped(REFERENCE, place, "reference damaged", detail)
                yield DroppedRecord(name, "reference damaged", f"{place}: {detail}")
                continue
            if self.options.splits and reference.split not in self.options.splits:
                self._drop_reference(reference, "of a split that was not asked for")
            elif not is_split_name(reference.split):
                yield self._drop_reference(reference, NO_SPLIT, short_repr(reference.split))
            elif not reference.sentences:
                yield self._drop_reference(reference, "reference without a sentence")
            else:
                groups.setdefault((reference.image_id, reference.split), []).append(reference)
        for key in sorted(groups, key=lambda key: (isinstance(key[0], str), key)):
            yield from self._dialogues_of_picture(*key, groups[key])

    def _parse_reference(self, entry: Mapping[str, Any], place: str, name: str) -> _Reference:
        image_id = read_identity(entry["image_id"], "image_id")
        sentences = [read_object(sentence, "a sentence")["sent"] for sentence in entry["sentences"]]
        annotations, split = _read_annotation_ids(entry["ann_id"]), str(entry["split"])
        return _Reference(
            place,
            name,
            self.content.id_of_duplicate.get(image_id, image_id),
            annotations,
            split,
            self._clean_sentences(sentences, place),
        )

    def _clean_sentences(self, sentences: Sequence[Any], place: str) -> tuple[str, ...]:
        """Return the sentences of a valid reference as plain text; empty ones are dropped."""
        self.tally.count_read(SENTENCE, len(sentences))
        texts = []
        for text in sentences:
            words = strip_markup(well_formed(text)) if isinstance(text, str) else ""
            if isinstance(text, str) and not is_well_formed(text):
                self.tally.count_note(SENTENCE, "half a character became U+FFFD")
            if not any(character.isalnum() for character in words):
                self.tally.count_dropped(
                    SENTENCE, place, "sentence without words", short_repr(text)
                )
            else:
                texts.append(words)
        return tuple(texts)

    def _drop_reference(
        self, reference: _Reference, reason: str, detail: str = ""
    ) -> DroppedRecord:
        self.tally.count_dropped(REFERENCE, reference.place, reason, detail)
        for _ in reference.sentences:
            self.tally.count_dropped(SENTENCE, reference.place, "its reference was dropped", reason)
        return DroppedRecord(reference.name, reason, detail)

    def _dialogues_of_picture(
        self, image_id: EntryId, split: str, references: Sequence[_Reference]
    ) -> Iterator[Dialogue | DroppedRecord]:
        options = self.options
        name = f"{options.source}-{split}-{image_id}"
        picture = self.content.pictures.get(image_id)
        if picture is None:
            upright: UprightPicture | DroppedRecord = DroppedRecord(
                name, "picture not in the instances file"
            )
        else:
            upright = locate_upright_picture(picture, self.files, options.exif, name)
        if isinstance(upright, DroppedRecord):
            for reference in references:
                self._drop_reference(reference, upright.reason, upright.detail)
            yield upright
            return
        rng = random.Random(f"{options.seed} {image_id!a} {split}")
        question_turns: list[list[DialogueTurn]] = []
        for reference in references:
            pairs = self._questions(reference, references, upright, rng)
            if isinstance(pairs, DroppedRecord):
                yield pairs
            else:
                question_turns += pairs
        for number, start in enumerate(range(0, len(question_turns), options.turns), 1):
            turns = tuple(
                turn for pair in question_turns[start : start + options.turns] for turn in pair
            )
            yield Dialogue(
                id=f"{name}-{number}",
                images=(str(upright.image.path),),
                turns=turns,
                source=options.source,
                image_key=upright.image.key,
                split=split,
                size=upright.image.size,
                notes=upright.notes,
            )

    def _questions(
        self,
        reference: _Reference,
        sibling_references: Sequence[_Reference],
        upright: UprightPicture,
        rng: random.Random,
    ) -> list[list[DialogueTurn]] | DroppedRecord:
        """Make question and answer for some sentences of a reference, or say why there are none."""
        instances: list[CocoInstance] = []
        for annotation_id in reference.annotation_ids:
            instance = self.content.find(reference.image_id, annotation_id)
            if isinstance(instance, str):
                return self._drop_reference(reference, instance, f"annotation {annotation_id!r}")
            instances.append(instance)
        if not instances and self._is_contradicted(reference, sibling_references):
            return self._drop_reference(
                reference, "said to be absent, another entry says it is there"
            )
        try:
            truth = upright.truth(instances, self.options.masks) if instances else None
        except InputError as error:
            return self._drop_reference(reference, "mask makes no sense", str(error))
        chosen_sentences = list(reference.sentences)
        if self.options.sentences < len(chosen_sentences):
            chosen_sentences = rng.sample(chosen_sentences, self.options.sentences)
            for _ in range(len(reference.sentences) - len(chosen_sentences)):
                self.tally.count_dropped(SENTENCE, reference.place, "beyond --sentences")
        pairs = []
        for sentence in chosen_sentences:
            turns = _question_and_answer(sentence, truth, upright, self.options, rng)
            if isinstance(turns, str):
                self.tally.count_dropped(SENTENCE, reference.place, turns, short_repr(sentence))
                continue
            self.tally.count_used(SENTENCE)
            pairs.append(turns)
        if pairs:
            self.tally.count_used(REFERENCE)
            return pairs
        self.tally.count_dropped(REFERENCE, reference.place, "none of its sentences can be used")
        return DroppedRecord(reference.name, "none of its sentences can be used")

    def _is_contradicted(
        self, reference: _Reference, sibling_references: Sequence[_Reference]
    ) -> bool:
        """Return True when another entry contradicts a reference that calls something absent."""
        present_phrases = {
            _normalise_sentence(text)
            for sibling in sibling_references
            if sibling.annotation_ids
            for text in sibling.sentences
        }
        return any(
            _normalise_sentence(text) in present_phrases
            or not self.content.may_be_absent(_normalise_sentence(text), reference.image_id)
            for text in reference.sentences
        )


def _question_and_answer(
    sentence: str,
    truth: GroundTruth | None,
    upright: UprightPicture,
    options: ReferOptions,
    rng: random.Random,
) -> list[DialogueTurn] | str:
    """Make question and answer, or return the reason why the sentence cannot be used."""
    language = options.question_style.choose_language(rng)
    thing = _without_article(sentence) if language == "en" else sentence
    question = DialogueTurn("user", options.question_style.make_question(thing, language, rng))
    if len(sentence) > MAX_SENTENCE_LENGTH:
        return "sentence is too long"
    if truth is None:
        return [
            question,
            DialogueTurn("assistant", absence_answer(thing, language, rng), "absent", (sentence,)),
        ]
    if options.question_style.route == "tag":
        # One tag for the full sentence: split at its commas it would mean something else.
        phrase = " ".join(split_caption(sentence))
        if not phrase or len(phrase) > MAX_PHRASE_LENGTH:
            return (
                "phrase is too long"
                if phrase or len(sentence) > MAX_PHRASE_LENGTH
                else "no phrase in it"
            )
        return [question, DialogueTurn("assistant", tag_markup([phrase]), "tag", (phrase,), truth)]
    boxes = [FramedBox.of(box, upright.image.size) for box in truth.boxes]
    markup = box_markup(sentence, boxes)
    if markup.count("<box>") < len(boxes):
        return "box without area on the grid"
    return [question, DialogueTurn("assistant", markup, "box", (sentence,), truth)]


def _without_article(sentence: str) -> str:
    first_word, _, remaining_words = sentence.partition(" ")
    return (
        remaining_words
        if remaining_words and first_word.lower() in ("the", "a", "an")
        else sentence
    )


def _normalise_sentence(sentence: str) -> str:
    return " ".join(_without_article(sentence.strip()).lower().split()).strip(" .,!?")


def _read_annotation_ids(value: Any) -> tuple[EntryId, ...]:
    """Read the annotation ids of a reference; none when it refers to nothing in the picture.

    Raises:
        InputError: an id is invalid, or "nothing" is combined with ids.
    """
    annotation_ids = [
        read_identity(annotation_id, "ann_id")
        for annotation_id in (value if isinstance(value, list) else [value])
    ]
    if annotation_ids == [-1] * len(annotation_ids):
        return ()
    if -1 in annotation_ids:
        raise InputError(f"ann_id means nothing and something: {short_repr(value)}")
    return tuple(dict.fromkeys(annotation_ids))
