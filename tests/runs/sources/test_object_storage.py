"""Object storage: folders, patterns, shards, and what goes wrong there."""

import subprocess
import sys

import pytest

from segue.errors import InputError, MissingExtra
from segue.runs.sources import find_pictures
from segue.runs.sources.locations import location_from_json, location_of, location_to_json

from .conftest import a_picture


@pytest.fixture
def bucket():
    """A bucket in the memory of this process."""
    fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed")
    storage = fsspec.filesystem("memory")
    storage.store.clear()
    for name in ("b.png", "a.png", "deep/c.png", "notes.md"):
        storage.pipe(f"/bucket/shots/{name}", a_picture(len(name)))
    yield storage
    storage.store.clear()


def names(pictures):
    return [picture.name for picture in pictures]


def test_a_folder_a_pattern_and_an_object_are_found(bucket):
    assert names(find_pictures(["memory://bucket/shots"])) == ["a.png", "b.png", "deep/c.png"]
    assert names(find_pictures(["memory://bucket/shots/*.png"])) == ["a.png", "b.png"]
    (picture,) = find_pictures(["memory://bucket/shots/deep/c.png"])
    assert (picture.name, picture.location.read()) == ("c.png", a_picture(10))
    assert picture.location.address == "memory://bucket/shots/deep/c.png"
    assert location_of(picture.location.address).read() == a_picture(10)
    assert location_from_json(location_to_json(picture.location)) == picture.location


def test_a_stamp_tells_of_a_change(bucket):
    before = find_pictures(["memory://bucket/shots/a.png"])[0].location.stamp()
    assert find_pictures(["memory://bucket/shots"])[0].location.stamp() == before
    bucket.pipe("/bucket/shots/a.png", a_picture(99) + b"\0")
    assert find_pictures(["memory://bucket/shots/a.png"])[0].location.stamp() != before
    assert location_of("memory://bucket/gone.png").stamp() == (-1, -1)


def test_shards_in_storage_are_read_in_parts(bucket, write_tar, write_parquet):
    tar = write_tar([("x.png", a_picture(1)), ("x.txt", b"Where?")])
    parquet = write_parquet({"image": [a_picture(2), a_picture(3)]})
    bucket.pipe("/shards/0.tar", tar.read_bytes())
    bucket.pipe("/shards/1.parquet", parquet.read_bytes())
    member, first, second = find_pictures(["memory://shards"])
    assert names([member, first, second]) == ["x.png", "1/000000", "1/000001"]
    assert [picture.location.read() for picture in (second, first, member)] == [
        a_picture(3), a_picture(2), a_picture(1),
    ]  # fmt: skip
    assert location_of(member.location.address).read() == a_picture(1)
    (asked,) = find_pictures(["memory://shards/0.tar"], ask_column="txt")
    assert asked.question == "Where?"


def test_a_path_in_a_shard_leads_only_below_its_folder(bucket, write_parquet):
    paths = ["in/a.png", "../shots/a.png", "memory://bucket/shots/a.png"]
    shard = write_parquet({"image": [{"bytes": None, "path": path} for path in paths]})
    bucket.pipe("/shards/0.parquet", shard.read_bytes())
    bucket.pipe("/shards/in/a.png", a_picture(7))
    first, *others = find_pictures(["memory://shards/0.parquet"])
    assert first.location.read() == a_picture(7)
    for picture in others:
        with pytest.raises(InputError, match="leads out of memory://shards"):
            picture.location.read()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("memory://nowhere", "There is nothing at memory://nowhere"),
        ("memory://nowhere/*.png", "There is nothing at"),
        ("https://example.org/a.png", "no address of object storage. Expected a path, or one of"),
        ("file:///etc", "no address of object storage"),
        ("memory://bucket/shots/list.csv", "is a list. Download it"),
    ],
)
def test_what_is_not_there_or_not_allowed_is_told(bucket, source, message):
    bucket.pipe("/bucket/shots/list.csv", b"path\na.png\n")
    with pytest.raises(InputError, match=message):
        find_pictures([source])


def test_a_storage_that_refuses_is_told_with_its_reason(bucket, write_tar):
    from segue.runs.sources.object_storage import readable_errors

    sentence = r"s3://b/x cannot be read \(RuntimeError: no .*\)"
    with pytest.raises(InputError, match=sentence), readable_errors("s3://b/x"):
        raise RuntimeError("no credentials")


@pytest.mark.parametrize(
    ("missing", "address", "command"),
    [
        ("s3fs", "s3://bucket/a.png", "pip install 'segue[cloud]'"),
        ("gcsfs", "gs://bucket/a.png", "pip install 'segue[cloud]'"),
        ("adlfs", "az://bucket/a.png", "pip install adlfs"),
        ("fsspec", "s3://bucket/a.png", "pip install 'segue[cloud]'"),
    ],
)
def test_a_missing_package_is_named_with_how_to_install_it(missing, address, command):
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from segue.runs.sources import find_pictures\n"
        "from segue.errors import MissingExtra\n"
        f"try: find_pictures([{address!r}])\n"
        "except MissingExtra as error: print(error)"
    )
    command_line = [sys.executable, "-W", "ignore", "-c", code]
    result = subprocess.run(command_line, capture_output=True, text=True, check=True)
    assert command in result.stdout
    assert issubclass(MissingExtra, ImportError)
