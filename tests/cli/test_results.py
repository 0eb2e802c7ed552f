"""Results for programs: `--json` everywhere, one shape, and `--fail-if-empty`."""

import json

import pytest
import typer

from segue.cli.app import app
from segue.cli.terminal.screen import say_how_to_go_on

INTERACTIVE = {"chat", "serve", "mcp", "review"}
RESULT_FIELDS = {"image", "size", "regions", "not_found", "images"}


def leaf_commands(command, path=()):
    """Every command that does something, with the words that call it."""
    for name, inner in getattr(command, "commands", {}).items():
        yield from leaf_commands(inner, (*path, name))
    if not hasattr(command, "commands"):
        yield path, command


def test_every_command_that_prints_facts_writes_json() -> None:
    without = [
        " ".join(path)
        for path, command in leaf_commands(typer.main.get_command(app))
        if not any("--json" in parameter.opts for parameter in command.params)
    ]
    assert set(without) == INTERACTIVE


def test_results_have_one_shape(run, picture, stages, tmp_path) -> None:
    asked = json.loads(run("ask", picture, "Where?", *stages, "--json", "-").out)
    segmented = json.loads(run("segment", picture, "dog", *stages[2:], "--json", "-").out)
    out = ("-o", tmp_path / "blurred.png", "--json", "-")
    edited = json.loads(run("edit", picture, "blur", "-p", "dog", *stages[2:], *out).out)
    for result in (asked, segmented, edited):
        assert set(result) >= RESULT_FIELDS
        assert result["size"] == result["images"][0]["size"] == [48, 64]
    assert set(segmented) == RESULT_FIELDS
    assert edited["edit"]["file"] == str(tmp_path / "blurred.png")


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (("models",), "models"),
        (("models", "dialects"), "dialects"),
        (("doctor",), "machine"),
        (("export", "--list"), "formats"),
        (("benchmark", "list"), "benchmarks"),
    ],
)
def test_lists_are_json_objects_and_nothing_else_is_on_standard_output(run, arguments, key) -> None:
    outcome = run(*arguments, "--json", "-")
    assert outcome.code == 0
    assert json.loads(outcome.out)[key]


def test_json_in_a_file_leaves_the_words_on_the_screen(run, tmp_path) -> None:
    outcome = run("models", "qwen3-vl-2b", "--json", tmp_path / "model.json")
    assert "Apache-2.0" in outcome.out
    (model,) = json.loads((tmp_path / "model.json").read_text())["models"]
    assert (model["name"], model["stage"]) == ("qwen3-vl-2b", "chat")


def test_nothing_found_is_a_failure_to_who_wants_it(run, picture, stages, tmp_path) -> None:
    looked = ("segment", picture, "unicorn", *stages[2:])
    assert run(*looked).code == 0
    failed = run(*looked, "--fail-if-empty", "--json", tmp_path / "found.json")
    assert failed.code == 5
    assert failed.err == "segue: Nothing was found: unicorn.\n"
    assert json.loads((tmp_path / "found.json").read_text())["not_found"] == ["unicorn"]
    assert run("segment", picture, "dog", *stages[2:], "--fail-if-empty").code == 0
    folder = tmp_path / "run"
    annotated = run(
        "annotate", picture, "-c", "unicorn", "-o", folder, *stages[2:], "--fail-if-empty"
    )
    assert (annotated.code, "Nothing was found: unicorn." in annotated.err) == (5, True)


def test_an_answer_without_regions_is_nothing_found(run, picture, stages, tmp_path) -> None:
    (tmp_path / "words.json").write_text('["Only words."]')
    options = ("--chat", f"scripted:{tmp_path / 'words.json'}", *stages[2:], "--fail-if-empty")
    failed = run("ask", picture, "What?", *options, "--route", "reply")
    assert (failed.code, failed.err) == (5, "segue: Nothing was found.\n")
    assert "Only words." in failed.out


def test_an_interrupted_command_says_how_to_go_on(capsys) -> None:
    with pytest.raises(KeyboardInterrupt), say_how_to_go_on("The same command goes on."):
        raise KeyboardInterrupt
    assert capsys.readouterr().err == "Stopped. The same command goes on.\n"


def test_all_missing_weights_are_named_at_once(run, picture, monkeypatch) -> None:
    monkeypatch.setenv("SEGUE_OFFLINE", "1")
    names = [f"nobody/missing-{kind}" for kind in ("chat", "detect", "segment")]
    models = zip(("--chat", "--detect", "--segment"), names, strict=True)
    failed = run("ask", picture, "Where?", *(text for pair in models for text in pair))
    assert failed.code == 4
    for name in names:
        assert f"hf download {name}" in failed.err
    assert failed.err.count("\n") == 1
    assert "'embedded' needs no download" in failed.err
