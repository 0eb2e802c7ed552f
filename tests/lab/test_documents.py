"""The lab's pages: links lead somewhere, commands can be typed, code runs."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from lab.__main__ import app

ROOT = Path(__file__).parents[2]
PAGES = [*(ROOT / "lab").glob("*.md"), ROOT / "docs" / "embedded.md"]
COMMAND = re.compile(r"python -m lab ([a-z][^`\n]*)")
PYTHON = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text("utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_can_be_typed(page: Path) -> None:
    group = typer.main.get_command(app)
    for line in COMMAND.findall(page.read_text("utf-8")):
        name, *words = shlex.split(line, comments=True)
        context = group.context_class(group, info_name="lab")
        command = group.get_command(context, name)
        assert command is not None, line
        if "--sheet" in words[-1:]:
            words.append("FILE")
        command.make_parser(context).parse_args(words)


def test_python_in_the_readme_runs() -> None:
    for block in PYTHON.findall((ROOT / "lab" / "README.md").read_text("utf-8")):
        exec(compile(block, "README.md", "exec"), {})
