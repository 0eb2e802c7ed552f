"""Fonts for labels in any script.

The package ships a subset of Noto Sans SC (Latin, Greek, Cyrillic, kana, the 3755 most common
Chinese characters), so that labels look the same everywhere. Text with other characters is drawn
with a font of the system that has them, where there is one; else the missing ones show as boxes.
"""

import os
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

SHIPPED = Path(__file__).parent / "fonts" / "NotoSansSC-subset.otf"
_WIDE = (
    "notosanscjk",
    "sourcehansans",
    "pingfang",
    "hiragino",
    "msyh",
    "yugoth",
    "malgun",
    "notosans",
    "droidsansfallback",
    "arialunicode",
    "dejavusans",
)
"""Names to look at first: fonts with many characters."""
_SUFFIXES = {".ttf", ".otf", ".ttc", ".otc"}
_MAX_FONTS = 2000


def font_for(text: str, pixels: int) -> ImageFont.FreeTypeFont:
    """Return a font that has all of `text`'s characters, or as many as any font here has."""
    return _font(best_path(frozenset(text)), max(int(pixels), 1))


@lru_cache(maxsize=256)
def best_path(characters: frozenset[str]) -> Path:
    """Return the shipped font if it covers the characters, else the best system font."""
    visible = {c for c in characters if not c.isspace() and c.isprintable()}
    best, best_missing = SHIPPED, _missing(SHIPPED, visible)
    if not best_missing:
        return best
    for path in system_fonts():
        missing = _missing(path, visible)
        if len(missing) < len(best_missing):
            best, best_missing = path, missing
        if not missing:
            break
    return best


@lru_cache(maxsize=1)
def system_fonts() -> tuple[Path, ...]:
    """Font files of this machine, those with many characters first."""
    fonts: list[Path] = []
    for folder in _folders():
        for path in folder.rglob("*") if folder.is_dir() else ():
            if path.suffix.lower() in _SUFFIXES:
                fonts.append(path)
            if len(fonts) >= _MAX_FONTS:
                break
    return tuple(sorted(fonts, key=lambda path: (_rank(path), str(path))))


def _folders() -> Iterator[Path]:
    home = Path.home()
    if sys.platform == "win32":
        yield Path(os.environ.get("WINDIR", "C:/Windows")) / "Fonts"
        yield home / "AppData/Local/Microsoft/Windows/Fonts"
    elif sys.platform == "darwin":
        yield from (Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library/Fonts")
    else:
        yield from (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"))
        yield from (home / ".local/share/fonts", home / ".fonts")


def _rank(path: Path) -> int:
    """Plain upright faces of well-covered families first."""
    name = path.stem.lower().replace("-", "").replace("_", "").replace(" ", "")
    family = next((n for n, wide in enumerate(_WIDE) if name.startswith(wide)), len(_WIDE))
    styled = any(word in name for word in ("bold", "italic", "oblique", "light", "thin", "black"))
    return 2 * family + styled


@lru_cache(maxsize=64)
def _font(path: Path, pixels: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(path), pixels)


def _missing(path: Path, characters: set[str]) -> set[str]:
    return {character for character in characters if not _has(path, character)}


@lru_cache(maxsize=16384)
def _has(path: Path, character: str) -> bool:
    """Whether the font draws the character otherwise than one that no font has."""
    try:
        font = _font(path, 24)
        return bytes(font.getmask(character)) != bytes(font.getmask("\U0010ffff"))
    except (OSError, ValueError):  # a damaged or exotic font file
        return False
