"""The journal: what was confirmed is never lost, whatever happens after."""

import json
import os
import signal
import subprocess
import sys

import pytest

from builders import a_region
from segue.errors import InputError
from segue.review.changes import PictureChange
from segue.review.journal import ReviewJournal, journal_path, read_changes
from segue.values.serialize import region_to_json

WRITER = """
import sys
from pathlib import Path
from segue.review.changes import PictureChange
from segue.review.journal import ReviewJournal

with ReviewJournal(Path(sys.argv[1])) as journal:
    for number in range(100_000):
        journal.append(PictureChange(id=f"c{number}", picture="a.png", origin="o", base=number,
                                     reviewer="Ann", time="now"))
        print(number, flush=True)
"""


def a_change(number=0, **fields):
    given = {"id": f"c{number}", "picture": "a.png", "origin": "o", "base": number,
             "reviewer": "安", "time": "2026-01-02T03:04:05+00:00", **fields}  # fmt: skip
    return PictureChange(**given)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "review.jsonl"


def test_changes_come_back_as_they_were_written(file):
    changes = [
        a_change(0, decision="accept"),
        a_change(1, regions=(region_to_json(a_region()),), deleted=("r2",), resolves=("x",)),
    ]
    with ReviewJournal(file) as journal:
        assert journal.changes == []
        for change in changes:
            journal.append(change)
    assert read_changes(file) == changes
    with ReviewJournal(file) as journal:
        assert journal.changes == changes
        assert not journal.was_cut


def test_half_a_last_line_is_dropped_and_nothing_else(file):
    with ReviewJournal(file) as journal:
        journal.append(a_change(0))
        journal.append(a_change(1))
    whole = file.read_bytes()
    for cut in range(len(whole)):
        file.write_bytes(whole[:cut])
        expected = max(0, whole[:cut].count(b"\n") - 1)
        assert len(read_changes(file)) == expected
        with ReviewJournal(file) as journal:
            assert len(journal.changes) == expected
            assert journal.was_cut == (cut > 0 and whole[cut - 1 : cut] != b"\n")
            journal.append(a_change(7))
        ids = [change.id for change in read_changes(file)]
        assert ids == [*["c0", "c1"][:expected], "c7"]


def test_what_was_confirmed_survives_a_kill(file):
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(file)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    confirmed = -1
    while confirmed < 20:
        confirmed = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read().split()
    process.wait()
    process.stdout.close()
    confirmed = int(rest[-1]) if rest else confirmed
    with ReviewJournal(file) as journal:
        assert [change.base for change in journal.changes][: confirmed + 1] == [
            *range(confirmed + 1)
        ]


def test_only_one_process_has_a_journal_at_a_time(file):
    with ReviewJournal(file), pytest.raises(InputError, match="Another process has the review"):
        ReviewJournal(file).__enter__()
    with ReviewJournal(file) as journal:
        assert journal.changes == []


def test_a_disk_that_refuses_leaves_the_journal_whole(file):
    with ReviewJournal(file) as journal:
        journal.append(a_change(0))
        before = file.read_bytes()
        lines = journal._lines
        out, lines.file = lines.file, Refusing(lines.file)
        with pytest.raises(InputError, match="Cannot write"):
            journal.append(a_change(1))
        assert file.read_bytes() == before
        lines.file = out
        journal.append(a_change(2))
    assert [change.id for change in read_changes(file)] == ["c0", "c2"]


class Refusing:
    """A file on a disk that is full after ten bytes."""

    def __init__(self, file):
        self.file = file

    def __getattr__(self, name):
        return getattr(self.file, name)

    def write(self, content):
        self.file.write(content[:10])
        self.file.flush()
        raise OSError(28, os.strerror(28))


@pytest.mark.parametrize(
    ("line", "trouble"),
    [
        ("no JSON", "damaged"),
        ("[1]", "must be a JSON object"),
        ('{"id": "x"}', "'base' must be a version"),
        (json.dumps({**a_change().to_json(), "base": True}), "'base' must be a version"),
        (json.dumps({**a_change().to_json(), "decision": "maybe"}), "'decision' must be one of"),
        (json.dumps({**a_change().to_json(), "regions": [1]}), "must be a JSON object"),
        (json.dumps({**a_change().to_json(), "deleted": [1]}), "'deleted' must be texts"),
        (json.dumps({**a_change().to_json(), "reviewer": None}), "'reviewer' must be a text"),
    ],
)
def test_a_damaged_line_is_named(file, line, trouble):
    with ReviewJournal(file) as journal:
        journal.append(a_change(0))
    with file.open("a") as out:
        out.write(line + "\n")
    with pytest.raises(InputError, match="Line 3 of .*damaged") as caught:
        read_changes(file)
    assert trouble in str(caught.value)
    with pytest.raises(InputError, match="Line 3"):
        ReviewJournal(file).__enter__()


def test_a_journal_of_another_format_is_refused(file):
    file.write_text('{"review": 99}\n')
    with pytest.raises(InputError, match="must begin with"):
        read_changes(file)


def test_where_the_journal_lies(tmp_path):
    assert journal_path(tmp_path) == tmp_path / "review.jsonl"
    assert journal_path(tmp_path / "val.json") == tmp_path / "val.review.jsonl"
    assert read_changes(tmp_path / "none.jsonl") == []
