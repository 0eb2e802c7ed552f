"""The example that teaches the tag: what is measured was never taught, and the records are fine."""

import importlib.util
from pathlib import Path

import pytest

from segue.convert.dialogue import Dialogue
from segue.convert.image_files import ImageFiles, parse_roots
from segue.convert.llava_plus import Options, convert_file
from segue.embedded.vocabulary import nouns
from segue.evaluate.questions import read_questions

HERE = Path(__file__).parents[2] / "examples" / "teach_the_tag"


@pytest.fixture(scope="module")
def scenes():
    spec = importlib.util.spec_from_file_location("teach_scenes", HERE / "scenes.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_record_is_converted_and_new_nouns_are_never_tagged(scenes, tmp_path) -> None:
    path = scenes.write_records(tmp_path, 12)
    files = ImageFiles(parse_roots([str(tmp_path / "pictures")]), check_pixels=False)
    made = list(convert_file(path, files, Options(mode="mixed")))
    assert all(isinstance(one, Dialogue) for one in made)
    assert {one.kind for one in made} == {"tag", "box", "absent", "plain"}
    tagged = {p for one in made if one.kind == "tag" for t in one.turns for p in t.phrases}
    new = {nouns()[number].english for number in scenes.NEW}
    assert tagged
    assert not tagged & new


def test_questions_are_asked_in_ways_that_were_not_taught(scenes, tmp_path) -> None:
    questions = list(read_questions(scenes.write_questions(tmp_path, 10)))
    new = {nouns()[number].english for number in scenes.NEW}
    for question in questions:
        assert Path(question.image).exists()
        if question.id.endswith("/new"):
            assert set(question.phrases) <= new
        if question.expect == "tag":
            asked = question.text.replace(question.phrases[0], "{n}")
            assert asked in scenes.KEPT
            assert asked not in scenes.TAUGHT
    assert {question.expect for question in questions} == {"tag", "plain"}
