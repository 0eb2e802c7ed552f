"""`segue convert`: public data sets -> dialogues to train and evaluate with."""

from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from segue.cli.commands.export import ReviewedOption, ReviewedPictures, print_reading
from segue.cli.options import JsonOption
from segue.cli.renamed_options import accept_old_names
from segue.errors import InputError
from segue.files.counts import count_noun

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from segue.convert.dataset import OutputPlan
    from segue.convert.dialogue import Dialogue, DroppedRecord
    from segue.convert.entry_tally import EntryTally
    from segue.convert.image_files import ImageFiles

app = typer.Typer(
    help="Convert annotations to dialogues for training and evaluation.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class AnswerMode(StrEnum):
    """The form of the assistant's answers."""

    tag = "tag"
    tag_answer = "tag+answer"
    tool = "tool"
    mixed = "mixed"


class AbsentReply(StrEnum):
    """The answer about an absent object: words, or the tag all the same."""

    say = "say"
    tag = "tag"


class DetectorCall(StrEnum):
    """What a call of the detector without the segmenter becomes."""

    box = "box"
    tag = "tag"
    cut = "cut"


class QuestionRoute(StrEnum):
    """What questions ask for: boxes, or masks by the tag."""

    box = "box"
    tag = "tag"


class AnnotatedPixels(StrEnum):
    """The pixels that annotations refer to: as stored, or upright after EXIF."""

    stored = "stored"
    upright = "upright"


ImagesOption = Annotated[
    list[str],
    typer.Option("--images", "-i", help="A folder of pictures, or source=FOLDER; may be repeated."),
]
OptionalImagesOption = Annotated[
    list[str],
    typer.Option(
        "--images",
        "-i",
        help="A folder of pictures, or source=FOLDER; may be repeated. A run knows its pictures.",
        show_default=False,
    ),
]
OutOption = Annotated[Path, typer.Option("--out", "-o", help="The folder to write to.")]
FormatsOption = Annotated[
    list[str],
    typer.Option(
        "--format",
        "-f",
        help="qwen-vl, llava, trl, swift, parquet, dialogues or questions; may be repeated.",
    ),
]
ValOption = Annotated[
    float, typer.Option(min=0, max=1, help="Fraction of the pictures for validation.")
]
SeedOption = Annotated[int, typer.Option(help="Seed of the random choices.")]
CheckPixelsOption = Annotated[
    bool,
    typer.Option("--check-pixels", help="Decode every picture to find truncated ones; slow."),
]
ExifOption = Annotated[
    AnnotatedPixels | None,
    typer.Option(
        "--exif",
        help="Which pixels boxes refer to where EXIF data rotate a picture: as stored, or upright. "
        "By default the picture's size decides; where it cannot, the picture is dropped.",
        show_default=False,
    ),
]
ChineseOption = Annotated[
    float, typer.Option(min=0, max=1, help="Fraction of questions in Chinese.")
]
TyposOption = Annotated[
    float, typer.Option(min=0, max=1, help="Fraction of questions with a typo.")
]
MasksOption = Annotated[
    bool, typer.Option("--masks", help="Include the true masks, for evaluation.")
]


@app.command(
    "llava-plus",
    context_settings=accept_old_names({"absent": "absent-reply", "tool-free": "tool-free-ratio"}),
)
def llava_plus(
    records_file: Annotated[
        Path, typer.Argument(metavar="RECORDS", help="The JSON file of LLaVA-Plus.")
    ],
    images: ImagesOption,
    out: OutOption,
    mode: Annotated[AnswerMode, typer.Option(help="The form of the answers.")] = AnswerMode.tag,
    formats: FormatsOption = ["qwen-vl"],  # noqa: B006 (typer copies it)
    tool_free_ratio: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Dialogues without tag and box per dialogue with; by default 0.5 in mode mixed, "
            "else 0.",
            show_default=False,
        ),
    ] = None,
    absent_reply: Annotated[
        AbsentReply,
        typer.Option(help="Answer where nothing was found: say it in words, or use the tag."),
    ] = AbsentReply.say,
    detections: Annotated[
        DetectorCall,
        typer.Option(
            help="What a detector call without the segmenter becomes; cut: the dialogue ends there."
        ),
    ] = DetectorCall.box,
    keep_case: Annotated[
        bool, typer.Option("--keep-case", help="Do not lower-case phrases or strip their articles.")
    ] = False,
    val: ValOption = 0.05,
    seed: SeedOption = 0,
    json_target: JsonOption = None,
    check_pixels: CheckPixelsOption = False,
    exif: ExifOption = None,
) -> None:
    """Convert LLaVA-Plus tool-use records to dialogues whose answers use the tag <gsam>."""
    from segue.convert.datasets.llava_plus import TOOL_FREE, LlavaPlusOptions, convert_file

    options = LlavaPlusOptions(
        mode=mode.value,
        absent=absent_reply.value,
        detections=detections.value,
        normalise=not keep_case,
        exif=exif.value if exif else None,
    )
    settings = {
        "from": records_file.name,
        **{name: getattr(options, name) for name in options.__slots__},
    }
    ratio = TOOL_FREE[mode.value] if tool_free_ratio is None else tool_free_ratio
    dialogues = convert_file(records_file, _image_files(images, check_pixels), options)
    plan = _make_plan(formats, val, seed, ratio)
    _write_dataset(dialogues, out, plan, settings, None, (records_file,), json_target)


@app.command("coco", context_settings=accept_old_names({"absent": "negatives"}))
def coco(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="INSTANCES", help="instances_*.json, or a run of segue annotate or a data set."
        ),
    ],
    out: OutOption,
    images: OptionalImagesOption = [],  # noqa: B006 (typer copies it)
    reviewed: ReviewedOption = ReviewedPictures.all,
    route: Annotated[
        QuestionRoute, typer.Option(help="Ask for boxes, or for masks by the tag.")
    ] = QuestionRoute.box,
    questions: Annotated[int, typer.Option(min=1, help="Maximum questions per picture.")] = 3,
    negatives: Annotated[
        float, typer.Option(min=0, max=1, help="Fraction of questions about absent objects.")
    ] = 0.1,
    chinese: ChineseOption = 0.5,
    typos: TyposOption = 0.1,
    masks: MasksOption = False,
    formats: FormatsOption = ["qwen-vl"],  # noqa: B006
    val: ValOption = 0.05,
    seed: SeedOption = 0,
    json_target: JsonOption = None,
    check_pixels: CheckPixelsOption = False,
    exif: ExifOption = None,
) -> None:
    """Convert COCO instances to questions about categories, in Chinese and English.

    Where segue review was used, what was rejected is left out, and the rest is as it was corrected.
    """
    from segue.convert.datasets.coco import CocoOptions, convert_coco
    from segue.convert.datasets.question_templates import QuestionStyle
    from segue.convert.entry_tally import EntryTally

    options = CocoOptions(
        question_style=QuestionStyle(route=route.value, chinese_share=chinese, typo_share=typos),
        questions=questions,
        absent_share=negatives,
        masks=masks,
        exif=exif.value if exif else None,
        seed=seed,
    )
    settings = {"from": source.name, "route": route.value, "chinese": chinese, "typos": typos}
    entry_tally = EntryTally()
    plan = _make_plan(formats, val, seed, None)
    is_quiet = json_target == "-"
    with _instances_of(source, reviewed, images, check_pixels, is_quiet) as (
        instances_file,
        files,
        is_upright,
    ):
        if is_upright and options.exif is None:
            options = replace(options, exif="upright")
        dialogues = convert_coco(instances_file, files, options, entry_tally)
        _write_dataset(dialogues, out, plan, settings, entry_tally, (source,), json_target)


@contextmanager
def _instances_of(
    source: Path, reviewed: ReviewedPictures, images: list[str], check_pixels: bool, is_quiet: bool
) -> "Iterator[tuple[Path, ImageFiles, bool]]":
    """Yield a COCO file, where its pictures are, and whether it is known to mean upright pixels.

    A COCO file that nobody reviewed is taken as it is. All else that can be read as a data set
    becomes one, with its corrections.
    """
    from segue.convert.image_files import ImageFiles, parse_image_roots
    from segue.review.journal import journal_path

    is_plain = not source.is_dir() and not journal_path(source).exists()
    if is_plain and reviewed is not ReviewedPictures.accepted:
        if not images:
            raise InputError(f"Give the folder with the pictures of {source}: --images FOLDER.")
        yield source, _image_files(images, check_pixels), False
        return
    from segue.cli.terminal.screen import make_console
    from segue.export.coco import write_coco
    from segue.export.reading import read_data_set

    skipped: list[str] = []
    data = read_data_set(source, skipped=skipped, reviewed=reviewed.value)
    print_reading(make_console(quiet=is_quiet), data, skipped, source)
    found = {name: file for name, file in data.files.items() if isinstance(file, Path)}
    files = ImageFiles(parse_image_roots(images), check_pixels=check_pixels, known_files=found)
    with TemporaryDirectory() as folder:
        (file,) = write_coco(data.pictures, Path(folder) / "instances.json")
        yield file, files, True


@app.command("run")
def run(
    run_folder: Annotated[
        Path, typer.Argument(metavar="RUN", help="The folder of a run of segue annotate.")
    ],
    out: OutOption,
    route: Annotated[
        QuestionRoute, typer.Option(help="Ask for boxes, or for masks by the tag.")
    ] = QuestionRoute.box,
    questions: Annotated[int, typer.Option(min=1, help="Maximum questions per picture.")] = 3,
    negatives: Annotated[
        float,
        typer.Option(min=0, max=1, help="Fraction of questions about classes not found."),
    ] = 0.1,
    chinese: ChineseOption = 0.5,
    typos: TyposOption = 0.1,
    masks: MasksOption = False,
    reviewed: ReviewedOption = ReviewedPictures.all,
    own_question: Annotated[
        bool,
        typer.Option(
            "--own-question",
            help="First ask what the run asked (--ask); all that a reviewer left on the picture is "
            "the answer.",
        ),
    ] = False,
    formats: FormatsOption = ["qwen-vl"],  # noqa: B006
    val: ValOption = 0.05,
    seed: SeedOption = 0,
    json_target: JsonOption = None,
) -> None:
    """Convert a run of segue annotate to questions about its classes, in Chinese and English."""
    from segue.convert.datasets.annotation_run import convert_run
    from segue.convert.datasets.coco import CocoOptions
    from segue.convert.datasets.question_templates import QuestionStyle
    from segue.convert.entry_tally import EntryTally

    options = CocoOptions(
        question_style=QuestionStyle(route=route.value, chinese_share=chinese, typo_share=typos),
        questions=questions,
        absent_share=negatives,
        masks=masks,
        exif="upright",
        seed=seed,
        source="run",
    )
    settings = {
        "from": run_folder.name,
        "route": route.value,
        "chinese": chinese,
        "typos": typos,
        "reviewed": reviewed.value,
        "own_question": own_question,
    }
    entry_tally = EntryTally()
    dialogues = convert_run(
        run_folder, out, options, entry_tally, reviewed.value, own_question=own_question
    )
    plan = _make_plan(formats, val, seed, None)
    sources = (run_folder / "run.json",)
    _write_dataset(dialogues, out, plan, settings, entry_tally, sources, json_target)


@app.command("refcoco")
def refcoco(
    references_file: Annotated[
        Path,
        typer.Argument(metavar="REFERENCES", help="refs(unc).p, refs(umd).p or grefs(unc).json"),
    ],
    instances_file: Annotated[
        Path, typer.Argument(metavar="INSTANCES", help="instances.json of the same folder")
    ],
    images: ImagesOption,
    out: OutOption,
    route: Annotated[
        QuestionRoute, typer.Option(help="Ask for boxes, or for masks by the tag.")
    ] = QuestionRoute.box,
    splits: Annotated[
        list[str] | None, typer.Option("--split", help="Only this split; may be repeated.")
    ] = None,
    sentences: Annotated[int, typer.Option(min=1, help="Sentences to use of each reference.")] = 1,
    chinese: ChineseOption = 0.0,
    typos: TyposOption = 0.1,
    masks: MasksOption = False,
    formats: FormatsOption = ["qwen-vl"],  # noqa: B006
    seed: SeedOption = 0,
    json_target: JsonOption = None,
    check_pixels: CheckPixelsOption = False,
    exif: ExifOption = None,
) -> None:
    """Convert RefCOCO, RefCOCO+, RefCOCOg or gRefCOCO, with their own splits."""
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
    settings = {
        "from": references_file.name,
        "route": route.value,
        "chinese": chinese,
        "typos": typos,
    }
    entry_tally = EntryTally()
    image_files = _image_files(images, check_pixels)
    dialogues = convert_refer(references_file, instances_file, image_files, options, entry_tally)
    plan = _make_plan(formats, 0.0, seed, None)
    sources = (references_file, instances_file)
    _write_dataset(dialogues, out, plan, settings, entry_tally, sources, json_target)


@app.command("check")
def check(
    dataset_file: Annotated[Path, typer.Argument(metavar="FILE", help="A converted file.")],
    drawing_folder: Annotated[
        Path | None,
        typer.Option(
            "--draw", "-d", help="Folder for pictures with boxes drawn on them, and an index.html."
        ),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Number of pictures to draw.")] = 16,
    format_name: Annotated[
        str | None, typer.Option("--format", "-f", help="Format of the file; by default detected.")
    ] = None,
    json_target: JsonOption = None,
) -> None:
    """Check a converted file, and draw its boxes on the pictures. Exit code 2 on problems."""
    from segue.cli.terminal.results import refuse_overwriting, write_json
    from segue.cli.terminal.screen import make_console, printable
    from segue.convert.check import check_dataset

    refuse_overwriting([json_target], [dataset_file])
    console = make_console(quiet=json_target == "-")
    findings = check_dataset(
        dataset_file, draw_to=drawing_folder, draw=count, format_name=format_name
    )
    write_json(findings.to_json(), json_target)
    console.print(f"{findings.dialogues} dialogues")
    for title, counts in (("kinds", findings.kinds), ("languages", findings.languages)):
        console.print(f"{title}: {', '.join(f'{k} {n}' for k, n in counts.most_common())}")
    frequent_phrases = ", ".join(f"{phrase} {n}" for phrase, n in findings.phrases.most_common(10))
    console.print(
        f"phrases: {len(findings.phrases)} different; most frequent: {printable(frequent_phrases)}"
    )
    if findings.drawings and drawing_folder is not None:
        console.print(
            f"drew {count_noun(len(findings.drawings), 'picture')}: {drawing_folder / 'index.html'}"
        )
    for example in findings.examples:
        console.print(f"  {printable(example)}", style="yellow")
    if not findings.is_fine:
        problems = ", ".join(f"{problem} {n}" for problem, n in findings.problems.most_common())
        raise InputError(f"{dataset_file} has problems: {problems or 'it holds no dialogue'}.")
    console.print("no problems")


def _image_files(images: list[str], check_pixels: bool) -> "ImageFiles":
    from segue.convert.image_files import ImageFiles, parse_image_roots

    return ImageFiles(parse_image_roots(images), check_pixels=check_pixels)


def _make_plan(formats: list[str], val: float, seed: int, tool_free: float | None) -> "OutputPlan":
    from segue.convert.dataset import OutputPlan, split_format_names

    return OutputPlan(
        formats=split_format_names(formats),
        validation_share=val,
        seed=seed,
        tool_free_ratio=tool_free,
    )


def _write_dataset(
    dialogues: "Iterable[Dialogue | DroppedRecord]",
    out: Path,
    plan: "OutputPlan",
    settings: "Mapping[str, object]",
    entry_tally: "EntryTally | None",
    sources: tuple[Path, ...],
    json_target: str | None,
) -> None:
    from segue.cli.terminal.results import refuse_overwriting, write_json
    from segue.cli.terminal.screen import make_console, printable
    from segue.convert.dataset import write_dataset

    refuse_overwriting([json_target], sources)
    console = make_console(quiet=json_target == "-")
    with _show_progress(dialogues) as counted_dialogues:
        report = write_dataset(counted_dialogues, out, plan, settings, entry_tally, sources)
    console.print(printable(report.summary()))
    console.print(f"wrote {out}: {', '.join(file.name for file in report.files)}", style="dim")
    write_json(report.to_json(), json_target)


@contextmanager
def _show_progress(
    dialogues: "Iterable[Dialogue | DroppedRecord]",
) -> "Iterator[Iterable[Dialogue | DroppedRecord]]":
    """Show the number of records so far, in a terminal."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = SpinnerColumn(), TextColumn("{task.completed} records"), TimeElapsedColumn()
    is_hidden = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=is_hidden) as progress:
        yield progress.track(dialogues)
