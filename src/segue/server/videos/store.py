"""Films on the disk: bytes by content, a record and the runs of each for each of its owners.

    videos/films/<sha256>               the bytes, once each
    videos/<id>/video.json              whose it is, its name, what was found out about it
    videos/<id>/runs/<run>/             a tracking run, see `segue.runs.tracking.store`
    videos/<id>/exports/<run>/          files of a run that were asked for

All together are bounded: what was used longest ago goes first. Safe to use from several threads.
"""

import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Container
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from segue.files.atomic import write_json
from segue.server.http.errors import ApiError, not_found_error
from segue.server.videos.upload import Film

RECORD = "video.json"


@dataclass(frozen=True, slots=True)
class VideoRecord:
    """What is known of a film."""

    id: str
    owner: str
    name: str
    digest: str
    size_bytes: int
    container: str
    """FFmpeg's name of the container."""
    width: int
    """Of the upright frames."""
    height: int
    frames: int
    seconds: float
    """From the first frame to the end of the last one."""
    created: float
    """Seconds of the epoch."""

    @property
    def fps(self) -> float:
        """Frames a second, on average."""
        return self.frames / self.seconds if self.seconds > 0 else 0.0


def video_id(owner: str, digest: str) -> str:
    """Return the id of a film of an owner: the same whenever it is sent again."""
    return "v_" + hashlib.sha256(f"{owner}\0{digest}".encode()).hexdigest()[:20]


class VideoStore:
    """The folder of films."""

    def __init__(self, folder: Path) -> None:
        """Open the folder; what a crash left half written is deleted."""
        self.folder = folder
        self._films = folder / "films"
        folder.mkdir(mode=0o700, exist_ok=True)
        self._films.mkdir(mode=0o700, exist_ok=True)
        self._lock = threading.RLock()
        self._n_drafts = 0
        self._records: dict[str, VideoRecord] = {}
        for draft in self._films.glob(".*"):
            draft.unlink(missing_ok=True)
        for place in folder.glob("v_*"):
            try:
                record = VideoRecord(**json.loads((place / RECORD).read_text("utf-8")))
                self._records[record.id] = record
            except (OSError, ValueError, TypeError):
                shutil.rmtree(place, ignore_errors=True)  # a crash came before its record
        named = {record.digest for record in self._records.values()}
        for film in self._films.iterdir():
            if film.name not in named:
                film.unlink(missing_ok=True)

    def new_draft(self) -> Path:
        """Return a path for a film that is coming in."""
        with self._lock:
            self._n_drafts += 1
            return self._films / f".{os.getpid()}.{self._n_drafts}"

    def find(self, owner: str, id: str) -> VideoRecord:
        """Find a film.

        Raises:
            ApiError: 404, there is none, or it is somebody else's.
        """
        record = self._records.get(id)
        if record is None or record.owner != owner:
            raise not_found_error("video", id)
        return record

    def of_owner(self, owner: str) -> list[VideoRecord]:
        """Return all films of an owner, those used last first."""
        records = [record for record in self._records.values() if record.owner == owner]
        return sorted(records, key=self._last_use, reverse=True)

    def film_file(self, record: VideoRecord) -> Path:
        """Return where the bytes of a film lie."""
        return self._films / record.digest

    def run_folder(self, record: VideoRecord, run: str) -> Path:
        """Return where a run lies."""
        return self.folder / record.id / "runs" / run

    def export_folder(self, record: VideoRecord, run: str) -> Path:
        """Return where files of a run lie."""
        return self.folder / record.id / "exports" / run

    def keep(self, film: Film, record: VideoRecord) -> VideoRecord:
        """Keep a film that has come in, and return its record: the one that was there, or `record`.

        A film that is known keeps its name, since its runs go by it.
        """
        with self._lock:
            if (known := self._records.get(record.id)) is not None:
                return known
            file = self.film_file(record)
            if not file.exists():
                film.draft.replace(file)
            place = self.folder / record.id
            place.mkdir(mode=0o700, exist_ok=True)
            write_json(place / RECORD, asdict(record))
            self._records[record.id] = record
            return record

    def touch(self, record: VideoRecord) -> None:
        """Note that a film is used now."""
        with suppress(OSError):
            os.utime(self.folder / record.id / RECORD)

    def delete(self, record: VideoRecord) -> None:
        """Delete a film of an owner with its runs; its bytes, where no other owner has it."""
        with self._lock:
            self._records.pop(record.id, None)
            shutil.rmtree(self.folder / record.id, ignore_errors=True)
            if all(other.digest != record.digest for other in self._records.values()):
                self.film_file(record).unlink(missing_ok=True)

    def size_bytes(self) -> int:
        """Return how much all of it takes on the disk."""
        return sum(_size(file) for file in self.folder.rglob("*"))

    def prune(self, limit: int, busy: Container[str]) -> None:
        """Delete films that were used longest ago, until all of it is within a limit.

        Args:
            limit: in bytes.
            busy: ids of films that must stay.

        Raises:
            ApiError: 507, what must stay is more than that.
        """
        with self._lock:
            for record in sorted(self._records.values(), key=self._last_use):
                if self.size_bytes() <= limit:
                    return
                if record.id not in busy:
                    self.delete(record)
            if self.size_bytes() > limit:
                raise ApiError(
                    507,
                    "storage_full",
                    f"The films of this server may have {limit} bytes together, and those in use "
                    "leave no room. Wait for them, or delete some.",
                )

    def _last_use(self, record: VideoRecord) -> float:
        try:
            return (self.folder / record.id / RECORD).stat().st_mtime
        except OSError:
            return 0.0


def new_record(
    owner: str, film: Film, container: str, size: tuple[int, int], frames: int, seconds: float
) -> VideoRecord:
    """Return the record of a film that comes in now; `size` is (height, width)."""
    return VideoRecord(
        id=video_id(owner, film.digest),
        owner=owner,
        name=film.name,
        digest=film.digest,
        size_bytes=film.size_bytes,
        container=container,
        width=size[1],
        height=size[0],
        frames=frames,
        seconds=seconds,
        created=time.time(),
    )


def _size(file: Path) -> int:
    try:
        return file.stat().st_size if file.is_file() else 0
    except OSError:
        return 0  # deleted meanwhile
