"""The file of predictions: what the models answered, kept so that it can be scored again.

JSON lines. The first line is the manifest: which models, thresholds, prompt and versions. Each
further line is one question with its answer. A run that was stopped goes on where it was; a line
that was cut off is written again.
"""

import hashlib
import json
import platform
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib import metadata
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any

from segue.errors import InputError
from segue.evaluate.questions import Question, json_lines
from segue.files.atomic import json_text, unwritable
from segue.values.box import Box, Size
from segue.values.mask import Mask
from segue.values.region import Region
from segue.values.serialize import region_from_json, region_to_json
from segue.version import __version__

if TYPE_CHECKING:
    from segue.assistant import Assistant
    from segue.pipeline.answer import Answer
    from segue.values.message import Sampling

FORMAT = 1
_BEGINNING = b'{"manifest"'
PACKAGES = ("torch", "transformers", "numpy", "peft")


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything that a number depends on, beside the questions themselves."""

    questions: Mapping[str, Any]
    """file, sha256, and where the run was limited to fewer of them."""
    prompt: str
    """How a referring expression is asked for; "{sent}" is the expression itself."""
    models: Mapping[str, Any]
    dialect: str
    thresholds: Mapping[str, float | None]
    """box and text; None: the detector's own."""
    sampling: Mapping[str, Any]
    versions: Mapping[str, str]
    teach_tag: bool = False
    """Whether a system prompt taught the chat model the tag."""
    route: str = "reply"
    """How questions were answered; see `segue.pipeline.routing`."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"format": FORMAT, **{name: getattr(self, name) for name in self.__slots__}}


def manifest(
    assistant: "Assistant",
    questions: Path,
    sampling: "Sampling",
    *,
    prompt: str = "{sent}",
    limit: int | None = None,
) -> Manifest:
    """The manifest of a run that is about to begin."""
    about: dict[str, Any] = {"file": questions.name, "sha256": _digest(questions)}
    if limit is not None:
        about["limit"] = limit
    settings = {name: getattr(sampling, name) for name in sampling.__slots__}
    return Manifest(
        questions=about,
        prompt=prompt,
        models={
            "chat": getattr(assistant.chat, "name", None),
            "detect": getattr(assistant.detector, "name", None),
            "segment": getattr(assistant.segmenter, "name", None),
        },
        dialect=assistant.dialect_name,
        thresholds={"box": assistant.box_threshold, "text": assistant.text_threshold},
        sampling={name: list(v) if isinstance(v, tuple) else v for name, v in settings.items()},
        versions=_versions(),
        teach_tag=assistant.teach_tag,
        route=assistant.route,
    )


@dataclass(frozen=True, slots=True)
class Prediction:
    """One question and its answer."""

    question: Question
    raw: str = ""
    """The reply as the model wrote it."""
    regions: tuple[Region, ...] = ()
    not_found: tuple[str, ...] = ()
    """Phrases that the detector looked for in vain."""
    broken: tuple[str, ...] = ()
    """Markup in the reply that could not be read."""
    finish: str = "stop"
    thought: int = 0
    """Characters of the reply that were thoughts."""
    notices: tuple[str, ...] = ()
    """How the answer came about, where there is something to say."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None
    """Why there is no answer: the picture does not open, a model failed."""

    @property
    def box(self) -> Box | None:
        """The first box of the answer."""
        return self.regions[0].box if self.regions else None

    @property
    def mask(self) -> Mask | None:
        """All masks of the answer together; None when there is none."""
        masks = [region.mask for region in self.regions if region.mask is not None]
        whole = masks[0] if masks else None
        for mask in masks[1:]:
            whole = whole | mask if whole is not None else mask
        return whole

    @classmethod
    def of(cls, question: Question, answer: "Answer") -> "Prediction":
        """Keep what matters of an answer."""
        seconds = {stage: round(value, 4) for stage, value in answer.seconds.items()}
        return cls(
            question, answer.raw, answer.regions, answer.not_found, answer.broken, answer.finish,
            answer.thought, answer.notices, seconds,
        )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
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
            InputError: it is something else.
        """
        try:
            return cls(
                question=Question.from_json(value["question"]),
                raw=_text(value["raw"]),
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


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"raw is {value!r}, not a text")
    return value


class PredictionsFile:
    """A file of predictions that is being written, or written on."""

    def __init__(self, path: Path, about: Manifest) -> None:
        """Begin the file, or go on with it.

        Raises:
            InputError: it is there and belongs to another run, or cannot be written.
        """
        self.path = path
        self.done: set[str] = set()
        """Ids of the questions it holds an answer to."""
        if path.exists() and path.stat().st_size:
            self._go_on(about)
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: IO[bytes] = path.open("wb")
        except OSError as error:
            raise unwritable(path, error) from error
        self._put({"manifest": about.to_json()})

    def _go_on(self, about: Manifest) -> None:
        self._file = self.path.open("r+b")
        if self._file.read(len(_BEGINNING)) != _BEGINNING:
            self._file.close()
            raise InputError(
                f"{self.path} is there and is not a file of predictions. Write to another file."
            )
        self._file.seek(0)
        whole = 0
        for number, line in enumerate(self._file):
            if not line.endswith(b"\n"):
                break
            try:
                value = json.loads(line)
                found = value.get("manifest") if number == 0 else str(value["question"]["id"])
            except (ValueError, LookupError, TypeError, AttributeError):
                break  # damaged: written again, and all behind it
            if number == 0:
                self._must_equal(found, about)
            else:
                self.done.add(found)
            whole += len(line)
        self._file.seek(whole)
        self._file.truncate()
        if whole == 0:
            self._put({"manifest": about.to_json()})

    def _must_equal(self, found: Any, about: Manifest) -> None:
        now = json.loads(json.dumps(about.to_json()))
        if found == now:
            return
        self._file.close()
        old = found if isinstance(found, dict) else {}
        differing = sorted(key for key in {*old, *now} if old.get(key) != now.get(key))
        raise InputError(
            f"{self.path} holds predictions of another run ({', '.join(differing)} differ). "
            "Write to another file, or delete this one to start again."
        )

    def write(self, prediction: Prediction) -> None:
        """Add one; it is on disk when this returns."""
        self._put(prediction.to_json())
        self.done.add(prediction.question.id)

    def _put(self, value: Mapping[str, Any]) -> None:
        try:
            self._file.write(json_text(value).encode() + b"\n")
            self._file.flush()
        except OSError as error:
            raise InputError(
                f"Cannot write {self.path}: {error.strerror or error}. All answers but this one "
                "are kept; the same command goes on there."
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
    """Ask every question that the file has no answer to yet; write each answer at once.

    A question that cannot be answered (its picture is missing, a model fails) is written with its
    error and counted as wrong; the run goes on.

    Args:
        assistant: the models.
        questions: what to ask.
        file: where the answers go.
        sampling: how the chat model picks its words; None: greedy.
        limit: ask the first so many only.

    Yields:
        Each new prediction, after it was written.

    Raises:
        InputError: the assistant has no chat model.
    """
    from segue.values.message import Sampling

    if assistant.chat is None:
        raise InputError("An assistant without a chat model cannot be asked: segue.load(chat=…).")
    how = sampling or Sampling(temperature=0)
    for question in islice(questions, limit):
        if question.id in file.done:
            continue
        prediction = _ask(assistant, question, how)
        file.write(prediction)
        yield prediction


def _ask(assistant: "Assistant", question: Question, sampling: "Sampling") -> Prediction:
    from segue.errors import ModelError
    from segue.pipeline.answer import Answer

    try:
        shown = assistant.open(question.image).images
        _check_size(question, shown[0].size)
        conversation = assistant.open(*(() if question.history else shown))
        for number, (asked, raw) in enumerate(question.history):
            said = Answer(asked, raw, raw)
            conversation.append_turn(asked, said, shown if number == 0 else ())
        return Prediction.of(question, conversation.ask(question.text, sampling))
    except (InputError, ModelError) as error:
        return Prediction(question, error=str(error))


def _check_size(question: Question, size: Size) -> None:
    """Compare the true masks with the picture before anything is asked.

    Raises:
        InputError: one of them is of another size.
    """
    for field_name, mask in (("mask", question.mask), ("ignore", question.ignore)):
        if mask is not None and list(mask.get("size", ())) != list(size):
            raise InputError(
                f"the {field_name!r} is of {mask.get('size')}, its picture {list(size)} (height, "
                "width). Is it of another file, or turned by its EXIF data?"
            )


def read_manifest(path: str | Path) -> dict[str, Any]:
    """The manifest of a file of predictions.

    Raises:
        InputError: the file cannot be read, or holds something else.
    """
    first = next(json_lines(Path(path)), {})
    value = first.get("manifest")
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise InputError(
            f"{path} is not a file of predictions: its first line must hold a manifest of format "
            f"{FORMAT}. Make one with: segue evaluate predict"
        )
    lacking = sorted(key for key in _NEEDED if key not in value)
    if lacking or not all(isinstance(value[key], dict) for key in _NAMED):
        wrong = f"lacks {', '.join(lacking)}" if lacking else f"must name {', '.join(_NAMED)}"
        raise InputError(f"The manifest of {path} {wrong}. Make the file anew.")
    return value


_NAMED = ("questions", "models", "thresholds", "sampling", "versions")
_NEEDED = (*_NAMED, "prompt", "dialect")


def read_predictions(path: str | Path) -> Iterator[Prediction]:
    """The predictions of a file, in order.

    Raises:
        InputError: as `read_manifest`; or a line makes no sense, or a question is answered twice.
    """
    read_manifest(path)
    seen: set[str] = set()
    for number, value in enumerate(islice(json_lines(Path(path)), 1, None), 1):
        try:
            prediction = Prediction.from_json(value)
        except InputError as error:
            raise InputError(f"Answer {number} of {path}: {error}") from error
        if prediction.question.id in seen:
            raise InputError(
                f"Answer {number} of {path}: the question {prediction.question.id!r} was answered "
                "before and would count twice. Take one of the lines out."
            )
        seen.add(prediction.question.id)
        yield prediction


def parse_failures(predictions: Iterable[Prediction]) -> dict[str, Any]:
    """How many answers had markup that could not be read, were cut off, or never came."""
    count = broken = cut = failed = 0
    for prediction in predictions:
        count += 1
        broken += bool(prediction.broken)
        cut += prediction.finish in ("length", "thought", "error")
        failed += prediction.error is not None
    return {
        "answers": count,
        "unreadable markup": broken,
        "parse-failure rate": broken / (count - failed) if count > failed else None,
        "cut off": cut,
        "errors": failed,
    }


def with_regions(prediction: Prediction, found_by: str) -> Prediction:
    """The prediction with the regions of one route only: "chat" (boxes) or "detector" (tags)."""
    regions = tuple(r for r in prediction.regions if r.found_by == found_by)
    return replace(prediction, regions=regions)


def _versions() -> dict[str, str]:
    versions = {"segue": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return versions


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}.") from error
