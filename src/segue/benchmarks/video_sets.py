"""Expressions about videos with `meta_expressions.json`: MeViS and Ref-YouTube-VOS.

Masks are run lengths by annotation and frame in `mask_dict.json` (MeViS), or one picture a frame
whose values are the numbers of the objects, `Annotations/<video>/<frame>.png` (Ref-YouTube-VOS).

Sources: https://github.com/henghuiding/MeViS, arXiv:2308.08544; Ref-YouTube-VOS,
https://youtube-vos.org/dataset/rvos.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from segue.annotations.entry_log import EntryLog
from segue.annotations.fields import (
    read_identity,
    read_list,
    read_object,
    read_whole,
)
from segue.benchmarks.dataset import Benchmark, BenchmarkDataset, find_file
from segue.benchmarks.demo_videos import write_mevis, write_ref_youtube_vos
from segue.benchmarks.item import BenchmarkItem
from segue.benchmarks.meta_expressions import (
    META,
    annotation_folder,
    dataset_of,
    read_expression,
    read_video,
    read_videos,
)
from segue.benchmarks.video_protocols import MevisProtocol
from segue.benchmarks.video_truth import NumberedPictures, RunLengthTruth
from segue.errors import InputError
from segue.files.atomic import printable_path
from segue.files.text import read_json

_TARGETS = ("no target", "one target", "several targets")


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
    videos = read_videos(meta)
    masks = read_object(read_json(mask_file), printable_path(mask_file))
    items: list[BenchmarkItem] = []
    for name, video in videos.items():
        with log.entry(f"video {name}"):
            frames, expressions = read_video(name, video)
            for number, value in expressions:
                with log.entry(f"video {name}, expression {number}"):
                    phrase, fields = read_expression(value)
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
                            read_truth=RunLengthTruth(tracks),
                        )
                    )
    return dataset_of(split, items, meta.parent, images, skipped, (meta, mask_file))


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
    for name, video in read_videos(meta).items():
        with log.entry(f"video {name}"):
            frames, expressions = read_video(name, video)
            truth = NumberedPictures(annotation_folder(root, split) / name, frames)
            for number, value in expressions:
                with log.entry(f"video {name}, expression {number}"):
                    phrase, fields = read_expression(value)
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
    return dataset_of(split, items, root, images, skipped, (meta,))


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
