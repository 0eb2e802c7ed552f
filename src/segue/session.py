"""A conversation as a folder: `session.json` and the pictures, named by their content.

The file keeps what was said and what came of it: raw replies, regions with masks as COCO RLE, what
a person corrected, the models' names and the version. `resume` opens it to go on talking; `replay`
reads the raw replies again with today's detector and segmenter, without a chat model, and reports
what differs.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from segue.assistant import Assistant, load, region_ids
from segue.collector import Collector
from segue.conversation import Conversation
from segue.edit import Edit
from segue.errors import InputError
from segue.export.json import region_from_json, region_to_json
from segue.history import Snapshot, Step
from segue.image import Image
from segue.message import Answer, Message
from segue.region import Region
from segue.sight import Sight
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
    """
    folder = Path(folder)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    shown = (*conversation.images, *conversation.backgrounds.values())
    pictures = {image.digest: image for image in shown}
    for digest, image in pictures.items():
        file = folder / "images" / f"{digest}.png"
        if not file.exists():
            _write(file, image.to_png_bytes())
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
    }
    text = json.dumps(document, ensure_ascii=False, indent=1)
    _write(folder / FILE, text.encode())
    return folder


def resume(folder: str | Path, assistant: Assistant) -> Conversation:
    """Open a saved conversation to go on with it; nothing is computed anew.

    Raises:
        InputError: the folder holds no session, or one that cannot be read.
    """
    document, images = _read(Path(folder))
    now = snapshot_from_json(document, images)
    # What was corrected stays with its turn: taking a turn back takes its regions and edits along.
    steps: list[tuple[Step | None, Snapshot]] = [(None, now.without_turns_from(0))]
    for number, answer in enumerate(now.answers, 1):
        steps.append((Step("ask", answer.question), now.without_turns_from(number)))
    conversation = Conversation(assistant, system=document.get("system"))
    return conversation.restore(_shown(document, images), steps, len(now.answers))


def replay(folder: str | Path, assistant: Assistant | None = None) -> Replay:
    """Read the raw replies again and derive the regions without the chat model.

    Args:
        folder: where `save` wrote.
        assistant: whose detector and segmenter to use; by default the ones named in the file.

    Raises:
        InputError: the folder holds no session, or one that cannot be read.
    """
    document, images = _read(Path(folder))
    models = document["models"]
    if assistant is None:
        assistant = load(chat=None, detect=models["detect"], segment=models["segment"])
    conversation = Conversation(assistant, system=document.get("system"))
    sight = Sight.from_json(document.get("sight", {}))
    differences: list[str] = []
    for number, turn in enumerate(document["turns"], 1):
        shown = tuple(images[digest] for digest in turn["images"])
        gathered = Collector(turn["question"])
        seen = conversation.images + shown
        first = int(turn["regions"][0]["id"].lstrip("r")) if turn["regions"] else 1
        chunks = gathered.listen(iter([turn["raw"]]))
        for event in assistant.follow(chunks, seen, region_ids(first), models["dialect"], sight):
            gathered.add(event)
        answer = gathered.answer(seen)
        conversation.adopt(turn["question"], answer, shown)
        saved = [region_from_json(region) for region in turn["regions"]]
        differences += [f"turn {number}: {d}" for d in _differences(saved, answer.regions)]
        if answer.text != turn["text"]:
            differences.append(f"turn {number}: the text reads differently")
    saved_now = snapshot_from_json(document, images)
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
    conversation.restore(_shown(document, images), steps, at)
    return Replay(conversation, tuple(differences))


def models_of(assistant: Assistant) -> dict[str, str | None]:
    """The names of the models at work, as the file keeps them."""
    return {
        "chat": getattr(assistant.chat, "name", None),
        "dialect": None if assistant.chat is None else assistant.speaks,
        "detect": getattr(assistant.detector, "name", None),
        "segment": getattr(assistant.segmenter, "name", None),
    }


def snapshot_to_json(snapshot: Snapshot) -> dict[str, Any]:
    """A snapshot as plain JSON values; pictures by their digests."""
    return {
        "turns": [
            _turn_to_json(user, answer)
            for (user, _), answer in zip(snapshot.turns, snapshot.answers)
        ],
        "regions": [region_to_json(region) for region in snapshot.regions],
        "edits": [edit.to_json() for edit in snapshot.edits],
        "backgrounds": {name: image.digest for name, image in snapshot.backgrounds.items()},
    }


def snapshot_from_json(document: Mapping[str, Any], images: Mapping[str, Image]) -> Snapshot:
    """Read what `snapshot_to_json` wrote.

    Args:
        document: the JSON values; "regions" may be missing, then they are those of the answers.
        images: the pictures it names, by digest.

    Raises:
        InputError: a region or an edit makes no sense.
        KeyError, TypeError, AttributeError: a field is missing or of another kind.
    """
    turns: list[tuple[Message, Message]] = []
    answers: list[Answer] = []
    seen: tuple[Image, ...] = ()
    for turn in document["turns"]:
        shown = tuple(images[digest] for digest in turn["images"])
        seen += shown
        answer = replace(_answer_from_json(turn), images=seen)
        user = Message("user", turn.get("asked", turn["question"]), shown)
        turns.append((user, Message("assistant", answer.raw)))
        answers.append(answer)
    first = [region for answer in answers for region in answer.regions]
    if "regions" in document:
        first = [region_from_json(region) for region in document["regions"]]
    return Snapshot(
        tuple(turns),
        tuple(answers),
        tuple(first),
        tuple(Edit.from_json(edit) for edit in document["edits"]),
        {name: images[digest] for name, digest in document["backgrounds"].items()},
    )


def _shown(document: Mapping[str, Any], images: Mapping[str, Image]) -> list[Image]:
    asked = [digest for turn in document["turns"] for digest in turn["images"]]
    return [images[digest] for digest in document.get("shown", asked)]


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


def _turn_to_json(user: Message, answer: Answer) -> dict[str, Any]:
    asked = {} if user.text == answer.question else {"asked": user.text}
    return {
        "question": answer.question,
        **asked,
        "images": [image.digest for image in user.images],
        "text": answer.text,
        "raw": answer.raw,
        "regions": [region_to_json(region) for region in answer.regions],
        "not_found": list(answer.not_found),
        "broken": list(answer.broken),
        "cut": answer.cut,
        "finish": answer.finish,
        "seconds": dict(answer.seconds),
    }


def _answer_from_json(turn: Mapping[str, Any]) -> Answer:
    return Answer(
        question=turn["question"],
        text=turn["text"],
        raw=turn["raw"],
        regions=tuple(region_from_json(region) for region in turn["regions"]),
        not_found=tuple(turn["not_found"]),
        broken=tuple(turn["broken"]),
        cut=bool(turn.get("cut", False)),
        finish=turn["finish"],
        seconds=dict(turn.get("seconds", {})),
    )


def _read(folder: Path) -> tuple[dict[str, Any], dict[str, Image]]:
    """The document and its pictures by digest, checked."""
    file = folder / FILE
    if not file.is_file():
        raise InputError(f"{folder} holds no {FILE}. Give the folder that `save` wrote.")
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        if document["format"] not in _READ:
            raise InputError(
                f"{file} has format {document['format']!r}; this version reads up to {FORMAT}. "
                "Open it with the version that wrote it."
            )
        images = {}
        for entry in document["images"]:
            digest = str(entry["digest"])
            if not re.fullmatch(r"[0-9a-f]{64}", digest):
                raise InputError(f"{file} names a picture {digest!r}; expected a SHA-256 digest.")
            picture = Image.open(folder / "images" / f"{digest}.png")
            image = replace(picture, name=str(entry.get("name") or picture.name))
            if image.digest != digest:
                raise InputError(f"{folder / 'images' / digest}.png was changed after saving.")
            images[digest] = image
        _check_regions(snapshot_from_json(document, images), _shown(document, images))
        Sight.from_json(document.get("sight", {}))
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{file} is damaged ({type(error).__name__}: {error}).") from error
    return document, images


def _check_regions(snapshot: Snapshot, shown: list[Image]) -> None:
    """Every region must lie on a picture that is there, its mask must be of that size."""
    regions = [region for answer in snapshot.answers for region in answer.regions]
    for region in (*regions, *snapshot.regions):
        if region.image >= len(shown):
            raise InputError(
                f"Region {region.id!r} lies on picture {region.image}; there are {len(shown)}."
            )
        size = shown[region.image].size
        if region.mask is not None and region.mask.size != size:
            raise InputError(
                f"The mask of region {region.id!r} has the size {tuple(region.mask.size)}, its "
                f"picture {tuple(size)} (height, width). The session was changed after saving."
            )


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


def _write(file: Path, content: bytes) -> None:
    """All or nothing: a crash leaves the old file or the new one, never half of one."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    draft.write_bytes(content)
    draft.replace(file)
