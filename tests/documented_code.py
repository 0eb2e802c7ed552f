"""The code blocks of a page of the docs, run from top to bottom in the current folder.

`python` blocks share their names; of `sh` blocks every line is a `segue` command, run in this
process. Blocks of any other kind (`text`, `js`, `nginx`) are not run here.
"""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

import pytest

from segue.cli.app import EXIT_CODES, main
from segue.errors import MissingExtra

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def code_blocks(page: Path, *languages: str) -> list[tuple[str, str]]:
    """The fenced blocks of the languages, as (language, code), in the order of the page."""
    blocks = _BLOCK.findall(page.read_text(encoding="utf-8"))
    return [(language, code) for language, code in blocks if language in languages]


def run_blocks(page: Path, *, replacements: Mapping[str, str] | None = None) -> None:
    """Run the Python and the commands of a page; `replacements` change addresses in them."""
    names: dict[str, object] = {"__name__": page.stem}
    for language, code in code_blocks(page, "python", "sh"):
        for old, new in (replacements or {}).items():
            code = code.replace(old, new)
        if language == "python":
            exec(compile(code, page.name, "exec"), names)
        else:
            run_commands(code)


def run_commands(code: str) -> None:
    """Run each line as a command; one that fails fails the test."""
    for line in code.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if not words:
            continue
        assert words[0] == "segue", f"only segue commands are run: {line}"
        with pytest.raises(SystemExit) as ending:
            main(words[1:])
        if ending.value.code == EXIT_CODES[MissingExtra]:
            raise MissingExtra(f"An extra is not installed that this needs: {line}")
        assert ending.value.code in (0, None), f"exit code {ending.value.code}: {line}"
