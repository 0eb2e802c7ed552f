"""The table of sentences, and properties that hold for any objects."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    [
        row
        for table in ("sentences.txt", "held_out.txt", "fresh_eyes.txt")
        for row in read_table(FOLDER / table)
    ],
)
def test_sentences_of_the_table_are_resolved(register, salient, sentence, answer):
    assert as_answer(resolve(sentence, REGISTERS[register], salient=salient)) == answer


boxes = st.builds(
    lambda x, y, w, h: Box(x, y, x + w, y + h),
    *[st.integers(0, 500)] * 2,
    *[st.integers(5, 200)] * 2,
)
registers = st.lists(
    st.tuples(st.sampled_from(["dog", "cat", "car"]), boxes, st.integers(0, 1)), max_size=6
).map(
    lambda rows: [
        Referent(f"r{number}", (name,), box, box.area, image, frozenset())
        for number, (name, box, image) in enumerate(rows, 1)
    ]
)
expressions = st.sampled_from(
    sorted({row[2] for row in read_table(FOLDER / "sentences.txt")})
) | st.text(max_size=30)


@given(registers, expressions, st.data())
def test_an_answer_names_known_objects_of_one_picture_or_by_name(register, sentence, data):
    ids = [referent.id for referent in register]
    salient = data.draw(st.lists(st.sampled_from(ids), unique=True)) if ids else []
    resolution = resolve(sentence, register, salient=salient)
    assert not (resolution.ids and resolution.choices)
    assert len(resolution.choices) != 1
    for named in (resolution.ids, resolution.choices):
        assert list(named) == sorted(set(named), key=ids.index)
    assert bool(resolution.reason) == bool(resolution.ids or resolution.choices)


@given(registers)
def test_left_and_right_change_places_in_a_mirror(register):
    def mirrored(referent):
        box = referent.box
        return replace(referent, box=Box(1000 - box.x1, box.y0, 1000 - box.x0, box.y1))

    mirror = [mirrored(referent) for referent in register]
    for left, right in [("the left one", "the right one"), ("左边的狗", "右边的狗")]:
        seen, reflection = resolve(left, register), resolve(right, mirror)
        assert (seen.ids, seen.choices) == (reflection.ids, reflection.choices)


@given(registers, st.sampled_from(["the left one", "the dogs", "the biggest one", "number 1"]))
def test_an_exclusion_is_the_complement(register, excluded):
    part, rest = resolve(excluded, register), resolve(f"all but {excluded}", register)
    newest = max((referent.image for referent in register), default=0)
    scope = [referent.id for referent in register if referent.image == newest]
    if rest.ids:
        assert set(rest.ids) == set(scope) - set(part.ids)


@given(registers)
def test_an_object_that_is_chosen_by_side_is_clearly_nearest_to_it(register):
    resolution = resolve("the left one", register)
    if resolution.ids:
        newest = max(referent.image for referent in register)
        centres = {
            referent.id: referent.box.x0 + referent.box.x1
            for referent in register
            if referent.image == newest
        }
        assert centres[resolution.ids[0]] == min(centres.values())


def test_the_table_has_300_sentences_and_150_chinese_ones():
    rows = [*read_table(FOLDER / "sentences.txt"), *read_table(FOLDER / "held_out.txt")]
    chinese = [row for row in rows if re.search("[\u3400-\u9fff]", row[2])]
    assert len(rows) >= 300
    assert len(chinese) >= 150
