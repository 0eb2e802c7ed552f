"""Make src/segue/draw/fonts/NotoSansSC-subset.otf, the font that labels are drawn with.

    apt-get download fonts-noto-cjk && dpkg-deb -x fonts-noto-cjk_*.deb noto
    python scripts/subset_font.py noto/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc

Needs fonttools. Keeps Latin, Greek, Cyrillic, kana, common punctuation and signs, and the 3755
characters of GB 2312 level 1 (over 99 % of running Chinese text). Source: Noto Sans CJK 2.004, SIL
Open Font License 1.1 (src/segue/draw/fonts/OFL.txt).
"""

import sys
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTCollection

TARGET = Path(__file__).parent.parent / "src" / "segue" / "fonts" / "NotoSansSC-subset.otf"
FACE = "Noto Sans CJK SC"
RANGES = [
    (0x0020, 0x007E),
    (0x00A0, 0x017F),
    (0x0370, 0x03FF),
    (0x0400, 0x045F),
    (0x2010, 0x2027),
    (0x2030, 0x205E),
    (0x20AC, 0x20AC),
    (0x2103, 0x2103),
    (0x2116, 0x2122),
    (0x2190, 0x2193),
    (0x2200, 0x22FF),
    (0x25A0, 0x25CF),
    (0x3000, 0x3017),
    (0x3041, 0x30FF),
    (0xFF01, 0xFF5E),
]


def characters() -> set[int]:
    """Code points to keep."""
    kept = {code for first, last in RANGES for code in range(first, last + 1)}
    for row in range(16, 56):  # GB 2312 level 1: rows 16 to 55
        for cell in range(1, 95):
            text = bytes([0xA0 + row, 0xA0 + cell]).decode("gb2312", "ignore")
            kept |= {ord(character) for character in text}
    return kept


def main(collection: str) -> None:
    """Cut the font down and write it."""
    fonts = TTCollection(collection).fonts
    font = next(font for font in fonts if font["name"].getDebugName(1) == FACE)
    options = Options()
    options.hinting = False
    options.notdef_outline = True
    options.layout_features = ["kern"]
    options.name_IDs = [0, 1, 2, 3, 4, 5, 6, 13, 14]
    options.name_languages = [0x409]
    options.drop_tables += ["VORG", "vhea", "vmtx", "BASE", "DSIG", "GSUB"]
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=characters())
    subsetter.subset(font)
    font.save(TARGET)
    print(f"{TARGET.name}: {len(font.getBestCmap())} characters, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
