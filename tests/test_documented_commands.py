"""Every `segue …` line of README and docs names a command that exists, with options it has."""

import re
import shlex
from pathlib import Path

import click
import pytest
import typer

from segue.cli.app import app

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *ROOT.glob("examples/**/*.md")]
FENCED = re.compile(r"^```(?:text|bash|sh|console)?\n(.*?)^```", re.M | re.S)


def documented() -> list:
    lines = []
    for page in PAGES:
        for block in FENCED.findall(page.read_text("utf-8")):
            for line in block.replace("\\\n", " ").splitlines():
                command = re.sub(r"\s+#\s.*", "", line).strip().removeprefix("$ ")
                if re.match(r"segue [a-z]", command) and "|" not in command:
                    name = f"{page.relative_to(ROOT)}: {command[:60]}"
                    lines.append(pytest.param(command, id=name))
    return lines


@pytest.mark.parametrize("command", documented())
def test_a_documented_command_can_be_typed(command):
    arguments = [word for word in shlex.split(command)[1:] if word not in ("…", "...", "&")]
    context = click.Context(typer.main.get_command(app), info_name="segue")
    while isinstance(context.command, click.Group):
        name = arguments.pop(0)
        found = context.command.get_command(context, name)
        assert found is not None, f"there is no command {name!r}"
        context = click.Context(found, parent=context, info_name=name)
    given = [word for word in arguments if not re.fullmatch(r"\[.*|.*\]", word)]
    context.command.make_parser(context).parse_args(given)  # values and files are not looked at
