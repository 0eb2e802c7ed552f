"""Trouble of the disk, told apart by its errors and said in a sentence."""

import errno
import sqlite3

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_UNWRITABLE = {errno.EROFS, errno.EACCES, errno.EPERM}
_BROKEN = {errno.EIO}
_NO_ROOM = {f"SQLITE_IOERR_{what}" for what in ("WRITE", "FSYNC", "TRUNCATE", "SHMSIZE", "SHMMAP")}
"""What SQLite says where a file cannot grow."""
DISK_ERROR_MESSAGES = {
    "storage_full": "The server's disk is full, so nothing can be kept. Delete conversations, or "
    "ask whoever runs the server to make room.",
    "storage_read_only": "The server cannot write to its data folder, so nothing can be kept. "
    "Whoever runs the server must make it writable.",
    "storage_damaged": "The server's database is damaged or its disk fails. Whoever runs the "
    "server must look at it, and restore a copy.",
}


def disk_error_code(error: BaseException | None) -> str | None:
    """Return what kind of disk error an error is; None when it is none.

    >>> disk_error_code(OSError(errno.ENOSPC, "No space left on device"))
    'storage_full'
    """
    if isinstance(error, OSError):
        for numbers, code in (
            (_FULL, "storage_full"), (_UNWRITABLE, "storage_read_only"),
            (_BROKEN, "storage_damaged"),
        ):  # fmt: skip
            if error.errno in numbers:
                return code
    if isinstance(error, sqlite3.Error):
        name = str(getattr(error, "sqlite_errorname", "") or "")
        if name.startswith("SQLITE_FULL") or name in _NO_ROOM:
            return "storage_full"
        if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
            return "storage_read_only"
        if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_IOERR")):
            return "storage_damaged"
    return None
