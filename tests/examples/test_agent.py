"""The example of an agent: the tools of `segue mcp`, called as it stands."""

import os
import subprocess
import sys
from pathlib import Path

import PIL.Image

PROGRAM = Path(__file__).parents[2] / "examples" / "agent" / "agent.py"


def test_the_agent_asks_goes_on_and_saves_the_edited_picture(tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, str(PROGRAM)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    lines = done.stdout.splitlines()
    assert lines[0].startswith("tools: segment, ask")
    assert lines[1].startswith("found: dog [")
    assert "Blurred everything but dog" in lines[2]
    with PIL.Image.open(tmp_path / "edited.png") as picture:
        assert picture.size == (640, 480)
