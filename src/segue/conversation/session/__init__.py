"""A conversation as a folder: `session.json` and the pictures, named by their content.

The file keeps what was said and what came of it: raw replies, regions with masks as COCO RLE, what
a person corrected, all steps that can be taken back or done again, the models' names and the
version. `resume` opens it to go on talking; `replay`
reads the raw replies again with today's detector and segmenter, without a chat model, and reports
what differs.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from segue.assistant import Assistant, load
from segue.conversation import Conversation
from segue.conversation.history import KEPT, Snapshot, Step
from segue.conversation.session.bounds import SessionLimits, check_file, check_masks, check_pictures
from segue.conversation.session.snapshots import (
    Steps,
    history_from_json,
    history_to_json,
    snapshot_from_json,
    snapshot_to_json,
)
from segue.dialects.parsing.thoughts import without_thoughts
from segue.errors import InputError
from segue.files.atomic import write_bytes, write_json
from segue.pipeline.answer_builder import Collector
from segue.pipeline.coordinates import Sight
from segue.pipeline.reply_processor import region_ids
from segue.pipeline.serialize import region_from_json
from segue.prompting.intent import read_request
from segue.values.image import Image
from segue.values.region import Region
from segue.version import __version__

FORMAT = 2
_READ = (1, 2)  # 1 had no "regions" and no "shown"
FILE = "session.json"


@dataclass(frozen=True, slots=True)
class Replay:
    """A conversation derived anew from its raw replies."""

    conversation: Conversation
    differences: tuple[str, ...]
    """One sentence each; empty when everything came out as saved."""


def save(conversation: Conversation, folder: str | Path) -> Path:
    """Write a conversation; an older file of the same folder is replaced at once or not at all.

    Returns:
        The folder.

    Raises:
        InputError: it cannot be written; what was saved there before is as it was.
    """
    folder = Path(folder)
    steps, _ = conversation.history.steps()
    backgrounds = (image for _, shot in steps for image in shot.backgrounds.values())
    pictures = {image.digest: image for image in (*conversation.images, *backgrounds)}
    for digest, image in pictures.items():
        file = folder / "images" / f"{digest}.png"
        if not file.exists():
            write_bytes(file, image.to_png_bytes())
    document = {
        "format": FORMAT,
        "segue": __version__,
        "models": models_of(conversation.assistant),
        "sight": Sight.of(conversation.assistant.chat).to_json(
            image.size for image in pictures.values()
        ),
        "system": conversation.system,
        "images": [
            {"digest": d, "file": f"images/{d}.png", "name": i.name} for d, i in pictures.items()
        ],
        "shown": [image.digest for image in conversation.images],
        **snapshot_to_json(conversation.history.now),
        "history": history_to_json(conversation.history),
    }
    write_json(folder / FILE, document, indent=1)
    return folder


def resume(
    folder: str | Path, assistant: Assistant, limits: SessionLimits | None = None
) -> Conversation:
    """Open a saved conversation to go on with it; nothing is computed anew.

    Args:
        folder: where `save` wrote.
        assistant: who answers from now on.
        limits: how much the file may hold, compared before anything is decoded.

    Raises:
        InputError: the folder holds no session, or one that cannot be read or holds too much.
    """
    saved = _read(Path(folder), limits or SessionLimits())
    conversation = Conversation(assistant, system=saved.document.get("system"))
    return conversation.restore(saved.shown, saved.steps, saved.at)


def replay(
    folder: str | Path,
    assistant: Assistant | None = None,
    limits: SessionLimits | None = None,
) -> Replay:
    """Read the raw replies again and derive the regions without the chat model.

    What can be taken back afterwards is each question, with what a person did to its regions.

    Args:
        folder: where `save` wrote.
        assistant: whose detector and segmenter to use; by default the ones named in the file.
        limits: as for `resume`.

    Raises:
        InputError: the folder holds no session, or one that cannot be read or holds too much.
    """
    saved = _read(Path(folder), limits or SessionLimits())
    document, images = saved.document, saved.images
    models = document["models"]
    if assistant is None:
        assistant = load(chat=None, detect=models["detect"], segment=models["segment"])
    conversation = Conversation(assistant, system=document.get("system"))
    sight = Sight.from_json(document.get("sight", {}))
    differences: list[str] = []
    _, saved_now = saved.steps[saved.at]
    for number, (turn, answered) in enumerate(zip(document["turns"], saved_now.answers), 1):
        shown = tuple(images[digest] for digest in turn["images"])
        gathered = Collector(turn["question"])
        seen = conversation.images + shown
        first = int(turn["regions"][0]["id"].lstrip("r")) if turn["regions"] else 1
        gathered.raw.append(turn["raw"])
        phrases = read_request(turn["question"]).phrases
        events = assistant.follow(
            [without_thoughts(turn["raw"])],  # regions that a thought took back have no id here
            seen,
            region_ids(first),
            models["dialect"],
            sight,
            grounded=bool(phrases) or "asked" in turn,
            phrases=phrases,
        )
        for event in events:
            gathered.add(event)
        answer = replace(
            gathered.answer(seen),
            thought=answered.thought,  # what the model did stays as it was
            notices=answered.notices,
            finish=answered.finish,
        )
        conversation.adopt(turn["question"], answer, shown)
        before = [region_from_json(region) for region in turn["regions"]]
        differences += [f"turn {number}: {d}" for d in _differences(before, answer.regions)]
        if answer.text != turn["text"]:
            differences.append(f"turn {number}: the text reads differently")
    regions = _carried(saved_now, conversation.regions)
    known = {region.id for region in regions}
    steps, at = conversation.history.steps()
    now = replace(
        saved_now,
        turns=conversation.turns,
        answers=conversation.answers,
        regions=regions,
        edits=tuple(edit for edit in saved_now.edits if known.issuperset(edit.regions)),
    )
    steps[at] = (steps[at][0], now)
    conversation.restore(saved.shown, steps, at)
    return Replay(conversation, tuple(differences))


def models_of(assistant: Assistant) -> dict[str, str | None]:
    """The names of the models at work, as the file keeps them."""
    return {
        "chat": getattr(assistant.chat, "name", None),
        "dialect": None if assistant.chat is None else assistant.speaks,
        "detect": getattr(assistant.detector, "name", None),
        "segment": getattr(assistant.segmenter, "name", None),
    }


@dataclass(frozen=True, slots=True)
class _Saved:
    """A file that was read and checked."""

    document: Mapping[str, Any]
    images: Mapping[str, Image]
    """By digest."""
    shown: Sequence[Image]
    steps: Steps
    at: int


def _shown(document: Mapping[str, Any], images: Mapping[str, Image]) -> list[Image]:
    asked = [digest for turn in document["turns"] for digest in turn["images"]]
    return [images[digest] for digest in document.get("shown", asked)]


def _steps_by_turn(now: Snapshot) -> Steps:
    """The steps of a file that holds none: each question is one.

    What was corrected stays with its turn: taking a turn back takes its regions and edits along.
    """
    steps: Steps = [(None, now.without_turns_from(0))]
    for number, answer in enumerate(now.answers, 1):
        steps.append((Step("ask", answer.question), now.without_turns_from(number)))
    return steps[-KEPT - 1 :]


def _carried(saved: Snapshot, derived: tuple[Region, ...]) -> tuple[Region, ...]:
    """Regions derived anew, with what a person did to them before."""
    first = {region.id: region for answer in saved.answers for region in answer.regions}
    now = {region.id: region for region in saved.regions}
    kept = []
    for region in derived:
        if region.id in first and region.id not in now:
            continue  # deleted by hand
        untouched = now.get(region.id) == first.get(region.id)
        kept.append(region if untouched else now[region.id])
    by_hand = [region for id, region in now.items() if id not in first]
    return (*kept, *by_hand)


def _read(folder: Path, limits: SessionLimits) -> _Saved:
    file = folder / FILE
    if not file.is_file():
        raise InputError(f"{folder} holds no {FILE}. Give the folder that `save` wrote.")
    try:
        check_file(file, limits)
        document = _document(file)
        images = _pictures(folder, document["images"], limits)
        shown = _shown(document, images)
        check_masks(document, shown, limits)
        if "history" in document:
            steps, at = history_from_json(document["history"], document, images)
        else:
            steps = _steps_by_turn(snapshot_from_json(document, images))
            at = len(steps) - 1
        Sight.from_json(document.get("sight", {}))
    except InputError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        raise InputError(f"{file} is damaged ({type(error).__name__}: {error}).") from error
    except RecursionError as error:
        raise InputError(f"{file} is nested too deeply to be a session.") from error
    return _Saved(document, images, shown, steps, at)


def _document(file: Path) -> dict[str, Any]:
    text = file.read_text(encoding="utf-8")
    document = json.loads(text)
    if document["format"] not in _READ:
        raise InputError(
            f"{file} has format {str(document['format'])[:40]!r}; this version reads up to "
            f"{FORMAT}. Open it with the version that wrote it."
        )
    return dict(document)


def _pictures(folder: Path, entries: Any, limits: SessionLimits) -> dict[str, Image]:
    """The pictures by digest; what their headers state is added up before one is decoded."""
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


def _differences(saved: list[Region], now: tuple[Region, ...]) -> list[str]:
    if len(saved) != len(now):
        return [f"{len(saved)} regions were saved, {len(now)} came out"]
    found = []
    for old, new in zip(saved, now):
        if old.phrase != new.phrase:
            found.append(f"{old.id} was {old.phrase!r}, now {new.phrase!r}")
        if (iou := old.box.iou(new.box)) < 0.99:
            found.append(f"{old.id}: the box moved (IoU {iou:.2f})")
        if (old.mask is None) != (new.mask is None):
            found.append(f"{old.id}: its mask {'appeared' if old.mask is None else 'is gone'}")
        elif old.mask is not None and new.mask is not None and old.mask != new.mask:
            same = old.mask.size == new.mask.size
            iou = old.mask.iou(new.mask) if same else 0.0
            found.append(f"{old.id}: the mask changed (IoU {iou:.3f})")
    return found
