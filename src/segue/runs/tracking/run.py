"""Follow things through a video: the function behind `segue track`."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from segue.assistant import Assistant, load
from segue.assistant.loading import load_tracker
from segue.errors import InputError
from segue.runs.engine import LITTLE_MEMORY
from segue.runs.tracking.entries import (
    Addition,
    Change,
    Correction,
    Target,
    Track,
    TrackedFrame,
    TrackEntry,
    TrackStatus,
)
from segue.runs.tracking.legs import Leg
from segue.runs.tracking.pointing import point_out, target_mask
from segue.runs.tracking.settings import TrackingSettings
from segue.runs.tracking.store import LegProgress, TrackProgress, TrackStore
from segue.trackers import Follower, Tracker
from segue.values.box import Box
from segue.values.image import Image
from segue.values.mask import Mask
from segue.video.frames import Video, VideoFrame, read_backward
from segue.video.opening import open_video
from segue.video.selection import FrameSelection

_MAX_OVERLAP = 0.3
"""What the detector finds is another track where their boxes overlap more (IoU)."""
_SAME_OBJECT = 0.7
"""Two tracks are on one object where their masks overlap more (IoU)."""


class TrackingRun:
    """A run that can be started, interrupted, corrected, and started again."""

    def __init__(
        self,
        video: Video,
        folder: str | Path,
        settings: TrackingSettings,
        assistant: Assistant,
        tracker: Tracker,
        *,
        corrections: Sequence[Correction] = (),
        additions: Sequence[Addition] = (),
        found: Sequence[tuple[str, Mask]] | None = None,
    ) -> None:
        """Plan a run.

        Args:
            video: what is looked through.
            folder: where results are kept; an earlier run of the same settings goes on.
            settings: what is followed.
            assistant: whose models find and segment what is pointed at.
            tracker: what follows it.
            corrections: where tracks really are; those that the run has already are not repeated.
            additions: what else is followed, by itself; those that the run has already are not
                repeated.
            found: phrase and mask of what `settings` point at, where somebody has asked the models
                already; None: they are asked.

        Raises:
            InputError: the folder holds a run of other settings, a model that the settings need is
                missing, or a frame is not among those selected.
        """
        if assistant.segmenter is None:
            raise InputError("Tracking needs a segmenter. Load one: segment=….")
        is_detecting = bool(settings.phrases or settings.exemplars)
        if found is None and is_detecting and assistant.detector is None:
            raise InputError("Phrases and examples need a detector. Load one: detect=….")
        if found is None and settings.question is not None and assistant.chat is None:
            raise InputError("A question needs a chat model. Load one: chat=….")
        self.video, self.settings = video, settings
        self.numbers = settings.selection.numbers(video.times)
        """Of the frames that are looked at, ascending."""
        self.anchor = int(self.numbers[0] if settings.frame is None else settings.frame)
        """The frame on which things are pointed at."""
        changed = [one.frame for one in corrections] + [one.frame for one in additions]
        for frame in (self.anchor, *changed):
            _check_selected(frame, self.numbers)
        self._assistant, self._tracker, self._found = assistant, tracker, found
        names = {"segment": assistant.segmenter.name}
        has_phrases = is_detecting or any(target.phrase for target in settings.targets)
        if assistant.detector is not None and (has_phrases or settings.question):
            names["detect"] = assistant.detector.name
        if assistant.chat is not None and settings.question is not None:
            names["chat"] = assistant.chat.name
        facts = {"video": video.fingerprint(), "models": names, "tracker": tracker.name}
        self.store = TrackStore.create(Path(folder), settings, facts)
        self._new_corrections, self._new_additions = list(corrections), list(additions)
        self._leave_out_known()
        if self._new_corrections and self.store.tracks:
            for correction in self._new_corrections:
                self._check_track(correction)

    def _leave_out_known(self) -> None:
        """Leave out the corrections and additions that the run has already."""
        corrections = self.store.corrections
        additions = list(self.store.additions.values())
        self._new_corrections = [one for one in self._new_corrections if one not in corrections]
        self._new_additions = [one for one in self._new_additions if one not in additions]

    @property
    def n_pending(self) -> int:
        """Frames to be tracked, those that corrections and additions bring included."""
        store, tracks = self.store, dict(self.store.tracks)
        changes = list(store.changes)
        n_legs = 2 + 2 * len(changes)  # from here on no leg has a number yet
        for correction in self._new_corrections:
            changes.append(Change(correction, correction.track, n_legs))
            n_legs += 2
        for id, addition in enumerate(self._new_additions, 1 + store.n_tracks_ever):
            tracks[id] = Track(id, addition.target.phrase, addition.frame)
            changes.append(Change(addition, id, n_legs))
            n_legs += 2
        return store.n_pending(self.numbers, tracks, changes)

    def results(self) -> Iterator[TrackedFrame]:
        """Track what is pending, and keep each frame before it is given.

        Yields:
            A frame with the tracks that were followed on it: first forwards, then backwards, then
            what corrections change and what was added.

        Raises:
            InputError: nothing is found on the frame, a correction names no track, or an addition
                shows nothing.
            SegueError: a model failed, or the disk refuses. What was done is kept, and the next run
                goes on there.
        """
        with self.store as store:
            self._leave_out_known()  # somebody else may have written meanwhile
            if not store.tracks:
                yield self._point()
            for correction in self._new_corrections:
                self._check_track(correction)
                # One that marks nothing is refused before it is kept: it would end every later run.
                self.corrected_mask(self._frame(correction.frame).image, correction)
            added = [self._added(addition) for addition in self._new_additions]
            for correction in self._new_corrections:
                store.append_correction(correction)
            self._new_corrections = []
            for addition, frame, mask in added:
                self._new_additions.remove(addition)
                entry = store.append_addition(addition, mask, frame.seconds)
                yield TrackedFrame(frame.number, frame.seconds, (entry,))
            for leg in store.plan(self.numbers):
                yield from self._walk(leg)

    def _added(self, addition: Addition) -> tuple[Addition, VideoFrame, Mask]:
        """Return an addition with its frame and its mask there."""
        frame = self._frame(addition.frame)
        mask = target_mask(self._assistant, frame.image, addition.target)
        if mask.is_empty:
            raise InputError(f"What is to be added on frame {addition.frame} marks nothing.")
        return addition, frame, mask

    def _check_track(self, correction: Correction) -> None:
        if correction.track not in self.store.tracks:
            known = ", ".join(map(str, self.store.tracks))
            raise InputError(f"There is no track {correction.track}. Known: {known}.")

    def _frame(self, number: int) -> VideoFrame:
        return read_frame(self.video, number)

    def _point(self) -> TrackedFrame:
        """Find what is to be followed on the anchor frame."""
        frame, settings, assistant = self._frame(self.anchor), self.settings, self._assistant
        if self._found is not None:
            return self._begin(frame, self._found, (), ())
        pointed = point_out(
            assistant,
            frame.image,
            phrases=settings.phrases,
            exemplars=settings.exemplars,
            question=settings.question,
            boxes=settings.boxes,
            clicks=settings.clicks,
            targets=settings.targets,
        )
        return self._begin(frame, pointed.masks, pointed.not_found, pointed.notices)

    def _begin(
        self,
        frame: VideoFrame,
        pointed: Sequence[tuple[str, Mask]],
        not_found: tuple[str, ...],
        notices: tuple[str, ...],
    ) -> TrackedFrame:
        """Make a track of each mask, and keep them."""
        masks = [(phrase, mask) for phrase, mask in pointed if not mask.is_empty]
        if n_empty := len(pointed) - len(masks):
            notices += (
                f"Nothing was marked by {n_empty} of what was pointed at on frame {self.anchor}.",
            )
        if not masks:
            asked = f" (not found: {', '.join(map(repr, not_found))})" if not_found else ""
            raise InputError(
                f"There is nothing to follow on frame {self.anchor}, at {frame.seconds:.2f} s"
                f"{asked}. Name another frame with --frame."
            )
        tracks = [Track(id, phrase, self.anchor) for id, (phrase, _) in enumerate(masks, 1)]
        entries = [
            TrackEntry(id, "tracked", mask, float(mask.score or 0), prompted=True)
            for id, (_, mask) in enumerate(masks, 1)
        ]
        self.store.append_tracks(tracks, entries, frame.seconds, not_found, notices)
        return TrackedFrame(frame.number, frame.seconds, tuple(entries))

    def _walk(self, leg: Leg) -> Iterator[TrackedFrame]:
        """Track what is pending of a leg."""
        progress = self.store.legs.get(leg.number, LegProgress())
        n_done = progress.n_done
        if n_done >= len(leg.frames):
            return
        pending = leg.frames[: len(leg.frames) - n_done] if leg.is_backward else leg.frames[n_done:]
        walk = _Walk(self, leg, progress)
        read = read_backward if leg.is_backward else _read_forward
        ordered = list(map(int, pending[::-1] if leg.is_backward else pending))
        place = 0
        for frame in read(self.video, pending):
            while ordered[place] != frame.number:
                yield self._keep(leg, self._undecodable(ordered[place]))
                place += 1
            place += 1
            yield self._keep(leg, TrackedFrame(frame.number, frame.seconds, walk.entries(frame)))
        for number in ordered[place:]:
            yield self._keep(leg, self._undecodable(number))

    def _undecodable(self, number: int) -> TrackedFrame:
        return TrackedFrame(number, float(self.video.times[number]), ())

    def _keep(self, leg: Leg, frame: TrackedFrame) -> TrackedFrame:
        self.store.append_frame(leg.number, frame)
        return frame

    def start_followers(self, leg: Leg, progress: LegProgress) -> dict[int, Follower]:
        """Return a follower of each track of a leg, as far as the journal tells of it."""
        source = self.store.legs[leg.anchor_leg] if not progress.n_done else progress
        if leg.is_backward and leg.correction is None:
            source = self.store.legs[leg.anchor_leg]
        followers: dict[int, Follower] = {}
        for track in leg.tracks:
            known = progress.tracks.get(track, TrackProgress())
            start = known.prompted or source.tracks[track].first
            assert start is not None, "a leg begins with a mask"
            followers[track] = self._tracker.start(*self._sight(start))
            if known.seen is not None and known.latest is not None and known.seen != start:
                followers[track].prompt(*self._sight(known.seen), known.latest.get("memory", {}))
            elif known.n_lost and known.latest is not None:
                followers[track].prompt(*self._sight(start), known.latest.get("memory", {}))
        return followers

    def _sight(self, place: tuple[int, Any]) -> tuple[Any, Mask]:
        number, value = place
        mask = TrackEntry.from_json(value).mask
        assert mask is not None, "what was seen has a mask"
        return self._tracker.look(self._frame(number).image), mask

    def twins(self, tracks: Sequence[int]) -> set[tuple[int, int]]:
        """Return the pairs of tracks that were pointed at on one object from the first."""
        masks: dict[int, Mask] = {}
        for track in tracks if len(tracks) > 1 else ():
            first = self.store.legs[0].tracks[track].first
            if first is not None and (mask := TrackEntry.from_json(first[1]).mask) is not None:
                masks[track] = mask
        return {
            (one, other)
            for one, other in combinations(masks, 2)
            if masks[one].iou(masks[other]) > _SAME_OBJECT
        }

    def look(self, image: Image) -> Any:
        """Prepare a frame for the tracker."""
        return self._tracker.look(image)

    def start(self, frame: Any, mask: Mask) -> Follower:
        """Begin to follow an object anew."""
        return self._tracker.start(frame, mask)

    def corrected_mask(self, image: Image, correction: Correction) -> Mask:
        """Return the mask that a correction means.

        Raises:
            InputError: there is nothing in its box or at its clicks.
        """
        target = Target("", correction.box, correction.clicks)
        mask = target_mask(self._assistant, image, target)
        if mask.is_empty:
            raise InputError(f"The correction of frame {correction.frame} marks nothing.")
        return mask

    def look_again(self, image: Image, track: int, seen: Sequence[Box]) -> Mask | None:
        """Let the detector look for a lost track; None: it has no phrase, or is not there.

        Args:
            image: the frame.
            track: id of the track.
            seen: boxes of the tracks that are seen on the frame; they are taken.
        """
        phrase = self.store.tracks[track].phrase
        if not phrase or self._assistant.detector is None:
            return None
        regions = self._assistant.detect(image, [phrase])
        free = [
            region for region in regions if all(region.box.iou(box) <= _MAX_OVERLAP for box in seen)
        ]
        if not free:
            return None
        best = max(free, key=lambda region: region.score or 0.0)
        mask = target_mask(self._assistant, image, Target("", best.box.corners))
        return None if mask.is_empty else mask


class _Walk:
    """The followers of one leg."""

    def __init__(self, run: TrackingRun, leg: Leg, progress: LegProgress) -> None:
        self._run, self._leg = run, leg
        self._n_lost = dict.fromkeys(leg.tracks, 0)
        for track, known in progress.tracks.items():
            self._n_lost[track] = known.n_lost
        self._n_lost_before = dict(self._n_lost)
        self._twins = run.twins(leg.tracks)
        self._followers: dict[int, Follower] = {}
        if leg.correction is None or progress.n_done:
            self._followers = run.start_followers(leg, progress)

    def entries(self, frame: VideoFrame) -> tuple[TrackEntry, ...]:
        """Follow all tracks to a frame."""
        run, looked = self._run, self._run.look(frame.image)
        if not self._followers and self._leg.correction is not None:
            mask = run.corrected_mask(frame.image, self._leg.correction)
            track = self._leg.correction.track
            self._followers[track] = run.start(looked, mask)
            score = float(mask.score or 0)
            return (TrackEntry(track, "tracked", mask, score, "correction", prompted=True),)
        entries = {track: self._advance(track, looked) for track in self._leg.tracks}
        self._reject_doubles(entries)
        for track, entry in entries.items():
            every = run.settings.redetect_every
            if entry.mask is None and every and (self._n_lost[track] - 1) % every == 0:
                entries[track] = self._look_again(frame.image, looked, track, entries)
        return tuple(entries.values())

    def _reject_doubles(self, entries: dict[int, TrackEntry]) -> None:
        """Of two tracks on one object, the less sure one is lost; they were two at the start."""
        for one, other in combinations(entries, 2):
            masks = entries[one].mask, entries[other].mask
            if masks[0] is None or masks[1] is None or (one, other) in self._twins:
                continue
            if masks[0].iou(masks[1]) > _SAME_OBJECT:
                surer, lost = sorted((one, other), key=lambda track: -entries[track].score)
                estimate = self._followers[lost].reject(f"its mask is that of track {surer}")
                self._n_lost[lost] = self._n_lost_before[lost] + 1
                reason, memory = estimate.lost_because, estimate.memory
                entries[lost] = TrackEntry(lost, "lost", None, 0.0, reason, memory=memory)

    def _advance(self, track: int, looked: Any) -> TrackEntry:
        estimate = self._followers[track].advance(looked)
        self._n_lost_before[track] = self._n_lost[track]
        was_lost = self._n_lost[track] > 0
        if estimate.mask is None:
            self._n_lost[track] += 1
            reason, memory = estimate.lost_because, estimate.memory
            return TrackEntry(track, "lost", None, estimate.score, reason, memory=memory)
        self._n_lost[track] = 0
        status: TrackStatus = "found again" if was_lost else "tracked"
        reason = "tracker" if was_lost else ""
        return TrackEntry(
            track, status, estimate.mask, estimate.score, reason, memory=estimate.memory
        )

    def _look_again(
        self, image: Image, looked: Any, track: int, entries: dict[int, TrackEntry]
    ) -> TrackEntry:
        seen = [box for e in entries.values() if e.mask is not None and (box := e.mask.box)]
        mask = self._run.look_again(image, track, seen)
        if mask is None:
            return entries[track]
        self._followers[track].prompt(looked, mask)
        is_first = self._n_lost[track] == 1  # it was not lost on the frame before
        self._n_lost[track] = 0
        score = float(mask.score or 0)
        status: TrackStatus = "tracked" if is_first else "found again"
        return TrackEntry(track, status, mask, score, "phrase", prompted=True)


def read_frame(video: Video, number: int) -> VideoFrame:
    """Read one frame of a video.

    Raises:
        InputError: there is none of that number, or it cannot be decoded.
    """
    if not 0 <= number < len(video.times):
        raise InputError(
            f"There is no frame {number} in {video.name}, expected 0 to {len(video.times) - 1}."
        )
    for frame in video.read([number]):
        return frame
    raise InputError(f"Frame {number} of {video.name} cannot be decoded. Name another one.")


def _read_forward(video: Video, numbers: np.ndarray) -> Iterator[VideoFrame]:
    return video.read(numbers)


def _check_selected(frame: int, numbers: np.ndarray) -> None:
    """Refuse a frame that is not looked at.

    Raises:
        InputError: it is not among `numbers`; the message names the nearest ones.
    """
    place = int(np.searchsorted(numbers, frame))
    if place < len(numbers) and numbers[place] == frame:
        return
    near = ", ".join(str(number) for number in numbers[max(0, place - 1) : place + 1])
    raise InputError(
        f"Frame {frame} is not among the {len(numbers)} frames selected ({numbers[0]} to "
        f"{numbers[-1]}). The nearest: {near}."
    )


def track(
    video: str | Path | Video,
    folder: str | Path,
    phrases: str | Sequence[str] = (),
    *,
    question: str | None = None,
    boxes: Sequence[Sequence[float]] = (),
    points: Sequence[Sequence[float]] = (),
    frame: int | None = None,
    every: int = 1,
    fps: float | None = None,
    start_s: float = 0.0,
    end_s: float | None = None,
    redetect_every: int = 5,
    tracker: str | Tracker = "box_following",
    assistant: Assistant | None = None,
    corrections: Sequence[Correction] = (),
    additions: Sequence[Addition] = (),
) -> TrackStore:
    """Follow what is pointed at on one frame through a video, and keep the results in a folder.

    The same call goes on where an interrupted one ended.

    Args:
        video: a file of any container that PyAV reads, a folder of numbered pictures, or a `Video`.
        folder: of the run.
        phrases: what the detector looks for on the frame; each thing found is a track.
        question: what the chat model is asked about the frame; what it points at is followed.
        boxes: x0, y0, x1, y1 in pixels of the upright frame; each is a track.
        points: (x, y) or (x, y, 0 for "not on it"), in the same frame; together they are one track.
        frame: number of the frame that is pointed at, from 0; None: the first one selected.
        every: look at every n-th frame.
        fps: look at so many frames a second, at most; instead of `every`.
        start_s: where to begin, in seconds from the first frame.
        end_s: where to end, in seconds; None: with the video.
        redetect_every: look for a lost phrase on every n-th frame; 0: not.
        tracker: "box_following", a nickname, hub id or folder of a video model, or a `Tracker`.
        assistant: whose models find and segment; None: the embedded ones.
        corrections: where tracks really are on other frames.
        additions: what else is followed, from frames of its own.

    Returns:
        The run; `.frames()` yields a frame with its tracks, `.gaps()` says where they are lost.

    Raises:
        InputError: nothing is pointed at or found, or the folder holds another run.
        MissingExtra: PyAV is not installed (extra `video`).
        ModelError: a model failed; what was done is kept.
    """
    assistant = assistant or load(memory=LITTLE_MEMORY)
    clicks = tuple((float(x), float(y), int(rest[0]) if rest else 1) for x, y, *rest in points)
    settings = TrackingSettings(
        phrases=(phrases,) if isinstance(phrases, str) else tuple(phrases),
        question=question,
        boxes=tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in boxes),
        clicks=clicks,
        frame=frame,
        selection=FrameSelection(every=every, fps=fps, start_s=start_s, end_s=end_s),
        redetect_every=redetect_every,
    )
    if isinstance(tracker, str):
        tracker = load_tracker(tracker, assistant.segmenter)
    opened = open_video(video) if isinstance(video, str | Path) else video
    run = TrackingRun(
        opened, folder, settings, assistant, tracker, corrections=corrections, additions=additions
    )
    for _ in run.results():
        pass
    return run.store
