"""What data sets of expressions about videos share: `meta_expressions.json` and its folders.

The file has under "videos" each video's frames and expressions.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from segue.annotations.fields import (
    read_list,
    read_object,
    read_string,
)
from segue.benchmarks.dataset import BenchmarkDataset
from segue.benchmarks.item import BenchmarkItem
from segue.convert.image_files import ImageFiles
from segue.errors import InputError
from segue.files.atomic import printable_path
from segue.files.text import read_json
from segue.files.unicode import well_formed

META = "meta_expressions.json"


def read_videos(meta: Path) -> Mapping[str, Any]:
    document = read_json(meta)
    if not isinstance(document, Mapping) or not isinstance(document.get("videos"), Mapping):
        raise InputError(f'{printable_path(meta)} must be an object with "videos" by name.')
    videos: Mapping[str, Any] = document["videos"]
    return videos


def read_video(name: str, value: Any) -> tuple[tuple[str, ...], list[tuple[str, Any]]]:
    """Return the names of the frame files, and the expressions with their numbers."""
    fields = read_object(value, "a video")
    stems = [read_string(stem, "a frame") for stem in read_list(fields["frames"], "frames")]
    if not stems:
        raise InputError("it has no frames")
    expressions = read_object(fields["expressions"], "expressions")
    return tuple(f"{name}/{stem}.jpg" for stem in stems), list(expressions.items())


def read_expression(value: Any) -> tuple[str, Mapping[str, Any]]:
    fields = read_object(value, "an expression")
    return read_phrase(read_string(fields["exp"], "exp")), fields


def read_phrase(text: str) -> str:
    phrase = " ".join(well_formed(text).split())
    if not phrase:
        raise InputError("the expression has no words")
    return phrase


def annotation_folder(root: Path, split: str) -> Path:
    """Return the folder of the masks.

    Raises:
        InputError: it is missing, as for splits that are scored on a server.
    """
    if not (root / "Annotations").is_dir():
        raise InputError(
            f"{printable_path(root)} has no Annotations. The masks of {split!r} may be on the "
            "server of the benchmark alone; what has none cannot be scored here."
        )
    return root / "Annotations"


def dataset_of(
    split: str,
    items: list[BenchmarkItem],
    root: Path,
    images: Path | None,
    skipped: list[str],
    files: Sequence[Path],
    notes: Sequence[str] = (),
) -> BenchmarkDataset:
    """Return the data set of some items.

    Raises:
        InputError: there is none.
    """
    if not items:
        reason = f" {skipped[0]}" if skipped else ""
        raise InputError(f"{printable_path(files[0])} has no expression that can be asked.{reason}")
    pictures = root / "JPEGImages" if (root / "JPEGImages").is_dir() else root
    return BenchmarkDataset(
        split=split,
        items=items,
        pictures=ImageFiles({"": [images or pictures]}),
        counts={
            "videos": len({item.image_id for item in items}),
            "expressions": sum(len(item.phrases) for item in items),
        },
        skipped=skipped,
        notes=notes,
        files=files,
    )
