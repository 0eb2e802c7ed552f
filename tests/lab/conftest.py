"""Running the lab's commands in this process."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from lab.__main__ import main


class Outcome(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Outcome]:
    """Run `python -m lab` with arguments."""
    monkeypatch.setenv("TERM", "dumb")

    def run(*arguments: str | Path) -> Outcome:
        capsys.readouterr()
        with pytest.raises(SystemExit) as leaving:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Outcome(int(leaving.value.code or 0), out, err)

    return run
