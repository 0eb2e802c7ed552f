"""Ref-DAVIS: expressions about the objects of DAVIS 2017.

Read as it is published, expressions in four text files beside the folders of DAVIS 2017, and in the
layout of Ref-YouTube-VOS into which many convert it.

Source: Khoreva et al. 2018, arXiv:1803.08006.
"""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from segue.annotations.entry_log import EntryLog
from segue.annotations.fields import (
    read_whole,
    short_repr,
)
from segue.benchmarks.dataset import Benchmark, BenchmarkDataset, find_file
from segue.benchmarks.demo_videos import write_ref_davis
from segue.benchmarks.item import BenchmarkItem
from segue.benchmarks.meta_expressions import (
    META,
    annotation_folder,
    dataset_of,
    read_expression,
    read_phrase,
    read_video,
    read_videos,
)
from segue.benchmarks.video_protocols import MevisProtocol, RefDavisProtocol
from segue.benchmarks.video_truth import NumberedPictures, plain_name
from segue.errors import InputError
from segue.files.atomic import printable_path
from segue.files.text import read_text

ANNOTATORS = (
    "Davis17_annot1.txt",
    "Davis17_annot1_full_video.txt",
    "Davis17_annot2.txt",
    "Davis17_annot2_full_video.txt",
)
"""Of Ref-DAVIS: each of two people saw the first frame, then the whole video."""
_MISSPELLED = {"clasic-car": "classic-car", "dog-scale": "dogs-scale", "motor-bike": "motorbike"}
"""Names of videos in the text files that differ from those of the folders."""


def ref_davis() -> Benchmark:
    """Return Ref-DAVIS 2017."""
    return Benchmark(
        name="ref-davis",
        title="Ref-DAVIS",
        home="https://davischallenge.org/davis2017/code.html (unsupervised, 480p) and "
        "davis_text_annotations of https://www.mpi-inf.mpg.de (Khoreva et al. 2018)",
        layout="DAVIS/ with JPEGImages/480p, Annotations_unsupervised/480p, ImageSets/2017; "
        "davis_text_annotations/*.txt; or valid/ and meta_expressions/ as of Ref-YouTube-VOS",
        splits=("val", "train"),
        protocols=(RefDavisProtocol(), MevisProtocol()),
        read=read_ref_davis,
        write_demo=write_ref_davis,
        is_video=True,
        published_counts={"val": {"videos": 30}, "train": {"videos": 60}},
    )


def read_ref_davis(folder: Path, split: str, images: Path | None = None) -> BenchmarkDataset:
    """Read the videos of a split; an item has the expressions of one annotator.

    Raises:
        InputError: a file is missing or cannot be read.
    """
    names = ("valid", "val") if split == "val" else (split,)
    for place in ("", "ref-davis/"):
        for name in names:
            meta = folder / f"{place}meta_expressions/{name}/{META}"
            if meta.is_file():
                return _read_converted_davis(meta, meta.parents[2] / name, split, images)
    list_file = find_file(
        folder,
        [f"ImageSets/2017/{split}.txt"],
        ("", "DAVIS", "ref-davis/DAVIS"),
        f"DAVIS/ImageSets/2017/{split}.txt of Ref-DAVIS",
    )
    davis = list_file.parents[2]
    texts = find_file(
        davis,
        ANNOTATORS[:1],
        ("davis_text_annotations", "../davis_text_annotations", ""),
        "davis_text_annotations/ of Ref-DAVIS",
    ).parent
    paths = [texts / name for name in ANNOTATORS if (texts / name).is_file()]
    skipped: list[str] = []
    by_annotator = [_read_davis_texts(path, skipped) for path in paths]
    root = _davis_folder(davis, "JPEGImages")
    annotations = _davis_folder(davis, "Annotations_unsupervised", "Annotations")
    log = EntryLog(list_file, skipped)
    items: list[BenchmarkItem] = []
    for name in filter(None, map(str.strip, read_text(list_file).splitlines())):
        with log.entry(f"video {name}"):
            numbered_files = sorted((annotations / plain_name(name)).glob("*.png"))
            frames = tuple(f"{name}/{file.stem}.jpg" for file in numbered_files)
            if not frames:
                raise InputError(f"{printable_path(annotations / name)} has no masks")
            truth = NumberedPictures(annotations / name, frames)
            for number, expressions in enumerate(by_annotator):
                if own := expressions.get(name):
                    items.append(_davis_item(name, number, frames, dict(own), truth))
    notes = [f"Of four annotators only {len(paths)} are there."] if len(paths) < 4 else []
    if annotations.parent.name == "Annotations":
        notes.append("Annotations_unsupervised is missing; the masks of Annotations are scored.")
    return dataset_of(split, items, root, images, skipped, (list_file, *paths), notes)


def _read_converted_davis(
    meta: Path, root: Path, split: str, images: Path | None
) -> BenchmarkDataset:
    """Read Ref-DAVIS in the layout of Ref-YouTube-VOS: four expressions of each object in turn."""
    skipped: list[str] = []
    log = EntryLog(meta, skipped)
    items: list[BenchmarkItem] = []
    for name, video in read_videos(meta).items():
        with log.entry(f"video {name}"):
            frames, expressions = read_video(name, video)
            truth = NumberedPictures(annotation_folder(root, split) / name, frames)
            by_annotator: list[dict[int, str]] = [{} for _ in ANNOTATORS]
            for place, (number, value) in enumerate(expressions):
                with log.entry(f"video {name}, expression {number}"):
                    phrase, fields = read_expression(value)
                    identity = read_whole(fields["obj_id"], "obj_id")
                    by_annotator[place % len(ANNOTATORS)][identity] = phrase
            for annotator, own in enumerate(by_annotator):
                if own:
                    items.append(_davis_item(name, annotator, frames, own, truth))
    return dataset_of(split, items, root, images, skipped, (meta,))


def _davis_item(
    name: str,
    annotator: int,
    frames: tuple[str, ...],
    expressions: Mapping[int, str],
    truth: "NumberedPictures",
) -> BenchmarkItem:
    """Return the item of one annotator: an expression for each object, in their order."""
    identities = sorted(expressions)
    return BenchmarkItem(
        id=f"{name}-{annotator + 1}",
        image_name=frames[0],
        frame_names=frames,
        phrases=tuple(expressions[identity] for identity in identities),
        category=name,
        image_id=name,
        read_truth=truth.of_video(identities),
    )


def _read_davis_texts(path: Path, skipped: list[str]) -> dict[str, dict[int, str]]:
    """Return the expressions of one annotator by video and object.

    A line has video, number of the object and the expression in quotes. Two files are Latin-1.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"Cannot read {printable_path(path)}: {error.strerror or error}."
        ) from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    expressions: dict[str, dict[int, str]] = defaultdict(dict)
    log = EntryLog(path, skipped)
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        with log.entry(f"line {number}"):
            words = line.split(maxsplit=2)
            if len(words) < 3:
                raise InputError(f"it must be video, object and expression, got {short_repr(line)}")
            identity = read_whole(words[1], "the object")
            expressions[_MISSPELLED.get(words[0], words[0])][identity] = read_phrase(
                words[2].strip().strip('"')
            )
    return dict(expressions)


def _davis_folder(davis: Path, *names: str) -> Path:
    """Return the folder of a resolution, 480p where there is one."""
    for name in names:
        for place in (f"{name}/480p", name, f"{name}/Full-Resolution"):
            if (davis / place).is_dir():
                return davis / place
    raise InputError(f"{printable_path(davis)} has no folder {' or '.join(names)}.")
