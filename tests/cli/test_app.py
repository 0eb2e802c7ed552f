"""The program as a whole: light, and friendly when something is wrong."""

import subprocess
import sys
from pathlib import Path

import pytest

from segue.cli.app import EXIT_CODES, exit_code
from segue.errors import InputError, SegueError
from segue.version import __version__

HEAVY = ["torch", "transformers", "numpy", "cv2", "PIL", "httpx"]
COMMANDS = ["", "ask", "chat", "segment", "edit", "demo", "models", "evaluate", "evaluate tags"]


def test_help_imports_nothing_heavy() -> None:
    code = f"""
import sys
from segue.cli.app import main
for command in {COMMANDS!r}:
    try:
        main([*command.split(), "--help"])
    except SystemExit as leaving:
        assert not leaving.code, command
    heavy = set({HEAVY!r}) & set(sys.modules)
    assert not heavy, (command, heavy)
"""
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_version_is_printed(run) -> None:
    assert run("--version") == (0, f"segue {__version__}\n", "")


def test_every_error_has_an_exit_code() -> None:
    kinds = SegueError.__subclasses__()
    assert kinds
    assert set(kinds) <= set(EXIT_CODES)
    assert all(EXIT_CODES[kind] >= 2 for kind in kinds)


def test_a_narrower_error_exits_as_its_parent() -> None:
    class Narrower(InputError):
        pass

    assert exit_code(Narrower("x")) == EXIT_CODES[InputError]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["ask", "no-such-file.png", "What?"], 2, "There is no file no-such-file.png"),
        (["models", "qwen3"], 2, "Did you mean 'qwen3-vl-2b'?"),
        (["models", "large"], 2, "Did you mean 'sam-vit-large'?"),
        (["models", "embeded"], 2, "Did you mean 'embedded'?"),
        (["ask", "{picture}", "What?", "--preset", "embeded"], 2, "Did you mean 'embedded'?"),
        (["ask", "{picture}", "What?", "--chat", "./none"], 4, "There is no file or folder"),
        (["ask", "https://example.com/a.png", "What?"], 2, "allow"),
        (["ask", "What?"], 2, "Give a picture before the question"),
        (["ask", "What?", "{picture}"], 2, "The question must come last"),
    ],
)  # fmt: skip
def test_failures_are_one_message_without_a_traceback(
    run, picture: Path, arguments: list[str], code: int, words: str
) -> None:
    outcome = run(*[argument.format(picture=picture) for argument in arguments])
    assert outcome.code == code
    assert outcome.out == ""
    assert outcome.err.startswith("segue: ")
    assert words in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["models", "--json"], "--json needs a file, or - for standard output."),
        (["benchmark", "list", "--json"], "--json needs a file, or - for standard output."),
        (["benchmark", "refcoco"], "Give the folder of the data set, or demo"),
        (["benchmark", "refcoco", "--split"], "'--split' requires an argument."),
    ],
)
def test_usage_errors_name_the_values_of_an_option(run, arguments: list[str], words: str) -> None:
    outcome = run(*arguments)
    assert outcome.code == 2
    assert words in " ".join(outcome.err.replace("│", " ").split())


def test_twice_verbose_shows_the_traceback(run) -> None:
    outcome = run("-vv", "models", "nothing")
    assert outcome.code == 2
    assert "Traceback" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ask", "--teach-tag"], "--teach-tag is now --tag-prompt"),
        (["ask", "--agreement"], "--agreement is now --cross-check"),
        (["evaluate", "tags", "--teach-tag"], "--teach-tag is now --tag-prompt"),
        (["evaluate", "detections", "--most", "3"], "--most is now --max-detections"),
        (["doctor", "--no-keep", "--chat", "scripted:none"], "now --no-save-profile"),
        (["serve", "--rate", "5", "--max-waiting=0"], "--rate is now --rate-limit"),
        (["serve", "--max-waiting=0"], "--max-waiting is now --max-queue"),
        (["convert", "coco", "--absent", "0"], "--absent is now --negatives"),
        (["convert", "llava-plus", "--absent", "tag"], "--absent is now --absent-reply"),
        (["convert", "llava-plus", "--tool-free=1"], "--tool-free is now --tool-free-ratio"),
    ],
)
def test_an_option_of_an_earlier_version_is_found_and_its_new_name_printed(
    run, arguments: list[str], message: str
) -> None:
    outcome = run(*arguments)
    assert message in outcome.err
    assert "No such option" not in outcome.err


def test_a_wrong_option_is_refused(run) -> None:
    outcome = run("ask", "--no-such-option")
    assert outcome.code == 2
    assert "No such option" in outcome.err
