"""The example that teaches the tag: what is measured was never taught, and the records are fine."""

import json
from pathlib import Path

from examples.teach_the_tag import scenes, teach
from lab.scenes.vocabulary import nouns
from segue.convert.datasets.llava_plus import LlavaPlusOptions, convert_file
from segue.convert.dialogue import Dialogue
from segue.convert.image_files import ImageFiles, parse_image_roots
from segue.evaluate.questions import read_questions
from segue.finetune.recipe import read_recipe
from segue.models.qwen_vl import load

HERE = Path(__file__).parents[2] / "examples" / "teach_the_tag"


def test_every_record_is_converted_and_new_nouns_are_never_tagged(tmp_path) -> None:
    path = scenes.write_records(tmp_path, 12)
    files = ImageFiles(parse_image_roots([str(tmp_path / "pictures")]), check_pixels=False)
    dialogues = list(convert_file(path, files, LlavaPlusOptions(mode="mixed")))
    assert all(isinstance(dialogue, Dialogue) for dialogue in dialogues)
    assert {dialogue.kind for dialogue in dialogues} == {"tag", "box", "absent", "plain"}
    tagged = {
        p
        for dialogue in dialogues
        if dialogue.kind == "tag"
        for t in dialogue.turns
        for p in t.phrases
    }
    new = {nouns()[number].english for number in scenes.NEW}
    assert tagged
    assert not tagged & new


def test_half_of_the_questions_are_about_new_nouns(tmp_path) -> None:
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


def test_the_skills_of_the_base_are_measured() -> None:
    skill_rates = teach.skills(HERE / "base", 2)
    assert skill_rates["background"] == (1.0, 2)
    assert skill_rates["describe: recall of nouns"][1] == 2


def test_the_base_has_no_piece_of_the_tag() -> None:
    _, processor = load(HERE / "base", device="cpu")
    pieces = [processor.tokenizer.decode([i]) for i in processor.tokenizer.encode("<gsam>")]
    assert pieces == ["<", "g", "sa", "m", ">"]
