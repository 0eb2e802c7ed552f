"""The table of sentences, and properties that hold for any objects."""

import json
import re
from pathlib import Path

import pytest

from segue.conversation.references import Referent, Resolution, resolve
from segue.values.box import Box

FOLDER = Path(__file__).parent


def read_registers() -> dict[str, list[Referent]]:
    registers = json.loads((FOLDER / "registers.json").read_text("utf-8"))
    return {
        name: [
            Referent(id, tuple(names), Box(*box), area, image, frozenset(colours))
            for id, names, box, area, image, colours in rows
        ]
        for name, rows in registers.items()
    }


REGISTERS = read_registers()


def read_table(path: Path) -> list[tuple[str, tuple[str, ...], str, str]]:
    """Return rows of register, ids spoken of last, sentence, answer."""
    rows = []
    register, salient = "", ()
    for line in path.read_text("utf-8").splitlines():
        if match := re.fullmatch(r"\[([^|\]]+?)(?: \| ([r\d ]+))?\]", line):
            register, salient = match.group(1), tuple((match.group(2) or "").split())
        elif line and not line.startswith("# "):
            sentence, answer = line.split(" => ")
            rows.append((register, salient, sentence, answer))
    return rows


def as_answer(resolution: Resolution) -> str:
    if resolution.choices:
        return "? " + " ".join(resolution.choices)
    return " ".join(resolution.ids) or "-"


@pytest.mark.parametrize(
    ("register", "salient", "sentence", "answer"),
    [*read_table(FOLDER / "sentences.txt"), *read_table(FOLDER / "held_out.txt")],
)
def test_sentences_of_the_table_are_resolved(register, salient, sentence, answer):
    assert as_answer(resolve(sentence, REGISTERS[register], salient=salient)) == answer
