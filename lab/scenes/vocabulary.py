"""The nouns that the embedded models know: 96 things, in English and Chinese.

The table itself is `vocabulary.tsv`; a noun is known everywhere by its index in that table.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True)
class Noun:
    """One row of the vocabulary.

    `measure` is the Chinese measure word (一只狗). `codepoints` and `names` are parallel: the
    drawings that show the noun, as lower-case hexadecimal code points and as CLDR-like slugs.
    """

    index: int
    english: str
    plural: str
    chinese: str
    measure: str
    codepoints: tuple[str, ...]
    names: tuple[str, ...]


@cache
def nouns() -> tuple[Noun, ...]:
    """Return all nouns, in the order of the table."""
    text = resources.files("lab.scenes").joinpath("vocabulary.tsv").read_text("utf-8")
    rows = csv.DictReader(text.splitlines(), delimiter="\t")
    return tuple(
        Noun(
            index=index,
            english=row["english"],
            plural=row["plural"],
            chinese=row["chinese"],
            measure=row["measure_word"],
            codepoints=tuple(row["codepoints"].split(",")),
            names=tuple(row["fluent_names"].split(",")),
        )
        for index, row in enumerate(rows)
    )


@cache
def by_name() -> dict[str, Noun]:
    """Map English, plural and Chinese names, in lower case, to the noun."""
    table: dict[str, Noun] = {}
    for noun in nouns():
        for name in (noun.english, noun.plural, noun.chinese):
            table.setdefault(name.lower(), noun)
    return table
