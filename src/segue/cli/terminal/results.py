"""Writing what came out of a command to files, and saying where."""

import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segue.errors import InputError
from segue.files.atomic import json_text

if TYPE_CHECKING:
    from segue.assistant import Assistant
    from segue.conversation import Conversation
    from segue.pipeline.answer import Answer
    from segue.values.image import Image
    from segue.values.region import Region


def begin(assistant: "Assistant", session: Path | None) -> "Conversation":
    """A new conversation, or the one that is kept in a folder."""
    if session is None:
        return assistant.open()
    from segue.conversation.session.read import resume
    from segue.conversation.session.write import FILE

    return resume(session, assistant) if (session / FILE).exists() else assistant.open()


def keep_inputs(outputs: "Iterable[str | Path | None]", inputs: "Iterable[str | Path]") -> None:
    """Refuse to write over what is read, before any model is loaded.

    Args:
        outputs: files that will be written; None and "-" are none.
        inputs: files that were named to be read; what is no file (a URL) does not matter.

    Raises:
        InputError: one of them is both.
    """
    read = [Path(name) for name in inputs if name]
    for target in outputs:
        if target is None or str(target) == "-":
            continue
        for source in read:
            if is_same_file(Path(target), source):
                raise InputError(
                    f"{target} is what is read; it would be lost. Write to another file."
                )


def keep_inputs_from(masks: Path | None, inputs: "Iterable[str | Path]") -> None:
    """Refuse a folder for masks in which a picture that is read has the name of a mask.

    Raises:
        InputError: it has.
    """
    for source in inputs:
        named = re.fullmatch(r"r\d+(-.*)?\.png", Path(source).name)
        if masks is not None and named and is_same_file(masks, Path(source).parent):
            raise InputError(
                f"{source} is what is read, and a mask may take its place. Name another folder."
            )


def overlay_files(file: Path | None, count: int) -> list[Path]:
    """The files of that many overlays: "name.png", "name-2.png", …"""
    if file is None:
        return []
    return [file.with_stem(f"{file.stem}-{n}") if n > 1 else file for n in range(1, count + 1)]


def is_same_file(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file that is there."""
    try:
        return one.samefile(other)
    except (OSError, ValueError):
        return False


def write_overlays(answer: "Answer", file: Path) -> list[Path]:
    """Draw every picture that has regions, else the newest; the second goes to "name-2.png".

    Returns:
        The files written.
    """
    if not answer.images:
        raise InputError("There is no picture to draw on. Give one before the question.")
    shown = sorted({region.image for region in answer.regions}) or [len(answer.images) - 1]
    files = overlay_files(file, len(shown))
    for image, target in zip(shown, files, strict=True):
        save_picture(answer.draw(image), target)
    return files


def save_picture(picture: Any, file: Path) -> None:
    """Save a PIL image in the format that the name says.

    Raises:
        InputError: the name says none, or the file cannot be written.
    """
    from segue.files.atomic import write_picture

    write_picture(file, picture)


def write_masks(regions: "Sequence[Region]", folder: Path) -> list[Path]:
    """One PNG a mask, white on black, named by region and phrase."""
    from segue.export.png import write_masks as write

    return list(write(regions, folder))


def write_json(answer: "Answer", target: str) -> None:
    """Write the answer as JSON to a file, or to standard output for "-"."""
    write_text(json_text(answer.to_json(), indent=2) + "\n", target)


def write_regions(
    image: "Image",
    regions: "Sequence[Region]",
    *,
    out: Path | None,
    json_target: str | None,
    masks: Path | None,
) -> None:
    """Write regions of one picture in the ways that were asked for."""
    from segue.draw import draw_regions
    from segue.values.serialize import region_to_json

    if out is not None:
        save_picture(draw_regions(image, regions), out)
    if masks is not None:
        write_masks(regions, masks)
    if json_target is not None:
        listed = [region_to_json(region) for region in regions]
        write_text(json_text(listed, indent=2) + "\n", json_target)


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
