"""A conversation as files to take away, and back."""

import io
import json
import math
import os
import re
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from segue.assistant import Assistant
from segue.conversation import Conversation
from segue.conversation.session.bounds import SessionLimits
from segue.conversation.session.read import resume
from segue.conversation.session.snapshots import snapshot_to_json
from segue.conversation.session.write import FILE
from segue.draw import draw_regions
from segue.errors import InputError, UnknownName
from segue.export import FORMATS, annotated
from segue.export.files import write_json, write_picture
from segue.export.layout import LAYOUTS
from segue.export.names import safe_name, unique_names
from segue.export.png import write_label_map, write_masks
from segue.files.counts import count_noun
from segue.pipeline.answer import Answer
from segue.runtime.catalog import unknown_name_message
from segue.server.http.errors import ApiError
from segue.values.region import Region

_OWN = {
    "masks": "a PNG for each mask, white on black",
    "label-map": "a PNG for each picture, a colour for each region",
    "overlay": "the pictures with masks and phrases drawn on them",
    "edited": "the pictures with their edits",
    "json": "all answers and regions, masks as COCO RLE",
    "session": "the conversation itself, to be opened again",
}
EXPORTS: Mapping[str, str] = {
    **{name: entry.summary for name, entry in FORMATS.items()},
    **_OWN,
}
"""What can be taken away: name -> what it is."""

_PIECE_BYTES = 2**20
_MEDIA = {
    ".zip": "application/zip",
    ".json": "application/json",
    ".geojson": "application/geo+json",
    ".png": "image/png",
    ".xml": "application/xml",
}


@dataclass(frozen=True, slots=True)
class ExportFile:
    """A file for a person."""

    name: str
    content: bytes

    @property
    def media_type(self) -> str:
        return _MEDIA.get(Path(self.name).suffix, "application/octet-stream")


def export(conversation: Conversation, format: str, title: str) -> ExportFile:
    """Write a conversation in one of `EXPORTS`; several files become a zip.

    Raises:
        UnknownName: no such format.
        InputError: there is nothing to export.
    """
    if format not in EXPORTS:
        raise UnknownName(unknown_name_message("export format", format, EXPORTS))
    if not conversation.images and format != "session":
        raise InputError("There is no picture in this conversation yet, so nothing to export.")
    stem = safe_name(title)[:60] or "segue"
    with tempfile.TemporaryDirectory(prefix="segue-export-") as place:
        folder = Path(place)
        try:
            if format in _WRITERS:
                _WRITERS[format](conversation, folder, stem)
            else:
                _write_format(conversation, format, folder, stem)
        except InputError as error:
            raise InputError(without_folder(str(error), folder, "the export")) from error
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        if not files:
            raise InputError("There is no mask in this conversation yet, so nothing to export.")
        if len(files) == 1 and format != "session":
            return ExportFile(f"{stem}-{format}{files[0].suffix}", files[0].read_bytes())
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in files:
                archive.write(file, file.relative_to(folder).as_posix())
        return ExportFile(f"{stem}-{format}.zip", packed.getvalue())


def _combined_answer(conversation: Conversation) -> Answer:
    """Everything that exists now, as if one question had brought it."""
    return Answer("", "", "", regions=conversation.regions, images=conversation.images)


def _write_format(conversation: Conversation, format: str, folder: Path, stem: str) -> None:
    pictures = annotated([_combined_answer(conversation)])
    FORMATS.load(format, pictures, LAYOUTS[format].target_in(folder, stem))


def _regions_on(conversation: Conversation, index: int) -> list[Region]:
    return [region for region in conversation.regions if region.image == index]


def _png_names(conversation: Conversation, stem: str) -> list[str]:
    names = (safe_name(Path(image.name).stem) or stem for image in conversation.images)
    return unique_names(f"{name}.png" for name in names)


def _write_masks(conversation: Conversation, folder: Path, stem: str) -> None:
    write_masks(conversation.regions, folder)


def _write_label_maps(conversation: Conversation, folder: Path, stem: str) -> None:
    for index, name in enumerate(_png_names(conversation, stem)):
        write_label_map(
            _regions_on(conversation, index), conversation.images[index].size, folder / name
        )


def _write_overlays(conversation: Conversation, folder: Path, stem: str) -> None:
    for index, name in enumerate(_png_names(conversation, stem)):
        overlay = draw_regions(conversation.images[index], _regions_on(conversation, index))
        write_picture(overlay, folder / name)


def _write_edited(conversation: Conversation, folder: Path, stem: str) -> None:
    for index, name in enumerate(_png_names(conversation, stem)):
        write_picture(conversation.edited_image(index), folder / name)


def _write_json(conversation: Conversation, folder: Path, stem: str) -> None:
    value = {
        "answers": [answer.to_json() for answer in conversation.answers],
        "now": _combined_answer(conversation).to_json()["regions"],
        "edits": [edit.to_json() for edit in conversation.edits],
    }
    write_json(value, folder / f"{stem}.json")


def _write_session(conversation: Conversation, folder: Path, stem: str) -> None:
    conversation.save(folder)


_WRITERS: Mapping[str, Callable[[Conversation, Path, str], None]] = {
    "masks": _write_masks,
    "label-map": _write_label_maps,
    "overlay": _write_overlays,
    "edited": _write_edited,
    "json": _write_json,
    "session": _write_session,
}


def read_session(data: bytes, limits: SessionLimits, max_images: int) -> Conversation:
    """Open the zip that `export` wrote as "session".

    Nothing outside the names of a session is unpacked, nothing that is larger than a request may
    be, and nothing is decoded before all of it was counted.

    Args:
        data: the zip.
        limits: of the session in it.
        max_images: of the pictures that are shown.

    Raises:
        ApiError: 400, it is no such file, or it holds too much.
        InputError: the session in it is damaged.
    """
    if data.count(b"PK\x01\x02") > 4 * limits.max_images + 64:  # zipfile would list them all
        raise _session_error("has far more entries than a session")
    with tempfile.TemporaryDirectory(prefix="segue-import-") as place:
        folder = Path(place)
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                _unpack(archive, folder, limits)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error,
                UnicodeError, ValueError) as error:  # fmt: skip
            raise _session_error(f"is not a zip file that can be read ({error})") from error
        try:
            conversation = resume(folder, Assistant(), limits)
            _check_surrogates(folder / FILE)
        except InputError as error:
            raise InputError(without_folder(str(error), folder, "the session")) from error
    if len(conversation.images) > max_images:
        held = count_noun(len(conversation.images), "picture")
        raise _session_error(f"holds {held}, more than {max_images}")
    _check_history_size(conversation, limits.max_file_bytes)
    return _clean_timings(conversation)


def _check_surrogates(file: Path) -> None:
    """Half of a surrogate pair can be written in JSON, but goes into no database and no answer."""
    text = file.read_text(encoding="utf-8")
    if "\\ud" not in text.lower():
        return
    try:
        json.dumps(json.loads(text), ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise _session_error("holds text that is not Unicode") from error


def without_folder(message: str, folder: Path, name: str) -> str:
    """Return a message that names no temporary folder of this machine."""
    message = re.sub(r" (Or r|R)aise SessionLimits\([^)]*\)[^.]*\.", "", message)
    return message.replace(f"{folder}{os.sep}", "").replace(str(folder), name)


def _check_history_size(conversation: Conversation, bytes_left: int) -> None:
    """Every step is stored whole, so a small file with many steps could fill the disk."""
    steps, _ = conversation.history.steps()
    for _, snapshot in steps:
        bytes_left -= len(json.dumps(snapshot_to_json(snapshot)))
        if bytes_left < 0:
            raise _session_error("has steps to take back that need more room than a request may")


def _unpack(archive: zipfile.ZipFile, folder: Path, limits: SessionLimits) -> None:
    """Write the files of a session, piece by piece, until they are more than allowed."""
    bytes_left, n_pictures = limits.max_file_bytes, 0
    for entry in archive.infolist():
        parts = entry.filename.split("/")
        picture = re.fullmatch(r"images/[0-9a-f]{64}\.png", entry.filename) is not None
        if not (parts == [FILE] or picture) or entry.is_dir():
            continue
        n_pictures += picture
        if n_pictures > limits.max_images:
            raise _session_error(f"holds more than {limits.max_images} picture files")
        target = folder.joinpath(*parts)
        target.parent.mkdir(exist_ok=True)
        with archive.open(entry) as source, target.open("wb") as out:
            while piece := source.read(_PIECE_BYTES):
                bytes_left -= len(piece)
                if bytes_left < 0:
                    raise _session_error("unpacks to more than a request may hold")
                out.write(piece)


def _clean_timings(conversation: Conversation) -> Conversation:
    """Only times that are finite numbers, under names that are words."""
    steps, at = conversation.history.steps()
    clean_steps = []
    for step, snapshot in steps:
        answers = tuple(
            replace(answer, seconds=_finite(answer.seconds)) for answer in snapshot.answers
        )
        clean_steps.append((step, replace(snapshot, answers=answers)))
    return conversation.restore(conversation.images, clean_steps, at)


def _finite(seconds: Mapping[str, Any]) -> dict[str, float]:
    return {
        str(stage): float(time)
        for stage, time in seconds.items()
        if isinstance(time, int | float) and math.isfinite(time)
    }


def _session_error(what: str) -> ApiError:
    return ApiError(400, "invalid_value", f"The session file {what}.", param="file")
