"""The database file of a server: its tables, and one transaction at a time.

A change is on the disk when its transaction ends (write-ahead log, synchronous = FULL): a process
that is killed loses nothing that was finished, and leaves nothing half written.
"""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from segue.errors import ModelError

_SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE conversations (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, title TEXT NOT NULL, named INTEGER NOT NULL,
    system TEXT, created REAL NOT NULL, updated REAL NOT NULL, revision INTEGER NOT NULL,
    now INTEGER NOT NULL
) STRICT;
CREATE INDEX of_owner ON conversations (owner, updated);
CREATE TABLE pictures (
    conversation TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    number INTEGER NOT NULL, digest TEXT NOT NULL, name TEXT NOT NULL,
    width INTEGER NOT NULL, height INTEGER NOT NULL,
    PRIMARY KEY (conversation, number)
) STRICT;
CREATE TABLE backgrounds (
    conversation TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    name TEXT NOT NULL, digest TEXT NOT NULL,
    PRIMARY KEY (conversation, name)
) STRICT;
CREATE TABLE snapshots (
    conversation TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    number INTEGER NOT NULL, what TEXT NOT NULL, name TEXT NOT NULL, turns INTEGER NOT NULL,
    document BLOB NOT NULL,
    PRIMARY KEY (conversation, number)
) STRICT;
CREATE INDEX picture_digests ON pictures (digest);
CREATE INDEX background_digests ON backgrounds (digest);
"""
_LATER = """
CREATE TABLE IF NOT EXISTS session_tokens (
    digest TEXT PRIMARY KEY, owner TEXT NOT NULL, expires REAL NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS conversation_texts (
    conversation TEXT PRIMARY KEY REFERENCES conversations (id) ON DELETE CASCADE,
    revision INTEGER NOT NULL, text TEXT NOT NULL
) STRICT;
"""
"""What older files lack, and older versions do not mind."""


class Database:
    """One SQLite file. Safe to use from several threads."""

    def __init__(self, file: Path) -> None:
        """Open the file, or make it.

        Raises:
            ModelError: another version wrote it.
            sqlite3.Error: it is damaged, or the disk is full or cannot be written.
        """
        self._connection = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self.lock = threading.RLock()
        """Held for each call; hold it around several that must see the same."""
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            self._connection.execute(f"PRAGMA {pragma}")
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            self._connection.executescript(
                f"BEGIN; {_SCHEMA} PRAGMA user_version = {_SCHEMA_VERSION}; COMMIT;"
            )
        if version in (0, _SCHEMA_VERSION):
            self._connection.executescript(_LATER)
        else:
            raise ModelError(
                f"{file} was written by another version of segue (its form is {version}, this "
                f"one reads {_SCHEMA_VERSION}). Use that version, or another folder."
            )

    def close(self) -> None:
        """Close the file."""
        with self.lock:
            self._connection.close()

    def read(self, query: str, values: Sequence[Any]) -> list[Any]:
        """All rows of a query."""
        with self.lock:
            return self._connection.execute(query, values).fetchall()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it or nothing."""
        with self.lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # on a full disk SQLite may have ended it
                    self._connection.execute("ROLLBACK")
                raise

    def shrink(self) -> None:
        """Write the log into the file, and give its room back."""
        with self.lock:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
