"""The manifest of a run: a JSON file that says with which settings and models its results came."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from segue.errors import InputError
from segue.files.atomic import printable_path, write_json
from segue.files.text import read_json
from segue.runs.settings import differences


def read_manifest(file: Path, format: int, kind: str) -> Mapping[str, Any]:
    """Read a manifest.

    Args:
        file: the manifest, in the folder of the run.
        format: the one that can be read.
        kind: what the run is called in messages, "tracking run".

    Raises:
        InputError: there is none, or it is of another format.
    """
    folder = printable_path(file.parent)
    if not file.is_file():
        raise InputError(
            f"{folder} is no {kind}: it has no {file.name}. Name the folder that --out named."
        )
    manifest = read_json(file)
    if not isinstance(manifest, Mapping) or manifest.get("format") != format:
        raise InputError(f"{folder} is no {kind} of format {format}.")
    return manifest


def begin_run(
    file: Path, manifest: Mapping[str, Any], kind: str, *, may_change: bool = False
) -> None:
    """Write the manifest of a new run, or check that the run that is there has the same.

    Args:
        file: the manifest; its folder is made where it is not there.
        manifest: settings and facts that results depend on.
        kind: what the run is called in messages.
        may_change: whether an old manifest may be replaced, because nothing depends on it yet.

    Raises:
        InputError: there is a run of other settings, or other files are in the folder.
    """
    folder, manifest = printable_path(file.parent), json.loads(json.dumps(manifest))  # as read
    if file.is_file() and not may_change:
        if changes := differences(read_manifest(file, manifest["format"], kind), manifest):
            raise InputError(
                f"{folder} is a {kind} of other settings: {'; '.join(changes)}. Use the same, or "
                "name another folder."
            )
        return
    if not file.is_file() and file.parent.is_dir() and any(file.parent.iterdir()):
        raise InputError(f"{folder} holds other files. Name an empty or a new folder.")
    write_json(file, manifest, indent=1)
