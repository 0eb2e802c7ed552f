"""The folder of a tracking run: append-only, whole after any interruption.

    track.json      settings, video, models: what the results depend on
    journal.jsonl   what was pointed at, corrections, and one line for each frame of each leg

A frame that is tracked again after a correction has a later line, which counts for its track. A
last line that was cut off is dropped, and its frame is done again.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from segue.errors import InputError
from segue.files.append_only import AppendOnlyFile
from segue.files.atomic import printable_path
from segue.runs.manifest import begin_run, read_manifest
from segue.runs.tracking.entries import Correction, Track, TrackedFrame, TrackEntry
from segue.runs.tracking.settings import TrackingSettings
from segue.trackers import UNSEEN

FORMAT = 1
MANIFEST, JOURNAL = "track.json", "journal.jsonl"
SYNC_EVERY = 16
"""After so many frames the disk is asked to keep them, against a loss of power."""


@dataclass(slots=True)
class TrackProgress:
    """How far a track is in one leg; entries are kept as JSON values."""

    first: tuple[int, Mapping[str, Any]] | None = None
    """The frame and entry where the leg began."""
    prompted: tuple[int, Mapping[str, Any]] | None = None
    """The latest frame and entry that told the tracker the mask."""
    seen: tuple[int, Mapping[str, Any]] | None = None
    """The latest frame and entry with a mask."""
    latest: Mapping[str, Any] | None = None
    n_lost: int = 0
    """Frames since `seen`."""

    def add(self, frame: int, entry: Mapping[str, Any]) -> None:
        """Take the next entry of the leg."""
        self.first = self.first or (frame, entry)
        self.latest = entry
        if "mask" in entry:
            self.seen, self.n_lost = (frame, entry), 0
        else:
            self.n_lost += 1
        if entry.get("prompted"):
            self.prompted = frame, entry


@dataclass(slots=True)
class LegProgress:
    """How far a leg is."""

    n_done: int = 0
    """Frames of it that have a line."""
    tracks: dict[int, TrackProgress] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TrackGap:
    """Frames on which a track is lost, one after the other."""

    track: int
    first: int
    """Number of the first of them."""
    first_seconds: float
    last: int
    """Number of the last of them."""
    last_seconds: float
    reason: str
    found_by: str = ""
    """How it was found again; "" where it was not."""


class TrackStore:
    """The results of a tracking run. Reading needs no lock; one process at a time may write."""

    def __init__(self, folder: Path) -> None:
        """Open a run, and look through its journal.

        Args:
            folder: of the run.

        Raises:
            InputError: there is none, or it is damaged.
        """
        self.folder = folder
        self.manifest = read_manifest(folder / MANIFEST, FORMAT, "tracking run")
        try:
            self.settings = TrackingSettings.from_json(self.manifest["settings"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"The settings of {printable_path(folder)} are damaged.") from error
        self.tracks: dict[int, Track] = {}
        """What is followed, by id; empty until something was pointed at."""
        self.not_found: tuple[str, ...] = ()
        """Phrases of which there was nothing on the frame."""
        self.notices: tuple[str, ...] = ()
        self.corrections: list[Correction] = []
        """In the order in which they were made."""
        self.legs: dict[int, LegProgress] = {}
        self._offsets: dict[int, list[int]] = {}
        self._file: AppendOnlyFile | None = None
        self._n_unsynced = 0
        self._read_journal()

    @classmethod
    def create(
        cls, folder: Path, settings: TrackingSettings, facts: Mapping[str, Any]
    ) -> "TrackStore":
        """Begin a run, or open the one that is there, if it is of the same settings.

        Args:
            folder: of the run; made where it is not there.
            settings: of the run.
            facts: what else results depend on: the video and the models.

        Raises:
            InputError: there is a run of other settings, or other files are in the folder.
        """
        manifest = {"format": FORMAT, "settings": settings.to_json(), **facts}
        # A run that found nothing to follow holds nothing that depends on its settings.
        store = cls(folder) if (folder / MANIFEST).is_file() else None
        is_empty = store is not None and not store.tracks
        begin_run(folder / MANIFEST, manifest, "tracking run", may_change=is_empty)
        return cls(folder) if store is None or is_empty else store

    # writing

    def __enter__(self) -> Self:
        """Lock the journal for writing, and drop a last line that was cut off.

        Raises:
            InputError: another process writes to it, or the disk refuses.
        """
        refusal = (
            f"Another process tracks in {printable_path(self.folder)}. Wait for it, or stop it."
        )
        self._file = AppendOnlyFile(self.folder / JOURNAL, refusal)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None

    def append_tracks(
        self,
        tracks: list[Track],
        entries: list[TrackEntry],
        seconds: float,
        not_found: tuple[str, ...],
        notices: tuple[str, ...],
    ) -> None:
        """Keep what was pointed at, with the masks on that frame, at once."""
        self._append(
            {
                "kind": "tracks",
                "tracks": [{"id": t.id, "phrase": t.phrase, "frame": t.frame} for t in tracks],
                "not_found": list(not_found),
                "notices": list(notices),
                "leg": 0,
                "frame": tracks[0].frame,
                "seconds": seconds,
                "entries": [entry.to_json() for entry in entries],
            }
        )

    def append_frame(self, leg: int, frame: TrackedFrame) -> None:
        """Keep the result of a frame."""
        self._append(
            {
                "kind": "frame",
                "leg": leg,
                "frame": frame.number,
                "seconds": frame.seconds,
                "entries": [entry.to_json() for entry in frame.entries],
            }
        )

    def append_correction(self, correction: Correction) -> None:
        """Keep a correction; what follows from it is tracked by the legs after it."""
        self._append({"kind": "correction", **correction.to_json()})

    def _append(self, line: Mapping[str, Any]) -> None:
        if self._file is None:
            raise AssertionError("a run is written inside its `with` block")
        self._n_unsynced += 1
        is_durable = line["kind"] != "frame" or self._n_unsynced >= SYNC_EVERY
        offset = self._file.file.seek(0, 2)
        self._file.append(line, durable=is_durable)
        self._n_unsynced = 0 if is_durable else self._n_unsynced
        self._take(offset, json.loads(json.dumps(line)))

    # reading

    def _read_journal(self) -> None:
        journal = self.folder / JOURNAL
        if not journal.is_file():
            return
        with journal.open("rb") as file:
            offset = 0
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    break
                try:
                    self._take(offset, json.loads(line))
                except (ValueError, KeyError, TypeError) as error:
                    raise InputError(
                        f"Line {number} of {printable_path(journal)} is damaged: {error}. Restore "
                        "the file, or track again into another folder."
                    ) from error
                offset += len(line)

    def _take(self, offset: int, line: Mapping[str, Any]) -> None:
        """Update what is known by a line of the journal that stands at `offset`."""
        if line["kind"] == "correction":
            self.corrections.append(Correction.from_json(line))
            return
        if line["kind"] == "tracks":
            self.tracks = {row["id"]: Track(**row) for row in line["tracks"]}
            self.not_found, self.notices = tuple(line["not_found"]), tuple(line["notices"])
        progress = self.legs.setdefault(line["leg"], LegProgress())
        progress.n_done += 1
        for entry in line["entries"]:
            track = progress.tracks.setdefault(entry["track"], TrackProgress())
            track.add(line["frame"], entry)
        self._offsets.setdefault(line["frame"], []).append(offset)

    @property
    def n_frames(self) -> int:
        """Frames that have a result."""
        return len(self._offsets)

    def frames(self) -> Iterator[TrackedFrame]:
        """Yield the results in the order of the video, each as it is after all corrections."""
        if not self._offsets:
            return
        with (self.folder / JOURNAL).open("rb") as file:
            for number in sorted(self._offsets):
                entries: dict[int, TrackEntry] = {}
                seconds = 0.0
                for offset in self._offsets[number]:
                    file.seek(offset)
                    line = json.loads(file.readline())
                    seconds = line["seconds"]
                    for value in line["entries"]:
                        entries[value["track"]] = TrackEntry.from_json(value)
                yield TrackedFrame(
                    number, seconds, tuple(entries[track] for track in sorted(entries))
                )

    def gaps(self) -> list[TrackGap]:
        """Return where tracks are lost, in the order of the video."""
        opened: dict[int, dict[str, Any]] = {}
        gaps: list[TrackGap] = []
        for frame in self.frames():
            for entry in frame.entries:
                gap = opened.get(entry.track)
                if entry.mask is None:
                    if gap is None:
                        gap = {"first": frame.number, "first_seconds": frame.seconds, "reason": ""}
                        opened[entry.track] = gap
                    gap |= {"last": frame.number, "last_seconds": frame.seconds}
                    # Of a gap that was walked backwards the last entry says why.
                    if not gap["reason"] or entry.reason != UNSEEN:
                        gap["reason"] = entry.reason
                elif gap is not None:
                    found_by = entry.reason if entry.status == "found again" else "tracker"
                    gaps.append(TrackGap(entry.track, **opened.pop(entry.track), found_by=found_by))
        gaps += [TrackGap(track, **gap) for track, gap in opened.items()]
        return sorted(gaps, key=lambda gap: (gap.first, gap.track))
