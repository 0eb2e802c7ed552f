"""Labelled questions about presence, and the evidence that the models give on them.

Two kinds of file are read: questions as JSON lines (`segue.evaluate.questions`), whose phrases are
present unless "absent" is expected; and COCO instances, where the categories on a picture are
present and as many others, drawn at random, absent.
"""

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any

from segue.annotations.fields import read_identity, read_object, read_string
from segue.errors import InputError, SegueError
from segue.evaluate.questions import json_lines, read_questions
from segue.files.atomic import json_text, unwritable, write_bytes
from segue.files.text import read_json
from segue.pipeline.chat_detector import DIALECTS_WITHOUT_BOXES, chat_as_detector
from segue.pipeline.cross_check import agreement
from segue.presence.evidence import PresenceEvidence, Sources
from segue.values.box import Box
from segue.values.image import Image
from segue.values.region import Region

if TYPE_CHECKING:
    from segue.pipeline.pipeline import Pipeline


@dataclass(frozen=True, slots=True)
class PresenceQuestion:
    """A phrase, a picture, and whether it is there."""

    image: str
    """A path."""
    phrase: str
    is_present: bool


@dataclass(frozen=True, slots=True)
class PresenceSample:
    """A question, and the evidence by which models are asked."""

    question: PresenceQuestion
    evidence: Mapping[Sources, PresenceEvidence]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, which `from_json` reads."""
        evidence = {sources: asdict(one) for sources, one in self.evidence.items()}
        return {**asdict(self.question), "evidence": evidence}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "PresenceSample":
        """Read what `to_json` wrote.

        Raises:
            KeyError, TypeError: it is no sample.
        """
        question = PresenceQuestion(value["image"], value["phrase"], value["is_present"])
        entries: Mapping[Sources, Any] = value["evidence"]
        return cls(question, {key: PresenceEvidence(**entry) for key, entry in entries.items()})


def read_presence_questions(
    path: Path, images: Path | None = None, seed: int = 0
) -> list[PresenceQuestion]:
    """Read a labelled file, whichever of the two kinds it is.

    Args:
        path: the file.
        images: folder of relative picture names; None: that of the file.
        seed: of the draw of absent categories.

    Raises:
        InputError: it cannot be read, or nothing in it is labelled both ways.
    """
    folder = images if images is not None else path.parent
    is_lines = path.suffix.lower() in (".jsonl", ".ndjson")
    questions = (
        list(_from_questions(path, images))
        if is_lines
        else list(_from_coco(read_json(path), folder, random.Random(seed)))
    )
    unique = list(dict.fromkeys(questions))
    n_present = sum(question.is_present for question in unique)
    if not 0 < n_present < len(unique):
        raise InputError(
            f"{path} has {n_present} phrases that are present and {len(unique) - n_present} that "
            "are absent; a calibration needs both. Give questions with 'phrases' and 'expect', or "
            "COCO instances of two categories or more."
        )
    return unique


def _from_questions(path: Path, images: Path | None) -> Iterator[PresenceQuestion]:
    for question in read_questions(path, images=images):
        if question.expect in ("any", "plain"):
            continue
        for phrase in question.phrases:
            yield PresenceQuestion(question.image, phrase, question.expect != "absent")


def _from_coco(value: Any, folder: Path, rng: random.Random) -> Iterator[PresenceQuestion]:
    document = read_object(value, "the file")
    parts = {}
    for key in ("images", "categories", "annotations"):
        if not isinstance(document.get(key), list):
            raise InputError(f"A COCO instances file must have a list {key!r}.")
        parts[key] = [read_object(entry, f"an entry of {key}") for entry in document[key]]
    names = {
        read_identity(entry.get("id"), "id"): read_string(entry.get("name"), "name")
        for entry in parts["categories"]
    }
    present = defaultdict(set)
    for entry in parts["annotations"]:
        category = read_identity(entry.get("category_id"), "category_id")
        if category not in names:
            raise InputError(f"An annotation names the category {category!r}, which is not listed.")
        present[read_identity(entry.get("image_id"), "image_id")].add(names[category])
    for entry in parts["images"]:
        present_names = sorted(present[read_identity(entry.get("id"), "id")])
        image = str(folder / read_string(entry.get("file_name"), "file_name"))
        absent_names = sorted(set(names.values()) - set(present_names))
        yield from (PresenceQuestion(image, name, True) for name in present_names)
        for name in rng.sample(absent_names, min(len(absent_names), max(1, len(present_names)))):
            yield PresenceQuestion(image, name, False)


def collect_evidence(
    pipeline: "Pipeline", image: Image, phrase: str
) -> dict[Sources, PresenceEvidence]:
    """Ask every model of a pipeline about a phrase.

    Returns:
        The evidence by which models are asked; what has no model is missing.
    """
    evidence: dict[Sources, PresenceEvidence] = {}
    score, regions, pointed_at = None, list[Region](), None
    if pipeline.detector is not None:
        regions = pipeline.grounder.detect(image, [phrase])
        score = pipeline.grounder.best_score(image, phrase)
        mask_score = _detected_mask_score(pipeline, image, regions)
        evidence["detector"] = PresenceEvidence(score, mask_score=mask_score)
    if pipeline.chat is not None and pipeline.dialect_name not in DIALECTS_WITHOUT_BOXES:
        detector = chat_as_detector(pipeline.chat, dialect=pipeline.dialect_name)
        pointed_at = [detection.box for detection in detector.find(image, [phrase])]
        mask_score = _mask_score(pipeline, image, pointed_at)
        evidence["chat"] = PresenceEvidence(pointed_at=bool(pointed_at), mask_score=mask_score)
    if score is not None and pointed_at is not None:
        is_both = bool(regions and pointed_at)
        evidence["both"] = PresenceEvidence(
            score,
            bool(pointed_at),
            agreement(regions[0].box, pointed_at) if is_both else None,
            _detected_mask_score(pipeline, image, regions)
            if regions
            else _mask_score(pipeline, image, pointed_at),
        )
    return evidence


def _detected_mask_score(pipeline: "Pipeline", image: Image, regions: list[Region]) -> float | None:
    """Return the estimate for the mask of the first of what was detected."""
    if regions and regions[0].mask is not None:
        return regions[0].mask.score
    return _mask_score(pipeline, image, [region.box for region in regions])


def _mask_score(pipeline: "Pipeline", image: Image, boxes: list[Box]) -> float | None:
    """Return the segmenter's estimate for the first of some boxes."""
    if not boxes or pipeline.segmenter is None:
        return None
    (mask,) = pipeline.grounder.view(image).mask(boxes=boxes[:1])
    return mask.score


class EvidenceFile:
    """JSON lines of evidence, to which an interrupted run is added.

    The first line names the models and the questions; a file of others is refused.
    """

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        """
        Args:
            path: the file; it is made where it is not there.
            header: what the evidence depends on.

        Raises:
            InputError: it cannot be read, or holds evidence of other models or questions.
        """
        self.path = path
        self.samples: list[PresenceSample] = []
        self._header = dict(header)
        self._file: IO[bytes] | None = None
        if path.exists():
            self._read()

    def _read(self) -> None:
        lines = list(_whole_lines(self.path))
        if not lines or lines[0] != self._header:
            raise InputError(
                f"{self.path} holds evidence of other models or questions. Name another file."
            )
        try:
            self.samples = [PresenceSample.from_json(line) for line in lines[1:]]
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise InputError(f"{self.path} is damaged: {error}. Name another file.") from error

    def __enter__(self) -> "EvidenceFile":
        lines = [self._header, *(sample.to_json() for sample in self.samples)]
        # Beside and renamed, so that nothing is lost; a last line that was cut off is left out.
        write_bytes(self.path, b"".join(map(_line, lines)))
        try:
            self._file = self.path.open("ab")
        except OSError as error:
            raise unwritable(self.path, error) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()

    def samples_of(self, questions: Iterable[PresenceQuestion]) -> list[PresenceSample]:
        """Return what is known of questions; the file may be of more, or of older labels."""
        asked = set(questions)
        return [sample for sample in self.samples if sample.question in asked]

    def add(self, sample: PresenceSample) -> None:
        """Keep a sample.

        Raises:
            InputError: the disk refuses; samples before stay.
        """
        self.samples.append(sample)
        self._write(sample.to_json())

    def _write(self, value: Mapping[str, Any]) -> None:
        assert self._file is not None
        try:
            self._file.write(_line(value))
            self._file.flush()
        except OSError as error:
            raise unwritable(self.path, error) from error


def _line(value: Mapping[str, Any]) -> bytes:
    return json_text(value).encode() + b"\n"


def _whole_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a file; a last line that was cut off is left out."""
    try:
        yield from json_lines(path)
    except InputError as error:
        if "incomplete" not in str(error):
            raise


def add_evidence(
    pipeline: "Pipeline", questions: Iterable[PresenceQuestion], file: EvidenceFile
) -> Iterator[str | None]:
    """Collect the evidence of the questions that a file does not have yet.

    Yields:
        After each question why there is no evidence on it; None where there is.
    """
    known_questions = {sample.question for sample in file.samples}
    open_image: tuple[str, Image] | None = None
    for question in questions:
        if question in known_questions:
            continue
        try:
            if open_image is None or open_image[0] != question.image:
                open_image = question.image, Image.open(Path(question.image))
            evidence = collect_evidence(pipeline, open_image[1], question.phrase)
        except SegueError as error:
            yield f"{question.image}, {question.phrase!r}: {error}"
            continue
        file.add(PresenceSample(question, evidence))
        yield None
