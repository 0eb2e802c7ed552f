"""Files that commands write: overlays, masks and JSON."""

import io
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from segue.errors import InputError
from segue.files.atomic import json_text

if TYPE_CHECKING:
    from segue.assistant import Assistant
    from segue.conversation import Conversation
    from segue.pipeline.answer import Answer
    from segue.pipeline.regions import Regions
    from segue.values.region import Region


def open_conversation(assistant: "Assistant", session_folder: Path | None) -> "Conversation":
    """Start a conversation, or resume the one that is saved in a folder."""
    if session_folder is None:
        return assistant.open()
    from segue.conversation.session.read import resume
    from segue.conversation.session.write import FILE

    is_saved = (session_folder / FILE).exists()
    return resume(session_folder, assistant) if is_saved else assistant.open()


def refuse_overwriting(
    outputs: "Iterable[str | Path | None]", inputs: "Iterable[str | Path]"
) -> None:
    """Refuse to overwrite an input file, before any model is loaded.

    Args:
        outputs: files that will be written; None and "-" are ignored.
        inputs: files that will be read; what is not a file, such as a URL, is ignored.

    Raises:
        InputError: a file is among both.
    """
    input_files = [Path(name) for name in inputs if name]
    for target in outputs:
        if target is None or str(target) == "-":
            continue
        for source in input_files:
            if is_same_file(Path(target), source):
                raise InputError(
                    f"{target} is an input file and would be overwritten. Write to another file."
                )


def check_standard_output(json_target: str | None, picture_file: Path | None) -> bool:
    """Return whether a result goes to standard output.

    Raises:
        InputError: two of them do.
    """
    is_json, is_picture = json_target == "-", str(picture_file) == "-"
    if is_json and is_picture:
        raise InputError("Standard output holds the picture or the JSON. Write one to a file.")
    return is_json or is_picture


def check_picture_targets(targets: "Iterable[str | Path | None]") -> None:
    """Refuse files that no picture can be written to, before any model is loaded.

    Args:
        targets: files; None and "-", which is standard output, are fine.

    Raises:
        InputError: the suffix of one names no format that can be written, or it is a folder.
    """
    from PIL import Image as pillow

    pillow.init()
    for target in targets:
        if target is None or str(target) == "-":
            continue
        path = Path(target)
        if path.is_dir():
            raise InputError(f"{path} is a folder. Give the file to write, like overlay.png.")
        if pillow.EXTENSION.get(path.suffix.lower()) not in pillow.SAVE:
            raise InputError(
                f"{path} must end in the suffix of a picture format, like overlay.png or "
                f"overlay.jpg, got {path.suffix or 'none'!r}."
            )


def refuse_overwriting_by_masks(mask_folder: Path | None, inputs: "Iterable[str | Path]") -> None:
    """Refuse a folder for masks in which an input picture is named as a mask would be.

    Raises:
        InputError: there is such a picture.
    """
    for source in inputs:
        is_mask_name = re.fullmatch(r"r\d+(-.*)?\.png", Path(source).name)
        if (
            mask_folder is not None
            and is_mask_name
            and is_same_file(mask_folder, Path(source).parent)
        ):
            raise InputError(
                f"{source} is an input file, and a mask might overwrite it. Name another folder."
            )


def overlay_files(file: Path | None, count: int) -> list[Path]:
    """Return the names of that many overlays: "name.png", "name-2.png", …"""
    if file is None:
        return []
    if str(file) == "-":
        return [file]
    return [file.with_stem(f"{file.stem}-{n}") if n > 1 else file for n in range(1, count + 1)]


def is_same_file(path: Path, other_path: Path) -> bool:
    """Return whether two paths lead to one existing file."""
    try:
        return path.samefile(other_path)
    except (OSError, ValueError):
        return False


def write_overlays(answer: "Answer", file: Path) -> list[Path]:
    """Draw every picture that has regions, else the newest; the second goes to "name-2.png".

    Returns:
        The files written.
    """
    if not answer.images:
        raise InputError("There is no picture to draw on. Give one before the question.")
    image_indices = sorted({region.image for region in answer.regions}) or [len(answer.images) - 1]
    _refuse_several_on_stdout(file, image_indices)
    files = overlay_files(file, len(image_indices))
    for image_index, target in zip(image_indices, files, strict=True):
        save_picture(answer.draw(image_index), target)
    return files


def _refuse_several_on_stdout(file: Path, image_indices: Sequence[int]) -> None:
    if str(file) == "-" and len(image_indices) > 1:
        raise InputError(
            f"Standard output holds one picture, there are {len(image_indices)}. Give --out FILE."
        )


def write_edited_pictures(conversation: "Conversation", file: Path) -> list[Path]:
    """Write every picture that has edits, else the newest; the second goes to "name-2.png".

    Returns:
        The files written.
    """
    edited_ids = {id for edit in conversation.edits for id in edit.regions}
    images = {region.image for region in conversation.regions if region.id in edited_ids}
    image_indices = sorted(images) or [len(conversation.images) - 1]
    _refuse_several_on_stdout(file, image_indices)
    files = overlay_files(file, len(image_indices))
    for image_index, target in zip(image_indices, files, strict=True):
        save_picture(conversation.edited_image(image_index), target)
    return files


def save_picture(picture: Any, file: Path) -> None:
    """Save a PIL image in the format that the file extension names; "-" is standard output, PNG.

    Raises:
        InputError: the extension names no format, or the file cannot be written.
    """
    from segue.files.atomic import write_picture

    if str(file) == "-":
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
        sys.stdout.flush()
        sys.stdout.buffer.write(buffer.getvalue())
        return
    write_picture(file, picture)


def write_masks(regions: "Sequence[Region]", folder: Path) -> list[Path]:
    """Write one PNG for each mask, white on black, named after region and phrase."""
    from segue.export.png import write_masks as write_mask_files

    return list(write_mask_files(regions, folder))


def write_json(document: "Mapping[str, Any]", target: str | None) -> None:
    """Write a result as JSON to a file, or to standard output for "-"; None: nowhere.

    Raises:
        InputError: the file cannot be written.
    """
    if target is not None:
        write_text(json_text(document, indent=2) + "\n", target)


NOTHING_FOUND_CODE = 5
"""Exit code of a command that found nothing, where the user wants to know by it."""


def fail_if_empty(is_wanted: bool, regions: "Sequence[Any]", phrases: "Iterable[str]" = ()) -> None:
    """End the command where nothing was found and that is a failure to the user.

    Args:
        is_wanted: whether --fail-if-empty was given.
        regions: what was found.
        phrases: what was looked for in vain.

    Raises:
        typer.Exit: with `NOTHING_FOUND_CODE`.
    """
    if not is_wanted or regions:
        return
    names = ", ".join(dict.fromkeys(phrases))
    typer.echo(f"segue: Nothing was found{f': {names}' if names else ''}.", err=True)
    raise typer.Exit(NOTHING_FOUND_CODE)


def write_regions(
    regions: "Regions",
    *,
    overlay_file: Path | None,
    json_target: str | None,
    mask_folder: Path | None,
) -> None:
    """Write regions of one picture as overlay, masks and JSON, each where its target is given."""
    if overlay_file is not None:
        save_picture(regions.draw(), overlay_file)
    if mask_folder is not None:
        write_masks(regions, mask_folder)
    write_json(regions.to_json(), json_target)


def write_text(text: str, target: str) -> None:
    """Write text to a file, or to standard output for "-".

    Raises:
        InputError: the file cannot be written.
    """
    if target == "-":
        sys.stdout.write(text)
        return
    from segue.files import atomic as atomic_file

    atomic_file.write_text(target, text)
