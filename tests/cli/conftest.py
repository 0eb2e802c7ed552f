"""Running commands in this process, with scripted models and a small picture."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from builders import an_image
from segue.cli.app import main


class Outcome(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `segue` with arguments and lines of standard input."""
    monkeypatch.delenv("SEGUE_PRESET", raising=False)
    monkeypatch.setenv("TERM", "dumb")

    def run(*arguments: str | Path, stdin: str | io.TextIOWrapper = "") -> Outcome:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin) if isinstance(stdin, str) else stdin)
        capsys.readouterr()
        with pytest.raises(SystemExit) as leaving:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Outcome(int(leaving.value.code or 0), out, err)

    return run


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A file of 64 x 48 pixels."""
    file = tmp_path / "scene.png"
    file.write_bytes(an_image().to_png_bytes())
    return file


@pytest.fixture
def stages(tmp_path: Path) -> list[str]:
    """Options for stand-ins: two replies, a detector that knows a dog, masks that are boxes."""
    replies = [
        "这是<ref>飞机</ref><box>(125,125),(375,375)</box>。",
        "A <gsam>dog</gsam>, no <gsam>unicorn</gsam>. <box>(1,2</box>",
        "Nothing to see.",
    ]
    (tmp_path / "replies.json").write_text(json.dumps(replies), encoding="utf-8")
    (tmp_path / "boxes.json").write_text(json.dumps({"dog": [[10, 5, 30, 25, 0.75]]}))
    return [
        *("--chat", f"scripted:{tmp_path / 'replies.json'}"),
        *("--detect", f"fixed:{tmp_path / 'boxes.json'}"),
        *("--segment", "box_fill:"),
    ]
