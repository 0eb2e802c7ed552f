"""Object storage, through fsspec: `s3://bucket/folder`, `gs://…`, and what else is in `PACKAGES`.

An address has one of these protocols and no other: neither the web nor chains of file systems
(`zip::…`), which fsspec would open as well, are reached by a text.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from hashlib import blake2b
from pathlib import PurePosixPath
from typing import Any

from segue.errors import InputError, MissingExtra, SegueError
from segue.files.atomic import printable_path

PACKAGES: Mapping[str, str] = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
    "abfss": "adlfs",
    "memory": "fsspec",
}
"""Protocol -> the package that speaks it."""
EXTRA = "cloud"

Stamp = tuple[int, int]
"""Size in bytes and time of change of a file, or what stands for it; (-1, -1): it is not there."""

_ADDRESS = re.compile(r"(?P<protocol>[A-Za-z][A-Za-z0-9+.-]*)://(?P<path>.*)", re.DOTALL)
_VERSION_KEYS = (
    "mtime", "LastModified", "last_modified", "updated", "ETag", "etag", "md5Hash", "created",
)  # fmt: skip


def is_address(text: str) -> bool:
    """Return True for "s3://…" and everything of that form.

    >>> is_address("s3://bucket/a.png"), is_address("/photos/a.png")
    (True, False)
    """
    return _ADDRESS.match(text) is not None


def check_address(text: str) -> str:
    """Return an address of object storage.

    Raises:
        InputError: it is of another protocol.
    """
    match = _ADDRESS.match(text)
    if match is None or match["protocol"].lower() not in PACKAGES:
        protocols = ", ".join(f"{name}://" for name in PACKAGES if name != "memory")
        raise InputError(
            f"{printable_path(text)} is no address of object storage. Expected a path, or one of "
            f"{protocols}. Download what lies elsewhere first."
        )
    if "\0" in text:
        raise InputError(f"The address {printable_path(text)!r} has a null character.")
    return text


class ObjectFolder:
    """Where an address leads: a file system and a path in it."""

    def __init__(self, address: str) -> None:
        """
        Args:
            address: "s3://bucket/folder/a.png".

        Raises:
            InputError: it is of another protocol, or the storage refuses.
            MissingExtra: the package of the protocol is not installed.
        """
        self.address = check_address(address)
        self.protocol, _, _ = address.partition("://")
        package = PACKAGES[self.protocol.lower()]
        try:
            import fsspec

            with readable_errors(address):
                self.fs: Any = fsspec.filesystem(self.protocol.lower())
        except ImportError as error:
            raise MissingExtra(
                f"{self.protocol}:// needs {package}, which is not installed ({error}). Run: "
                + (f"pip install {package}" if package == "adlfs" else install_command())
            ) from error
        self.path = str(self.fs._strip_protocol(address))

    def address_of(self, path: str) -> str:
        """Return the address of a path in this file system."""
        return f"{self.protocol}://{path.lstrip('/')}"

    def files(self) -> dict[str, Stamp]:
        """Return all files below, and their stamps, by path."""
        with readable_errors(self.address):
            self.fs.invalidate_cache()
            return _file_stamps(self.fs.find(self.path, detail=True))

    def matches(self) -> dict[str, Stamp]:
        """Return the files that the path matches as a pattern, by path."""
        with readable_errors(self.address):
            self.fs.invalidate_cache()
            return _file_stamps(self.fs.glob(self.path, detail=True))

    def kind(self) -> str:
        """Return "file", "folder", or "" where there is nothing."""
        with readable_errors(self.address):
            if self.fs.isfile(self.path):
                return "file"
            return "folder" if self.fs.isdir(self.path) else ""

    def stamp(self) -> Stamp:
        """Return the stamp of the file; (-1, -1) where there is none."""
        try:
            with readable_errors(self.address):
                return stamp_of(self.fs.info(self.path))
        except FileNotFoundError:
            return -1, -1

    def read(self, start: int | None = None, end: int | None = None) -> bytes:
        """Return the bytes of the file, or some of them.

        Raises:
            FileNotFoundError: there is none.
            InputError: the storage refuses.
        """
        with readable_errors(self.address):
            return bytes(self.fs.cat_file(self.path, start=start, end=end))

    def open(self) -> Any:
        """Open the file for reading; parts that are not read are not fetched."""
        with readable_errors(self.address):
            return self.fs.open(self.path, "rb")


def install_command() -> str:
    """Return how what object storage needs is installed."""
    return f"pip install 'segue[{EXTRA}]'"


def stamp_of(info: Mapping[str, Any]) -> Stamp:
    """Return size and version of what a file system says of a file.

    >>> stamp_of({"size": 7, "mtime": 1.5}), stamp_of({"size": None})
    ((7, 1500000000), (0, 0))
    """
    version: Any = next((info[key] for key in _VERSION_KEYS if info.get(key)), 0)
    if isinstance(version, datetime):
        version = version.timestamp()
    if not isinstance(version, int | float):
        digest = blake2b(str(version).encode(), digest_size=7).digest()
        return int(info.get("size") or 0), int.from_bytes(digest)
    return int(info.get("size") or 0), int(version * 1_000_000_000)


def join_address(folder: str, name: str) -> str:
    """Return the address of a name below a folder.

    Raises:
        InputError: the name leads out of it.

    >>> join_address("s3://bucket/photos", "a/b.png")
    's3://bucket/photos/a/b.png'
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or is_address(name) or not path.parts:
        raise InputError(f"{printable_path(name)!r} leads out of {printable_path(folder)}.")
    return f"{folder.rstrip('/')}/{path}"


def _file_stamps(infos: Mapping[str, Mapping[str, Any]]) -> dict[str, Stamp]:
    return {
        str(path): stamp_of(info)
        for path, info in sorted(infos.items())
        if info.get("type", "file") == "file"
    }


@contextmanager
def readable_errors(address: str) -> Iterator[None]:
    """Turn errors of a storage into a sentence; each has exceptions of its own.

    Raises:
        InputError: the storage refuses.
        FileNotFoundError, ImportError, MemoryError: as they were.
    """
    try:
        yield
    except (SegueError, FileNotFoundError, ImportError, MemoryError):
        raise
    except Exception as error:
        reason = str(error).strip() or type(error).__name__
        raise InputError(
            f"{printable_path(address)} cannot be read ({type(error).__name__}: {reason}). Check "
            "the address, the network, and the credentials that its storage expects."
        ) from error
