"""Conversations in SQLite, every change of one a row, so that undo outlives the process.

A change is on the disk when its method returns (write-ahead log, synchronous = FULL): a process
that is killed loses nothing that was finished, and leaves nothing half written. Snapshots are the
JSON of `segue.session`, compressed; pictures are named by digest and lie in `pictures.py`.
"""

import json
import secrets
import sqlite3
import threading
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segue.errors import ModelError
from segue.history import KEPT, Step

Document = Mapping[str, Any]
"""What `segue.session.snapshot_to_json` gives."""

EMPTY: Document = {"turns": [], "regions": [], "edits": [], "backgrounds": {}}

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


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture of a conversation."""

    digest: str
    name: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Record:
    """A conversation as it stands."""

    id: str
    owner: str
    title: str
    system: str | None
    created: float
    updated: float
    revision: int
    pictures: tuple[Shown, ...]
    document: Document
    can_undo: bool
    can_redo: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A conversation in a list."""

    id: str
    title: str
    created: float
    updated: float
    revision: int
    turns: int
    pictures: int


class Store:
    """One database file. Safe to use from several threads."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._lock = threading.RLock()
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            self._db.execute(f"PRAGMA {pragma}")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            self._db.executescript(
                f"BEGIN; {_SCHEMA} PRAGMA user_version = {_SCHEMA_VERSION}; COMMIT;"
            )
        elif version != _SCHEMA_VERSION:
            raise ModelError(
                f"{file} was written by another version of segue (its form is {version}, this "
                f"one reads {_SCHEMA_VERSION}). Use that version, or another folder."
            )

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def create(self, owner: str, *, title: str = "", system: str | None = None) -> str:
        """Begin a conversation; its id cannot be guessed."""
        id, now = f"c_{secrets.token_urlsafe(15)}", time.time()
        with self._writing() as db:
            values = (id, owner, title, bool(title), system, now, now, 0, 0)
            db.execute("INSERT INTO conversations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
            _insert(db, id, 0, None, EMPTY)
        return id

    def listed(self, owner: str) -> list[Line]:
        """The conversations of an owner, newest first."""
        rows = self._read(
            "SELECT id, title, created, updated, revision,"
            " (SELECT turns FROM snapshots s WHERE s.conversation = c.id AND s.number = c.now),"
            " (SELECT count(*) FROM pictures p WHERE p.conversation = c.id)"
            " FROM conversations c WHERE owner = ? ORDER BY updated DESC, id",
            (owner,),
        )
        return [Line(*row) for row in rows]

    def revision(self, owner: str, id: str) -> int | None:
        """How often a conversation was changed; None as in `find`. It costs next to nothing."""
        rows = self._read(
            "SELECT revision FROM conversations WHERE id = ? AND owner = ?", (id, owner)
        )
        return rows[0][0] if rows else None

    def find(self, owner: str, id: str) -> Record | None:
        """A conversation; None when there is none, or when it is somebody else's."""
        with self._lock:
            rows = self._read(
                "SELECT id, owner, title, system, created, updated, revision, now"
                " FROM conversations WHERE id = ? AND owner = ?",
                (id, owner),
            )
            if not rows:
                return None
            *_, now = rows[0]
            document = self._read(
                "SELECT document FROM snapshots WHERE conversation = ? AND number = ?", (id, now)
            )
            first, last = self._read(
                "SELECT min(number), max(number) FROM snapshots WHERE conversation = ?", (id,)
            )[0]
            pictures = tuple(self._pictures(id))
        _, _, title, system, created, updated, revision, _ = rows[0]
        return Record(
            id=id,
            owner=owner,
            title=title,
            system=system,
            created=created,
            updated=updated,
            revision=revision,
            pictures=pictures,
            document=_unpacked(document[0][0]),
            can_undo=now > first,
            can_redo=now < last,
        )

    def history(self, id: str) -> tuple[list[tuple[Step | None, Document]], int]:
        """Every snapshot with the step that led to it, and the index of the present one."""
        with self._lock:
            (now,) = self._read("SELECT now FROM conversations WHERE id = ?", (id,))[0]
            rows = self._read(
                "SELECT number, what, name, document FROM snapshots WHERE conversation = ?"
                " ORDER BY number",
                (id,),
            )
        steps = [
            (Step(what, name) if what else None, _unpacked(document))
            for _, what, name, document in rows
        ]
        return steps, [number for number, *_ in rows].index(now)

    def add_step(self, id: str, step: Step, document: Document, title: str = "") -> None:
        """Write one change; what was taken back before is forgotten.

        Args:
            id: of the conversation; nothing happens when it was deleted meanwhile.
            step: what was done.
            document: what came of it.
            title: the conversation's, unless a person named it.
        """
        with self._writing() as db:
            row = db.execute("SELECT now FROM conversations WHERE id = ?", (id,)).fetchone()
            if row is None:
                return
            number = row[0] + 1
            db.execute("DELETE FROM snapshots WHERE conversation = ? AND number >= ?", (id, number))
            _insert(db, id, number, step, document)
            db.execute(
                "DELETE FROM snapshots WHERE conversation = ? AND number < ?", (id, number - KEPT)
            )
            db.execute("UPDATE conversations SET now = ? WHERE id = ?", (number, id))
            self._touch(id)
            if title:
                db.execute(
                    "UPDATE conversations SET title = ? WHERE id = ? AND NOT named", (title, id)
                )

    def move(self, id: str, by: int) -> None:
        """Undo (-1) or redo (+1)."""
        with self._writing() as db:
            db.execute("UPDATE conversations SET now = now + ? WHERE id = ?", (by, id))
            self._touch(id)

    def import_steps(
        self, id: str, steps: Sequence[tuple[Step | None, Document]], at: int, title: str
    ) -> None:
        """Give a new conversation a past."""
        with self._writing() as db:
            db.execute("DELETE FROM snapshots WHERE conversation = ?", (id,))
            for number, (step, document) in enumerate(steps):
                _insert(db, id, number, step, document)
            db.execute("UPDATE conversations SET now = ?, title = ? WHERE id = ?", (at, title, id))

    def show(self, id: str, pictures: Sequence[Shown], title: str = "") -> None:
        """Add pictures, which must be kept already."""
        with self._writing() as db:
            known = db.execute(
                "SELECT count(*) FROM pictures WHERE conversation = ?", (id,)
            ).fetchone()[0]
            for number, one in enumerate(pictures, known):
                db.execute(
                    "INSERT INTO pictures SELECT id, ?, ?, ?, ?, ? FROM conversations WHERE id = ?",
                    (number, one.digest, one.name, one.width, one.height, id),
                )
            if title:
                db.execute(
                    "UPDATE conversations SET title = ? WHERE id = ? AND title = ''", (title, id)
                )
            self._touch(id)

    def backgrounds(self, id: str) -> dict[str, str]:
        """Pictures that edits may name: name -> digest."""
        rows = self._read("SELECT name, digest FROM backgrounds WHERE conversation = ?", (id,))
        return dict(rows)

    def add_background(self, id: str, digest: str, name: str = "") -> str:
        """Add a picture that edits may name, and return that name."""
        with self._writing() as db:
            known = db.execute(
                "SELECT count(*) FROM backgrounds WHERE conversation = ?", (id,)
            ).fetchone()[0]
            name = name or f"background-{known + 1}"
            db.execute("INSERT OR REPLACE INTO backgrounds VALUES (?, ?, ?)", (id, name, digest))
        return name

    def name(self, id: str, title: str) -> None:
        """Give a conversation a title."""
        with self._writing() as db:
            db.execute("UPDATE conversations SET title = ?, named = 1 WHERE id = ?", (title, id))
            self._touch(id)

    def delete(self, id: str) -> list[str]:
        """Delete a conversation, and return the digests of pictures that nobody names any more."""
        with self._writing() as db:
            mine = {
                digest
                for table in ("pictures", "backgrounds")
                for (digest,) in db.execute(
                    f"SELECT digest FROM {table} WHERE conversation = ?", (id,)
                )
            }
            db.execute("DELETE FROM conversations WHERE id = ?", (id,))
            return [digest for digest in sorted(mine) if not self._named(digest)]

    def digests(self) -> set[str]:
        """All pictures that some conversation names."""
        rows = self._read("SELECT digest FROM pictures UNION SELECT digest FROM backgrounds", ())
        return {digest for (digest,) in rows}

    def _named(self, digest: str) -> bool:
        return any(
            self._read(f"SELECT 1 FROM {table} WHERE digest = ? LIMIT 1", (digest,))
            for table in ("pictures", "backgrounds")
        )

    def _pictures(self, id: str) -> Iterator[Shown]:
        rows = self._read(
            "SELECT digest, name, width, height FROM pictures WHERE conversation = ?"
            " ORDER BY number",
            (id,),
        )
        return (Shown(*row) for row in rows)

    def _touch(self, id: str) -> None:
        self._db.execute(
            "UPDATE conversations SET updated = ?, revision = revision + 1 WHERE id = ?",
            (time.time(), id),
        )

    def _read(self, query: str, values: Sequence[Any]) -> list[Any]:
        with self._lock:
            return self._db.execute(query, values).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it or nothing."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")


def _insert(
    db: sqlite3.Connection, id: str, number: int, step: Step | None, document: Document
) -> None:
    what, name = (step.what, step.name) if step else ("", "")
    values = (id, number, what, name, len(document["turns"]), _packed(document))
    db.execute("INSERT INTO snapshots VALUES (?, ?, ?, ?, ?, ?)", values)


def _packed(document: Document) -> bytes:
    return zlib.compress(json.dumps(document, ensure_ascii=False).encode(), 1)


def _unpacked(blob: bytes) -> Document:
    document: Document = json.loads(zlib.decompress(blob))
    return document
