"""Every `segue …` line of README and docs names a command that exists, with options it has."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from segue.cli.app import app

ROOT = Path(__file__).parent.parent
DOCS = [*sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs" / "cookbook").glob("*.md"))]
PAGES = [ROOT / "README.md", *DOCS, *ROOT.glob("examples/**/*.md")]


def code_lines(page: Path) -> Iterator[str]:
    """The lines of fenced code, continued ones joined."""
    inside = False
    for line in page.read_text("utf-8").replace("\\\n", " ").splitlines():
        if line.startswith("```"):
            inside = not inside
        elif inside:
            yield line.strip().removeprefix("$ ")


def documented() -> list:
    lines = []
    for page in PAGES:
        for line in code_lines(page):
            command = re.sub(r"\s+#\s.*", "", line)
            if re.match(r"segue [a-z]", command) and "|" not in command:
                lines.append(pytest.param(command, id=f"{page.relative_to(ROOT)}: {command[:60]}"))
    return lines


@pytest.mark.parametrize("command", documented())
def test_a_documented_command_can_be_typed(command):
    words = [word for word in shlex.split(command)[1:] if word not in ("…", "...", "&")]
    found = typer.main.get_command(app)
    context = found.context_class(found, info_name="segue")
    while hasattr(found, "get_command"):
        name = words.pop(0)
        found = found.get_command(context, name)
        assert found is not None, f"there is no command {name!r}"
        context = found.context_class(found, parent=context, info_name=name)
    given = [word for word in words if not re.fullmatch(r"\[.*|.*\]", word)]
    found.make_parser(context).parse_args(given)  # values and files are not looked at
