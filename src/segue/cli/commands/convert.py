"""`segue convert`: other people's data -> conversations that teach boxes and the tag."""

from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segue.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from segue.convert.dataset import OutputPlan
    from segue.convert.dialogue import Dialogue, DroppedRecord
    from segue.convert.entry_tally import EntryTally
    from segue.convert.image_files import ImageFiles

app = typer.Typer(
    help="Turn annotations into conversations to train and evaluate with.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Mode(StrEnum):
    """What the assistant answers."""

    tag = "tag"
    tag_answer = "tag+answer"
    tool = "tool"
    mixed = "mixed"


class Absent(StrEnum):
    """What it answers when there is nothing to find."""

    say = "say"
    tag = "tag"


class Detections(StrEnum):
    """What becomes of a detector called alone."""

    box = "box"
    tag = "tag"
    cut = "cut"


class Route(StrEnum):
    """What is asked for."""

    box = "box"
    tag = "tag"


class Pixels(StrEnum):
    """What annotations were drawn on."""

    stored = "stored"
    upright = "upright"


Images = Annotated[
    list[str],
    typer.Option(
        "--images", "-i", help="A folder of pictures, or source=FOLDER. May be given many times."
    ),
]
Out = Annotated[Path, typer.Option("--out", "-o", help="The folder to write to.")]
Formats = Annotated[
    list[str],
    typer.Option(
        "--format",
        "-f",
        help="qwen-vl, llava, trl, swift, parquet, dialogues, questions; may be given many times.",
    ),
]
Val = Annotated[float, typer.Option(min=0, max=1, help="Share of the pictures for validation.")]
Seed = Annotated[int, typer.Option(help="Another seed, another choice.")]
CheckPixels = Annotated[
    bool, typer.Option("--check-pixels", help="Decode every picture; finds those cut off. Slow.")
]
ExifOption = Annotated[
    Pixels | None,
    typer.Option(
        "--exif",
        help="What boxes were drawn on where EXIF data turn a picture: the pixels as stored, or as "
        "shown upright. By default its size tells, and where it cannot the picture is dropped.",
        show_default=False,
    ),
]
Chinese = Annotated[float, typer.Option(min=0, max=1, help="Share of questions in Chinese.")]
Typos = Annotated[float, typer.Option(min=0, max=1, help="Share of questions with a typo.")]
Masks = Annotated[bool, typer.Option("--masks", help="Keep the true masks, for evaluation.")]


@app.command("llava-plus")
def llava_plus(
    records: Annotated[Path, typer.Argument(help="The JSON file of LLaVA-Plus.")],
    images: Images,
    out: Out,
    mode: Annotated[Mode, typer.Option(help="What the assistant answers.")] = Mode.tag,
    formats: Formats = ["qwen-vl"],  # noqa: B006 (typer copies it)
    tool_free: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Dialogues without tag and box, for each one with. By default 0.5 in the mode "
            "mixed, else 0.",
            show_default=False,
        ),
    ] = None,
    absent: Annotated[
        Absent, typer.Option(help="When nothing was found: say so in words, or still the tag.")
    ] = Absent.say,
    detections: Annotated[
        Detections, typer.Option(help="What a detector called alone becomes; cut: the end.")
    ] = Detections.box,
    keep_case: Annotated[
        bool, typer.Option("--keep-case", help="Leave phrases as they are written.")
    ] = False,
    val: Val = 0.05,
    seed: Seed = 0,
    check_pixels: CheckPixels = False,
    exif: ExifOption = None,
) -> None:
    """Convert LLaVA-Plus tool-use records; the assistant learns to answer with <gsam>."""
    from segue.convert.datasets.llava_plus import TOOL_FREE, LlavaPlusOptions, convert_file

    options = LlavaPlusOptions(
        mode=mode.value,
        absent=absent.value,
        detections=detections.value,
        normalise=not keep_case,
        exif=exif.value if exif else None,
    )
    settings = {
        "from": records.name,
        **{name: getattr(options, name) for name in options.__slots__},
    }
    ratio = TOOL_FREE[mode.value] if tool_free is None else tool_free
    dialogues = convert_file(records, _files(images, check_pixels), options)
    plan = _plan(formats, val, seed, ratio)
    _write(dialogues, out, plan, settings, None, (records,))


@app.command("coco")
def coco(
    instances: Annotated[Path, typer.Argument(help="instances_*.json")],
    images: Images,
    out: Out,
    route: Annotated[Route, typer.Option(help="Ask for boxes, or for masks.")] = Route.box,
    questions: Annotated[int, typer.Option(min=1, help="At most so many a picture.")] = 3,
    absent: Annotated[
        float, typer.Option(min=0, max=1, help="Share of questions for what is not there.")
    ] = 0.1,
    chinese: Chinese = 0.5,
    typos: Typos = 0.1,
    masks: Masks = False,
    formats: Formats = ["qwen-vl"],  # noqa: B006
    val: Val = 0.05,
    seed: Seed = 0,
    check_pixels: CheckPixels = False,
    exif: ExifOption = None,
) -> None:
    """Convert COCO instances to questions for a category, in Chinese and English."""
    from segue.convert.datasets.coco import CocoOptions, convert_coco
    from segue.convert.datasets.question_templates import QuestionStyle
    from segue.convert.entry_tally import EntryTally

    options = CocoOptions(
        question_style=QuestionStyle(route=route.value, chinese_share=chinese, typo_share=typos),
        questions=questions,
        absent_share=absent,
        masks=masks,
        exif=exif.value if exif else None,
        seed=seed,
    )
    settings = {"from": instances.name, "route": route.value, "chinese": chinese, "typos": typos}
    tally = EntryTally()
    dialogues = convert_coco(instances, _files(images, check_pixels), options, tally)
    plan = _plan(formats, val, seed, None)
    _write(dialogues, out, plan, settings, tally, (instances,))


@app.command("refcoco")
def refcoco(
    references: Annotated[Path, typer.Argument(help="refs(unc).p, refs(umd).p or grefs(unc).json")],
    instances: Annotated[Path, typer.Argument(help="instances.json of the same folder")],
    images: Images,
    out: Out,
    route: Annotated[Route, typer.Option(help="Ask for boxes, or for masks.")] = Route.box,
    splits: Annotated[
        list[str] | None, typer.Option("--split", help="Only this split. May be given many times.")
    ] = None,
    sentences: Annotated[
        int, typer.Option(min=1, help="How many sentences of each reference to use.")
    ] = 1,
    chinese: Chinese = 0.0,
    typos: Typos = 0.1,
    masks: Masks = False,
    formats: Formats = ["qwen-vl"],  # noqa: B006
    seed: Seed = 0,
    check_pixels: CheckPixels = False,
    exif: ExifOption = None,
) -> None:
    """Convert RefCOCO, RefCOCO+, RefCOCOg or gRefCOCO. Splits are those of the source."""
    from segue.convert.datasets.question_templates import QuestionStyle
    from segue.convert.datasets.refer import ReferOptions, convert_refer
    from segue.convert.entry_tally import EntryTally

    options = ReferOptions(
        question_style=QuestionStyle(route=route.value, chinese_share=chinese, typo_share=typos),
        splits=tuple(splits or ()),
        sentences=sentences,
        masks=masks,
        exif=exif.value if exif else None,
        seed=seed,
    )
    settings = {"from": references.name, "route": route.value, "chinese": chinese, "typos": typos}
    tally = EntryTally()
    dialogues = convert_refer(references, instances, _files(images, check_pixels), options, tally)
    plan = _plan(formats, 0.0, seed, None)
    _write(dialogues, out, plan, settings, tally, (references, instances))


@app.command("check")
def check(
    file: Annotated[Path, typer.Argument(help="A file that was converted.")],
    draw_to: Annotated[
        Path | None,
        typer.Option("--draw", "-d", help="Draw boxes on pictures here, with an index.html."),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="How many pictures to draw.")] = 16,
    format_name: Annotated[
        str | None, typer.Option("--format", "-f", help="By default found out from the file.")
    ] = None,
) -> None:
    """Check a converted file, and draw its boxes back on the pictures. Exit code 2 on problems."""
    from segue.cli.terminal.screen import printable, screen
    from segue.convert.check import check_dataset

    console = screen()
    findings = check_dataset(file, draw_to=draw_to, draw=count, format_name=format_name)
    console.print(f"{findings.dialogues} dialogues")
    for title, counts in (("kinds", findings.kinds), ("languages", findings.languages)):
        console.print(f"{title}: {', '.join(f'{k} {n}' for k, n in counts.most_common())}")
    frequent = ", ".join(f"{phrase} {n}" for phrase, n in findings.phrases.most_common(10))
    console.print(
        f"phrases: {len(findings.phrases)} different; most frequent: {printable(frequent)}"
    )
    if findings.drawings and draw_to is not None:
        console.print(f"drew {len(findings.drawings)} pictures, see {draw_to / 'index.html'}")
    for example in findings.examples:
        console.print(f"  {printable(example)}", style="yellow")
    if not findings.is_fine:
        listed = ", ".join(f"{problem} {n}" for problem, n in findings.problems.most_common())
        raise InputError(f"{file} has problems: {listed or 'it holds no dialogue'}.")
    console.print("no problems")


def _files(images: list[str], check_pixels: bool) -> "ImageFiles":
    from segue.convert.image_files import ImageFiles, parse_image_roots

    return ImageFiles(parse_image_roots(images), check_pixels=check_pixels)


def _plan(formats: list[str], val: float, seed: int, tool_free: float | None) -> "OutputPlan":
    from segue.convert.dataset import OutputPlan, split_format_names

    return OutputPlan(
        formats=split_format_names(formats),
        validation_share=val,
        seed=seed,
        tool_free_ratio=tool_free,
    )


def _write(
    dialogues: "Iterable[Dialogue | DroppedRecord]",
    out: Path,
    plan: "OutputPlan",
    settings: "Mapping[str, object]",
    tally: "EntryTally | None",
    sources: tuple[Path, ...],
) -> None:
    from segue.cli.terminal.screen import printable, screen
    from segue.convert.dataset import write_dataset

    console = screen()
    with _show_progress(dialogues) as counted_records:
        report = write_dataset(counted_records, out, plan, settings, tally, sources)
    console.print(printable(report.summary()))
    console.print(f"wrote {out}: {', '.join(file.name for file in report.files)}", style="dim")


@contextmanager
def _show_progress(
    dialogues: "Iterable[Dialogue | DroppedRecord]",
) -> "Iterator[Iterable[Dialogue | DroppedRecord]]":
    """Show how many records there were so far, where somebody watches."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = SpinnerColumn(), TextColumn("{task.completed} records"), TimeElapsedColumn()
    hidden = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as progress:
        yield progress.track(dialogues)
