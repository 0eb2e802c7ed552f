"""Fetch the drawing styles by package name and turn them into sprites.

The drawings come from npm packages, fetched with `npm pack` (nothing of theirs is executed) and
rasterised with resvg. They are kept, as one array, in a per-user cache: `SEGUE_CACHE` or
`~/.cache/segue`. What ships inside the package is a small sheet of two styles, written by
`write_sheet`; see `sprites.py` for reading either.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from segue.embedded.sprites import SIDE, Sprite, SpriteBank, fit, write_bank
from segue.embedded.vocabulary import Noun, nouns
from segue.errors import MissingExtra, SegueError


@dataclass(frozen=True)
class ArtSource:
    """One drawing style and where its drawings come from.

    `kind` says how the package stores them: an Iconify JSON file with SVG bodies, or one
    SVG or WebP file per code point.
    """

    style: str
    package: str
    version: str
    licence: str
    kind: Literal["iconify", "svg", "webp"]
    train: bool = True


SOURCES = (
    ArtSource("noto", "@iconify-json/noto", "1.2.9", "Apache-2.0", "iconify"),
    ArtSource("noto-v1", "@iconify-json/noto-v1", "1.2.5", "Apache-2.0", "iconify"),
    ArtSource("fluent", "@iconify-json/fluent-emoji", "1.2.7", "MIT", "iconify"),
    ArtSource("fluent-flat", "@iconify-json/fluent-emoji-flat", "1.2.6", "MIT", "iconify"),
    ArtSource("fluent-3d", "@lobehub/fluent-emoji-3d", "1.1.0", "MIT", "webp"),
    ArtSource("emojione", "@iconify-json/emojione", "1.2.3", "CC-BY-4.0", "iconify"),
    ArtSource("fxemoji", "@iconify-json/fxemoji", "1.2.2", "Apache-2.0", "iconify"),
    # The held-out style. It is fetched for evaluation and never trained on.
    ArtSource("twemoji", "@twemoji/svg", "15.0.0", "CC-BY-4.0", "svg", train=False),
)

# fxemoji names its drawings in its own way; these differ from the slug without its hyphens.
_FXEMOJI_NAMES = {
    "rabbit": "bunnyside",
    "rabbit-face": "bunny",
    "panda": "pandaface",
    "two-hump-camel": "bactriancamel",
    "ear-of-corn": "earofmaize",
    "pizza": "sliceofpizza",
    "mobile-phone": "cellphone",
    "laptop": "personalcomputer",
    "scissors": "blackscissors",
    "wrapped-gift": "present",
    "backpack": "schoolsatchel",
    "evergreen-tree": "evergreen",
    "house": "housebuilding",
    "cat": "catside",
    "cat-face": "cat",
    "dog": "dogside",
    "dog-face": "dog",
}


def cache_folder() -> Path:
    """The per-user cache: `SEGUE_CACHE`, else `~/.cache/segue`. Not created here."""
    return Path(os.environ.get("SEGUE_CACHE") or Path.home() / ".cache" / "segue")


def art_path() -> Path:
    """Where `fetch_art` keeps the rasterised drawings."""
    return cache_folder() / "art" / "sprites.npz"


def fetch_art(*, refresh: bool = False) -> Path:
    """Download every style and rasterise it; return the path of the sprite file.

    Does nothing when the file is there, unless `refresh`. Needs `npm` and the package
    `resvg_py`. Raises SegueError where one of them is missing or a download fails.
    """
    target = art_path()
    if target.exists() and not refresh:
        return target
    packages = cache_folder() / "art" / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    sprites = [sprite for source in SOURCES for sprite in _rasterise(source, packages)]
    write_bank(target, SpriteBank(tuple(sprites)))
    return target


def _download(source: ArtSource, folder: Path) -> Path:
    name = source.package.lstrip("@").replace("/", "-")
    archive = folder / f"{name}-{source.version}.tgz"
    if archive.exists():
        return archive
    command = ["npm", "pack", f"{source.package}@{source.version}", "--silent"]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise SegueError(
            "cannot fetch the drawings: the command `npm` was not found; "
            "install Node.js, or use the sprite sheet that comes with the package"
        ) from error
    except subprocess.CalledProcessError as error:
        raise SegueError(
            f"cannot fetch {source.package} {source.version}: npm said {error.stderr.strip()!r}; "
            "check the network and the registry setting of npm"
        ) from error
    return archive


def _rasterise(source: ArtSource, folder: Path) -> Iterator[Sprite]:
    with tarfile.open(_download(source, folder)) as archive:
        members = {member.name: member for member in archive.getmembers()}

        def read(name: str) -> bytes | None:
            file = archive.extractfile(members[name]) if name in members else None
            return file.read() if file else None

        icons = json.loads(read("package/icons.json") or b"{}")
        for noun in nouns():
            for codepoint, slug in zip(noun.codepoints, noun.names, strict=True):
                picture = _drawing(source, read, icons, codepoint, slug)
                if picture is not None and (pixels := fit(picture)) is not None:
                    yield Sprite(noun.index, source.style, pixels)


def _drawing(
    source: ArtSource, read: Any, icons: dict[str, Any], codepoint: str, slug: str
) -> Image.Image | None:
    if source.kind == "iconify":
        svg = _iconify_svg(icons, _iconify_name(source, slug))
        return _draw_svg(svg) if svg else None
    folder, ending = ("package/assets/", ".webp") if source.kind == "webp" else ("package/", ".svg")
    for name in (codepoint, f"{codepoint}-fe0f"):
        if (content := read(f"{folder}{name}{ending}")) is not None:
            if source.kind == "webp":
                return Image.open(io.BytesIO(content)).convert("RGBA")
            return _draw_svg(content.decode("utf-8"))
    return None


def _iconify_name(source: ArtSource, slug: str) -> str:
    if source.style != "fxemoji":
        return slug
    return _FXEMOJI_NAMES.get(slug, slug.replace("-", ""))


def _iconify_svg(icons: dict[str, Any], name: str) -> str | None:
    alias = icons.get("aliases", {}).get(name)
    icon = icons["icons"].get(alias["parent"] if alias else name)
    if icon is None:
        return None
    width = icon.get("width", icons.get("width", 16))
    height = icon.get("height", icons.get("height", 16))
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="0 0 {width} {height}">{icon["body"]}</svg>'
    )


def _draw_svg(svg: str, side: int = SIDE) -> Image.Image:
    try:
        import resvg_py
    except ImportError as error:
        raise MissingExtra(
            "Drawing SVG needs the package resvg_py, which is not installed. "
            "Install it: pip install 'segue[train]'"
        ) from error
    content = resvg_py.svg_to_bytes(svg_string=svg, width=2 * side, height=2 * side)
    return Image.open(io.BytesIO(bytes(content))).convert("RGBA")


def large_drawing(style: str, slug: str, side: int) -> Sprite:
    """One drawing of an Iconify style at another size: its longest side is `side` pixels.

    `slug` is one of the names in the vocabulary. Raises SegueError where there is none.
    """
    source = next((s for s in SOURCES if s.style == style and s.kind == "iconify"), None)
    noun = next((noun for noun in nouns() if slug in noun.names), None)
    if source is None or noun is None:
        raise SegueError(f"no drawing {slug!r} in style {style!r}; see vocabulary.tsv and SOURCES")
    packages = cache_folder() / "art" / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    with tarfile.open(_download(source, packages)) as archive:
        file = archive.extractfile("package/icons.json")
        icons = json.loads(file.read() if file else b"{}")
    svg = _iconify_svg(icons, _iconify_name(source, slug))
    pixels = fit(_draw_svg(svg, side), side) if svg else None
    if pixels is None:
        raise SegueError(f"style {style!r} has no drawing {slug!r}")
    return Sprite(noun.index, style, pixels)


def coverage(bank: SpriteBank) -> dict[str, list[str]]:
    """For each style, the English names of the nouns it has no drawing of."""
    everything: tuple[Noun, ...] = nouns()
    found = {style: np.zeros(len(everything), bool) for style in bank.styles}
    for sprite in bank.sprites:
        found[sprite.style][sprite.noun] = True
    return {
        style: [noun.english for noun in everything if not has[noun.index]]
        for style, has in found.items()
    }
