"""Writing a file: all of it, or the old one as it was."""

import json
import os
import subprocess
import sys
from pathlib import Path

import PIL.Image
import pytest

from segue.errors import InputError
from segue.files.atomic import json_text, replacing, write_json, write_picture, write_text


def test_a_failure_while_writing_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    file = tmp_path / "a.json"
    write_text(file, "old")

    def failing():
        with replacing(file) as part:
            part.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        failing()
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_what_cannot_be_encoded_is_found_out_before_the_file_is_touched(tmp_path):
    file = tmp_path / "a.png"
    write_text(file, "old")
    with pytest.raises(InputError, match=r"Cannot write .*a\.xyz"):
        write_picture(tmp_path / "a.xyz", PIL.Image.new("RGB", (2, 2)))
    with pytest.raises(TypeError):
        write_json(file, {"a": object()})
    assert file.read_text() == "old"


def test_half_characters_survive_in_json_and_are_replaced_in_text(tmp_path):
    value = {"half \ud83d": "caf\udce9", "whole": "😀"}
    written = write_json(tmp_path / "a.json", value).read_bytes().decode("utf-8")
    assert json.loads(written) == value
    assert json_text("\ud83d") == '"\\ud83d"'
    assert write_text(tmp_path / "a.txt", "a\ud83db\n").read_bytes() == "a\ufffdb\n".encode()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device here")
def test_a_full_disk_is_a_sentence():
    with pytest.raises(InputError, match="Cannot write /dev/full: No space left on device"):
        write_text("/dev/full", "x" * 100_000)


@pytest.mark.parametrize("name", ["", ".", "folder", "x" * 300, "a\0b"])
def test_places_that_are_no_file_are_refused_with_a_sentence(tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="Cannot write"):
        write_text(tmp_path / name, "x")


def test_a_link_stays_a_link_and_the_mode_of_a_file_stays(tmp_path):
    real, link = tmp_path / "real.txt", tmp_path / "link.txt"
    write_text(real, "old")
    real.chmod(0o640)
    link.symlink_to(real)
    write_text(link, "new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert real.stat().st_mode & 0o777 == 0o640


def test_a_device_is_written_to_and_not_replaced(tmp_path):
    write_text(os.devnull, "x")
    assert not Path(os.devnull).is_file()


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="no /dev/stdout here")
@pytest.mark.parametrize("piped", [True, False])
def test_the_name_of_standard_output_is_written_to(tmp_path, piped):
    code = "from segue.files.atomic import write_text; write_text('/dev/stdout', 'done')"
    with (tmp_path / "out").open("wb") as file:
        done = subprocess.run(
            [sys.executable, "-c", code], stdout=subprocess.PIPE if piped else file, check=True
        )
    assert (done.stdout if piped else (tmp_path / "out").read_bytes()) == b"done"
