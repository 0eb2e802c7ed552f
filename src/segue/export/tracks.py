"""What a tracking run found, in files: COCO with track ids, MOT text, an overlay film, a sheet.

All of them are written from the journal frame by frame; nothing holds more than a frame.

COCO: kept are masks exactly (compressed RLE), boxes, scores, times, and where a track is lost (no
annotation); lost are reasons. `videos`, `tracks`, `video_id`, `track_id` as TAO has them.
MOT: boxes and scores; masks are lost. Frames, ids and corners count from 1, as MOTChallenge has it.

Sources: https://github.com/TAO-Dataset/tao (COCO with tracks); Milan et al. 2016, arXiv:1603.00831
(MOT16).
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

from segue.draw import draw_regions
from segue.draw.palette import OKABE_ITO, Colour, shade
from segue.errors import InputError
from segue.files.atomic import json_text, replacing, write_picture
from segue.runs.tracking.entries import TrackedFrame
from segue.runs.tracking.store import TrackStore
from segue.video.frames import Video
from segue.video.writing import write_film

SHEET_FRAMES = 8
"""Frames of a contact sheet."""
_CELL_WIDTH = 480  # pixels, of one frame of the sheet, at most


def track_colours(store: TrackStore) -> dict[str, Colour]:
    """Return the colour of each track by its id as text; the same in every picture of a run."""
    return {
        str(id): shade(OKABE_ITO[(id - 1) % len(OKABE_ITO)], (id - 1) // len(OKABE_ITO))
        for id in store.tracks
    }


def write_coco_tracks(store: TrackStore, video: Video, target: str | Path) -> Path:
    """Write all frames into one COCO file with track ids, which pycocotools reads.

    Args:
        store: the run.
        video: what it looked through.
        target: the .json file.

    Raises:
        InputError: the file cannot be written.
    """
    target = Path(target)
    labels = list(dict.fromkeys(_label(track.phrase) for track in store.tracks.values()))
    categories = {label: number for number, label in enumerate(labels, 1)}
    document: dict[str, Any] = {
        "videos": [
            {
                "id": 1,
                "name": video.name,
                "height": video.size.height,
                "width": video.size.width,
                "n_frames": len(video.times),
            }
        ],
        "categories": [{"id": number, "name": label} for label, number in categories.items()],
        "tracks": [
            {"id": track.id, "video_id": 1, "category_id": categories[_label(track.phrase)]}
            for track in store.tracks.values()
        ],
    }
    with replacing(target) as part, part.open("w", encoding="utf-8") as file:
        file.write("{")
        for key, value in document.items():
            file.write(f"{json.dumps(key)}: {json_text(value)},\n")
        for key, rows in (
            ("images", _image_rows(store, video)),
            ("annotations", _annotation_rows(store, categories)),
        ):
            file.write(f'"{key}": [')
            for number, row in enumerate(rows):
                file.write((",\n" if number else "\n") + json_text(row))
            file.write("]}\n" if key == "annotations" else "],\n")
    return target


def write_mot(store: TrackStore, target: str | Path) -> Path:
    """Write the boxes of all tracks as MOTChallenge has them, a line each.

    Frames are counted from 1 in the order of those that were looked at, without holes.

    Raises:
        InputError: the file cannot be written.
    """
    target = Path(target)
    with replacing(target) as part, part.open("w", encoding="ascii") as file:
        for place, frame in enumerate(store.frames(), 1):
            for region in frame.regions(store.tracks):
                box = region.box
                file.write(
                    f"{place},{region.id},{box.x0 + 1:g},{box.y0 + 1:g},{box.width:g},"
                    f"{box.height:g},{region.score or 0:.4f},-1,-1,-1\n"
                )
    return target


def write_overlay_film(store: TrackStore, video: Video, target: str | Path) -> Path:
    """Draw all frames that were looked at, and write them as a film with their times.

    Args:
        store: the run.
        video: what it looked through.
        target: the film: .mp4, .mkv or .mov.

    Raises:
        InputError: the video cannot be read, or the film cannot be written.
        MissingExtra: PyAV is not installed (extra `video`).
    """
    first: float | None = None
    with write_film(target, video.size) as film:
        for frame, picture in _drawings(store, video, store.frames()):
            first = frame.seconds if first is None else first
            film.add(np.asarray(picture), frame.seconds - first)
    return Path(target)


def write_contact_sheet(
    store: TrackStore, video: Video, target: str | Path, n_frames: int = SHEET_FRAMES
) -> Path:
    """Draw a few frames, evenly over what was looked at, as one picture.

    Raises:
        InputError: there is no frame, or the file cannot be written.
    """
    if not store.n_frames:
        raise InputError("The run has no frame yet; there is nothing to draw.")
    places = set(
        np.linspace(0, store.n_frames - 1, min(n_frames, store.n_frames)).round().astype(int)
    )
    chosen = (frame for place, frame in enumerate(store.frames()) if place in places)
    width = min(_CELL_WIDTH, video.size.width)
    height = max(1, round(video.size.height * width / video.size.width))
    cells = [picture.resize((width, height)) for _, picture in _drawings(store, video, chosen)]
    n_columns = min(4, len(cells))
    n_rows = -(-len(cells) // n_columns)
    sheet = PIL.Image.new("RGB", (n_columns * width, n_rows * height), (255, 255, 255))
    for number, cell in enumerate(cells):
        sheet.paste(cell, (number % n_columns * width, number // n_columns * height))
    return write_picture(target, sheet)


def _drawings(
    store: TrackStore, video: Video, frames: Iterator[TrackedFrame]
) -> Iterator[tuple[TrackedFrame, PIL.Image.Image]]:
    """Yield frames with their drawings; frames that cannot be decoded are left out."""
    colours = track_colours(store)
    pending: list[TrackedFrame] = []

    def numbers() -> Iterator[int]:
        for frame in frames:
            pending.append(frame)
            yield frame.number

    for picture in video.read(numbers()):
        while pending and pending[0].number != picture.number:
            pending.pop(0)
        frame = pending.pop(0)
        regions = frame.regions(store.tracks)
        yield frame, draw_regions(picture.image, regions, colours=colours, boxes=False)


def _label(phrase: str) -> str:
    return " ".join(phrase.split()) or "object"


def _image_rows(store: TrackStore, video: Video) -> Iterator[dict[str, Any]]:
    for place, frame in enumerate(store.frames()):
        yield {
            "id": place + 1,
            "video_id": 1,
            "file_name": video.frame_name(frame.number),
            "height": video.size.height,
            "width": video.size.width,
            "frame_index": frame.number,
            "seconds": round(frame.seconds, 6),
        }


def _annotation_rows(store: TrackStore, categories: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    number = 0
    for place, frame in enumerate(store.frames()):
        for region in frame.regions(store.tracks):
            assert region.mask is not None, "only what is seen is a region"
            number += 1
            yield {
                "id": number,
                "image_id": place + 1,
                "video_id": 1,
                "track_id": int(region.id),
                "category_id": categories[_label(region.phrase)],
                "segmentation": region.mask.rle,
                "bbox": list(region.box.xywh),
                "area": float(region.mask.area),
                "iscrowd": 0,
                "score": region.score,
            }
