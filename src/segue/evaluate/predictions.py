"""The file of predictions: the answers of the models, saved so that they can be scored again.

JSON lines. The first line is the manifest: models, thresholds, prompt and versions. Each further
line is one question with its answer. An interrupted run is resumed; an incomplete line is written
again.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any

from segue.deprecated import renamed_in
from segue.errors import InputError
from segue.evaluate.manifest import Manifest, make_manifest, read_manifest
from segue.evaluate.questions import Question, json_lines
from segue.files.atomic import json_text, unwritable
from segue.values.box import Box, Size
from segue.values.mask import Mask
from segue.values.region import Region
from segue.values.serialize import region_from_json, region_to_json

if TYPE_CHECKING:
    from segue.assistant import Assistant
    from segue.pipeline.answer import Answer
    from segue.values.message import Sampling

__all__ = [
    "Manifest",
    "Prediction",
    "PredictionsFile",
    "make_manifest",
    "parse_failures",
    "predict",
    "read_manifest",
    "read_predictions",
    "with_regions",
]
__getattr__ = renamed_in(__name__)

_FILE_START = b'{"manifest"'


@dataclass(frozen=True, slots=True)
class Prediction:
    """One question and its answer."""

    question: Question
    raw: str = ""
    """The reply as the model wrote it."""
    regions: tuple[Region, ...] = ()
    not_found: tuple[str, ...] = ()
    """Phrases for which the detector found nothing."""
    broken: tuple[str, ...] = ()
    """Malformed markup of the reply."""
    finish: str = "stop"
    thought: int = 0
    """Number of characters of the reply that were thoughts."""
    notices: tuple[str, ...] = ()
    """Sentences about how the answer came about."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None
    """Why there is no answer: the picture cannot be opened, a model failed; None: there is one."""

    @property
    def box(self) -> Box | None:
        """The first box of the answer."""
        return self.regions[0].box if self.regions else None

    @property
    def mask(self) -> Mask | None:
        """The union of all masks of the answer; None when there is none."""
        masks = [region.mask for region in self.regions if region.mask is not None]
        union = masks[0] if masks else None
        for mask in masks[1:]:
            union = union | mask if union is not None else mask
        return union

    @classmethod
    def of(cls, question: Question, answer: "Answer") -> "Prediction":
        """Return the prediction of an answer."""
        seconds = {stage: round(value, 4) for stage, value in answer.seconds.items()}
        return cls(
            question, answer.raw, answer.regions, answer.not_found, answer.broken, answer.finish,
            answer.thought, answer.notices, seconds,
        )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        value: dict[str, Any] = {
            "question": self.question.to_json(),
            "raw": self.raw,
            "regions": [region_to_json(region) for region in self.regions],
            "not_found": list(self.not_found),
            "broken": list(self.broken),
            "finish": self.finish,
            "thought": self.thought,
            "notices": list(self.notices),
            "seconds": dict(self.seconds),
        }
        return value if self.error is None else {**value, "error": self.error}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Prediction":
        """Read what `to_json` wrote.

        Raises:
            InputError: it is anything else.
        """
        try:
            return cls(
                question=Question.from_json(value["question"]),
                raw=_read_text(value["raw"]),
                regions=tuple(map(region_from_json, value["regions"])),
                not_found=tuple(value["not_found"]),
                broken=tuple(value["broken"]),
                finish=str(value["finish"]),
                thought=int(value.get("thought", 0)),
                notices=tuple(map(str, value.get("notices", ()))),
                seconds=dict(value.get("seconds", {})),
                error=value.get("error"),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"A prediction must have question, raw and regions ({type(error).__name__}: "
                f"{error})."
            ) from error


def _read_text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"raw is {value!r}, not a text")
    return value


class PredictionsFile:
    """A file of predictions to which answers are appended."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        """Create the file, or resume it.

        Raises:
            InputError: it exists and belongs to another run, or cannot be written.
        """
        self.path = path
        self.answered_ids: set[str] = set()
        """Ids of the questions whose answers it holds."""
        if path.exists() and path.stat().st_size:
            self._resume(manifest)
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: IO[bytes] = path.open("wb")
        except OSError as error:
            raise unwritable(path, error) from error
        self._write_line({"manifest": manifest.to_json()})

    def _resume(self, manifest: Manifest) -> None:
        self._file = self.path.open("r+b")
        if self._file.read(len(_FILE_START)) != _FILE_START:
            self._file.close()
            raise InputError(
                f"{self.path} exists and is not a file of predictions. Write to another file."
            )
        self._file.seek(0)
        complete_bytes = 0
        for number, line in enumerate(self._file):
            if not line.endswith(b"\n"):
                break
            try:
                value = json.loads(line)
                content = value.get("manifest") if number == 0 else str(value["question"]["id"])
            except (ValueError, LookupError, TypeError, AttributeError):
                break  # damaged: this line and all that follow are written again
            if number == 0:
                self._check_manifest(content, manifest)
            else:
                self.answered_ids.add(content)
            complete_bytes += len(line)
        self._file.seek(complete_bytes)
        self._file.truncate()
        if complete_bytes == 0:
            self._write_line({"manifest": manifest.to_json()})

    def _check_manifest(self, file_manifest: Any, manifest: Manifest) -> None:
        expected = json.loads(json.dumps(manifest.to_json()))
        if file_manifest == expected:
            return
        self._file.close()
        old = file_manifest if isinstance(file_manifest, dict) else {}
        changed_keys = sorted(key for key in {*old, *expected} if old.get(key) != expected.get(key))
        raise InputError(
            f"{self.path} holds predictions of another run ({', '.join(changed_keys)} differ). "
            "Write to another file, or delete this one to start again."
        )

    def write(self, prediction: Prediction) -> None:
        """Append a prediction; it is on disk when this returns."""
        self._write_line(prediction.to_json())
        self.answered_ids.add(prediction.question.id)

    def _write_line(self, value: Mapping[str, Any]) -> None:
        try:
            self._file.write(json_text(value).encode() + b"\n")
            self._file.flush()
        except OSError as error:
            raise InputError(
                f"Cannot write {self.path}: {error.strerror or error}. All answers but this one "
                "are saved; the same command resumes there."
            ) from error

    def __enter__(self) -> "PredictionsFile":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()


def predict(
    assistant: "Assistant",
    questions: Iterable[Question],
    file: PredictionsFile,
    sampling: "Sampling | None" = None,
    limit: int | None = None,
) -> Iterator[Prediction]:
    """Ask every question that the file has no answer to yet, and write each answer at once.

    A question that cannot be answered (its picture is missing, a model fails) is written with its
    error and counted as wrong; the run continues.

    Args:
        assistant: the models.
        questions: what to ask.
        file: where the answers go.
        sampling: how the chat model samples its replies; None: greedy.
        limit: ask only the first so many questions.

    Yields:
        Each new prediction, after it was written.

    Raises:
        InputError: the assistant has no chat model.
    """
    from segue.values.message import Sampling

    if assistant.chat is None:
        raise InputError("There is no chat model to ask. Load one: segue.load(chat=…).")
    sampling = sampling or Sampling(temperature=0)
    for question in islice(questions, limit):
        if question.id in file.answered_ids:
            continue
        prediction = _answer_question(assistant, question, sampling)
        file.write(prediction)
        yield prediction


def _answer_question(
    assistant: "Assistant", question: Question, sampling: "Sampling"
) -> Prediction:
    from segue.errors import ModelError
    from segue.pipeline.answer import Answer

    try:
        images = assistant.open(question.image).images
        _check_size(question, images[0].size)
        conversation = assistant.open(*(() if question.history else images))
        for number, (earlier_question, reply) in enumerate(question.history):
            answer = Answer(earlier_question, reply, reply)
            conversation.append_turn(earlier_question, answer, images if number == 0 else ())
        return Prediction.of(question, conversation.ask(question.text, sampling))
    except (InputError, ModelError) as error:
        return Prediction(question, error=str(error))


def _check_size(question: Question, size: Size) -> None:
    """Compare the size of the true masks with the picture before anything is asked.

    Raises:
        InputError: a mask has another size.
    """
    for field_name, mask in (("mask", question.mask), ("ignore", question.ignore)):
        if mask is not None and list(mask.get("size", ())) != list(size):
            raise InputError(
                f"the {field_name!r} is of {mask.get('size')}, its picture {list(size)} (height, "
                "width). Is it of another file, or turned by its EXIF data?"
            )


def read_predictions(path: str | Path) -> Iterator[Prediction]:
    """Read the predictions of a file, in order.

    Raises:
        InputError: as `read_manifest`; or a line is invalid, or a question is answered twice.
    """
    read_manifest(path)
    ids: set[str] = set()
    for number, value in enumerate(islice(json_lines(Path(path)), 1, None), 1):
        try:
            prediction = Prediction.from_json(value)
        except InputError as error:
            raise InputError(f"Answer {number} of {path}: {error}") from error
        if prediction.question.id in ids:
            raise InputError(
                f"Answer {number} of {path}: the question {prediction.question.id!r} is answered "
                "twice. Remove one of the lines."
            )
        ids.add(prediction.question.id)
        yield prediction


def parse_failures(predictions: Iterable[Prediction]) -> dict[str, Any]:
    """Count answers with malformed markup, truncated answers, and questions that failed."""
    n_answers = n_malformed = n_truncated = n_failed = 0
    for prediction in predictions:
        n_answers += 1
        n_malformed += bool(prediction.broken)
        n_truncated += prediction.finish in ("length", "thought", "error")
        n_failed += prediction.error is not None
    n_replies = n_answers - n_failed
    return {
        "answers": n_answers,
        "unreadable markup": n_malformed,
        "parse-failure rate": n_malformed / n_replies if n_replies else None,
        "truncated": n_truncated,
        "errors": n_failed,
    }


def with_regions(prediction: Prediction, found_by: str) -> Prediction:
    """Return a prediction with the regions of one route, "chat" (boxes) or "detector" (tags)."""
    regions = tuple(region for region in prediction.regions if region.found_by == found_by)
    return replace(prediction, regions=regions)
