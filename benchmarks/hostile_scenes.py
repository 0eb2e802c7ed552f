"""Random scenes with hostile names in every export format, and what is true of them.

    python -m benchmarks.hostile_scenes FOLDER [COUNT]   # writes, and reads back with segue
    python benchmarks/foreign_readers.py FOLDER          # reads with the formats' own libraries

The second runs in an environment of its own, since some of those libraries bring torchvision.
"""

# ruff: noqa: E501

import json
import logging
import random
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image

from segue.export import FORMATS, AnnotatedImage
from segue.export.coco import read_coco
from segue.export.cvat import read_cvat
from segue.export.geojson import read_geojson
from segue.export.label_studio import read_label_studio
from segue.export.labelme import read_labelme
from segue.export.yolo import read_yolo
from segue.values.box import Box, Size
from segue.values.mask import Mask
from segue.values.region import Region

STEMS = (
    "plain", "with space", "飞机 图", "quo\"te's", "new\nline", "tab\tx", "emoji😀", "🐱", "\u3000ideo",
    "nb\u00a0sp", "nn\u202fsp", "a+b&c#d%41", "a;b,c", "_", "---", ".hidden", "x.tar.gz", "Case", "case",
    "👩\u200d👩\u200d👧", "می\u200cخواهم", "cafe\u0301", "caf\u00e9", "<b>&amp;", "back`tick", "{x}", "[0]", "~",
    "\u202eright", "#tag", "a: b", "- x", "null", "1", "100%", "=cmd", "q?x=1&d=2", "…", "ñ" * 60,
)  # fmt: skip
LABELS = (
    "cat", "box, red", "St. Bernard", "a: b", "- x", "#tag", "yes", "null", "1", "it's \"q\"", "{x}", "😀",
    "<b>&amp;", "~", "ünï", "back\\slash", "می\u200cخواهم", "ideo\u3000space", "飞机、云", "100%", "[a]", "x" * 80,
    "del\x7f", "nel\u0085x", "ls\u2028x", "bom\ufeffx", "'single'", '"double"', "trailing:", "?", "!tag", "&anchor",
)  # fmt: skip


def scenes(count: int, seed: int = 0) -> list[AnnotatedImage]:
    """Pictures with names of every kind, most in folders, each with up to four regions."""
    rng = random.Random(seed)
    made = []
    for number in range(count):
        stem = STEMS[number % len(STEMS)]
        part = number // len(STEMS)
        name = (
            f"{stem}.png" if part == 0 else f"{rng.choice(['sub', '🐱', 'a b'])}{part}/{stem}.png"
        )
        size = Size(rng.randrange(12, 60), rng.randrange(12, 60))
        regions = tuple(region(f"r{n}", size, rng) for n in range(1, rng.randrange(1, 6)))
        made.append(AnnotatedImage(name, size, regions))
    return made


def region(id: str, size: Size, rng: random.Random) -> Region:
    """Draw an ellipse, a ring, noise, a single pixel, or a box without a mask."""
    y, x = np.mgrid[: size.height, : size.width]
    cy, cx = rng.uniform(0, size.height), rng.uniform(0, size.width)
    distance = np.hypot((y - cy) / rng.uniform(2, 20), (x - cx) / rng.uniform(2, 20))
    array = distance <= 1
    kind = rng.randrange(6)
    if kind == 0:
        array &= distance > 0.5
    if kind == 1:
        array &= np.random.default_rng(rng.randrange(2**32)).random(size) < 0.7
    array[int(cy), int(cx)] = True
    if kind == 2:
        array[:] = False
        array[int(cy), int(cx)] = True
    mask = Mask(array)
    assert mask.box is not None
    whole = Region(id, rng.choice(LABELS), mask.box, "detector", mask=mask, score=0.5)
    if kind != 3:
        return whole
    x0, y0 = rng.randrange(size.width - 4), rng.randrange(size.height - 4)
    return replace(whole, mask=None, box=Box(x0, y0, x0 + 3, y0 + 4))


def write(folder: Path, count: int) -> list[AnnotatedImage]:
    """Write all formats, the pictures that LabelMe wants beside its files, and the truth."""
    pictures = scenes(count)
    targets = {
        "coco": "coco.json", "yolo": "yolo", "labelme": "labelme", "label-studio": "tasks.json",
        "cvat": "cvat.xml", "geojson": "geojson",
    }  # fmt: skip
    for name, target in targets.items():
        options = {"categories": LABELS} if name in ("coco", "yolo", "cvat") else {}
        FORMATS.load(name, pictures, folder / target, **options)
    for place in ("labelme", "yolo/images"):
        for picture in pictures:
            file = folder / place / picture.name
            file.parent.mkdir(parents=True, exist_ok=True)
            size_wh = (picture.size.width, picture.size.height)
            PIL.Image.new("L", size_wh).save(file, "PNG")
    truth = [
        {
            "name": picture.name,
            "size": list(picture.size),
            "regions": [
                {
                    "label": r.phrase,
                    "box": list(r.box.corners),
                    "mask": None if r.mask is None else r.mask.array.astype(int).tolist(),
                }
                for r in picture.regions
            ],
        }
        for picture in pictures
    ]
    (folder / "truth.json").write_text(json.dumps(truth), encoding="utf-8")
    (folder / "labels.json").write_text(json.dumps(LABELS), encoding="utf-8")
    return pictures


def read_back(folder: Path, pictures: list[AnnotatedImage]) -> dict[str, int]:
    """Format -> pictures that our own readers give back with other names, masks or labels."""
    sizes = {picture.name: picture.size for picture in pictures}
    read = {
        "coco": read_coco(folder / "coco.json"),
        "cvat": read_cvat(folder / "cvat.xml"),
        "label-studio": read_label_studio(folder / "tasks.json"),
        "yolo": read_yolo(folder / "yolo", sizes),
        "labelme": [read_labelme(f) for f in files_of(folder / "labelme", pictures, ".json")],
        "geojson": [read_geojson(f) for f in files_of(folder / "geojson", pictures, ".geojson")],
    }
    drawn = [picture for picture in pictures if picture.regions]  # Label Studio has no others
    return {
        name: sum(
            not same(one, other, name)
            for one, other in zip(drawn if name == "label-studio" else pictures, made, strict=True)
        )
        for name, made in read.items()
    }


def files_of(folder: Path, pictures: list[AnnotatedImage], suffix: str) -> list[Path]:
    """List the files that belong to pictures, by their stems."""
    return [folder / (picture.name.removesuffix(".png") + suffix) for picture in pictures]


def same(one: AnnotatedImage, other: AnnotatedImage, name: str) -> bool:
    """Whether two pictures say the same, as far as the format can."""
    named = one.name.rpartition("/")[2] if name == "labelme" else one.name
    if other.name != named or other.size != one.size or len(one.regions) != len(other.regions):
        return False
    for before, after in zip(one.regions, other.regions, strict=True):
        label = before.phrase
        if name not in ("geojson",):
            label = " ".join(label.replace("\u2028", " ").replace("\u0085", " ").split(" "))
        mask = before.mask
        if mask is None and name == "yolo":
            mask = Mask.from_box(before.box, one.size)
        if after.phrase != label or after.mask != mask:
            return False
    return True


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    target = Path(sys.argv[1])
    made = write(target, int(sys.argv[2]) if len(sys.argv) > 2 else 500)
    regions = sum(len(picture.regions) for picture in made)
    print(f"{len(made)} pictures, {regions} regions; read back differently by segue:")
    print(read_back(target, made))
