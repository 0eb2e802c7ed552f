"""The data folder: private, checked before the server starts, and its trouble in plain words.

A disk that is full or cannot be written is nobody's fault who asks: 507, with a sentence, and
`/readyz` says it too. A reserve of some megabytes is kept so that deleting works on a full disk.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic

from segue.errors import InputError
from segue.server.disk_errors import disk_error_code
from segue.server.http.errors import to_api_error

DATABASE = "conversations.sqlite3"
RESERVE_BYTES = 4 * 2**20
_PROBE_BYTES = 64 * 2**10
_PROBE_AGE_S = 0.25


class Storage:
    """A data folder and its files. Safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._probed: tuple[float, BaseException | None] = (-1e9, None)

    @property
    def database(self) -> Path:
        """The file of conversations."""
        return self.folder / DATABASE

    @property
    def pictures(self) -> Path:
        """The folder of pictures."""
        return self.folder / "pictures"

    @property
    def videos(self) -> Path:
        """The folder of films."""
        return self.folder / "videos"

    def prepare(self) -> None:
        """Make the folder, and make what is in it private, whatever its modes were.

        Raises:
            InputError: it is a file, or cannot be written.
        """
        with explain_disk_errors(self.folder):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.pictures.mkdir(mode=0o700, exist_ok=True)
            _make_private(self.pictures, 0o700)
            for file in (*self.folder.iterdir(), *self.pictures.iterdir()):
                if file.is_file() and not file.is_symlink():
                    _make_private(file, 0o600)
            if not self.database.exists():
                os.close(os.open(self.database, os.O_CREAT | os.O_WRONLY, 0o600))

    def check(self) -> None:
        """Try to write, at most four times a second.

        Raises:
            ApiError: 507, it cannot be done.
        """
        when, error = self._probed
        if monotonic() - when > _PROBE_AGE_S:
            error = self._probe()
            self._probed = (monotonic(), error)
        if error is not None:
            raise to_api_error(error)

    def keep_reserve(self) -> None:
        """Take some megabytes while there is room; without them it goes on all the same."""
        with suppress(OSError):
            file = self.folder / "reserve"
            if file.is_file() and file.stat().st_size == RESERVE_BYTES:
                return
            with open(file, "wb", opener=private) as out:
                out.write(bytes(RESERVE_BYTES))
                out.flush()
                os.fsync(out.fileno())

    @contextmanager
    def release_reserve(self) -> Iterator[None]:
        """Give the reserve away for a while, so that something can be deleted."""
        with suppress(OSError):
            (self.folder / "reserve").unlink(missing_ok=True)
        try:
            yield
        finally:
            self.keep_reserve()

    def _probe(self) -> BaseException | None:
        file = self.folder / ".probe"
        try:
            with open(file, "wb", opener=private) as out:
                out.write(bytes(_PROBE_BYTES))
        except OSError as error:
            return error
        finally:
            with suppress(OSError):
                file.unlink(missing_ok=True)
        return None


@contextmanager
def explain_disk_errors(folder: Path) -> Iterator[None]:
    """Errors of starting as sentences for the one who starts the server.

    Raises:
        InputError: what is wrong with the folder.
    """
    try:
        yield
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(
            f"--data must be a folder, but {folder} is a file or lies below one. Give another."
        ) from error
    except (OSError, sqlite3.Error) as error:
        code = disk_error_code(error)
        if code is None:
            raise
        raise InputError(
            {
                "storage_full": f"The disk of {folder} is full. Make room, or give another --data.",
                "storage_read_only": f"{folder} cannot be written ({error}). Make it writable, or "
                "give another --data.",
                "storage_damaged": f"{folder / DATABASE} is damaged, or no database of segue "
                f"({error}). Move it away to begin anew, or restore a copy.",
            }[code]
        ) from error


def private(path: str, flags: int) -> int:
    """Open files so that only their owner may read them; for `open`."""
    return os.open(path, flags, 0o600)


def _make_private(path: Path, mode: int) -> None:
    if path.stat().st_mode & 0o077:
        path.chmod(mode)
