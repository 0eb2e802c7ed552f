"""`segue export`: a saved conversation or a data set -> the files of other programs."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segue.cli.completion import complete_export_format
from segue.cli.options import JsonOption
from segue.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from segue.export.reading import DataSet
    from segue.export.writing import ExportReport, SplitExport

_MAX_SENTENCES = 10
_MAX_CLASSES = 20
"""Classes that are listed; the others are counted."""


class PictureFiles(StrEnum):
    """What becomes of the pictures themselves."""

    copy = "copy"
    none = "none"


class ReviewedPictures(StrEnum):
    """Which pictures of a reviewed source are taken."""

    accepted = "accepted"
    all = "all"
    original = "original"


ReviewedOption = Annotated[
    ReviewedPictures,
    typer.Option(
        "--reviewed",
        help="Where segue review was used. accepted: what was accepted or corrected; all: what was "
        "not rejected, in its corrected form; original: as it was annotated.",
    ),
]


def export(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="SOURCE",
            help="A session folder, a run of segue annotate, or a data set: COCO, YOLO and others.",
            show_default=False,
        ),
    ] = None,
    format_name: Annotated[
        str | None,
        typer.Option(
            "--format",
            "-f",
            autocompletion=complete_export_format,
            help="The format to write; --list names all.",
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            "-o",
            metavar="TARGET",
            help="The folder to write to; for formats of one file it may be that file.",
        ),
    ] = None,
    pictures: Annotated[
        PictureFiles, typer.Option(help="Copy the pictures to where the format looks for them.")
    ] = PictureFiles.copy,
    picture_folder: Annotated[
        Path | None,
        typer.Option(
            "--images",
            "-i",
            help="The folder with the pictures of a data set; by default its own, or images or "
            "JPEGImages in it.",
            show_default=False,
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,C",
            help="The only classes, in the order of their ids; other regions are left out.",
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            metavar="NAME=SHARE,...",
            help="Write a target for each split, as in train=0.8,val=0.2.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the split.")] = 0,
    reviewed: ReviewedOption = ReviewedPictures.all,
    merge_same: Annotated[
        bool,
        typer.Option(
            "--merge-same",
            help="Of regions in one place under two names (IoU over 0.9) write one: the likelier.",
        ),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Write although TARGET is not empty.")
    ] = False,
    list_formats: Annotated[
        bool, typer.Option("--list", help="List the formats and what each loses.")
    ] = False,
    json_target: JsonOption = None,
) -> None:
    """Export a saved conversation or a data set to COCO, YOLO, LabelMe, CVAT, Pascal VOC, …"""
    if list_formats:
        _print_formats(json_target)
        return
    if source is None or format_name is None or out is None:
        raise InputError(
            "Give what to export, a format and where to, as in segue export talk/ --format coco "
            "--out coco/; segue export --list names the formats."
        )
    for text, what in ((source, "SOURCE"), (out, "TARGET (--out)")):
        if not text.strip():
            raise InputError(f"{what} is empty. Name a folder or a file; this folder is '.'.")
    from segue.cli.terminal.results import write_json
    from segue.cli.terminal.screen import make_console
    from segue.export.reading import read_data_set
    from segue.export.writing import ExportPlan, parse_classes, parse_splits, write_data_set

    plan = ExportPlan(
        format=format_name,
        target=Path(out),
        classes=None if classes is None else parse_classes(classes),
        splits={} if split is None else parse_splits(split),
        seed=seed,
        pictures=pictures.value,
        merge_same=merge_same,
        force=force,
    )
    skipped: list[str] = []
    data = read_data_set(
        source, skipped=skipped, picture_folder=picture_folder, reviewed=reviewed.value
    )
    console = make_console(quiet=json_target == "-")
    print_reading(console, data, skipped, source)
    report = write_data_set(data, plan, source)
    print_report(console, report, plan.format)
    write_json({"format": plan.format, "left_out": skipped, **report.to_json()}, json_target)


def print_reading(
    console: "Console", data: "DataSet", skipped: list[str], source: str | Path
) -> None:
    """Print what was read, what its review made of it, and what was left out."""
    from segue.cli.terminal.screen import printable

    region_count = sum(len(picture.regions) for picture in data.pictures)
    counts = f"{len(data.pictures)} picture(s) with {region_count} region(s)"
    console.print(printable(f"read {counts} from {data.kind}: {source}"))
    for sentence in data.review.sentences() if data.review is not None else ():
        console.print(printable(sentence))
    _print_sentences(console, "left out while reading", skipped)


def print_report(console: "Console", report: "ExportReport", format_name: str) -> None:
    """Print what was written and what was left out, split by split."""
    from segue.cli.terminal.screen import printable
    from segue.export.layout import EXPORT_LAYOUTS

    for part in report.parts:
        name = f"{part.split}: " if part.split else ""
        counts = f"{part.pictures} picture(s) with {part.regions} region(s)"
        console.print(printable(f"{name}wrote {counts} as {format_name} to {part.target}"))
        for label, count in list(part.classes.items())[:_MAX_CLASSES]:
            console.print(printable(f"  {label}  {count}"))
        if others := list(part.classes.items())[_MAX_CLASSES:]:
            n_regions = sum(count for _, count in others)
            console.print(f"  and {len(others)} more class(es) with {n_regions} region(s)")
        _print_left_out(console, part)
        _print_same_places(console, part)
    if report.others:
        console.print(f"{report.others} other file(s) were there before and stay as they were")
    console.print(f"the format loses: {EXPORT_LAYOUTS[format_name].loses}", style="dim")


def _print_left_out(console: "Console", part: "SplitExport") -> None:
    from segue.cli.terminal.screen import printable, shortened_list

    for reason in dict.fromkeys(reason for reason, _ in part.left_out):
        counts = {label: n for (why, label), n in part.left_out.items() if why == reason}
        labels = shortened_list([f"{label} {n}" for label, n in counts.items()])
        sentence = f"left out {sum(counts.values())} region(s), {reason}: {labels}"
        console.print(printable(sentence), style="yellow")
    if part.copied:
        console.print(f"copied {part.copied} picture(s)", style="dim")
    _print_sentences(
        console, "not copied, not found or no picture (--images names their folder)",
        part.not_copied,
    )  # fmt: skip


def _print_same_places(console: "Console", part: "SplitExport") -> None:
    from segue.cli.terminal.screen import printable, shortened_list
    from segue.export.writing import SAME_PLACE

    if not part.same_places:
        return
    pairs = [f"{first} and {second} {n}" for (first, second), n in part.same_places.items()]
    is_merged = any(reason == SAME_PLACE for reason, _ in part.left_out)
    advice = "one of each was written" if is_merged else "--merge-same writes one of each"
    sentence = (
        f"one place under two names, {part.same_places.total()} time(s); {advice}: "
        f"{shortened_list(pairs)}"
    )
    console.print(printable(sentence), style="yellow")


def _print_sentences(console: "Console", title: str, sentences: list[str]) -> None:
    """Print how many there are and the first of them."""
    from segue.cli.terminal.screen import printable

    if sentences:
        console.print(f"{title}: {len(sentences)}", style="yellow")
    for sentence in sentences[:_MAX_SENTENCES]:
        console.print(printable(f"  {sentence}"), style="yellow")
    if len(sentences) > _MAX_SENTENCES:
        console.print(f"  and {len(sentences) - _MAX_SENTENCES} more", style="yellow")


def _print_formats(json_target: str | None) -> None:
    from rich.table import Table

    from segue.cli.terminal.results import write_json
    from segue.cli.terminal.screen import make_console
    from segue.export import EXPORT_FORMATS
    from segue.export.layout import EXPORT_LAYOUTS

    table = Table("format", "files", "loses", box=None)
    for name, entry in EXPORT_FORMATS.items():
        table.add_row(name, entry.summary, EXPORT_LAYOUTS[name].loses)
    make_console(quiet=json_target == "-").print(table)
    formats = [
        {"name": name, "files": entry.summary, "loses": EXPORT_LAYOUTS[name].loses}
        for name, entry in EXPORT_FORMATS.items()
    ]
    write_json({"formats": formats}, json_target)
