"""Lists and tables: paths, addresses and questions."""

import pytest

from segue.errors import InputError
from segue.runs.sources import find_pictures
from segue.runs.sources.locations import FileLocation, ObjectLocation

CSV = 'file_name,ask\na.png,"Where, please?"\nb.png,\n,lost\n'
JSONL = '{"image": "a.png", "ask": "Where?"}\n{"image": "b.png"}\n[]\n{broken\n'


def test_a_table_gives_paths_and_questions(tmp_path):
    (tmp_path / "table.csv").write_text(CSV)
    skipped = []
    first, second = find_pictures([tmp_path / "table.csv"], ask_column="ask", skipped=skipped)
    assert (first.name, first.location) == ("a.png", FileLocation(tmp_path / "a.png"))
    assert (first.question, first.problem) == ("Where, please?", None)
    assert (second.question, second.problem) == (None, "It has no question in 'ask'.")
    assert skipped == [
        f"{tmp_path}/table.csv has 1 row(s) without a path, the first in line 4; they are left out."
    ]


def test_json_lines_are_a_table_whose_rows_may_differ(tmp_path):
    (tmp_path / "table.jsonl").write_text(JSONL)
    skipped = []
    found = find_pictures([tmp_path / "table.jsonl"], ask_column="ask", skipped=skipped)
    assert [picture.question for picture in found] == ["Where?", None]
    assert "2 row(s) without a path, the first in line 3" in skipped[0]


def test_a_column_that_is_named_is_taken_and_one_that_is_missing_is_told(tmp_path):
    (tmp_path / "table.tsv").write_text("path\tlarge\ta,b\nx.png\tbig/x.png\tq\n")
    (picture,) = find_pictures([tmp_path / "table.tsv"], image_column="large")
    assert picture.name == "big/x.png"
    for options in ({"image_column": "small"}, {"ask_column": "small"}):
        with pytest.raises(InputError, match=r"no column 'small', but path, large, a,b"):
            find_pictures([tmp_path / "table.tsv"], **options)
    (tmp_path / "other.csv").write_text("where\nx.png\n")
    with pytest.raises(InputError, match="--image-column names another"):
        find_pictures([tmp_path / "other.csv"])


def test_a_list_may_name_object_storage_and_nothing_else(tmp_path):
    (tmp_path / "list.txt").write_text("s3://bucket/a.png\nb.png\n")
    first, second = find_pictures([tmp_path / "list.txt"], images="gs://photos/2026")
    assert first.location == ObjectLocation("s3://bucket/a.png")
    assert second.location == ObjectLocation("gs://photos/2026/b.png")
    for line in ("https://example.org/a.png", "file:///etc/passwd", "zip://a.png::s3://b/c.zip"):
        (tmp_path / "list.txt").write_text(line)
        with pytest.raises(InputError, match="no address of object storage"):
            find_pictures([tmp_path / "list.txt"])
    (tmp_path / "list.txt").write_text("../b.png")
    with pytest.raises(InputError, match="leads out of gs://photos"):
        find_pictures([tmp_path / "list.txt"], images="gs://photos")
