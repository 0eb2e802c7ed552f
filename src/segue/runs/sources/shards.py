"""Files that hold many pictures, on this machine or in object storage."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO

from segue.errors import InputError
from segue.files.text import check_regular
from segue.runs.sources.object_storage import ObjectFolder, Stamp, is_address

TAR_SUFFIXES = frozenset([".tar"])
PARQUET_SUFFIXES = frozenset([".parquet"])
SHARD_SUFFIXES = TAR_SUFFIXES | PARQUET_SUFFIXES


class DamagedShard(InputError):
    """A shard cannot be read; others may be."""


def suffix_of(place: str) -> str:
    """Return the suffix of a path or address, in lower case.

    >>> suffix_of("s3://bucket/a.TAR"), suffix_of("a")
    ('.tar', '')
    """
    return Path(place.rpartition("/")[2]).suffix.lower()


def is_shard(place: str) -> bool:
    """Return True for the names of shards."""
    return suffix_of(place) in SHARD_SUFFIXES


def read_stamp(path: Path) -> Stamp:
    """Return size and time of a file, (-1, -1) where it is not there."""
    try:
        facts = path.stat()
    except (OSError, ValueError):
        return -1, -1
    return facts.st_size, facts.st_mtime_ns


def place_stamp(place: str, listed_stamp: Stamp | None = None) -> Stamp:
    """Return size and time of a shard; in object storage those of the listing, where there are."""
    if not is_address(place):
        return read_stamp(Path(place))
    return listed_stamp or ObjectFolder(place).stamp()


def open_place(place: str) -> AbstractContextManager[IO[bytes]]:
    """Open a shard for reading.

    Raises:
        OSError: it is not there.
        InputError: it is a pipe, or the storage refuses.
        MissingExtra: the package of its protocol is not installed.
    """
    if is_address(place):
        stream_context: AbstractContextManager[IO[bytes]] = ObjectFolder(place).open()
        return stream_context
    check_regular(Path(place))
    return Path(place).open("rb")
