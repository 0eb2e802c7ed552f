"""Looking at converted files."""

from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from segue.convert.check import check_dataset, find_problems
from segue.convert.dialogue import Dialogue, DialogueTurn
from segue.convert.formats import FORMATS
from segue.errors import InputError

BOX = "<ref>cat</ref><box>(100,200),(500,800)</box>"


@pytest.fixture
def picture(folder) -> str:
    return str(folder(["a.jpg"]) / "a.jpg")


def dialogue(picture: str, *turns: DialogueTurn, id: str = "d1") -> Dialogue:
    return Dialogue(
        id, (picture,), turns or (DialogueTurn("user", "Where?"), DialogueTurn("assistant", BOX))
    )


def written(tmp_path, *dialogues: Dialogue):
    file = tmp_path / "train.json"
    with FORMATS["qwen-vl"].open(file) as writer:
        for one in dialogues:
            writer.write(one)
    return file


def test_a_good_file_has_no_problems_and_its_boxes_are_drawn(tmp_path, picture):
    file = written(tmp_path, dialogue(picture), dialogue(picture, id="d2"))
    found = check_dataset(file, draw_to=tmp_path / "drawn", draw=1)
    assert found.is_fine
    assert (found.dialogues, found.kinds, found.phrases) == (2, {"box": 2}, {"cat": 2})
    (drawn,) = found.drawings
    with Image.open(drawn) as overlay, Image.open(picture) as before:
        assert overlay.size == before.size
        inside, outside = (overlay.convert("RGB").getpixel(at) for at in ((6, 20), (60, 45)))
        assert outside == before.convert("RGB").getpixel((60, 45))
        assert inside != outside
    page = (tmp_path / "drawn" / "index.html").read_text()
    assert "&lt;ref&gt;cat" in page
    assert drawn.name in page


ask, answer = partial(DialogueTurn, "user"), partial(DialogueTurn, "assistant")


@pytest.mark.parametrize(
    ("turns", "problem"),
    [
        ([answer("Hello.")], "does not begin with a question"),
        ([ask("Where?")], "does not end with an answer"),
        ([ask("a"), ask("b"), answer("c")], "turns out of order"),
        ([ask("Where?"), answer(" ")], "empty turn"),
        ([ask("Where <box>?"), answer("x")], "markup in what should be plain"),
        ([ask("Where?"), answer("<gsam>dog")], "markup that cannot be read"),
        ([ask("Where?"), answer("<box>(1,2),(3,4000)</box>")],
         "box off the grid"),
        ([ask("Where?"), answer("<box>(5,2),(3,4)</box>")],
         "corners in the wrong order"),
    ],
)  # fmt: skip
def test_every_problem_is_named(picture, turns, problem):
    names = [name.partition(":")[0] for name in find_problems(dialogue(picture, *turns))]
    assert names == [problem]


def test_missing_pictures_and_doubles_of_an_id_are_counted(tmp_path, picture):
    file = written(tmp_path, dialogue(picture), dialogue(picture), dialogue("/none.jpg", id="d3"))
    found = check_dataset(file)
    assert not found.is_fine
    assert found.problems == {"id is not unique": 1, "picture not found": 1}
    assert found.examples[1] == "d3: picture not found: /none.jpg"


def test_drawings_never_take_the_place_of_pictures(tmp_path, picture):
    file = written(tmp_path, dialogue(picture))
    with pytest.raises(InputError, match="holds the pictures themselves"):
        check_dataset(file, draw_to=Path(picture).parent)
