"""Films and tracking runs of a server: opened, followed one frame a step, and written to files."""

import hashlib
import io
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import PIL.Image

from segue.assistant import Assistant
from segue.conversation import Conversation
from segue.detect import Exemplar
from segue.errors import InputError
from segue.export import tracks as exports
from segue.files.append_only import FileBusy
from segue.pipeline.answer import Done, Event, Notice
from segue.pipeline.routing import Route
from segue.runs.tracking.entries import Addition, Correction, Target, TrackedFrame
from segue.runs.tracking.pointing import PointedOut, point_out
from segue.runs.tracking.run import TrackingRun
from segue.runs.tracking.settings import TrackingSettings
from segue.runs.tracking.store import JOURNAL, MANIFEST, TrackStore
from segue.server.http.errors import ApiError, not_found_error
from segue.server.settings import Settings
from segue.server.videos.store import VideoRecord, VideoStore, new_record
from segue.server.videos.upload import Film
from segue.server.worker import Job
from segue.trackers import Tracker
from segue.values.image import Image
from segue.values.message import Sampling
from segue.video.frames import Video, VideoFrame
from segue.video.sampling import sample_frames
from segue.video.video_file import VideoFile, VideoTooLarge, require_av

LoadTracker = Callable[[Assistant], Tracker | None]
"""Returns the tracker that works with the segmenter of an assistant; None: it has none."""

EXPORTS: Mapping[str, tuple[str, Callable[[TrackStore, Video, Path], Path]]] = {
    "coco.json": ("application/json", exports.write_coco_tracks),
    "mot.txt": ("text/plain", lambda store, _, target: exports.write_mot(store, target)),
    "sheet.png": ("image/png", exports.write_contact_sheet),
    "overlay.mp4": ("video/mp4", exports.write_overlay_film),
}
"""Files of a run: their media types, and what writes them."""
BUSY = "The same is being followed for another request. Wait for it, or stop it."
_OPENED = 16
"""Films whose times are kept at hand."""
_NOT_EDITED = "Films are not edited: the frame is as it was. Pictures can be edited."
_ADVICE = {
    " Name another frame with --frame.": " Name another frame.",
    " (--ask)": "",
    "(--every)": "('every')",
    "(--fps)": "('fps')",
}
"""What messages say of the command line, and what they say here."""


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A run that is about to go on."""

    run: TrackingRun
    n_pending: int
    n_stored: int
    """Frames that were done before, and are given first."""


@dataclass(frozen=True, slots=True)
class TracksKnown:
    """What is followed is known."""

    store: TrackStore


@dataclass(frozen=True, slots=True)
class RunEnded:
    """All frames have their results."""

    run: TrackingRun


RunEvent = RunStarted | TracksKnown | TrackedFrame | RunEnded


class VideoService:
    """The films of a server."""

    def __init__(
        self, store: VideoStore, settings: Settings, models: Callable[[], Assistant]
    ) -> None:
        """
        Args:
            store: where they are kept.
            settings: of the server.
            models: the assistant, once it is there.
        """
        self.store, self._settings, self._models = store, settings, models
        self.tracker: Tracker | None = None
        """What follows; None: there is no segmenter."""
        self._opened: OrderedDict[str, VideoFile] = OrderedDict()
        self._jobs: dict[tuple[str, str], Job] = {}
        self._lock = threading.Lock()

    @property
    def is_available(self) -> bool:
        """Whether films can be read here: PyAV is installed."""
        return find_spec("av") is not None

    def check_available(self) -> None:
        """Check that films can be read here.

        Raises:
            MissingExtra: PyAV is not installed.
        """
        require_av()

    def receive(self, owner: str, film: Film) -> VideoRecord:
        """Look through a film that has come in, and keep it; in any thread.

        Raises:
            ApiError: 400, it is none, or too large; 507, there is no room for it.
        """
        try:
            video = VideoFile(film.draft, self._settings.video_limits, film.name)
        except InputError as error:
            code = "video_too_large" if isinstance(error, VideoTooLarge) else "video_unreadable"
            raise ApiError(400, code, str(error), param="file") from error
        times = video.times
        last = float(times[-1] - times[-2]) if len(times) > 1 else 0.04
        record = new_record(
            owner, film, video.container_name, video.size, len(times), float(times[-1]) + last
        )
        kept = self.store.keep(film, record)
        self.store.touch(kept)
        self.store.prune(self._settings.max_videos_bytes, {kept.id, *self.busy()})
        return kept

    def open(self, record: VideoRecord) -> VideoFile:
        """Open a film, or return the open one; in any thread."""
        with self._lock:
            video = self._opened.get(record.id)
            if video is not None:
                self._opened.move_to_end(record.id)
        if video is None:
            file = self.store.film_file(record)
            video = VideoFile(file, self._settings.video_limits, record.name)
            with self._lock:
                self._opened[record.id] = video
                while len(self._opened) > _OPENED:
                    self._opened.popitem(last=False)
        return video

    def frame(self, record: VideoRecord, number: int, kind: str, size: int | None) -> bytes:
        """Return a frame as a picture file; in any thread.

        Args:
            record: the film.
            number: of the frame, from 0.
            kind: "jpeg" or "png".
            size: pixels of its longer side, at most; None: as it is.

        Raises:
            ApiError: 404, the film has fewer; 400, it cannot be decoded.
        """
        picture = PIL.Image.fromarray(
            np.ascontiguousarray(self.read_frame(record, number).image.array)
        )
        if size is not None:
            picture.thumbnail((size, size))
        buffer = io.BytesIO()
        options = {"quality": 90} if kind == "jpeg" else {"compress_level": 1}
        picture.save(buffer, kind.upper(), **options)
        return buffer.getvalue()

    def read_frame(self, record: VideoRecord, number: int) -> VideoFrame:
        """Decode a frame; in any thread.

        Raises:
            ApiError: 404, the film has fewer; 400, it cannot be decoded.
        """
        self.check_frame(record, number)
        for frame in self.open(record).read([number]):
            return frame
        raise ApiError(
            400, "video_unreadable", f"Frame {number} cannot be decoded.", param="number"
        )

    def check_frame(self, record: VideoRecord, number: int) -> None:
        """Check that a film has a frame.

        Raises:
            ApiError: 404, it has fewer.
        """
        if number >= record.frames:
            raise ApiError(
                404,
                "not_found",
                f"There is no frame {number} in this film, expected 0 to {record.frames - 1}.",
                param="number",
            )

    # before anything is followed

    def point_out(
        self,
        image: Image,
        phrases: Sequence[str],
        exemplars: Sequence[Exemplar],
        targets: Sequence[Target],
    ) -> PointedOut:
        """Return the masks of what is pointed at on a frame; in the thread of the models.

        Raises:
            SegueError: a stage that is needed is missing, or failed.
        """
        return point_out(
            self._models(), image, phrases=phrases, exemplars=exemplars, targets=targets
        )

    def check_chat(self) -> None:
        """Check that questions can be asked.

        Raises:
            ApiError: 400, there is no chat model.
        """
        if self._models().chat is None:
            raise ApiError(
                400,
                "unsupported",
                "Nobody can be asked here: the server has no chat model. Name what is to be "
                "followed, or point at it.",
            )

    def question_frames(
        self, record: VideoRecord, n_frames: int, start_s: float, end_s: float | None
    ) -> list[VideoFrame]:
        """Decode the frames that a question about the film shows; in any thread.

        Raises:
            InputError: there is no frame in that part.
        """
        return sample_frames(self.open(record), n_frames, start_s=start_s, end_s=end_s)

    def ask(
        self,
        frames: Sequence[VideoFrame],
        question: str,
        sampling: Sampling,
        route: Route | None,
        *,
        is_film: bool,
    ) -> Iterator[Event]:
        """Ask about frames, and forget it; in the thread of the models.

        Args:
            frames: what the chat model is shown, in the order of time.
            question: what the user typed.
            sampling: how the reply is written.
            route: who answers; None: as the server was started.
            is_film: whether the frames stand for the film, and their times are told.
        """
        models = self._models()
        if is_film:
            conversation = models.open_frames(frames)
        else:
            conversation = models.open(*[frame.image for frame in frames])
        return _without_edits(conversation, conversation.stream(question, sampling, route=route))

    # runs

    def run_id(self, settings: TrackingSettings) -> str:
        """Return the id of a run: the same for the same settings and the same models."""
        models, tracker = self._models(), self.tracker
        if tracker is None or models.segmenter is None:
            raise ApiError(
                400, "unsupported", "Nothing can be followed here: the server has no segmenter."
            )
        stages = (models.segmenter, models.detector, models.chat, tracker)
        names = [getattr(stage, "name", None) for stage in stages]
        key = json.dumps([settings.to_json(), names], sort_keys=True)
        return hashlib.sha256(key.encode()).hexdigest()[:16]

    def active_job(self, id: str, run: str) -> Job | None:
        """Return the job that is following in a film by these settings now."""
        job = self._jobs.get((id, run))
        return None if job is None or job.done.is_set() else job

    def jobs_of(self, id: str) -> list[Job]:
        """Return the jobs that are following in a film now."""
        return [job for (video, _), job in self._active().items() if video == id]

    def busy(self) -> set[str]:
        """Return the ids of films that are being followed."""
        return {video for video, _ in self._active()}

    def check_room(self) -> None:
        """Check that one more run may begin: others must keep their turns.

        Raises:
            ApiError: 429, enough are going on.
        """
        n_most = max(1, min(self._settings.max_tracking, self._settings.max_active - 1))
        n_active = len(self._active())
        if n_active >= n_most:
            raise ApiError(
                429,
                "queue_full",
                f"{n_active} film(s) are being followed already. Try again in a while.",
                headers={"Retry-After": "10"},
            )

    def set_active_job(self, id: str, run: str, job: Job) -> None:
        """From now on the run is busy, until the job is done."""
        self._jobs = {**self._active(), (id, run): job}

    def _active(self) -> dict[tuple[str, str], Job]:
        return {key: job for key, job in self._jobs.items() if not job.done.is_set()}

    def track(
        self,
        record: VideoRecord,
        settings: TrackingSettings,
        corrections: list[Correction],
        additions: list[Addition],
        *,
        with_stored: bool,
    ) -> Generator[RunEvent]:
        """Follow, one frame a step; in the thread of the models.

        Args:
            record: the film.
            settings: what is followed; the run of the same ones goes on.
            corrections: those that the run has already are not repeated.
            additions: likewise.
            with_stored: whether frames that were done before are given, too, in front.

        Raises:
            InputError: there is nothing to follow, or a setting makes no sense for this film.
            SegueError: a model failed; what was done is kept.
        """
        assert self.tracker is not None, "a run has an id"
        folder = self.store.run_folder(record, self.run_id(settings))
        try:
            run = TrackingRun(
                self.open(record),
                folder,
                settings,
                self._models(),
                self.tracker,
                corrections=corrections,
                additions=additions,
            )
            is_known = bool(run.store.tracks)
            n_base = 0 if is_known else len(run.numbers)
            n_pending = run.n_pending + n_base
            yield RunStarted(run, n_pending, run.store.n_frames if with_stored else 0)
            if is_known:
                yield TracksKnown(run.store)
                if with_stored:
                    yield from run.store.frames()
            n_known = len(run.store.tracks)
            results = run.results()
            try:
                for frame in results:
                    if len(run.store.tracks) != n_known:
                        n_known = len(run.store.tracks)
                        yield TracksKnown(run.store)
                    yield frame
            finally:
                results.close()  # type: ignore[attr-defined]
        except FileBusy as error:
            raise ApiError(409, "busy", BUSY) from error
        except InputError as error:
            raise InputError(without_options(str(error))) from error
        self.store.touch(record)
        yield RunEnded(run)

    def stored_run(self, record: VideoRecord, run: str) -> TrackStore:
        """Open a run for reading; in any thread.

        Raises:
            ApiError: 404, there is none.
        """
        folder = self.store.run_folder(record, run)
        if len(run) != 16 or not run.isalnum() or not (folder / MANIFEST).is_file():
            raise not_found_error("run", run)
        store = TrackStore(folder)
        if not store.tracks:
            raise not_found_error("run", run)
        return store

    def undo(self, record: VideoRecord, run: str, frame: int | None, track: int | None) -> None:
        """Undo the last correction or addition of a run that is not busy; in any thread.

        Raises:
            ApiError: 404, there is no such run; 409, there is nothing to undo, or it is busy.
        """
        try:
            with self.stored_run(record, run) as store:
                try:
                    store.undo(frame, track)
                except InputError as error:
                    raise ApiError(409, "nothing_to_undo", str(error)) from error
        except FileBusy as error:
            raise ApiError(409, "busy", BUSY) from error
        self.store.touch(record)

    def export(self, record: VideoRecord, run: str, name: str) -> Path:
        """Write a file of a run, and return it; it is written once for each state of the run.

        Raises:
            ApiError: 404, there is no such run.
            InputError: the film cannot be read.
        """
        store = self.stored_run(record, run)
        folder = self.store.export_folder(record, run)
        n_bytes = (store.folder / JOURNAL).stat().st_size
        target = folder / f"{n_bytes}-{name}"
        if not target.is_file():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for old in folder.glob(f"*-{name}"):
                old.unlink(missing_ok=True)
            EXPORTS[name][1](store, self.open(record), target)
        return target

    def delete(self, record: VideoRecord) -> None:
        """Delete a film with its runs; in any thread."""
        with self._lock:
            self._opened.pop(record.id, None)
        self.store.delete(record)


def _without_edits(
    conversation: Conversation, events: Generator[Event, None, None]
) -> Iterator[Event]:
    """Yield the events of an answer, and say of an edit that it changes nothing here."""
    with closing(events):
        for event in events:
            if isinstance(event, Done) and conversation.edits:
                answer = event.answer
                yield Notice(_NOT_EDITED)
                event = Done(replace(answer, notices=(*answer.notices, _NOT_EDITED)))
            yield event


def without_options(message: str) -> str:
    """Return a message without hints about the command line, which a caller has not."""
    for option, words in _ADVICE.items():
        message = message.replace(option, words)
    return message
