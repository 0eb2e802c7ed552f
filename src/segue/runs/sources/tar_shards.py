"""Tar shards as WebDataset has them: files of one basename up to its first dot are one sample.

    0001.jpg  0001.txt  0001.json     a picture, and texts about it

Listing reads the headers only; a picture is read later from its place in the shard. Nothing is
extracted, so names in a shard lead nowhere. Links and devices in a shard are no pictures.

Source: https://github.com/webdataset/webdataset
"""

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import IO

from segue.errors import InputError
from segue.files.atomic import printable_path
from segue.files.unicode import well_formed
from segue.runs.sources.object_storage import ObjectFolder, Stamp, is_address, readable_errors
from segue.runs.sources.shards import DamagedShard, open_place, suffix_of

MAX_TEXT_BYTES = 1_000_000
"""Of a member with a text; longer ones are not read."""

_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_DAMAGE = (tarfile.TarError, OSError, EOFError, ValueError, OverflowError)


@dataclass(frozen=True, slots=True)
class TarEntry:
    """A file in a tar shard."""

    name: str
    offset: int
    """Of its bytes in the shard."""
    size_bytes: int

    @property
    def key(self) -> str:
        """What the files of one sample have in common.

        >>> TarEntry("a.b/0001.left.jpg", 0, 0).key
        'a.b/0001'
        """
        folder, slash, base = self.name.rpartition("/")
        return f"{folder}{slash}{base.partition('.')[0]}"

    @property
    def extension(self) -> str:
        """What follows the first dot of the basename, in lower case."""
        return self.name.rpartition("/")[2].partition(".")[2].lower()


@dataclass(slots=True)
class TarListing:
    """What a tar shard holds."""

    entries: list[TarEntry] = field(default_factory=list)
    questions: dict[str, str] = field(default_factory=dict)
    """By the key of their sample."""
    problems: list[str] = field(default_factory=list)
    """Sentences about what is left out."""


def list_tar(place: str, ask_column: str | None = None) -> TarListing:
    """List the files of a shard, and read its questions.

    Args:
        place: path or address.
        ask_column: extension of the members that hold questions ("txt"), or a key of the objects
            in ".json" members; None: there are no questions.

    Raises:
        DamagedShard: it is not there, compressed, or no tar file at all.
    """
    listing = TarListing()
    place_name = printable_path(place)
    try:
        with readable_errors(place), open_place(place) as file:
            _refuse_compressed(file.read(6), place_name)
            file.seek(0)
            _list_files(file, listing, place_name, ask_column)
    except OSError as error:
        raise DamagedShard(f"{place_name} cannot be read: {error.strerror or error}.") from error
    return listing


@lru_cache(maxsize=8)
def members_by_name(place: str, stamp: Stamp) -> dict[str, TarEntry]:
    """Return the files of a shard by name.

    Args:
        place: path or address.
        stamp: of the shard, so that one that changed is listed anew.

    Raises:
        InputError: it cannot be read.
    """
    return {entry.name: entry for entry in list_tar(place).entries}


def read_range(place: str, offset: int, size_bytes: int) -> bytes:
    """Return some bytes of a shard.

    Raises:
        InputError: the shard ends before them.
        OSError: it cannot be read.
    """
    if is_address(place):
        content = ObjectFolder(place).read(offset, offset + size_bytes) if size_bytes else b""
    else:
        with open_place(place) as file:
            file.seek(offset)
            content = file.read(size_bytes)
    if len(content) < size_bytes:
        raise InputError("Its shard ends within it. Copy the shard again.")
    return content


def _list_files(
    file: IO[bytes], listing: TarListing, place_name: str, ask_column: str | None
) -> None:
    """Add the files of an archive to a listing."""
    names: set[str] = set()
    n_repeated = n_unreadable = 0
    damage: Exception | None = None
    try:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            for entry in _files_of(archive):
                if entry.name in names:
                    n_repeated += 1
                    continue
                names.add(entry.name)
                listing.entries.append(entry)
                if ask_column is not None and entry.extension in ("json", ask_column.lower()):
                    file.seek(entry.offset)
                    text = file.read(min(entry.size_bytes, MAX_TEXT_BYTES + 1))
                    n_unreadable += not _add_question(listing, entry, text, ask_column)
    except _DAMAGE as error:
        damage = error
    if damage is not None:
        reason = getattr(damage, "strerror", None) or damage
        if not listing.entries:
            raise DamagedShard(
                f"{place_name} cannot be read as a tar file: {reason}. Expected a WebDataset shard."
            ) from damage
        listing.problems.append(
            f"{place_name} is damaged after {len(listing.entries)} file(s) ({reason}); the rest of "
            "it is left out."
        )
    if n_repeated:
        listing.problems.append(
            f"{place_name} has {n_repeated} file(s) under names that were there before; they are "
            "left out."
        )
    if n_unreadable:
        listing.problems.append(f"{place_name} has {n_unreadable} text(s) that cannot be read.")


def _files_of(archive: tarfile.TarFile) -> Iterator[TarEntry]:
    for member in archive:
        archive.members = []  # type: ignore[attr-defined]  # or each header stays in memory
        is_file = member.isreg() and not member.issparse()
        if is_file and not member.name.rpartition("/")[2].startswith(("._", "__")):
            name = well_formed(member.name).removeprefix("./")
            yield TarEntry(name, member.offset_data, member.size)


def _refuse_compressed(beginning: bytes, place_name: str) -> None:
    for magic, name in _COMPRESSED.items():
        if beginning.startswith(magic):
            raise DamagedShard(
                f"{place_name} is compressed with {name}, so its pictures have no place of their "
                "own. Decompress it: pictures gain nothing by it."
            )


def _add_question(listing: TarListing, entry: TarEntry, content: bytes, ask_column: str) -> bool:
    """Keep the question that a member holds; False where it cannot be read."""
    try:
        if len(content) > MAX_TEXT_BYTES:
            return False
        text = content.decode("utf-8-sig")
        is_text = entry.extension == ask_column.lower()
        value = {ask_column: text} if is_text else json.loads(text)
        question = value.get(ask_column) if isinstance(value, dict) else None
    except (ValueError, RecursionError):
        return False
    if isinstance(question, str) and question.strip():
        listing.questions[entry.key] = well_formed(question.strip())
    return True


def picture_entries(listing: TarListing, suffixes: frozenset[str]) -> list[TarEntry]:
    """Return the files that are pictures by their names."""
    return [entry for entry in listing.entries if suffix_of(entry.name) in suffixes]
