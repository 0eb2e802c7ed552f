"""Parquet shards: the forms of a picture, and what a cell may not do."""

import pytest

from segue.errors import InputError
from segue.runs.sources import find_pictures
from segue.runs.sources.locations import location_from_json, location_of, location_to_json

from .conftest import a_picture

PICTURES = [a_picture(n) for n in range(5)]


def contents(pictures):
    return [picture.location.read() for picture in pictures]


def test_a_struct_of_bytes_and_path_is_read_as_the_library_datasets_writes_it(write_parquet):
    cells = [{"bytes": content, "path": f"dog {n}.JPG"} for n, content in enumerate(PICTURES)]
    columns = {"thumb": [b"x"] * 5, "photo": cells, "label": [1] * 5}
    shard = write_parquet(columns, features={"photo": {"_type": "Image"}})
    found = find_pictures([shard])
    assert [picture.name for picture in found][:2] == ["shard/000000.jpg", "shard/000001.jpg"]
    assert contents(found) == PICTURES
    assert [location_of(p.location.address) for p in found] == [p.location for p in found]
    assert [location_from_json(location_to_json(p.location)) for p in found] == [
        picture.location for picture in found
    ]


def test_a_column_of_bytes_is_found_by_its_name_or_its_type(write_parquet):
    assert contents(find_pictures([write_parquet({"image": PICTURES, "mask": PICTURES})])) == (
        PICTURES
    )
    assert contents(find_pictures([write_parquet({"x": PICTURES, "y": [1] * 5})])) == PICTURES


def test_what_is_not_clear_is_asked_for(write_parquet):
    shard = write_parquet({"left": PICTURES, "right": PICTURES[::-1]})
    with pytest.raises(InputError, match="several columns of pictures: left, right"):
        find_pictures([shard])
    assert contents(find_pictures([shard], image_column="right")) == PICTURES[::-1]


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ({"n": [1]}, {}, "no column of pictures: n. Name it with --image-column"),
        ({"n": [1]}, {"image_column": "n"}, "'n' of .* holds int64, expected bytes"),
        ({"n": [b""]}, {"image_column": "m"}, "no column 'm', but n"),
        ({"n": [b""]}, {"ask_column": "q"}, "no column 'q', but n"),
        ({"n": [b""], "q": [1]}, {"ask_column": "q"}, "'q' of .* holds int64, expected texts"),
    ],
)
def test_columns_that_are_not_there_or_hold_something_else_are_named(
    write_parquet, columns, options, message
):
    with pytest.raises(InputError, match=message):
        find_pictures([write_parquet(columns)], **options)


def test_questions_come_from_their_column(write_parquet):
    questions = ["Where is the dog?", None, " ", "找猫", "ask"]
    shard = write_parquet({"image": PICTURES, "q": questions})
    found = find_pictures([shard], ask_column="q")
    assert [picture.question for picture in found] == [questions[0], None, None, "找猫", "ask"]
    assert found[1].problem == "It has no question in 'q'."


def test_a_path_without_bytes_is_read_below_the_folder_of_the_shard(write_parquet, tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.png").write_bytes(PICTURES[0])
    cells = [{"bytes": None, "path": "deep/a.png"}, {"bytes": None, "path": None}]
    first, second = find_pictures([write_parquet({"image": cells})])
    assert first.location.read() == PICTURES[0]
    with pytest.raises(InputError, match="empty"):
        second.location.read()
    (named,) = find_pictures([write_parquet({"image": ["deep/a.png"]}, "named.parquet")])
    assert named.location.read() == PICTURES[0]


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../secret.png", "deep/../../secret.png", "memory://bucket/a.png",
     "https://example.org/a.png", "file:///etc/passwd", "linked/secret.png", "a\0.png"],
)  # fmt: skip
def test_a_cell_opens_no_file_elsewhere_and_no_address(write_parquet, tmp_path, path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.png").write_bytes(PICTURES[0])
    (tmp_path / "secret.png").write_bytes(PICTURES[0])
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / "linked").symlink_to(outside)
    shard = write_parquet({"image": [{"bytes": None, "path": path}]}, "shards/a.parquet")
    (picture,) = find_pictures([shard])
    with pytest.raises(InputError, match="outside the shard's folder"):
        picture.location.read()


def test_rows_are_found_over_row_groups_in_any_order(write_parquet):
    found = find_pictures([write_parquet({"image": PICTURES}, row_group_size=2)])
    assert contents(reversed(found)) == PICTURES[::-1]


def test_a_damaged_shard_is_named_and_the_others_are_read(write_parquet, tmp_path):
    good = write_parquet({"image": PICTURES})
    (tmp_path / "broken.parquet").write_bytes(good.read_bytes()[:-20])
    skipped = []
    assert len(find_pictures([str(tmp_path / "*.parquet")], skipped=skipped)) == 5
    assert "broken.parquet cannot be read as Parquet" in skipped[0]
