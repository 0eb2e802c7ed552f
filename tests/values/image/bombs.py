"""Small files that claim as many pixels as they may, and what each costs.

Run as a program it decodes every one of them under a limit of address space and writes
{"kind": bytes a pixel} as JSON; Linux only.
"""

import io
import json
import os
import re
import resource
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import PIL.Image
import PIL.ImageCms

from segue.values.image import Image
from segue.values.image.pixels import Limits

SIDE = 2400
PIXELS = SIDE * SIDE
KINDS = {
    "png": 12,
    "png, transparent": 12,
    "png, palette with a transparent colour": 12,
    "png, grey with alpha": 12,
    "png, 16 bits": 12,
    "png, one bit": 12,
    "png, one row": 12,
    "png, three columns": 12,
    "png, turned by EXIF": 12,
    "jpeg": 12,
    "jpeg, progressive": 12,
    "jpeg, CMYK": 12,
    "jpeg, CMYK with a profile": 12,
    "webp": 12,
    "webp, transparent": 12,
    "webp, lossy and transparent": 12,
    "webp, animation": 13.0,
    "gif": 12,
    "tiff, fax": 12,
    "tiff, CMYK": 12,
    "tiff, transparent": 12,
    "bmp": 12,
    "ppm": 12,
    "avif": 12,
    "avif, transparent": 15.0,
}
"""The kind -> bytes a pixel that it may take while it is opened, the result's 3 included, and some
megabytes that a process of its own takes (.7 here)."""


def bomb(kind: str, side: int = SIDE) -> bytes:
    """A file of side x side pixels."""
    format, _, more = kind.partition(", ")
    size = {"one row": (side * side, 1), "three columns": (3, side * side // 3)}
    mode = "RGB"
    if "alpha" in more:
        mode = "LA"
    elif "transparent" in more or more == "animation":
        mode = "RGBA"
    elif "CMYK" in more:
        mode = "CMYK"
    elif more == "16 bits":
        mode = "I;16"
    elif more in ("one bit", "fax") or format in ("bmp", "ppm"):
        mode = "1"
    if "palette" in more or format == "gif":
        mode = "P"
    picture = PIL.Image.new(mode, size.get(more, (side, side)))
    other = PIL.Image.new(mode, picture.size, 9)
    options = {}
    if "palette" in more:
        picture.putpalette([9, 8, 7] * 256)
        options = {"transparency": 0}
    if more == "turned by EXIF":
        options["exif"] = PIL.Image.Exif()
        options["exif"][0x0112] = 6
    if "profile" in more:
        profile = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB"))
        options["icc_profile"] = profile.tobytes()
    options |= {
        "jpeg, progressive": {"progressive": True, "subsampling": 0},
        "webp": {"lossless": True},
        "webp, transparent": {"lossless": True},
        "tiff, fax": {"compression": "group4"},
        "tiff, CMYK": {"compression": "tiff_lzw"},
        "tiff, transparent": {"compression": "tiff_lzw"},
        "avif": {"speed": 10},
        "avif, transparent": {"speed": 10, "subsampling": "4:4:4"},
        "webp, animation": {
            "save_all": True, "lossless": True, "append_images": [other]
        },
    }.get(kind, {})  # fmt: skip
    out = io.BytesIO()
    picture.save(out, format, **options)
    return out.getvalue()


def kept(name: str) -> int:
    """A number of /proc/self/status, in bytes."""
    with open("/proc/self/status", encoding="ascii") as file:
        found = re.search(rf"{name}:\s+(\d+) kB", file.read())
    assert found is not None
    return int(found[1]) * 1024


def cost(data: bytes) -> float:
    """Bytes a pixel that opening a file takes beyond what the process held."""
    with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write("5")
    before = kept("VmRSS")
    image = Image.open(data, limits=Limits(max_pixels=PIXELS, max_side=PIXELS))
    assert image.size.height * image.size.width >= PIXELS - 3
    return (kept("VmHWM") - before) / PIXELS


def apart(work: Callable[[], float]) -> float:
    """What a call returns in a child of its own, which finds no memory that another one left."""
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        with os.fdopen(write, "w") as out:
            json.dump(work(), out)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return float(text)


def main(folder: Path) -> None:
    """Measure the files in a folder, `<kind>` large and `<kind> small`."""
    for kind in KINDS:
        # What a decoder loads once is not a cost of the picture.
        Image.open((folder / f"{kind} small").read_bytes())
    files = {kind: (folder / kind).read_bytes() for kind in KINDS}
    room = kept("VmSize") + 20 * PIXELS  # decoders that copy the picture once more would not fit
    resource.setrlimit(resource.RLIMIT_AS, (room, room))
    found = {kind: round(apart(partial(cost, data)), 2) for kind, data in files.items()}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
