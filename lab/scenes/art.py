"""Fetch the drawing styles by package name and turn them into sprites.

The drawings come from npm packages, fetched with `npm pack` (nothing of theirs is executed) and
rasterised with resvg. They are cached, as one array, in `segue.files.folders.cache_folder()`. A
small sheet of two styles lies beside this file; see `sprites.py`.
"""

import io
import json
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from lab.scenes.sprites import (
    SIDE,
    THIRD_WORLD_STYLE,
    Sprite,
    SpriteBank,
    fit,
    read_bank,
    read_sheet,
    shipped_bank,
    write_bank,
    write_sheet,
)
from lab.scenes.vocabulary import Noun, nouns
from segue.errors import MissingExtra, ModelError, UnknownName
from segue.files.folders import cache_folder


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
    # The held-out styles. They are fetched for evaluation and never trained on.
    ArtSource("twemoji", "@twemoji/svg", "15.0.0", "CC-BY-4.0", "svg", train=False),
    ArtSource(
        "openmoji", "@iconify-json/openmoji", "1.2.29", "CC-BY-SA-4.0", "iconify", train=False
    ),
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


def art_path() -> Path:
    """Return where `fetch_art` keeps the rasterised drawings."""
    return cache_folder() / "art" / "sprites.npz"


def third_world_path() -> Path:
    """Return where `fetch_art` keeps the drawings of the third held-out world."""
    return cache_folder() / "art" / "third_world.npz"


def best_bank() -> SpriteBank:
    """Return every downloaded style where the cache has them, else the bundled sheet.

    The drawings of the third world are not among them: see `third_world_bank`.
    """
    path = art_path()
    return read_bank(path) if path.exists() else shipped_bank()


def third_world_bank() -> SpriteBank:
    """Return the drawings of the third held-out world; none where they have not been fetched."""
    path = third_world_path()
    return read_bank(path) if path.exists() else SpriteBank(())


def fetch_art(*, refresh: bool = False) -> Path:
    """Download every style and rasterise it; returns the path of the sprite file.

    The style of the third world goes into a file of its own beside it.

    Args:
        refresh: download again what is cached.

    Raises:
        MissingExtra: `npm` or the package `resvg_py` is not installed.
        ModelError: a download fails.
    """
    packages = cache_folder() / "art" / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    third = tuple(source for source in SOURCES if source.style == THIRD_WORLD_STYLE)
    others = tuple(source for source in SOURCES if source not in third)
    for path, sources in ((art_path(), others), (third_world_path(), third)):
        if refresh or not path.exists():
            sprites = [sprite for source in sources for sprite in _rasterise(source, packages)]
            write_bank(path, SpriteBank(tuple(sprites)))
    return art_path()


def pack_art(folder: Path, bank: SpriteBank | None = None) -> int:
    """Write a small file of the drawings that are trained on, for a machine without a network.

    Args:
        folder: where `sheet.webp` and `sheet.json` go.
        bank: all drawings; None: `best_bank()`.

    Returns:
        Their size in bytes.
    """
    bank = bank or best_bank()
    held_out = {source.style for source in SOURCES if not source.train}
    styles = [style for style in bank.styles if style not in held_out]
    write_sheet(bank, folder, styles, SIDE)
    return sum((folder / name).stat().st_size for name in ("sheet.webp", "sheet.json"))


def unpack_art(folder: Path) -> Path:
    """Put what `pack_art` wrote where `best_bank` looks; returns that path.

    Raises:
        ModelError: there is no such file in the folder.
    """
    if not (folder / "sheet.webp").is_file():
        raise ModelError(f"{folder} has no sheet.webp. Write it with: python -m lab pack-art")
    write_bank(art_path(), read_sheet(folder))
    return art_path()


def _download(source: ArtSource, folder: Path) -> Path:
    name = source.package.lstrip("@").replace("/", "-")
    archive = folder / f"{name}-{source.version}.tgz"
    if archive.exists():
        return archive
    command = ["npm", "pack", f"{source.package}@{source.version}", "--silent"]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise MissingExtra(
            "The drawings are downloaded with `npm`, which is not installed. "
            "Install Node.js, or use the sprite sheet of the repository."
        ) from error
    except subprocess.CalledProcessError as error:
        raise ModelError(
            f"{source.package} {source.version} cannot be downloaded: npm said "
            f"{error.stderr.strip()!r}. Check the network and the registry setting of npm."
        ) from error
    return archive


def _rasterise(source: ArtSource, folder: Path) -> Iterator[Sprite]:
    with tarfile.open(_download(source, folder)) as archive:
        members = {member.name: member for member in archive.getmembers()}

        def read_member(name: str) -> bytes | None:
            file = archive.extractfile(members[name]) if name in members else None
            return file.read() if file else None

        icons = json.loads(read_member("package/icons.json") or b"{}")
        for noun in nouns():
            for codepoint, slug in zip(noun.codepoints, noun.names, strict=True):
                picture = _drawing(source, read_member, icons, codepoint, slug)
                if picture is not None and (pixels := fit(picture)) is not None:
                    yield Sprite(noun.index, source.style, pixels)


def _drawing(
    source: ArtSource, read_member: Any, icons: dict[str, Any], codepoint: str, slug: str
) -> Image.Image | None:
    if source.kind == "iconify":
        svg = _iconify_svg(icons, _iconify_name(source, slug))
        return _draw_svg(svg) if svg else None
    folder, ending = ("package/assets/", ".webp") if source.kind == "webp" else ("package/", ".svg")
    for name in (codepoint, f"{codepoint}-fe0f"):
        if (content := read_member(f"{folder}{name}{ending}")) is not None:
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
    """Rasterise one drawing of an Iconify style so that its longest side is `side` pixels.

    Args:
        style: one of `SOURCES`.
        slug: one of the names in the vocabulary.
        side: in pixels.

    Raises:
        UnknownName: there is no such drawing.
    """
    source = next((s for s in SOURCES if s.style == style and s.kind == "iconify"), None)
    noun = next((noun for noun in nouns() if slug in noun.names), None)
    if source is None or noun is None:
        raise UnknownName(
            f"There is no drawing {slug!r} in style {style!r}. Known names are in vocabulary.tsv, "
            "styles in art.SOURCES."
        )
    packages = cache_folder() / "art" / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    with tarfile.open(_download(source, packages)) as archive:
        file = archive.extractfile("package/icons.json")
        icons = json.loads(file.read() if file else b"{}")
    svg = _iconify_svg(icons, _iconify_name(source, slug))
    pixels = fit(_draw_svg(svg, side), side) if svg else None
    if pixels is None:
        raise UnknownName(f"The style {style!r} has no drawing {slug!r}. Choose another style.")
    return Sprite(noun.index, style, pixels)


def coverage(bank: SpriteBank) -> dict[str, list[str]]:
    """Return for each style the English names of the nouns it has no drawing of."""
    everything: tuple[Noun, ...] = nouns()
    has_drawing = {style: np.zeros(len(everything), bool) for style in bank.styles}
    for sprite in bank.sprites:
        has_drawing[sprite.style][sprite.noun] = True
    return {
        style: [noun.english for noun in everything if not has[noun.index]]
        for style, has in has_drawing.items()
    }
