"""The comparison with the official processors, as far as it runs without them."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from builders import an_image
from segue.values.box import Size

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module", autouse=True)
def benchmarks():
    sys.path.insert(0, str(ROOT))
    yield
    sys.path.remove(str(ROOT))


def test_rows_of_a_table_are_put_into_another():
    from benchmarks.official.__main__ import merge_rows

    old, new = "| a |\n|---|\n| x |\n| y | 1 |", "| a |\n|---|\n| y | 2 |\n| z |"
    assert merge_rows(old, new) == "| a |\n|---|\n| x |\n| y | 2 |\n| z |"


def test_what_a_backend_makes_of_a_picture_is_written(tmp_path):
    from benchmarks.official.grounders_here import write_grounder

    file = tmp_path / "scene.png"
    file.write_bytes(an_image(Size(40, 60), 1).to_png_bytes())
    write_grounder("owlv2", tmp_path, [file])
    facts = json.loads((tmp_path / "package.json").read_text("utf-8"))
    assert facts["refused"] == {}
    assert np.load(tmp_path / "package.npz")["scene.png/pixels"].shape == (1, 3, 256, 256)


def test_every_backend_has_a_row():
    from benchmarks.official.grounders_here import GROUNDERS

    page = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    table = page.partition("<!-- official grounders: begin -->")[2].partition("<!--")[0]
    assert [kind for kind in GROUNDERS if f"| `{kind}` |" not in table] == []
