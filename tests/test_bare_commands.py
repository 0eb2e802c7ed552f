"""What works without any extra: each package of one is hidden, as if it were not installed."""

import subprocess
import sys

from segue.embedded.samples import sample

HIDDEN = (
    "torch", "transformers", "safetensors", "huggingface_hub", "tiktoken", "peft", "openai",
    "fastapi", "uvicorn", "pyarrow", "mcp", "anywidget", "traitlets", "IPython", "ray", "openvino",
)  # fmt: skip
HIDE = f"import sys; sys.modules.update(dict.fromkeys({HIDDEN!r})); "
SCENE = str(sample("meadow").file)


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process in which the packages cannot be imported."""
    command = [sys.executable, "-c", HIDE + code]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def exit_codes(*commands: list[str]) -> tuple[list[int], str]:
    """Run commands of segue likewise, in one process: their exit codes, and what they complain."""
    code = f"""
from contextlib import redirect_stdout
from segue.cli.app import main
for command in {commands!r}:
    try:
        with redirect_stdout(sys.stderr):
            main(command)
    except SystemExit as ending:
        print(ending.code or 0)
"""
    done = run_python(code)
    return [int(line) for line in done.stdout.split()], done.stderr


def test_segue_and_its_public_names_are_imported():
    done = run_python("import segue; print(len([getattr(segue, name) for name in segue.__all__]))")
    assert done.returncode == 0, done.stderr


def test_commands_that_run_no_network_work():
    boxes = ["segment", SCENE, "--box", "9,9,50,50", "--segment", "box_fill:", "--detect", "none"]
    commands = [["--help"], ["models"], ["export", "--list"], ["doctor"], boxes]
    codes, complaints = exit_codes(*commands)
    assert codes == [0] * len(commands), complaints


def test_commands_that_need_an_extra_say_how_to_install_it(tmp_path):
    demo, serve = ["demo", str(tmp_path / "out")], ["serve", "--data", str(tmp_path / "data")]
    codes, complaints = exit_codes(demo, ["segment", SCENE, "dog"], serve)
    assert codes == [3, 3, 3], complaints
    assert complaints.count("pip install 'segue[models]'") == 2
    assert "pip install 'segue[serve]'" in complaints
    assert "Traceback" not in complaints


def test_a_widget_without_its_extra_says_how_to_install_it():
    code = (
        "import segue; from segue.assistant import Assistant; "
        "from segue.notebook import click_widget; from segue.segment.box_fill import BoxFill; "
        f"click_widget(Assistant(None, None, BoxFill()), {SCENE!r})"
    )
    done = run_python(code)
    assert "MissingExtra" in done.stderr
    assert "pip install 'segue[notebook]'" in done.stderr
