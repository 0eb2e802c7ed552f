"""Expressions about videos: MeViS, Ref-DAVIS and Ref-YouTube-VOS.

`meta_expressions.json` has under "videos" each video's frames and expressions. Masks are run
lengths by annotation and frame in `mask_dict.json` (MeViS), or one picture a frame whose values are
the numbers of the objects, `Annotations/<video>/<frame>.png` (Ref-YouTube-VOS). Ref-DAVIS is read
as it is published, expressions in four text files beside the folders of DAVIS 2017, and in the
layout of Ref-YouTube-VOS into which many convert it.

Sources: https://github.com/henghuiding/MeViS, arXiv:2308.08544; Ref-DAVIS, arXiv:1803.08006;
Ref-YouTube-VOS, https://youtube-vos.org/dataset/rvos.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

from segue.annotations.entry_log import EntryLog
from segue.annotations.fields import (
    read_identity,
    read_list,
    read_object,
    read_string,
    read_whole,
    short_repr,
)
from segue.annotations.segmentation import read_rle
from segue.benchmarks.dataset import Benchmark, BenchmarkDataset, find_file
from segue.benchmarks.demo_videos import write_mevis, write_ref_davis, write_ref_youtube_vos
from segue.benchmarks.item import BenchmarkItem, VideoTruth
from segue.benchmarks.video_protocols import MevisProtocol, RefDavisProtocol
from segue.convert.image_files import ImageFiles
from segue.errors import InputError
from segue.files.atomic import printable_path
from segue.files.text import read_json, read_text
from segue.files.unicode import well_formed
from segue.values.box import Size

META = "meta_expressions.json"
ANNOTATORS = (
    "Davis17_annot1.txt",
    "Davis17_annot1_full_video.txt",
    "Davis17_annot2.txt",
    "Davis17_annot2_full_video.txt",
)
"""Of Ref-DAVIS: each of two people saw the first frame, then the whole video."""
_MISSPELLED = {"clasic-car": "classic-car", "dog-scale": "dogs-scale", "motor-bike": "motorbike"}
"""Names of videos in the text files that differ from those of the folders."""
_TARGETS = ("no target", "one target", "several targets")
_VOID = 255
"""Value of pixels that DAVIS gives to no object."""


def mevis() -> Benchmark:
    """Return MeViS, of both versions."""
    return Benchmark(
        name="mevis",
        title="MeViS",
        home="https://github.com/henghuiding/MeViS, https://huggingface.co/datasets/FudanCVL/MeViSv2",
        layout="valid_u/ with meta_expressions.json, mask_dict.json and JPEGImages/VIDEO/*.jpg",
        splits=("valid_u", "train"),
        protocols=(MevisProtocol(),),
        read=read_mevis,
        write_demo=write_mevis,
        is_video=True,
        published_counts={
            "valid_u": {"videos": 50, "expressions": 907},
            "train": {"videos": 1662, "expressions": 27502},
        },
    )


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


def ref_youtube_vos() -> Benchmark:
    """Return Ref-YouTube-VOS, whose masks are published for training only."""
    return Benchmark(
        name="ref-youtube-vos",
        title="Ref-YouTube-VOS",
        home="https://youtube-vos.org/dataset/rvos",
        layout="meta_expressions/train/meta_expressions.json, train/JPEGImages/VIDEO/*.jpg, "
        "train/Annotations/VIDEO/*.png",
        splits=("train",),
        protocols=(MevisProtocol(),),
        read=read_ref_youtube_vos,
        write_demo=write_ref_youtube_vos,
        is_video=True,
    )


def read_mevis(folder: Path, split: str, images: Path | None = None) -> BenchmarkDataset:
    """Read the expressions of a split, each an item.

    Raises:
        InputError: a file is missing or cannot be read.
    """
    places = [f"{place}{split}" for place in ("", "mevis/", "MeViS/", "data/mevis/")]
    meta = find_file(folder, [META], places, f"{split}/{META} of MeViS")
    mask_file = meta.with_name("mask_dict.json")
    if not mask_file.is_file():
        raise InputError(
            f"Beside {printable_path(meta)} there is no mask_dict.json. The masks of 'valid' and "
            "'test' are on MeViS's server alone; those of 'valid_u' and 'train' are published."
        )
    skipped: list[str] = []
    log = EntryLog(meta, skipped)
    videos = _read_videos(meta)
    masks = read_object(read_json(mask_file), printable_path(mask_file))
    items: list[BenchmarkItem] = []
    for name, video in videos.items():
        with log.entry(f"video {name}"):
            frames, expressions = _read_video(name, video)
            for number, value in expressions:
                with log.entry(f"video {name}, expression {number}"):
                    phrase, fields = _read_expression(value)
                    tracks = [
                        _read_track(masks, identity, len(frames))
                        for identity in read_list(fields["anno_id"], "anno_id")
                    ]
                    items.append(
                        BenchmarkItem(
                            id=f"{name}-{number}",
                            image_name=frames[0],
                            frame_names=frames,
                            phrases=(phrase,),
                            category=_TARGETS[min(len(tracks), 2)],
                            image_id=name,
                            read_truth=_RunLengthTruth(tracks),
                        )
                    )
    return _dataset(split, items, meta.parent, images, skipped, (meta, mask_file))


def read_ref_youtube_vos(folder: Path, split: str, images: Path | None = None) -> BenchmarkDataset:
    """Read the expressions of a split, each an item.

    Raises:
        InputError: a file is missing or cannot be read.
    """
    places = [f"{place}meta_expressions/{split}" for place in ("", "ref-youtube-vos/")]
    meta = find_file(folder, [META], places, f"meta_expressions/{split}/{META}")
    root = meta.parents[2] / split
    skipped: list[str] = []
    log = EntryLog(meta, skipped)
    items: list[BenchmarkItem] = []
    for name, video in _read_videos(meta).items():
        with log.entry(f"video {name}"):
            frames, expressions = _read_video(name, video)
            truth = _NumberedPictures(_annotation_folder(root, split) / name, frames)
            for number, value in expressions:
                with log.entry(f"video {name}, expression {number}"):
                    phrase, fields = _read_expression(value)
                    identity = read_whole(fields["obj_id"], "obj_id")
                    items.append(
                        BenchmarkItem(
                            id=f"{name}-{number}",
                            image_name=frames[0],
                            frame_names=frames,
                            phrases=(phrase,),
                            image_id=name,
                            read_truth=truth.of_objects([identity]),
                        )
                    )
    return _dataset(split, items, root, images, skipped, (meta,))


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
            numbered_files = sorted((annotations / _plain_name(name)).glob("*.png"))
            frames = tuple(f"{name}/{file.stem}.jpg" for file in numbered_files)
            if not frames:
                raise InputError(f"{printable_path(annotations / name)} has no masks")
            truth = _NumberedPictures(annotations / name, frames)
            for number, expressions in enumerate(by_annotator):
                if own := expressions.get(name):
                    items.append(_davis_item(name, number, frames, dict(own), truth))
    notes = [f"Of four annotators only {len(paths)} are there."] if len(paths) < 4 else []
    if annotations.parent.name == "Annotations":
        notes.append("Annotations_unsupervised is missing; the masks of Annotations are scored.")
    return _dataset(split, items, root, images, skipped, (list_file, *paths), notes)


def _read_converted_davis(
    meta: Path, root: Path, split: str, images: Path | None
) -> BenchmarkDataset:
    """Read Ref-DAVIS in the layout of Ref-YouTube-VOS: four expressions of each object in turn."""
    skipped: list[str] = []
    log = EntryLog(meta, skipped)
    items: list[BenchmarkItem] = []
    for name, video in _read_videos(meta).items():
        with log.entry(f"video {name}"):
            frames, expressions = _read_video(name, video)
            truth = _NumberedPictures(_annotation_folder(root, split) / name, frames)
            by_annotator: list[dict[int, str]] = [{} for _ in ANNOTATORS]
            for place, (number, value) in enumerate(expressions):
                with log.entry(f"video {name}, expression {number}"):
                    phrase, fields = _read_expression(value)
                    identity = read_whole(fields["obj_id"], "obj_id")
                    by_annotator[place % len(ANNOTATORS)][identity] = phrase
            for annotator, own in enumerate(by_annotator):
                if own:
                    items.append(_davis_item(name, annotator, frames, own, truth))
    return _dataset(split, items, root, images, skipped, (meta,))


def _davis_item(
    name: str,
    annotator: int,
    frames: tuple[str, ...],
    expressions: Mapping[int, str],
    truth: "_NumberedPictures",
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
            expressions[_MISSPELLED.get(words[0], words[0])][identity] = _phrase(
                words[2].strip().strip('"')
            )
    return dict(expressions)


def _phrase(text: str) -> str:
    phrase = " ".join(well_formed(text).split())
    if not phrase:
        raise InputError("the expression has no words")
    return phrase


def _davis_folder(davis: Path, *names: str) -> Path:
    """Return the folder of a resolution, 480p where there is one."""
    for name in names:
        for place in (f"{name}/480p", name, f"{name}/Full-Resolution"):
            if (davis / place).is_dir():
                return davis / place
    raise InputError(f"{printable_path(davis)} has no folder {' or '.join(names)}.")


def _annotation_folder(root: Path, split: str) -> Path:
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


def _dataset(
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


def _read_videos(meta: Path) -> Mapping[str, Any]:
    document = read_json(meta)
    if not isinstance(document, Mapping) or not isinstance(document.get("videos"), Mapping):
        raise InputError(f'{printable_path(meta)} must be an object with "videos" by name.')
    videos: Mapping[str, Any] = document["videos"]
    return videos


def _read_video(name: str, value: Any) -> tuple[tuple[str, ...], list[tuple[str, Any]]]:
    """Return the names of the frame files, and the expressions with their numbers."""
    fields = read_object(value, "a video")
    stems = [read_string(stem, "a frame") for stem in read_list(fields["frames"], "frames")]
    if not stems:
        raise InputError("it has no frames")
    expressions = read_object(fields["expressions"], "expressions")
    return tuple(f"{name}/{stem}.jpg" for stem in stems), list(expressions.items())


def _read_expression(value: Any) -> tuple[str, Mapping[str, Any]]:
    fields = read_object(value, "an expression")
    return _phrase(read_string(fields["exp"], "exp")), fields


def _read_track(masks: Mapping[str, Any], identity: Any, n_frames: int) -> Sequence[Any]:
    """Return the run lengths of one object, one a frame.

    Raises:
        InputError: there are none, or of other frames.
    """
    number = str(read_identity(identity, "anno_id"))
    if number not in masks:
        raise InputError(f"mask_dict.json has no annotation {number}")
    track = read_list(masks[number], f"annotation {number}")
    if len(track) != n_frames:
        raise InputError(f"annotation {number} has {len(track)} masks for {n_frames} frames")
    return track


class _RunLengthTruth:
    """Masks of MeViS: for each object one run lengths a frame, or null."""

    def __init__(self, tracks: Sequence[Sequence[Any]]) -> None:
        self._tracks = tracks

    def __call__(self, size: Size) -> VideoTruth:
        def read_frame(frame: int) -> np.ndarray:
            objects = np.zeros((len(self._tracks), *size), bool)
            for index, track in enumerate(self._tracks):
                if track[frame]:
                    objects[index] = read_rle(read_object(track[frame], "a mask"), size)
            return objects

        return VideoTruth(len(self._tracks), (tuple(range(len(self._tracks))),), read_frame)


class _NumberedPictures:
    """Masks as pictures, one a frame, whose values are the numbers of the objects."""

    def __init__(self, folder: Path, frames: Sequence[str]) -> None:
        """Name the pictures, which have the names of the frames.

        Raises:
            InputError: the name of a frame leads outside the folder.
        """
        stems = [_plain_name(Path(name).stem) for name in frames]
        _plain_name(folder.name)
        self._files = [folder / f"{stem}.png" for stem in stems]

    def of_objects(self, numbers: Sequence[int]) -> "_ObjectsTruth":
        """Return the truth of one expression about the objects of some numbers."""
        return _ObjectsTruth(self, tuple(numbers), (tuple(range(len(numbers))),))

    def of_video(self, numbers: Sequence[int]) -> "_VideoObjectsTruth":
        """Return the truth of a video: all objects, one expression about each of some."""
        return _VideoObjectsTruth(self, tuple(numbers))

    def read(self, frame: int, size: Size | None = None) -> np.ndarray:
        """Return the numbers of the objects on a frame, (H, W); 0 is none.

        Raises:
            InputError: there is no such picture, it is of another kind or another size.
        """
        file = self._files[frame]
        try:
            with PIL.Image.open(file) as picture:
                numbers = np.asarray(picture)
        except (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError) as error:
            raise InputError(f"The mask {printable_path(file)} does not open: {error}.") from error
        if numbers.ndim != 2:
            raise InputError(
                f"The mask {printable_path(file)} must have one number a pixel, got colours."
            )
        if size is not None and numbers.shape != tuple(size):
            raise InputError(
                f"The mask {printable_path(file)} is {numbers.shape} (height, width), its frame "
                f"{tuple(size)}."
            )
        return numbers

    def highest(self) -> int:
        """Return the highest number of an object on the first frame.

        Raises:
            InputError: as `read`.
        """
        numbers = self.read(0)
        return int(numbers[numbers != _VOID].max(initial=0))


class _ObjectsTruth:
    """The objects of some numbers."""

    def __init__(
        self,
        pictures: _NumberedPictures,
        numbers: tuple[int, ...],
        objects_of_phrase: tuple[tuple[int, ...], ...],
    ) -> None:
        self._pictures, self._numbers = pictures, numbers
        self._objects_of_phrase = objects_of_phrase

    def __call__(self, size: Size) -> VideoTruth:
        def read_frame(frame: int) -> np.ndarray:
            numbers = self._pictures.read(frame, size)
            return np.asarray(numbers == np.array(self._numbers)[:, None, None])

        def read_void(frame: int) -> np.ndarray:
            return self._pictures.read(frame, size) == _VOID

        return VideoTruth(len(self._numbers), self._objects_of_phrase, read_frame, read_void)


class _VideoObjectsTruth:
    """All objects of a video of DAVIS: the numbers from 1 to the highest on the first frame."""

    def __init__(self, pictures: _NumberedPictures, numbers: tuple[int, ...]) -> None:
        self._pictures, self._numbers = pictures, numbers

    def __call__(self, size: Size) -> VideoTruth:
        n_objects = self._pictures.highest()
        objects_of_phrase = tuple(
            (number - 1,) if 1 <= number <= n_objects else () for number in self._numbers
        )
        truth = _ObjectsTruth(self._pictures, tuple(range(1, n_objects + 1)), objects_of_phrase)
        return truth(size)


def _plain_name(name: str) -> str:
    """Return the name of a file or folder.

    Raises:
        InputError: it leads elsewhere.
    """
    if not name or name in (".", "..") or any(mark in name for mark in "/\\\0"):
        raise InputError(f"the name {short_repr(name)} leads outside its folder")
    return name
