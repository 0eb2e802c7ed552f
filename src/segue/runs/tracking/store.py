"""The folder of a tracking run: append-only, whole after any interruption.

    track.json      settings, video, models: what the results depend on
    journal.jsonl   what was pointed at, corrections and additions, what of them was undone, and one
                    line for each frame of each leg

A frame that is tracked again after a correction has another line, whose leg has a higher number:
that one counts for its track, until the correction is undone. A last line that was cut off is
dropped, and its frame is done again.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from segue.errors import InputError
from segue.files.append_only import AppendOnlyFile
from segue.files.atomic import printable_path
from segue.runs.manifest import begin_run, read_manifest
from segue.runs.tracking.entries import (
    Addition,
    Change,
    Correction,
    Track,
    TrackedFrame,
    TrackEntry,
)
from segue.runs.tracking.legs import Leg, plan_legs
from segue.runs.tracking.settings import TrackingSettings
from segue.trackers import UNSEEN
from segue.values.mask import Mask

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
        self.anchor: int | None = None
        """The frame on which the first things were pointed at; None until they were."""
        self.changes: list[Change] = []
        """Corrections and additions in the order in which they were made, undone ones included."""
        self.legs: dict[int, LegProgress] = {}
        self._n_legs = 2
        self.n_tracks_ever = 0
        """Those that were undone included: an id is given once."""
        self._undone_legs: set[int] = set()
        self._places: dict[int, list[tuple[int, int]]] = {}  # (leg, offset) by frame
        self._file: AppendOnlyFile | None = None
        self._n_unsynced = 0
        self._n_bytes = self._n_lines = 0  # of the journal, as far as it was read or written
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

        What somebody else wrote since it was read is read now.

        Raises:
            FileBusy: another process writes to it.
            InputError: the disk refuses, or the journal is damaged.
        """
        refusal = (
            f"Another process tracks in {printable_path(self.folder)}. Wait for it, or stop it."
        )
        self._file = AppendOnlyFile(self.folder / JOURNAL, refusal)
        try:
            self._read_journal()
        except InputError:
            self._close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def _close(self) -> None:
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

    def append_addition(self, addition: Addition, mask: Mask, seconds: float) -> TrackEntry:
        """Keep an addition with its mask on its frame; its track is followed by its own legs."""
        track = self.n_tracks_ever + 1
        entry = TrackEntry(track, "tracked", mask, float(mask.score or 0), prompted=True)
        self._append(
            {
                "kind": "addition",
                "track": track,
                "addition": addition.to_json(),
                "leg": self._n_legs,
                "frame": addition.frame,
                "seconds": seconds,
                "entries": [entry.to_json()],
            }
        )
        return entry

    def undo(self, frame: int | None = None, track: int | None = None) -> Change:
        """Undo the last correction or addition, and keep that; to be called in its `with` block.

        What an undone correction had changed is again as it was before; frames that it had kept
        from an earlier correction of the same track are pending. An undone addition is no track.

        Args:
            frame: the last one on this frame; None: on any.
            track: the last one of this track; None: of any.

        Raises:
            InputError: there is none.
        """
        for index in reversed(range(len(self.changes))):
            change = self.changes[index]
            if change.is_undone or change.track not in self.tracks:
                continue
            if frame in (None, change.made.frame) and track in (None, change.track):
                self._append({"kind": "undo", "change": index})
                return change
        where = "" if frame is None else f" on frame {frame}"
        whose = "" if track is None else f" of track {track}"
        raise InputError(
            f"There is no correction or addition{whose}{where} to undo. There are: "
            f"{self._describe_changes()}."
        )

    def _describe_changes(self) -> str:
        return (
            ", ".join(
                f"track {change.track} {kind} on frame {change.made.frame}"
                for change in self.changes
                if not change.is_undone and change.track in self.tracks
                for kind in ("added" if isinstance(change.made, Addition) else "corrected",)
            )
            or "none"
        )

    def _append(self, line: Mapping[str, Any]) -> None:
        if self._file is None:
            raise AssertionError("a run is written inside its `with` block")
        self._n_unsynced += 1
        is_durable = line["kind"] != "frame" or self._n_unsynced >= SYNC_EVERY
        offset = self._file.file.seek(0, 2)
        self._file.append(line, durable=is_durable)
        self._n_unsynced = 0 if is_durable else self._n_unsynced
        self._take(offset, json.loads(json.dumps(line)))
        self._n_bytes, self._n_lines = self._file.file.tell(), self._n_lines + 1

    # reading

    def _read_journal(self) -> None:
        """Take the lines that were not read yet."""
        journal = self.folder / JOURNAL
        if not journal.is_file():
            return
        with journal.open("rb") as file:
            file.seek(self._n_bytes)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                try:
                    self._take(self._n_bytes, json.loads(line))
                except (ValueError, KeyError, TypeError) as error:
                    raise InputError(
                        f"Line {self._n_lines + 1} of {printable_path(journal)} is damaged: "
                        f"{error}. Restore the file, or track again into another folder."
                    ) from error
                self._n_bytes, self._n_lines = self._n_bytes + len(line), self._n_lines + 1

    def _take(self, offset: int, line: Mapping[str, Any]) -> None:
        """Update what is known by a line of the journal that stands at `offset`."""
        match line["kind"]:
            case "correction":
                self._take_correction(Correction.from_json(line))
                return
            case "undo":
                self._take_undo(self.changes[line["change"]])
                return
            case "tracks":
                self.tracks = {row["id"]: Track(**row) for row in line["tracks"]}
                self.anchor, self.n_tracks_ever = line["frame"], len(self.tracks)
                self.not_found, self.notices = tuple(line["not_found"]), tuple(line["notices"])
            case "addition":
                self._take_addition(line["track"], Addition.from_json(line["addition"]))
        progress = self.legs.setdefault(line["leg"], LegProgress())
        progress.n_done += 1
        for entry in line["entries"]:
            track = progress.tracks.setdefault(entry["track"], TrackProgress())
            track.add(line["frame"], entry)
        self._places.setdefault(line["frame"], []).append((line["leg"], offset))

    def _take_correction(self, correction: Correction) -> None:
        self.changes.append(Change(correction, correction.track, self._n_legs))
        is_both_ways = correction.frame == self.tracks[correction.track].frame
        self._n_legs += 2 if is_both_ways else 1

    def _take_addition(self, id: int, addition: Addition) -> None:
        self.tracks[id] = Track(id, addition.target.phrase, addition.frame)
        self.n_tracks_ever = id
        self.changes.append(Change(addition, id, self._n_legs))
        self._n_legs += 2

    def _take_undo(self, change: Change) -> None:
        change.is_undone = True
        self._undone_legs |= {change.first_leg}
        if isinstance(change.made, Addition) or (
            change.made.frame == self.tracks[change.track].frame
        ):
            self._undone_legs |= {change.first_leg + 1}
        if isinstance(change.made, Addition):
            del self.tracks[change.track]

    @property
    def corrections(self) -> list[Correction]:
        """Those that stand, in the order in which they were made."""
        return [
            change.made
            for change in self.changes
            if isinstance(change.made, Correction)
            and not change.is_undone
            and change.track in self.tracks
        ]

    @property
    def additions(self) -> dict[int, Addition]:
        """Those that stand, by the ids of their tracks."""
        return {
            change.track: change.made
            for change in self.changes
            if isinstance(change.made, Addition) and not change.is_undone
        }

    def plan(self, numbers: np.ndarray) -> list[Leg]:
        """Return the legs of the run over selected frames, in the order of work."""
        return plan_legs(numbers, self.tracks, self.changes)

    def n_pending(
        self,
        numbers: np.ndarray,
        tracks: Mapping[int, Track] | None = None,
        changes: Sequence[Change] | None = None,
    ) -> int:
        """Return how many frames are to be tracked, each as often as legs come to it.

        Args:
            numbers: of the selected frames, ascending.
            tracks: those to count with; None: as they are.
            changes: likewise.
        """
        legs = plan_legs(
            numbers,
            self.tracks if tracks is None else tracks,
            self.changes if changes is None else changes,
        )
        return sum(
            max(0, len(leg.frames) - self.legs.get(leg.number, LegProgress()).n_done)
            for leg in legs
        )

    @property
    def n_frames(self) -> int:
        """Frames that have a result."""
        return len(self._places)

    def frames(self) -> Iterator[TrackedFrame]:
        """Yield the results in the order of the video, each as it is after all corrections."""
        if not self._places:
            return
        with (self.folder / JOURNAL).open("rb") as file:
            for number in sorted(self._places):
                entries: dict[int, TrackEntry] = {}
                seconds = 0.0
                for leg, offset in sorted(self._places[number]):
                    file.seek(offset)
                    line = json.loads(file.readline())
                    seconds = line["seconds"]
                    if leg in self._undone_legs:
                        continue
                    for value in line["entries"]:
                        if value["track"] in self.tracks:
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
