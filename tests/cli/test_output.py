"""Standard output of the program never costs the work."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from segue.embedded.samples import sample

pytest.importorskip("torch", reason="the command is run with the embedded models")

PICTURE = str(sample("airport").file)
COMMAND = [sys.executable, "-c", "from segue.cli.app import main; main()"]


def start(folder: Path, *arguments: str, stdout, **environment: str) -> subprocess.CompletedProcess:
    given = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    return subprocess.run(
        [*COMMAND, *arguments], cwd=folder, stdout=stdout, stderr=subprocess.PIPE, env=given,
        timeout=300, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_an_encoding_without_the_marks_writes_question_marks(tmp_path, encoding):
    done = start(
        tmp_path, "segment", PICTURE, "airplane", "--out", "o.png",
        stdout=subprocess.PIPE, PYTHONUTF8="0", PYTHONIOENCODING=encoding,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"? r1  airplane" in done.stdout
    assert (tmp_path / "o.png").stat().st_size > 1000


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_closed_pipe_does_not_lose_the_files(tmp_path, unbuffered):
    reader, writer = os.pipe()
    os.close(reader)
    done = start(
        tmp_path, "ask", PICTURE, "Frame the airplane.", "--out", "o.png", "--json", "o.json",
        stdout=writer, PYTHONUNBUFFERED=unbuffered,
    )  # fmt: skip
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["o.json", "o.png"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device here")
def test_a_full_output_is_a_sentence_and_the_files_are_there(tmp_path):
    with Path("/dev/full").open("w") as full:
        done = start(tmp_path, "segment", PICTURE, "airplane", "--out", "o.png", stdout=full)
    assert done.returncode == 2
    assert b"Cannot write standard output: No space left" in done.stderr
    assert b"Traceback" not in done.stderr
    assert (tmp_path / "o.png").exists()
