"""Read a conversation from a folder, to resume it."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from segue.conversation import Conversation
from segue.conversation.history import MAX_STEPS, Snapshot, Step
from segue.conversation.session.bounds import SessionLimits, check_file, check_masks, check_pictures
from segue.conversation.session.snapshots import Steps, history_from_json, snapshot_from_json
from segue.conversation.session.write import FILE, FORMAT
from segue.errors import InputError
from segue.pipeline.coordinates import CoordinateMapping
from segue.pipeline.pipeline import Pipeline
from segue.values.image import Image

READABLE_FORMATS = (1, 2, 3)  # 1 had no "regions" and no order of images


def resume(
    folder: str | Path, pipeline: Pipeline, limits: SessionLimits | None = None
) -> Conversation:
    """Open a saved conversation and continue it; nothing is computed anew.

    Args:
        folder: where `save` wrote.
        pipeline: answers from now on; an `Assistant` is one.
        limits: how much the file may hold, compared before anything is decoded.

    Raises:
        InputError: the folder holds no session, or one that cannot be read or holds too much.
    """
    saved = read_session(Path(folder), limits or SessionLimits())
    conversation = Conversation(pipeline, system=saved.document.get("system"))
    return conversation.restore(saved.image_order, saved.steps, saved.at)


@dataclass(frozen=True, slots=True)
class SavedSession:
    """The content of a session file, checked."""

    document: Mapping[str, Any]
    images: Mapping[str, Image]
    """By digest."""
    image_order: Sequence[Image]
    """The pictures as they were added to the conversation."""
    steps: Steps
    at: int


def _image_order(document: Mapping[str, Any], images: Mapping[str, Image]) -> list[Image]:
    of_turns = [digest for turn in document["turns"] for digest in turn["images"]]
    digests = document.get("image_order", document.get("shown", of_turns))  # "shown": format 2
    return [images[digest] for digest in digests]


def coordinates_of(document: Mapping[str, Any]) -> CoordinateMapping:
    """Read how the chat model's coordinates became pixels; "sight" until format 2."""
    return CoordinateMapping.from_json(document.get("coordinates", document.get("sight", {})))


def _steps_by_turn(snapshot: Snapshot) -> Steps:
    """Return the steps of a file that holds none: each question is one.

    What was changed stays with its turn: undoing a turn undoes its regions and edits too.
    """
    steps: Steps = [(None, snapshot.without_turns_from(0))]
    for number, answer in enumerate(snapshot.answers, 1):
        steps.append((Step("ask", answer.question), snapshot.without_turns_from(number)))
    return steps[-MAX_STEPS - 1 :]


def read_session(folder: Path, limits: SessionLimits) -> SavedSession:
    """Read and check a session file and its pictures.

    Args:
        folder: where `save` wrote.
        limits: how much the file may hold.

    Raises:
        InputError: the folder holds no session, or one that cannot be read or holds too much.
    """
    file = folder / FILE
    if not file.is_file():
        raise InputError(f"{folder} holds no {FILE}. Give the folder that `save` wrote.")
    try:
        check_file(file, limits)
        document = _document(file)
        images = _pictures(folder, document["images"], limits)
        image_order = _image_order(document, images)
        check_masks(document, image_order, limits)
        if "history" in document:
            steps, at = history_from_json(document["history"], document, images)
        else:
            steps = _steps_by_turn(snapshot_from_json(document, images))
            at = len(steps) - 1
        coordinates_of(document)
    except InputError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        raise InputError(f"{file} is damaged ({type(error).__name__}: {error}).") from error
    except RecursionError as error:
        raise InputError(f"{file} is nested too deeply to be a session.") from error
    return SavedSession(document, images, image_order, steps, at)


def _document(file: Path) -> dict[str, Any]:
    text = file.read_text(encoding="utf-8")
    document = json.loads(text)
    if document["format"] not in READABLE_FORMATS:
        raise InputError(
            f"{file} has format {str(document['format'])[:40]!r}; this version reads up to "
            f"{FORMAT}. Open it with the version that wrote it."
        )
    return dict(document)


def _pictures(folder: Path, entries: Any, limits: SessionLimits) -> dict[str, Image]:
    """Return the pictures by digest; what their headers state is added up before one is decoded."""
    names: dict[str, str] = {}
    for entry in entries:
        digest = str(entry["digest"])
        if not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise InputError(
                f"{folder / FILE} names a picture {digest[:80]!r}; expected a SHA-256."
            )
        names[digest] = str(entry.get("name") or f"{digest}.png")
    files = {digest: folder / "images" / f"{digest}.png" for digest in names}
    check_pictures(list(files.values()), limits)
    images = {}
    for digest, picture_file in files.items():
        image = replace(Image.open(picture_file, limits=limits.picture), name=names[digest])
        if image.digest != digest:
            raise InputError(f"{picture_file} was changed after saving.")
        images[digest] = image
    return images
