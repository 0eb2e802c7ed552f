"""What works without any extra: each package of one is hidden, as if it were not installed."""

import subprocess
import sys

import pytest

from segue.embedded.samples import sample

HIDDEN = (
    "torch", "transformers", "safetensors", "huggingface_hub", "tiktoken", "peft", "openai",
    "fastapi", "uvicorn", "pyarrow", "mcp", "anywidget", "traitlets", "IPython", "ray", "openvino",
)  # fmt: skip
HIDE = f"import sys; sys.modules.update(dict.fromkeys({HIDDEN!r})); "
SCENE = str(sample("meadow").file)


def run_python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process in which the packages cannot be imported."""
    command = [sys.executable, "-c", HIDE + code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def run_segue(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of segue likewise."""
    return run_python("from segue.cli.app import main; main(sys.argv[1:])", *arguments)


def test_segue_and_its_public_names_are_imported():
    done = run_python("import segue; print(len([getattr(segue, name) for name in segue.__all__]))")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["models"],
        ["export", "--list"],
        ["doctor"],
        ["segment", SCENE, "--box", "9,9,50,50", "--segment", "box_fill:", "--detect", "none"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_command_that_runs_no_network_works(arguments):
    done = run_segue(*arguments)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [(["demo"], "models"), (["segment", SCENE, "dog"], "models"), (["serve"], "serve")],
    ids=lambda value: value[0] if isinstance(value, list) else value,
)
def test_a_command_that_needs_an_extra_says_how_to_install_it(arguments, extra, tmp_path):
    done = run_segue(*arguments)
    assert done.returncode == 3
    assert f"pip install 'segue[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_widget_without_its_extra_says_how_to_install_it():
    code = (
        "import segue; from segue.assistant import Assistant; "
        "from segue.notebook import click_widget; from segue.segment.box_fill import BoxFill; "
        f"click_widget(Assistant(None, None, BoxFill()), {SCENE!r})"
    )
    done = run_python(code)
    assert "MissingExtra" in done.stderr
    assert "pip install 'segue[notebook]'" in done.stderr
