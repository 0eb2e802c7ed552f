"""`segue track`: what is pointed at on one frame of a video is followed through the others."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from segue.cli import options
from segue.cli.option_groups import expand_option_groups
from segue.errors import InputError, SegueError

if TYPE_CHECKING:
    from rich.console import Console

    from segue.runs.tracking.entries import Addition, Change, Correction
    from segue.runs.tracking.pointing import PointedOut
    from segue.runs.tracking.run import TrackingRun
    from segue.runs.tracking.store import TrackStore
    from segue.video.frames import Video

_FRAMES_PANEL = "Frames"
_MAX_GAPS = 20
"""Gaps that are listed; the others are counted."""


@expand_option_groups
def track(
    clip: Annotated[
        str, typer.Argument(metavar="CLIP", help="A video file, or a folder of numbered pictures.")
    ],
    folder: Annotated[
        Path,
        typer.Option(
            "--out", "-o", help="Folder of the run. The same command goes on where it was."
        ),
    ],
    phrases: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="WHAT",
            help="Phrases to look for on the frame; everything found is followed.",
            show_default=False,
        ),
    ] = None,
    question: Annotated[
        str | None,
        typer.Option("--ask", help="Ask the chat model about the frame; follow what it points at."),
    ] = None,
    boxes: options.BoxesOption = None,
    clicks: options.PointsOption = None,
    exemplars: options.ExemplarsOption = None,
    negative_exemplars: options.NegativeExemplarsOption = None,
    frame: Annotated[
        int | None,
        typer.Option(
            "--frame",
            min=0,
            metavar="NUMBER",
            help="The frame that is pointed at, counted from 0; by default the first one of a new "
            "run.",
        ),
    ] = None,
    corrected_frame: Annotated[
        int | None,
        typer.Option(
            "--correct",
            min=0,
            metavar="NUMBER",
            help="Correct a track on this frame, with --box or --point, and follow it anew.",
        ),
    ] = None,
    track_id: Annotated[
        int | None,
        typer.Option(
            "--track", min=1, metavar="ID", help="The track that --correct or --undo means."
        ),
    ] = None,
    is_added: Annotated[
        bool,
        typer.Option(
            "--add",
            help="Follow what WHAT, --ask, --box or --point show on --frame besides what the run "
            "follows, without following the rest anew.",
        ),
    ] = False,
    is_undone: Annotated[
        bool,
        typer.Option(
            "--undo",
            help="Undo the last correction or addition: of --track, on --frame, or of all.",
        ),
    ] = False,
    tracker: Annotated[
        str,
        typer.Option(
            metavar="box_following|MODEL",
            help="box_following, with the segmenter; or a video model: sam2.1-hiera-tiny, a hub "
            "id, a folder.",
        ),
    ] = "box_following",
    redetect_every: Annotated[
        int,
        typer.Option(
            "--look-again",
            min=0,
            metavar="N",
            help="Look for a lost phrase on every N-th frame; 0: not.",
        ),
    ] = 5,
    every: Annotated[
        int,
        typer.Option("--every", min=1, help="Every n-th frame.", rich_help_panel=_FRAMES_PANEL),
    ] = 1,
    fps: Annotated[
        float | None,
        typer.Option(help="Frames a second, at most.", rich_help_panel=_FRAMES_PANEL),
    ] = None,
    start: Annotated[
        str,
        typer.Option(
            metavar="TIME", help="Begin at 12.5, 1:30 or 1:02:30.", rich_help_panel=_FRAMES_PANEL
        ),
    ] = "0",
    end: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="End before this time.", rich_help_panel=_FRAMES_PANEL),
    ] = None,
    folder_fps: Annotated[
        float,
        typer.Option(
            "--folder-fps", help="Frames a second of a folder.", rich_help_panel=_FRAMES_PANEL
        ),
    ] = 25.0,
    film: Annotated[
        bool, typer.Option("--film/--no-film", help="Write the overlay film at the end.")
    ] = True,
    json_target: options.JsonOption = None,
    *,
    models: options.BareModelOptions,
) -> None:
    """Follow things through a video. Interrupt it any time: nothing is lost."""  # fmt: skip
    from segue.assistant.loading import load_tracker
    from segue.cli.terminal.phrases import parse_phrases
    from segue.cli.terminal.results import write_json
    from segue.cli.terminal.screen import make_console, printable, show_status
    from segue.runs.engine import LITTLE_MEMORY
    from segue.runs.tracking.entries import Addition, Correction
    from segue.runs.tracking.pointing import point_out
    from segue.runs.tracking.run import TrackingRun, read_frame
    from segue.runs.tracking.settings import TrackingSettings
    from segue.runs.tracking.store import MANIFEST, TrackStore
    from segue.video.opening import open_video
    from segue.video.selection import FrameSelection, parse_time

    console = make_console(quiet=json_target == "-")
    rectangles = tuple(options.parse_box(text).corners for text in boxes or [])
    points = tuple(options.parse_click(text) for text in clicks or [])
    examples = tuple(options.parse_exemplars(exemplars, negative_exemplars))
    sought = tuple(parse_phrases(console, phrases or []))
    corrections: list[Correction] = []
    store = TrackStore(folder) if (folder / MANIFEST).is_file() else None
    if (corrected_frame is not None) + is_added + is_undone > 1:
        raise InputError("Use one of --correct, --add and --undo at a time.")
    if corrected_frame is not None or is_added or is_undone:
        store = TrackStore(folder)
        settings = store.settings
        if corrected_frame is not None:
            if sought or question or examples or frame is not None:
                raise InputError(
                    "A correction takes --box, --point and --track; the run has the rest."
                )
            corrections = [_correction(store, corrected_frame, track_id, rectangles, points)]
        if is_added:
            _check_addition(
                frame, track_id, bool(sought or question or examples or rectangles or points)
            )
        if is_undone:
            if sought or question or examples or rectangles or points:
                raise InputError("--undo takes --frame and --track at most.")
            with store:
                _tell_undone(store.undo(frame, track_id), console)
    else:
        if track_id is not None:
            raise InputError("--track says which track --correct or --undo means; give both.")
        settings = TrackingSettings(
            phrases=sought,
            exemplars=examples,
            question=question,
            boxes=rectangles,
            clicks=points,
            frame=frame,
            selection=FrameSelection(
                every=every,
                fps=fps,
                start_s=parse_time(start),
                end_s=None if end is None else parse_time(end),
            ),
            redetect_every=redetect_every,
        )
    with show_status(console, "looking through the video"):
        video = open_video(clip, folder_fps=folder_fps)
    # Load only what is asked.
    has_phrases = bool(sought or examples or settings.phrases or settings.exemplars)
    if store is not None and not has_phrases:
        has_phrases = any(track.phrase for track in store.tracks.values())
    if settings.question is None and question is None:
        models = replace(models, chat="none", detect=models.detect if has_phrases else "none")
    with show_status(console, "loading the models"):
        assistant = models.load(LITTLE_MEMORY)
        followed_by = load_tracker(
            tracker, assistant.segmenter, device=models.device, dtype=models.dtype
        )
    additions: list[Addition] = []
    missing: tuple[str, ...] = ()
    if is_added:
        assert frame is not None, "checked above"
        with show_status(console, "looking at the frame"):
            pointed = point_out(
                assistant,
                read_frame(video, frame).image,
                phrases=sought,
                exemplars=examples,
                question=question,
                boxes=rectangles,
                clicks=points,
            )
        additions, missing = _additions(frame, pointed), pointed.not_found
    run = TrackingRun(
        video,
        folder,
        settings,
        assistant,
        followed_by,
        corrections=corrections,
        additions=additions,
    )
    console.print(
        f"{video.name}: {len(video.times)} frames of {video.size.width} x {video.size.height}, "
        f"{len(run.numbers)} of them looked at, from frame {run.anchor}"
    )
    if run.store.n_frames:
        console.print(f"{run.store.n_frames} frame(s) are done already", style="dim")
    _work(run, console)
    for phrase in missing:
        console.print(printable(f"not found on frame {frame}: {phrase}"), style="yellow")
    for sentence in run.store.notices:
        make_console(error=True).print(printable(sentence), style="yellow")
    summary = _summary(run.store)
    _print_summary(summary, console)
    files = _write_files(run.store, video, folder, console, film=film)
    write_json({"run": str(folder), **summary, "files": files}, json_target)


def _correction(
    store: "TrackStore",
    frame: int,
    track_id: int | None,
    boxes: tuple[tuple[float, float, float, float], ...],
    clicks: tuple[tuple[float, float, int], ...],
) -> "Correction":
    from segue.runs.tracking.entries import Correction

    if len(boxes) > 1:
        raise InputError(f"A correction takes one box, got {len(boxes)}.")
    if track_id is None:
        if len(store.tracks) != 1:
            known = ", ".join(f"{t.id} ({t.phrase or 'no phrase'})" for t in store.tracks.values())
            raise InputError(f"Say which track with --track. There are: {known or 'none'}.")
        track_id = next(iter(store.tracks))
    return Correction(frame, track_id, boxes[0] if boxes else None, clicks)


def _check_addition(frame: int | None, track_id: int | None, has_something: bool) -> None:
    """Check the options beside --add.

    Raises:
        InputError: they do not say what is added, and where.
    """
    if frame is None or not has_something:
        raise InputError(
            "--add needs --frame, and what it shows: WHAT, --exemplar, --ask, --box or --point."
        )
    if track_id is not None:
        raise InputError("--add makes a track of its own, and takes no --track.")


def _additions(frame: int, pointed: "PointedOut") -> "list[Addition]":
    from segue.runs.tracking.entries import Addition, Target

    additions = [
        Addition(frame, Target(phrase, mask=mask))
        for phrase, mask in pointed.masks
        if not mask.is_empty
    ]
    if not additions:
        asked = ", ".join(map(repr, pointed.not_found))
        raise InputError(
            f"There is nothing to add on frame {frame}{f' (not found: {asked})' if asked else ''}. "
            "Name another frame with --frame."
        )
    return additions


def _tell_undone(change: "Change", console: "Console") -> None:
    from segue.runs.tracking.entries import Addition

    kind = "addition" if isinstance(change.made, Addition) else "correction"
    console.print(f"undone: the {kind} of track {change.track} on frame {change.made.frame}")


def _work(run: "TrackingRun", console: "Console") -> None:
    """Track what is pending, with a bar in a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    from segue.cli.terminal.screen import make_console

    errors = make_console(error=True)
    columns = ("tracking", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
               "{task.fields[note]}")  # fmt: skip
    n_done = 0
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bar:
        task = bar.add_task("tracking", total=run.n_pending, note="")
        try:
            for frame in run.results():
                n_done += 1
                n_lost = sum(entry.mask is None for entry in frame.entries)
                bar.update(task, advance=1, note=f"{n_lost} lost" if n_lost else "")
        except (KeyboardInterrupt, SegueError) as error:
            if n_done or isinstance(error, KeyboardInterrupt):
                errors.print(
                    f"stopped; {n_done} frame(s) were done. The same command goes on there.",
                    style="yellow",
                )
            raise
    console.print(f"{n_done} frame(s) tracked", style="dim")


def _summary(store: "TrackStore") -> dict[str, Any]:
    """Count on how many frames each track is seen, and list where it is lost."""
    n_seen = dict.fromkeys(store.tracks, 0)
    n_frames = n_undecodable = 0
    for frame in store.frames():
        n_frames += 1
        n_undecodable += not frame.entries
        for entry in frame.entries:
            n_seen[entry.track] += entry.mask is not None
    return {
        "frames": n_frames,
        "undecodable_frames": n_undecodable,
        "tracks": [
            {
                "id": id,
                "phrase": track.phrase,
                "seen": n_seen[id],
                "lost": n_frames - n_undecodable - n_seen[id],
            }
            for id, track in store.tracks.items()
        ],
        "not_found": list(store.not_found),
        "gaps": [asdict(gap) for gap in store.gaps()],
    }


def _print_summary(summary: dict[str, Any], console: "Console") -> None:
    from rich.table import Table

    from segue.cli.terminal.screen import printable

    table = Table(box=None, pad_edge=False)
    for heading in ("track", "phrase", "seen", "lost"):
        table.add_column(heading, justify="left" if heading == "phrase" else "right")
    for row in summary["tracks"]:
        phrase = printable(row["phrase"] or "-")
        table.add_row(str(row["id"]), phrase, str(row["seen"]), str(row["lost"]))
    console.print(table)
    for phrase in summary["not_found"]:
        console.print(printable(f"not found on that frame: {phrase}"), style="yellow")
    if summary["undecodable_frames"]:
        count = summary["undecodable_frames"]
        console.print(f"{count} frame(s) could not be decoded", style="yellow")
    gaps = summary["gaps"]
    for gap in gaps[:_MAX_GAPS]:
        by = gap["found_by"]
        found = f"; found again by the {by}" if by else "; not found again"
        console.print(
            printable(
                f"track {gap['track']} is lost on frames {gap['first']} to {gap['last']} "
                f"({gap['first_seconds']:.2f} to {gap['last_seconds']:.2f} s): "
                f"{gap['reason']}{found}"
            ),
            style="yellow",
        )
    if len(gaps) > _MAX_GAPS:
        console.print(f"and {len(gaps) - _MAX_GAPS} more gap(s); see journal.jsonl")


def _write_files(
    store: "TrackStore", video: "Video", folder: Path, console: "Console", *, film: bool
) -> list[str]:
    """Write COCO, MOT, the sheet and the film beside the journal, and return their paths."""
    from segue.cli.terminal.screen import printable, show_status
    from segue.export import tracks

    with show_status(console, "writing the files"):
        files = [
            tracks.write_coco_tracks(store, video, folder / "coco.json"),
            tracks.write_mot(store, folder / "mot.txt"),
            tracks.write_contact_sheet(store, video, folder / "sheet.png"),
        ]
        if film:
            files.append(tracks.write_overlay_film(store, video, folder / "overlay.mp4"))
    names = [str(file) for file in files]
    console.print(printable(f"written: {', '.join(names)}"))
    return names
