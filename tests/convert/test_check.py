"""Looking at converted files."""

from pathlib import Path

import pytest
from PIL import Image

from segue.convert.check import check, problems_of
from segue.convert.dialogue import Dialogue, Turn
from segue.convert.formats import FORMATS
from segue.errors import InputError

BOX = "<ref>cat</ref><box>(100,200),(500,800)</box>"


@pytest.fixture
def picture(folder) -> str:
    return str(folder(["a.jpg"]) / "a.jpg")


def dialogue(picture: str, *turns: Turn, id: str = "d1") -> Dialogue:
    return Dialogue(id, (picture,), turns or (Turn("user", "Where?"), Turn("assistant", BOX)))


def written(tmp_path, *dialogues: Dialogue):
    file = tmp_path / "train.json"
    with FORMATS["qwen-vl"].open(file) as writer:
        for one in dialogues:
            writer.write(one)
    return file


def test_a_good_file_has_no_problems_and_its_boxes_are_drawn(tmp_path, picture):
    file = written(tmp_path, dialogue(picture), dialogue(picture, id="d2"))
    found = check(file, draw_to=tmp_path / "drawn", draw=1)
    assert found.is_fine
    assert (found.dialogues, found.kinds, found.phrases) == (2, {"box": 2}, {"cat": 2})
    (drawn,) = found.drawn
    with Image.open(drawn) as overlay, Image.open(picture) as before:
        assert overlay.size == before.size
        inside, outside = (overlay.convert("RGB").getpixel(at) for at in ((6, 20), (60, 45)))
        assert outside == before.convert("RGB").getpixel((60, 45))
        assert inside != outside
    page = (tmp_path / "drawn" / "index.html").read_text()
    assert "&lt;ref&gt;cat" in page
    assert drawn.name in page


@pytest.mark.parametrize(
    ("turns", "problem"),
    [
        ([Turn("assistant", "Hello.")], "does not begin with a question"),
        ([Turn("user", "Where?")], "does not end with an answer"),
        ([Turn("user", "a"), Turn("user", "b"), Turn("assistant", "c")], "turns out of order"),
        ([Turn("user", "Where?"), Turn("assistant", " ")], "empty turn"),
        ([Turn("user", "Where <box>?"), Turn("assistant", "x")], "markup in what should be plain"),
        ([Turn("user", "Where?"), Turn("assistant", "<gsam>dog")], "markup that cannot be read"),
        ([Turn("user", "Where?"), Turn("assistant", "<box>(1,2),(3,4000)</box>")],
         "box off the grid"),
        ([Turn("user", "Where?"), Turn("assistant", "<box>(5,2),(3,4)</box>")],
         "corners in the wrong order"),
    ],
)  # fmt: skip
def test_every_problem_is_named(picture, turns, problem):
    names = [name.partition(":")[0] for name in problems_of(dialogue(picture, *turns))]
    assert names == [problem]


def test_missing_pictures_and_doubles_of_an_id_are_counted(tmp_path, picture):
    file = written(tmp_path, dialogue(picture), dialogue(picture), dialogue("/none.jpg", id="d3"))
    found = check(file)
    assert not found.is_fine
    assert found.problems == {"id is not unique": 1, "picture not found": 1}
    assert found.examples[1] == "d3: picture not found: /none.jpg"


def test_drawings_never_take_the_place_of_pictures(tmp_path, picture):
    file = written(tmp_path, dialogue(picture))
    with pytest.raises(InputError, match="holds the pictures themselves"):
        check(file, draw_to=Path(picture).parent)
