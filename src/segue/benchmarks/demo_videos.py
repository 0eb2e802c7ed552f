"""Stand-ins of the video benchmarks: four clips of five frames in exactly the published format.

A camera moves over a bundled sample scene, so that its objects move through the frames.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

from segue.benchmarks.demo_pictures import (
    DemoObject,
    DemoPicture,
    absent_noun,
    demo_pictures,
    write_demo_picture,
)
from segue.files.atomic import write_json, write_picture, write_text
from segue.values.image import Image
from segue.values.mask import Mask

N_FRAMES = 5
_STEP = 12
"""Pixels that the camera moves to the right with each frame; downwards it moves three quarters."""
_COLOURS = (0, 0, 0, 200, 0, 0, 0, 200, 0, 200, 200, 0)


@dataclass(frozen=True, slots=True)
class DemoClip:
    """One clip."""

    name: str
    frames: tuple[DemoPicture, ...]
    """Each has the same objects in the same order."""

    @property
    def nouns(self) -> list[str]:
        """What is on it."""
        return [item.noun for item in self.frames[0].objects]


def demo_clips() -> Iterator[DemoClip]:
    """Yield the four clips."""
    for picture in demo_pictures():
        if picture.number % N_FRAMES != 1:  # each scene once, as it is
            continue
        frames = tuple(_part(picture, number) for number in range(N_FRAMES))
        yield DemoClip(picture.scene, frames)


def _part(picture: DemoPicture, number: int) -> DemoPicture:
    """Return what the camera sees of a picture on one frame."""
    right, down = number * _STEP, number * _STEP * 3 // 4
    rest = (N_FRAMES - 1) * _STEP
    height, width = picture.size.height - rest * 3 // 4, picture.size.width - rest
    window = np.s_[down : down + height, right : right + width]
    objects = tuple(
        DemoObject(item.noun, Mask(np.ascontiguousarray(item.mask.array[window])))
        for item in picture.objects
    )
    pixels = np.ascontiguousarray(picture.image.array[window])
    return DemoPicture(number, Image(pixels), objects, picture.scene)


def _write_frames(clip: DemoClip, folder: Path) -> list[str]:
    """Write the frames, and return their names as `meta_expressions.json` has them."""
    names = [f"{frame.number:05}" for frame in clip.frames]
    for frame, name in zip(clip.frames, names, strict=True):
        write_demo_picture(frame, folder / clip.name / f"{name}.jpg")
    return names


def _write_numbers(clip: DemoClip, folder: Path) -> None:
    """Write the masks as pictures whose values are the numbers of the objects, from 1."""
    for frame in clip.frames:
        numbers = np.zeros(frame.size, np.uint8)
        for number, item in enumerate(frame.objects, 1):
            numbers[item.mask.array] = number
        picture = PIL.Image.fromarray(numbers)
        picture.putpalette(_COLOURS)
        write_picture(folder / clip.name / f"{frame.number:05}.png", picture)


def write_mevis(folder: Path) -> str:
    """Write the split "valid_u" of MeViS: single objects, all of a clip, and what is not there."""
    videos: dict[str, Any] = {}
    masks: dict[str, Any] = {}
    for clip in demo_clips():
        identities = []
        for index in range(len(clip.nouns)):
            identities.append(len(masks))
            masks[str(len(masks))] = [frame.objects[index].mask.rle for frame in clip.frames]
        expressions: list[tuple[str, list[int]]] = [
            (noun, [index]) for index, noun in enumerate(clip.nouns)
        ]
        if len(clip.nouns) > 1:
            expressions.append((" and the ".join(clip.nouns), list(range(len(clip.nouns)))))
        expressions.append((absent_noun(clip.frames[0]), []))
        videos[clip.name] = {
            "frames": _write_frames(clip, folder / "valid_u" / "JPEGImages"),
            "expressions": {
                str(number): {
                    "exp": text,
                    "obj_id": indices,
                    "anno_id": [identities[index] for index in indices],
                }
                for number, (text, indices) in enumerate(expressions)
            },
        }
    write_json(folder / "valid_u" / "meta_expressions.json", {"videos": videos})
    write_json(folder / "valid_u" / "mask_dict.json", masks)
    return "valid_u"


def write_ref_youtube_vos(folder: Path) -> str:
    """Write the split "train" of Ref-YouTube-VOS: an expression for each object."""
    videos: dict[str, Any] = {}
    for clip in demo_clips():
        _write_numbers(clip, folder / "train" / "Annotations")
        videos[clip.name] = {
            "frames": _write_frames(clip, folder / "train" / "JPEGImages"),
            "expressions": {
                str(index): {"exp": noun, "obj_id": str(index + 1)}
                for index, noun in enumerate(clip.nouns)
            },
        }
    write_json(folder / "meta_expressions" / "train" / "meta_expressions.json", {"videos": videos})
    return "train"


def write_ref_davis(folder: Path) -> str:
    """Write the split "val" of Ref-DAVIS: the folders of DAVIS 2017, and four files of texts."""
    davis, texts = folder / "DAVIS", folder / "davis_text_annotations"
    clips = list(demo_clips())
    for clip in clips:
        _write_frames(clip, davis / "JPEGImages" / "480p")
        _write_numbers(clip, davis / "Annotations_unsupervised" / "480p")
    write_text(davis / "ImageSets" / "2017" / "val.txt", "".join(f"{c.name}\n" for c in clips))
    articles = {"annot1": "", "annot1_full_video": "the ", "annot2": "a ", "annot2_full_video": ""}
    for annotator, article in articles.items():
        lines = [
            f'{clip.name} {number} "{article}{noun}"\n'
            for clip in clips
            for number, noun in enumerate(clip.nouns, 1)
        ]
        write_text(texts / f"Davis17_{annotator}.txt", "".join(lines))
    return "val"
