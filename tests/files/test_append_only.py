"""Files of JSON lines that are appended to."""

import json

import pytest

from segue.errors import InputError
from segue.files.append_only import AppendOnlyFile


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("durable", [True, False])
def test_lines_come_back_in_order(tmp_path, durable):
    path = tmp_path / "folder" / "log.jsonl"
    log = AppendOnlyFile(path, "busy")
    assert log.is_empty
    for number in range(5):
        log.append({"n": number}, durable=durable)
    log.close()
    assert [line["n"] for line in lines_of(path)] == list(range(5))
    again = AppendOnlyFile(path, "busy")
    again.close()
    assert not again.was_cut


def test_a_last_line_that_was_cut_is_dropped_wherever_it_was_cut(tmp_path):
    whole = b'{"n": 1}\n{"n": 2}\n'
    for cut in range(len(whole) + 1):
        path = tmp_path / f"{cut}.jsonl"
        path.write_bytes(whole[:cut])
        log = AppendOnlyFile(path, "busy")
        assert log.was_cut == (cut > 0 and whole[cut - 1 : cut] != b"\n")
        log.append({"n": 3})
        log.close()
        assert lines_of(path)[-1] == {"n": 3}
        assert len(lines_of(path)) == whole[:cut].count(b"\n") + 1


def test_another_process_is_refused_until_the_first_is_done(tmp_path):
    pytest.importorskip("fcntl")
    first = AppendOnlyFile(tmp_path / "log.jsonl", "busy")
    with pytest.raises(InputError, match="^busy$"):
        AppendOnlyFile(tmp_path / "log.jsonl", "busy")
    first.close()
    AppendOnlyFile(tmp_path / "log.jsonl", "busy").close()
