"""The public API is typed: a user's script passes type checkers, and mistakes do not."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SOURCE = HERE.parents[1] / "src"
CHECKERS = {
    "mypy": ["-m", "mypy", "--strict", "--no-error-summary", "--follow-imports=silent"],
    "pyright": ["-m", "pyright", "--warnings"],
}
SETTINGS = """\
[[tool.mypy.overrides]]
module = ["torch.*", "transformers.*", "cv2.*"]
follow_imports = "skip"
"""
"""Reading these takes half a minute, and no type of theirs is in the public API."""


@pytest.fixture(scope="module", params=CHECKERS)
def output(request, tmp_path_factory) -> str:
    """What a type checker prints about both scripts."""
    checker = request.param
    if importlib.util.find_spec(checker) is None:
        pytest.skip(f"{checker} is not installed")
    folder = tmp_path_factory.mktemp(checker)  # the project's own settings are not a user's
    (folder / "pyproject.toml").write_text(SETTINGS)
    scripts = [str(HERE / name) for name in ("api.py", "wrong_api.py")]
    ran = subprocess.run(
        [sys.executable, *CHECKERS[checker], *scripts],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "MYPYPATH": str(SOURCE), "PYTHONPATH": str(SOURCE)},
    )
    assert ran.returncode == 1, ran.stdout + ran.stderr  # wrong_api.py is wrong
    return ran.stdout


def error_lines(output: str, file: str) -> set[int]:
    """Line numbers at which errors of a file are reported, by mypy or pyright."""
    pattern = rf"{re.escape(file)}:(\d+)(?:: error|:\d+ - error)"
    return {int(number) for number in re.findall(pattern, output)}


def test_a_user_script_is_well_typed(output):
    assert not error_lines(output, "/api.py"), output


def test_every_mistake_is_found(output):
    lines = (HERE / "wrong_api.py").read_text(encoding="utf-8").splitlines()
    wrong = {number for number, line in enumerate(lines, 1) if line.endswith("# wrong")}
    assert error_lines(output, "/wrong_api.py") == wrong, output
