"""`segue annotate`: a folder of pictures becomes a data set."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from segue.cli import options
from segue.cli.option_groups import expand_option_groups
from segue.errors import InputError, SegueError
from segue.files.counts import count_noun

if TYPE_CHECKING:
    from rich.console import Console

    from segue.assistant import Assistant
    from segue.cli.terminal.click_progress import ClickProgress
    from segue.runs.annotate import AnnotationRun
    from segue.runs.engine import Engine
    from segue.runs.settings import RunSettings

_EVERYTHING_PANEL = "Everything"

_MAX_CLASSES = 20
"""Classes that are listed; the others are counted."""

_MAX_FAILED = 3
"""Pictures that failed and are named; the others are counted."""

N_WARM_UP = 8
"""Pictures after which the remaining time is estimated."""


@expand_option_groups
def annotate(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="IN...",
            help="Pictures, folders, patterns, lists of paths (.txt, .csv, .jsonl), COCO instances "
            "(.json), shards (.tar, .parquet); s3://… and gs://… too.",
        ),
    ],
    folder: Annotated[
        Path,
        typer.Option(
            "--out", "-o", help="Folder of the run. The same command goes on where it was."
        ),
    ],
    classes: Annotated[
        str,
        typer.Option(
            "--classes",
            "-c",
            help="What to look for: 'cup, dog:0.4, car=car|taxi'. After a colon the threshold, "
            "after = the phrases.",
        ),
    ] = "",
    question: Annotated[
        str | None,
        typer.Option("--ask", help="Ask the chat model this about each picture."),
    ] = None,
    ask_column: Annotated[
        str | None,
        typer.Option(
            "--ask-column",
            metavar="NAME",
            help="Ask what this column of a table or Parquet shard says; in tar shards .NAME files "
            "or keys of .json files.",
        ),
    ] = None,
    negatives: Annotated[
        str, typer.Option("--not", help="Phrases that are no class: 'mug, glass'.")
    ] = "",
    from_boxes: Annotated[
        bool, typer.Option("--from-boxes", help="Segment the boxes of COCO instances.")
    ] = False,
    is_everything: Annotated[
        bool,
        typer.Option(
            "--everything",
            help="Segment everything with a grid of clicks, without names, as one class.",
            rich_help_panel=_EVERYTHING_PANEL,
        ),
    ] = False,
    points_per_side: Annotated[
        int,
        typer.Option(min=1, max=256, help="Of the grid.", rich_help_panel=_EVERYTHING_PANEL),
    ] = 32,
    pred_iou_threshold: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="Keep masks whose predicted IoU is at least this.",
            rich_help_panel=_EVERYTHING_PANEL,
        ),
    ] = 0.88,
    stability_threshold: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="Keep masks whose stability score is at least this.",
            rich_help_panel=_EVERYTHING_PANEL,
        ),
    ] = 0.95,
    box_nms_threshold: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="Of masks whose boxes overlap more (IoU), keep the best.",
            rich_help_panel=_EVERYTHING_PANEL,
        ),
    ] = 0.7,
    image_folder: Annotated[
        str | None,
        typer.Option(
            "--images",
            "-i",
            metavar="FOLDER",
            help="Folder of relative names; by default that of the list or file.",
        ),
    ] = None,
    image_column: Annotated[
        str | None,
        typer.Option(
            "--image-column",
            metavar="NAME",
            help="Column of the pictures in tables and Parquet shards; by default it is found.",
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Keep what scores above; by default the detector's."),
    ] = None,
    min_area: Annotated[
        float, typer.Option(min=0, help="Leave out what covers less, in pixels.")
    ] = 0.0,
    max_per_class: Annotated[
        int | None, typer.Option(min=1, help="Objects of a class on a picture, at most.")
    ] = None,
    max_overlap: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Of boxes of any class that overlap more (IoU), keep the best."
        ),
    ] = None,
    tile: Annotated[
        str | None,
        typer.Option(
            "--tile",
            metavar="SIDE[/OVERLAP]",
            help="Look at tiles of large pictures too: 1024, or 1024/0.2.",
        ),
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Do pictures again that failed before.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan, and stop.")] = False,
    json_target: options.JsonOption = None,
    fail_if_empty: options.FailIfEmptyOption = False,
    *,
    engine_options: options.EngineOptions,
    models: options.BareModelOptions,
) -> None:
    """Annotate many pictures with the same classes. Interrupt it any time: nothing is lost."""
    from segue.cli.terminal import results
    from segue.cli.terminal.click_progress import ClickProgress
    from segue.cli.terminal.screen import make_console, printable, show_status
    from segue.runs.annotate import AnnotationRun
    from segue.runs.engine import LITTLE_MEMORY, LocalEngine
    from segue.runs.settings import RunSettings, parse_classes
    from segue.runs.sources import find_pictures
    from segue.runs.tiling import Tiling
    from segue.segment.everything import EverythingOptions

    console = make_console(quiet=json_target == "-")
    engine_options.check()
    if len(folder.parts[0] if folder.parts else "") > 2 and folder.parts[0].endswith(":"):
        raise InputError(f"A run is kept in a folder of this machine, got the address {folder}.")
    settings = RunSettings(
        classes=parse_classes(classes),
        question=question,
        ask_column=ask_column,
        negatives=tuple(part.strip() for part in negatives.split(",") if part.strip()),
        threshold=threshold,
        min_area=min_area,
        max_per_class=max_per_class,
        max_overlap=max_overlap,
        tile=None if tile is None else Tiling.parse(tile),
        from_boxes=from_boxes,
        everything=None
        if not is_everything
        else EverythingOptions(
            points_per_side=points_per_side,
            pred_iou_threshold=pred_iou_threshold,
            stability_score_threshold=stability_threshold,
            box_nms_threshold=box_nms_threshold,
        ),
    )
    skipped: list[str] = []
    pictures = find_pictures(
        sources,
        image_folder,
        image_column=image_column,
        ask_column=ask_column,
        skipped=skipped,
    )
    for sentence in skipped:
        make_console(error=True).print(printable(sentence), style="yellow")
    if from_boxes and not any(picture.boxes for picture in pictures):
        raise InputError("--from-boxes needs COCO instances with annotations, got none.")
    if dry_run:
        _print_settings(console, settings, len(pictures))
        plan = {"pictures": len(pictures), "settings": settings.to_json()}
        results.write_json({"run": str(folder), "plan": plan}, json_target)
        return
    is_detecting = bool(settings.classes) and not from_boxes
    phrases_only = is_detecting and not settings.asks_chat
    if not settings.asks_chat:  # load only what is asked
        models = replace(models, chat="none", detect=models.detect if is_detecting else "none")
    clicks = ClickProgress()
    with ExitStack() as stack:
        with show_status(console, "loading the models"):
            asked: Assistant | Engine
            n_processes = 0
            if engine_options.engine == "ray":
                from segue.runs.ray_engine import RayEngine

                asked = remote = stack.enter_context(
                    RayEngine(
                        partial(models.load, LITTLE_MEMORY, phrases_only=phrases_only),
                        workers=engine_options.workers,
                        address=engine_options.address,
                        gpus_per_worker=engine_options.gpus_per_worker,
                    )
                )
                n_processes = remote.workers
            else:
                asked = LocalEngine(
                    models.load(LITTLE_MEMORY, phrases_only=phrases_only), on_clicks=clicks
                )
            run = AnnotationRun(pictures, folder, settings, asked, retry_failed=retry_failed)
        _print_settings(console, settings, len(pictures), bool(run.models["detect"]))
        used = [run.models["segment"]]
        used += [run.models["detect"]] if settings.classes and not from_boxes else []
        used += [run.models["chat"]] if settings.asks_chat else []
        console.print(f"models: {', '.join(name for name in reversed(used) if name)}")
        n_done = len(pictures) - len(run.pending)
        if n_done:
            console.print(
                f"{n_done} of {count_noun(len(pictures), 'picture')} done already", style="dim"
            )
        _work(run, console, n_processes, clicks)
    summary = _summarise(run, folder)
    _print_summary(summary, console)
    results.write_json(summary, json_target)
    if summary["failed"] == summary["pictures"]:
        raise InputError("No picture could be annotated; see the reasons above.")
    found = [row["class"] for row in summary["classes"] if row["regions"]]
    results.fail_if_empty(fail_if_empty, found, settings.names)


def _print_settings(
    console: "Console", settings: "RunSettings", n_pictures: int, has_detector: bool = True
) -> None:
    console.print(f"{n_pictures} picture(s)")
    for rule in settings.classes[:_MAX_CLASSES]:
        phrases = "" if rule.phrases == (rule.name,) else f" = {' | '.join(rule.phrases)}"
        is_shown = has_detector and rule.threshold is not None
        threshold = f": threshold {rule.threshold:g}" if is_shown else ""
        console.print(f"  class {rule.name}{phrases}{threshold}", highlight=False)
    if len(settings.classes) > _MAX_CLASSES:
        console.print(f"  and {len(settings.classes) - _MAX_CLASSES} more class(es)")
    n_without = sum(rule.threshold is None for rule in settings.classes)
    if has_detector and n_without:
        whose = "" if n_without == len(settings.classes) else " of the others"
        shown = "the detector's own" if settings.threshold is None else f"{settings.threshold:g}"
        console.print(f"  threshold{whose}: {shown}", highlight=False)
    if settings.everything is not None:
        n_points = settings.everything.points_per_side**2
        console.print(f"  everything: {n_points} clicks a picture")
    if settings.question is not None:
        console.print(f"  question: {settings.question}")
    if settings.ask_column is not None:
        console.print(f"  questions: from {settings.ask_column}")


def _work(
    run: "AnnotationRun", console: "Console", n_processes: int, clicks: "ClickProgress"
) -> None:
    """Annotate what is pending, with a bar in a terminal and an estimate after the warm-up.

    Other processes load their models first, so that their first pictures do not count.
    """
    import time

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    from segue.cli.terminal.screen import make_console, printable

    errors = make_console(error=True)
    n_failed = n_done = 0
    n_uncounted = N_WARM_UP * n_processes
    n_estimated = n_uncounted + N_WARM_UP * max(1, n_processes)
    started = time.perf_counter()
    columns = (
        "annotating",
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        "{task.fields[note]}",
    )
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bar:
        task = bar.add_task("annotating", total=len(run.pending), note="")

        def estimate(each: float, n_rest: int) -> None:
            console.print(
                f"{each:.2f} s a picture; about {_duration(each * n_rest)} to go", style="dim"
            )

        clicks.begin(
            show=lambda note: bar.update(task, note=note),
            estimate=lambda each: estimate(each, len(run.pending)),
        )
        try:
            for result in run.results():
                n_done += 1
                if result is not None and result.error is not None:
                    n_failed += 1
                    errors.print(printable(f"{result.name}: {result.error}"), style="yellow")
                bar.update(task, advance=1, note=f"{n_failed} failed" if n_failed else "")
                if n_done == n_uncounted:
                    started = time.perf_counter()
                if n_done == n_estimated < len(run.pending):
                    each = (time.perf_counter() - started) / (n_estimated - n_uncounted)
                    estimate(each, len(run.pending) - n_estimated)
        except KeyboardInterrupt:
            errors.print(
                f"stopped; {n_done} picture(s) were done. The same command goes on there.",
                style="yellow",
            )
            raise
        except SegueError:
            errors.print(
                f"{n_done} picture(s) were done. The same command goes on there.", style="yellow"
            )
            raise


def _duration(seconds: float) -> str:
    """Say how long something takes.

    >>> _duration(42), _duration(200), _duration(9000)
    ('42 s', '3 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _summarise(run: "AnnotationRun", folder: Path) -> dict[str, Any]:
    """Count over the whole run: pictures, and the regions of each class."""
    n_pictures = n_empty = 0
    notices: list[str] = []
    failed: list[str] = []
    regions: dict[str, int] = dict.fromkeys(run.settings.names, 0)
    pictures: dict[str, int] = dict.fromkeys(run.settings.names, 0)
    for result in run.store.results():
        n_pictures += 1
        failed += [result.name] if result.error is not None else []
        notices += result.notices[:1]
        n_empty += result.error is None and not result.regions
        found = [region.phrase for region in result.regions]
        for name in found:
            regions[name] = regions.get(name, 0) + 1
        for name in set(found):
            pictures[name] = pictures.get(name, 0) + 1
    return {
        "run": str(folder),
        "pictures": n_pictures,
        "empty": n_empty,
        "failed": len(failed),
        "failed_pictures": failed,
        "noticed": len(notices),
        "first_notice": next(iter(notices), None),
        "classes": [
            {"class": name, "regions": count, "pictures": pictures.get(name, 0)}
            for name, count in regions.items()
        ],
    }


def _print_summary(summary: "Mapping[str, Any]", console: "Console") -> None:
    """Print how many regions there are of each class, over the whole run."""
    from rich.table import Table

    from segue.cli.terminal.screen import printable, shortened_list

    folder, classes = summary["run"], summary["classes"]
    table = Table(box=None, pad_edge=False)
    for heading in ("class", "regions", "pictures"):
        table.add_column(heading, justify="left" if heading == "class" else "right")
    by_count = sorted(classes, key=lambda row: -row["regions"])
    for row in classes if len(classes) <= _MAX_CLASSES else by_count[:_MAX_CLASSES]:
        table.add_row(printable(row["class"]), str(row["regions"]), str(row["pictures"]))
    console.print(table)
    if others := by_count[_MAX_CLASSES:]:
        n_regions = sum(row["regions"] for row in others)
        console.print(f"and {len(others)} more class(es) with {n_regions} region(s)")
    console.print(
        f"{summary['pictures']} picture(s): {summary['empty']} with nothing found, "
        f"{summary['failed']} failed",
        style="dim",
    )
    if failed := summary["failed_pictures"]:
        console.print(
            printable(f"failed: {shortened_list(failed, _MAX_FAILED)}; --retry-failed tries again"),
            style="yellow",
        )
    if summary["noticed"]:
        first = summary["first_notice"]
        console.print(
            printable(f"{summary['noticed']} picture(s) have notices; the first: {first}"),
            style="yellow",
        )
    console.print(f"results are in {folder}; segue export {folder} --format coco --out coco/")
