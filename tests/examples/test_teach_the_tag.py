"""The example that teaches the tag: what is measured was never taught, and the records are fine."""

import importlib.util
import json
from pathlib import Path

import pytest

from segue.convert.datasets.llava_plus import LlavaPlusOptions, convert_file
from segue.convert.dialogue import Dialogue
from segue.convert.image_files import ImageFiles, parse_image_roots
from segue.embedded.vocabulary import nouns
from segue.evaluate.questions import read_questions
from segue.finetune.recipe import read_recipe
from segue.models.qwen_vl import load

HERE = Path(__file__).parents[2] / "examples" / "teach_the_tag"


@pytest.fixture(scope="module")
def scenes():
    spec = importlib.util.spec_from_file_location("teach_scenes", HERE / "scenes.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_record_is_converted_and_new_nouns_are_never_tagged(scenes, tmp_path) -> None:
    path = scenes.write_records(tmp_path, 12)
    files = ImageFiles(parse_image_roots([str(tmp_path / "pictures")]), check_pixels=False)
    made = list(convert_file(path, files, LlavaPlusOptions(mode="mixed")))
    assert all(isinstance(one, Dialogue) for one in made)
    assert {one.kind for one in made} == {"tag", "box", "absent", "plain"}
    tagged = {p for one in made if one.kind == "tag" for t in one.turns for p in t.phrases}
    new = {nouns()[number].english for number in scenes.NEW}
    assert tagged
    assert not tagged & new


def test_half_of_the_questions_are_about_new_nouns(scenes, tmp_path) -> None:
    questions = list(read_questions(scenes.write_questions(tmp_path, 10)))
    new = {nouns()[number].english for number in scenes.NEW}
    for question in questions:
        assert Path(question.image).exists()
        if question.id.endswith("/new"):
            assert set(question.phrases) <= new
    assert {question.expect for question in questions} == {"tag", "plain"}


def test_its_recipe_can_be_read_and_the_readme_tells_what_was_measured() -> None:
    assert read_recipe(HERE / "recipe.toml").base == "examples/teach_the_tag/base"
    readme = (HERE / "README.md").read_text()
    measured = json.loads((HERE / "table.json").read_text())
    for side in ("before", "after"):
        for name in ("tag-valid rate", "phrase accuracy, exact", "over-trigger rate"):
            assert f"{measured[side]['tags']['all'][name]:.1%}" in readme


def test_the_skills_of_the_base_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(HERE))
    import teach

    found = teach.skills(HERE / "base", 2)
    assert found["background"] == (1.0, 2)
    assert found["describe: recall of nouns"][1] == 2


def test_the_base_has_no_piece_of_the_tag() -> None:
    _, processor = load(HERE / "base", device="cpu")
    pieces = [processor.tokenizer.decode([i]) for i in processor.tokenizer.encode("<gsam>")]
    assert pieces == ["<", "g", "sa", "m", ">"]
