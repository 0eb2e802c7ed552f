"""Reading JSON record by record."""

import json
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.convert.json_records import read_records
from segue.errors import InputError


def write(tmp_path, text: str, name: str = "data.json"):
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    "text",
    [
        '[{"a": 1}, {"a": 2}]',
        ' \n[\n{"a": 1}\n,\n{"a": 2}\n]\n',
        '{"a": 1}\n{"a": 2}\n',
        '{"a": 1} {"a": 2}',
        '\ufeff[{"a": 1},{"a": 2}]',
    ],
)
def test_lists_and_lines_are_read(tmp_path, text):
    assert [value["a"] for value in read_records(write(tmp_path, text))] == [1, 2]


def test_empty_files_hold_no_record(tmp_path):
    assert list(read_records(write(tmp_path, ""))) == []
    assert list(read_records(write(tmp_path, " [ ] "))) == []


@given(
    st.lists(
        st.dictionaries(st.text(max_size=4), st.text(max_size=30) | st.floats(-1, 1)), max_size=4
    ),
    st.sampled_from([1, 7, 40]),
    st.sampled_from([None, 1]),
)
@settings(deadline=None, max_examples=15)
def test_where_the_pieces_are_cut_does_not_matter(tmp_path_factory, values, piece, indent):
    file = write(tmp_path_factory.mktemp("cut"), json.dumps(values, indent=indent))
    assert list(read_records(file, chunk_size=piece)) == values


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ('[{"a": 1}, {"a": nope}]', 2),
        ('[{"a": 1}, {"a": 2}', 2),
        ('[{"a": 1}, {"a": "cut o', 2),
        ('[{"a": 1} {"a": 2}]', 1),
        ('[{"a": 1}, 3]', 2),
        ('{"a": 1}\nwords\n', 2),
    ],
)
def test_damage_is_reported_with_the_number_of_the_record(tmp_path, text, number):
    with pytest.raises(InputError, match=f"at record {number}"):
        list(read_records(write(tmp_path, text)))


def test_a_record_without_end_does_not_fill_the_memory(tmp_path):
    file = write(tmp_path, '[{"a": "' + "x" * 2_000_000)
    with pytest.raises(InputError, match="more than 100000 characters"):
        list(read_records(file, max_value_length=100_000))


def test_what_is_no_text_or_not_there_is_refused(tmp_path):
    (tmp_path / "latin.json").write_bytes(b'[{"a": "\xff"}]')
    with pytest.raises(InputError, match="not UTF-8"):
        list(read_records(tmp_path / "latin.json"))
    with pytest.raises(InputError, match="Cannot read"):
        list(read_records(tmp_path / "none.json"))


def test_memory_does_not_grow_with_the_file(tmp_path):
    record = {"id": "x" * 2000, "turns": ["y" * 500] * 4}
    file = tmp_path / "big.json"
    with file.open("w") as out:  # 5 MB
        out.write("[" + ",".join([json.dumps(record)] * 1200) + "]")
    tracemalloc.start()
    assert sum(1 for _ in read_records(file)) == 1200
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3_000_000
