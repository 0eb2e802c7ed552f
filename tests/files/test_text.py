"""Text as programs really write it."""

import os

import pytest

from segue.errors import InputError
from segue.files.text import read_json, read_text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_every_encoding_and_line_end_reads_alike(tmp_path, encoding, line_end):
    file = tmp_path / "a.json"
    file.write_bytes(f'{{"飞机":{line_end} "café 😀"}}'.encode(encoding))
    assert read_json(file) == {"飞机": "café 😀"}


def test_other_encodings_are_refused_with_a_sentence(tmp_path):
    (tmp_path / "a.txt").write_bytes("café".encode("latin-1"))
    with pytest.raises(InputError, match=r"a\.txt is not UTF-8 text, nor UTF-16"):
        read_text(tmp_path / "a.txt")


@pytest.mark.parametrize("content", ["", "{", "[" * 100_000, "nope"])
def test_what_is_no_json_is_refused(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(InputError, match=r"a\.json is not JSON"):
        read_json(tmp_path / "a.json")


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="is a pipe or a device"):
        read_text(tmp_path / "pipe")


@pytest.mark.parametrize("name", ["none", "x" * 5000, "a\0b", "\ud83d"])
def test_names_that_name_nothing_are_refused(tmp_path, name):
    with pytest.raises(InputError, match="Cannot read"):
        read_text(tmp_path / name)
