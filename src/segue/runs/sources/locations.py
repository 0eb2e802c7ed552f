"""Where the bytes of a picture lie: in a file, in object storage, in a shard.

A location is a small value that travels to other processes; it is read there. Its address is the
text by which a result remembers it:

    /photos/a.png                              a file
    s3://bucket/photos/a.png                   an object
    /shards/0.tar#member=a.png                 a member of a tar shard
    /shards/0.parquet#row=17&column=image      a cell of a Parquet shard
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, unquote

from segue.errors import InputError
from segue.files.atomic import printable_path
from segue.files.unicode import is_well_formed
from segue.runs.sources import parquet_shards, tar_shards
from segue.runs.sources.object_storage import ObjectFolder, Stamp, is_address
from segue.runs.sources.shards import place_stamp, read_stamp
from segue.values.image.pixels import Limits

_MEMBER = re.compile(r"(?P<shard>.+)#member=(?P<member>[^#]*)", re.DOTALL)
_CELL = re.compile(r"(?P<shard>.+)#row=(?P<row>\d+)&column=(?P<column>[^#&]*)", re.DOTALL)


class PictureLocation(Protocol):
    """Where the bytes of a picture lie."""

    @property
    def address(self) -> str:
        """The location as a text, absolute."""

    @property
    def long_name(self) -> str:
        """A name for the picture that no other location has; without a leading "/"."""

    def stamp(self) -> Stamp:
        """Return size and time of the file the picture lies in; (-1, -1) where it is not there."""

    def read(self) -> bytes:
        """Return the bytes of the picture.

        Raises:
            InputError, OSError, MemoryError: they cannot be read.
        """


@dataclass(frozen=True, slots=True)
class FileLocation:
    """A file."""

    path: Path

    @property
    def address(self) -> str:
        """The absolute path."""
        return str(self.path.absolute())

    @property
    def long_name(self) -> str:
        """The path."""
        return self.path.as_posix().lstrip("/")

    def stamp(self) -> Stamp:
        """Return size and time of the file."""
        return read_stamp(self.path)

    def read(self) -> bytes:
        """Return the bytes of the file. See `PictureLocation.read`."""
        if self.path.exists() and not self.path.is_file():
            raise InputError("It is no file.")  # a pipe would never end
        if not is_well_formed(str(self.path)):
            raise InputError("Its name is in no known encoding. Rename the file.")
        return self.path.read_bytes()


@dataclass(frozen=True, slots=True)
class ObjectLocation:
    """An object of object storage."""

    address: str
    listed_stamp: Stamp | None = None
    """As a listing gave it; None: it is asked for."""

    @property
    def long_name(self) -> str:
        """The address without its protocol."""
        return _without_protocol(self.address)

    def stamp(self) -> Stamp:
        """Return size and version of the object."""
        return self.listed_stamp or ObjectFolder(self.address).stamp()

    def read(self) -> bytes:
        """Return the bytes of the object. See `PictureLocation.read`."""
        return ObjectFolder(self.address).read()


@dataclass(frozen=True, slots=True)
class TarMember:
    """A member of a tar shard; it is read where it lies and never extracted."""

    shard: str
    """Absolute path or address of the shard."""
    shard_stamp: Stamp
    """When its members were listed."""
    member: str
    offset: int
    """Of its bytes in the shard."""
    size_bytes: int

    @property
    def address(self) -> str:
        """Shard and member."""
        return f"{self.shard}#member={quote(self.member, errors='surrogatepass')}"

    @property
    def long_name(self) -> str:
        """Shard and member, as a path."""
        return f"{_without_protocol(self.shard)}/{self.member}"

    def stamp(self) -> Stamp:
        """Return size and time of the shard."""
        return place_stamp(self.shard, self.shard_stamp)

    def read(self) -> bytes:
        """Return the bytes of the member. See `PictureLocation.read`."""
        _check_unchanged(self.stamp(), self.shard_stamp)
        if self.size_bytes > Limits().max_bytes:
            raise InputError(f"It has more than {Limits().max_bytes} bytes.")
        return tar_shards.read_range(self.shard, self.offset, self.size_bytes)


@dataclass(frozen=True, slots=True)
class ParquetCell:
    """A cell of a Parquet shard."""

    shard: str
    """Absolute path or address of the shard."""
    shard_stamp: Stamp
    """When its rows were listed."""
    row: int
    column: str

    @property
    def address(self) -> str:
        """Shard, row and column."""
        return f"{self.shard}#row={self.row}&column={quote(self.column)}"

    @property
    def long_name(self) -> str:
        """Shard and row, as a path."""
        return f"{_without_protocol(self.shard)}/{self.row:06}"

    def stamp(self) -> Stamp:
        """Return size and time of the shard."""
        return place_stamp(self.shard, self.shard_stamp)

    def read(self) -> bytes:
        """Return the bytes in the cell, or of the file it names. See `PictureLocation.read`."""
        _check_unchanged(self.stamp(), self.shard_stamp)
        return parquet_shards.read_cell(self.shard, self.shard_stamp, self.row, self.column)


_KINDS: dict[str, Any] = {
    "file": FileLocation,
    "object": ObjectLocation,
    "tar": TarMember,
    "parquet": ParquetCell,
}


def location_to_json(location: PictureLocation) -> list[Any]:
    """Return plain JSON values, which `location_from_json` reads."""
    kind = next(name for name, known_class in _KINDS.items() if isinstance(location, known_class))
    values = [getattr(location, name) for name in _KINDS[kind].__dataclass_fields__]
    return [kind, *(str(value) if isinstance(value, Path) else value for value in values)]


def location_from_json(value: Sequence[Any]) -> PictureLocation:
    """Read what `location_to_json` wrote."""
    kind, *values = value
    if kind == "file":
        return FileLocation(Path(*values))
    location: PictureLocation = _KINDS[kind](
        *(tuple(one) if isinstance(one, list) else one for one in values)
    )
    return location


def location_of(address: str) -> PictureLocation:
    """Return the location that has an address.

    Args:
        address: as `PictureLocation.address` gives it.

    Raises:
        InputError: a shard cannot be read, or has no such member.
    """
    if is_address(address) or not Path(address).is_file():
        if match := _MEMBER.fullmatch(address):
            shard, name = match["shard"], unquote(match["member"], errors="surrogatepass")
            stamp = place_stamp(shard)
            entry = tar_shards.members_by_name(shard, stamp).get(name)
            if entry is None:
                raise InputError(f"{printable_path(shard)} has no member {name!r}.")
            return TarMember(shard, stamp, name, entry.offset, entry.size_bytes)
        if match := _CELL.fullmatch(address):
            shard = match["shard"]
            return ParquetCell(
                shard, place_stamp(shard), int(match["row"]), unquote(match["column"])
            )
    return ObjectLocation(address) if is_address(address) else FileLocation(Path(address))


def _without_protocol(address: str) -> str:
    return re.sub(r"^[A-Za-z][A-Za-z0-9+.-]*://", "", address).lstrip("/")


def _check_unchanged(stamp: Stamp, listed_stamp: Stamp) -> None:
    if stamp[0] < 0:
        raise FileNotFoundError(2, "The shard is not there")
    if stamp != listed_stamp:
        raise InputError("Its shard changed during the run. Start the same command again.")
