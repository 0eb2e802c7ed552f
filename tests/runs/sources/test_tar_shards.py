"""Tar shards: what they hold is read where it lies, and nothing leaves them."""

import gzip
import json
import tarfile

import pytest

from segue.errors import InputError
from segue.runs.sources import find_pictures
from segue.runs.sources.locations import location_of

from .conftest import a_picture


def test_pictures_are_read_where_they_lie(write_tar):
    shard = write_tar([("a.png", a_picture(1)), ("a.cls", b"7"), ("deep/b.PNG", a_picture(2))])
    first, second = find_pictures([shard])
    assert [first.name, second.name] == ["a.png", "deep/b.PNG"]
    assert (first.location.read(), second.location.read()) == (a_picture(1), a_picture(2))
    assert location_of(second.location.address) == second.location


@pytest.mark.parametrize(
    ("column", "questions"),
    [
        ("txt", ["Where is the dog?", None, None]),
        ("ask", [None, "Find the cat.", None]),
        ("nothing", [None, None, None]),
    ],
)
def test_questions_come_from_the_texts_of_a_sample(write_tar, column, questions):
    shard = write_tar(
        [
            ("1.png", a_picture(1)),
            ("1.txt", b"Where is the dog?\n"),
            ("2.left.png", a_picture(2)),
            ("2.json", json.dumps({"ask": "Find the cat."}).encode()),
            ("3.png", a_picture(3)),
            ("3.json", b"{broken"),
        ]
    )
    skipped = []
    found = find_pictures([shard], ask_column=column, skipped=skipped)
    assert [picture.question for picture in found] == questions
    assert [picture.problem is None for picture in found] == [q is not None for q in questions]
    assert skipped == [f"{shard} has 1 text(s) that cannot be read."]


def test_names_that_lead_out_are_only_names_and_links_are_no_pictures(write_tar, tmp_path):
    shard = write_tar([("../../up.png", a_picture()), ("/root.png", a_picture())])
    with tarfile.open(shard, "a") as archive:
        link = tarfile.TarInfo("link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    found = find_pictures([shard])
    assert [picture.name for picture in found] == ["../../up.png", "/root.png"]
    assert all(picture.location.read() == a_picture() for picture in found)
    assert [file.name for file in tmp_path.iterdir()] == ["shard.tar"]


def test_a_name_that_is_there_twice_counts_once_and_that_is_said(write_tar):
    shard = write_tar([("a.png", a_picture(1)), ("a.png", a_picture(2))])
    skipped = []
    (picture,) = find_pictures([shard], skipped=skipped)
    assert picture.location.read() == a_picture(1)
    assert skipped == [
        f"{shard} has 1 file(s) under names that were there before; they are left out."
    ]


def test_a_shard_that_was_cut_off_is_read_as_far_as_it_goes(write_tar):
    shard = write_tar([(f"{n}.png", a_picture(n)) for n in range(3)])
    content = shard.read_bytes()
    shard.write_bytes(content[: 512 + (len(a_picture(0)) // 512 + 1) * 512 + 512 + 100])
    skipped = []
    first, second = find_pictures([shard], skipped=skipped)
    assert first.location.read() == a_picture(0)
    with pytest.raises(InputError, match="ends within it"):
        second.location.read()
    assert "is damaged after 2 file(s)" in skipped[0]


def test_a_shard_that_changed_after_it_was_listed_is_not_read(write_tar):
    shard = write_tar([("a.png", a_picture())])
    (picture,) = find_pictures([shard])
    write_tar([("b.png", a_picture(2)), ("a.png", a_picture())])
    with pytest.raises(InputError, match="changed during the run"):
        picture.location.read()
    shard.unlink()
    with pytest.raises(FileNotFoundError):
        picture.location.read()


def test_a_compressed_or_damaged_shard_is_named_and_the_others_are_read(write_tar, tmp_path):
    good = write_tar([("a.png", a_picture())], "good.tar")
    (tmp_path / "packed.tar").write_bytes(gzip.compress(good.read_bytes()))
    (tmp_path / "broken.tar").write_bytes(b"no tar" * 500)
    (tmp_path / "empty.tar").write_bytes(b"")
    skipped = []
    found = find_pictures([str(tmp_path / "*.tar")], skipped=skipped)
    assert [picture.name for picture in found] == ["a.png"]
    assert len(skipped) == 3
    assert "packed.tar is compressed with gzip" in skipped[2]
    with pytest.raises(InputError, match="compressed with gzip"):
        find_pictures([tmp_path / "packed.tar"])


def test_shards_with_equal_names_stay_apart(write_tar):
    shards = [write_tar([("a.png", a_picture(n))], f"{n}.tar") for n in range(2)]
    first, second = find_pictures(shards)
    assert first.name != second.name
    assert first.name.endswith("0.tar/a.png")


def test_a_folder_of_shards_is_read_and_shards_beside_pictures_are_named(write_tar, tmp_path):
    write_tar([("a.png", a_picture())])
    assert [picture.name for picture in find_pictures([tmp_path])] == ["a.png"]
    (tmp_path / "b.png").write_bytes(a_picture())
    skipped = []
    assert [picture.name for picture in find_pictures([tmp_path], skipped=skipped)] == ["b.png"]
    assert "has 1 shard(s) beside its pictures, which are not read" in skipped[0]
