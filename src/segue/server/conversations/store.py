"""Conversations in a database, every change of one a row, so that undo outlives the process.

A change is on the disk when its method returns. Snapshots are the JSON of
`segue.conversation.session`, compressed; pictures are named by digest and lie in `pictures.py`.
"""

import json
import secrets
import sqlite3
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from segue.conversation.history import MAX_STEPS, Step
from segue.server.conversations.database import Database
from segue.server.conversations.search import find_words, searchable_text

SnapshotJson = Mapping[str, Any]
"""What `segue.conversation.session.snapshots.snapshot_to_json` gives."""

EMPTY: SnapshotJson = {"turns": [], "regions": [], "edits": [], "backgrounds": {}}

_TEXTS_AT_A_TIME = 200


@dataclass(frozen=True, slots=True)
class PictureRecord:
    """A picture of a conversation."""

    digest: str
    name: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class ConversationRecord:
    """A conversation as it stands."""

    id: str
    owner: str
    title: str
    system: str | None
    created: float
    updated: float
    revision: int
    pictures: tuple[PictureRecord, ...]
    snapshot: SnapshotJson
    can_undo: bool
    can_redo: bool

    @property
    def pixels(self) -> int:
        """Of all its pictures; the same one twice is in memory once."""
        return sum(
            {picture.digest: picture.width * picture.height for picture in self.pictures}.values()
        )


@dataclass(frozen=True, slots=True)
class ConversationSummary:
    """A conversation in a list."""

    id: str
    title: str
    created: float
    updated: float
    revision: int
    turns: int
    pictures: int
    excerpt: str = ""
    """Where a search found its words; "" in the title, or where nothing was searched for."""


class ConversationStore:
    """The conversations of a server. Safe to use from several threads."""

    def __init__(self, file: Path) -> None:
        """Open the file, or make it. See `Database` for errors."""
        self._db = Database(file)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def create(self, owner: str, *, title: str = "", system: str | None = None) -> str:
        """Begin a conversation; its id cannot be guessed."""
        id, now = f"c_{secrets.token_urlsafe(15)}", time.time()
        with self._db.writing() as db:
            values = (id, owner, title, bool(title), system, now, now, 0, 0)
            db.execute("INSERT INTO conversations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
            _insert(db, id, 0, None, EMPTY)
        return id

    def list_conversations(self, owner: str) -> list[ConversationSummary]:
        """List the conversations of an owner, newest first."""
        rows = self._db.read(
            "SELECT id, title, created, updated, revision,"
            " (SELECT turns FROM snapshots s WHERE s.conversation = c.id AND s.number = c.now),"
            " (SELECT count(*) FROM pictures p WHERE p.conversation = c.id)"
            " FROM conversations c WHERE owner = ? ORDER BY updated DESC, id",
            (owner,),
        )
        return [ConversationSummary(*row) for row in rows]

    def search(self, owner: str, query: str) -> list[ConversationSummary]:
        """List the conversations of an owner that have all words of a query, newest first.

        Words are looked for in titles, questions, answers, phrases and names of pictures. The text
        of a conversation is taken out of its snapshot once per revision.
        """
        self._update_texts(owner)
        rows = self._db.read(
            "SELECT conversation, text FROM conversation_texts t"
            " JOIN conversations c ON c.id = t.conversation WHERE c.owner = ?",
            (owner,),
        )
        texts: dict[str, str] = dict(rows)
        found = []
        for summary in self.list_conversations(owner):
            excerpt = find_words(query, summary.title, texts.get(summary.id, ""))
            if excerpt is not None:
                found.append(replace(summary, excerpt=excerpt))
        return found

    def _update_texts(self, owner: str) -> None:
        """Bring the texts of what was changed since the last search up to date."""
        while stale := self._db.read(
            "SELECT c.id, c.revision, s.document FROM conversations c"
            " JOIN snapshots s ON s.conversation = c.id AND s.number = c.now"
            " LEFT JOIN conversation_texts t ON t.conversation = c.id"
            " WHERE c.owner = ? AND t.revision IS NOT c.revision LIMIT ?",
            (owner, _TEXTS_AT_A_TIME),
        ):
            rows = []
            for id, revision, document in stale:
                names = [picture.name for picture in self._pictures(id)]
                rows.append((revision, searchable_text(_unpack(document), names), id))
            with self._db.writing() as db:
                db.executemany(
                    "INSERT OR REPLACE INTO conversation_texts"
                    " SELECT id, ?, ? FROM conversations WHERE id = ?",
                    rows,
                )

    def revision(self, owner: str, id: str) -> int | None:
        """How often a conversation was changed; None as in `find`. It costs next to nothing."""
        rows = self._db.read(
            "SELECT revision FROM conversations WHERE id = ? AND owner = ?", (id, owner)
        )
        return rows[0][0] if rows else None

    def find(self, owner: str, id: str) -> ConversationRecord | None:
        """Find a conversation; None when there is none, or when it is somebody else's."""
        with self._db.lock:
            rows = self._db.read(
                "SELECT id, owner, title, system, created, updated, revision, now"
                " FROM conversations WHERE id = ? AND owner = ?",
                (id, owner),
            )
            if not rows:
                return None
            *_, now = rows[0]
            document = self._db.read(
                "SELECT document FROM snapshots WHERE conversation = ? AND number = ?", (id, now)
            )
            first, last = self._db.read(
                "SELECT min(number), max(number) FROM snapshots WHERE conversation = ?", (id,)
            )[0]
            pictures = tuple(self._pictures(id))
        _, _, title, system, created, updated, revision, _ = rows[0]
        return ConversationRecord(
            id=id,
            owner=owner,
            title=title,
            system=system,
            created=created,
            updated=updated,
            revision=revision,
            pictures=pictures,
            snapshot=_unpack(document[0][0]),
            can_undo=now > first,
            can_redo=now < last,
        )

    def history(self, id: str) -> tuple[list[tuple[Step | None, SnapshotJson]], int]:
        """Every snapshot with the step that led to it, and the index of the present one."""
        with self._db.lock:
            (now,) = self._db.read("SELECT now FROM conversations WHERE id = ?", (id,))[0]
            rows = self._db.read(
                "SELECT number, what, name, document FROM snapshots WHERE conversation = ?"
                " ORDER BY number",
                (id,),
            )
        steps = [
            (Step(what, name) if what else None, _unpack(document))
            for _, what, name, document in rows
        ]
        return steps, [number for number, *_ in rows].index(now)

    def add_step(self, id: str, step: Step, document: SnapshotJson, title: str = "") -> None:
        """Write one change; what was taken back before is forgotten.

        Args:
            id: of the conversation; nothing happens when it was deleted meanwhile.
            step: what was done.
            document: what came of it.
            title: the conversation's, unless a person named it.
        """
        with self._db.writing() as db:
            row = db.execute("SELECT now FROM conversations WHERE id = ?", (id,)).fetchone()
            if row is None:
                return
            number = row[0] + 1
            db.execute("DELETE FROM snapshots WHERE conversation = ? AND number >= ?", (id, number))
            _insert(db, id, number, step, document)
            db.execute(
                "DELETE FROM snapshots WHERE conversation = ? AND number < ?",
                (id, number - MAX_STEPS),
            )
            db.execute("UPDATE conversations SET now = ? WHERE id = ?", (number, id))
            _touch(db, id)
            if title:
                db.execute(
                    "UPDATE conversations SET title = ? WHERE id = ? AND NOT named", (title, id)
                )

    def move(self, id: str, by: int) -> None:
        """Undo (-1) or redo (+1)."""
        with self._db.writing() as db:
            db.execute("UPDATE conversations SET now = now + ? WHERE id = ?", (by, id))
            _touch(db, id)

    def import_steps(
        self, id: str, steps: Sequence[tuple[Step | None, SnapshotJson]], at: int, title: str
    ) -> None:
        """Give a new conversation a past."""
        with self._db.writing() as db:
            db.execute("DELETE FROM snapshots WHERE conversation = ?", (id,))
            for number, (step, document) in enumerate(steps):
                _insert(db, id, number, step, document)
            db.execute("UPDATE conversations SET now = ?, title = ? WHERE id = ?", (at, title, id))

    def add_pictures(self, id: str, pictures: Sequence[PictureRecord], title: str = "") -> None:
        """Add pictures, which must be kept already."""
        with self._db.writing() as db:
            n_before = db.execute(
                "SELECT count(*) FROM pictures WHERE conversation = ?", (id,)
            ).fetchone()[0]
            for number, picture in enumerate(pictures, n_before):
                db.execute(
                    "INSERT INTO pictures SELECT id, ?, ?, ?, ?, ? FROM conversations WHERE id = ?",
                    (number, picture.digest, picture.name, picture.width, picture.height, id),
                )
            if title:
                db.execute(
                    "UPDATE conversations SET title = ? WHERE id = ? AND title = ''", (title, id)
                )
            _touch(db, id)

    def backgrounds(self, id: str) -> dict[str, str]:
        """Pictures that edits may name: name -> digest."""
        rows = self._db.read("SELECT name, digest FROM backgrounds WHERE conversation = ?", (id,))
        return dict(rows)

    def add_background(self, id: str, digest: str, name: str = "") -> str:
        """Add a picture that edits may name, and return that name."""
        with self._db.writing() as db:
            n_before = db.execute(
                "SELECT count(*) FROM backgrounds WHERE conversation = ?", (id,)
            ).fetchone()[0]
            name = name or f"background-{n_before + 1}"
            db.execute("INSERT OR REPLACE INTO backgrounds VALUES (?, ?, ?)", (id, name, digest))
        return name

    def set_title(self, id: str, title: str) -> None:
        """Give a conversation a title."""
        with self._db.writing() as db:
            db.execute("UPDATE conversations SET title = ?, named = 1 WHERE id = ?", (title, id))
            _touch(db, id)

    def delete(self, id: str) -> list[str]:
        """Delete a conversation, and return the digests of pictures that nobody names any more."""
        with self._db.writing() as db:
            candidates = {
                digest
                for table in ("pictures", "backgrounds")
                for (digest,) in db.execute(
                    f"SELECT digest FROM {table} WHERE conversation = ?", (id,)
                )
            }
            db.execute("DELETE FROM conversations WHERE id = ?", (id,))
            return [digest for digest in sorted(candidates) if not self._is_used(digest)]

    def shrink(self) -> None:
        """Give the room of what was deleted back to the disk."""
        self._db.shrink()

    def digests(self) -> set[str]:
        """All pictures that some conversation names."""
        rows = self._db.read("SELECT digest FROM pictures UNION SELECT digest FROM backgrounds", ())
        return {digest for (digest,) in rows}

    def add_token(self, digest: str, owner: str, expires: float, max_tokens: int) -> None:
        """Keep the digest of a session token; of each owner the newest `max_tokens` remain."""
        with self._db.writing() as db:
            db.execute("DELETE FROM session_tokens WHERE expires < ?", (time.time(),))
            values = (digest, owner, expires)
            db.execute("INSERT OR REPLACE INTO session_tokens VALUES (?, ?, ?)", values)
            db.execute(
                "DELETE FROM session_tokens WHERE owner = ? AND digest NOT IN (SELECT digest FROM"
                " session_tokens WHERE owner = ? ORDER BY expires DESC, rowid DESC LIMIT ?)",
                (owner, owner, max_tokens),
            )

    def token_owner(self, digest: str, now: float) -> str | None:
        """Whose token has this digest; None when there is none that still counts."""
        rows = self._db.read(
            "SELECT owner FROM session_tokens WHERE digest = ? AND expires > ?", (digest, now)
        )
        return rows[0][0] if rows else None

    def remove_token(self, digest: str) -> None:
        """Forget one token."""
        with self._db.writing() as db:
            db.execute("DELETE FROM session_tokens WHERE digest = ?", (digest,))

    def remove_tokens(self, owner: str) -> None:
        """Forget all tokens of an owner."""
        with self._db.writing() as db:
            db.execute("DELETE FROM session_tokens WHERE owner = ?", (owner,))

    def _is_used(self, digest: str) -> bool:
        return any(
            self._db.read(f"SELECT 1 FROM {table} WHERE digest = ? LIMIT 1", (digest,))
            for table in ("pictures", "backgrounds")
        )

    def _pictures(self, id: str) -> Iterator[PictureRecord]:
        rows = self._db.read(
            "SELECT digest, name, width, height FROM pictures WHERE conversation = ?"
            " ORDER BY number",
            (id,),
        )
        return (PictureRecord(*row) for row in rows)


def _touch(db: sqlite3.Connection, id: str) -> None:
    db.execute(
        "UPDATE conversations SET updated = ?, revision = revision + 1 WHERE id = ?",
        (time.time(), id),
    )


def _insert(
    db: sqlite3.Connection, id: str, number: int, step: Step | None, document: SnapshotJson
) -> None:
    what, name = (step.what, step.name) if step else ("", "")
    values = (id, number, what, name, len(document["turns"]), _pack(document))
    db.execute("INSERT INTO snapshots VALUES (?, ?, ?, ?, ?, ?)", values)


def _pack(document: SnapshotJson) -> bytes:
    return zlib.compress(json.dumps(document, ensure_ascii=False).encode(), 1)


def _unpack(blob: bytes) -> SnapshotJson:
    document: SnapshotJson = json.loads(zlib.decompress(blob))
    return document
