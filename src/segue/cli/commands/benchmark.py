"""`segue benchmark`: the benchmarks of the field, from files to a table with published rows."""

import math
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from segue.benchmarks import BENCHMARKS
from segue.cli import options
from segue.cli.option_groups import expand_option_groups
from segue.cli.options import JsonOption
from segue.errors import InputError
from segue.files.counts import count_noun

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from segue.benchmarks.dataset import Benchmark, BenchmarkDataset
    from segue.benchmarks.protocol import EvaluationProtocol
    from segue.benchmarks.ray_respondent import RayRespondent
    from segue.benchmarks.respondent import ItemRespondent
    from segue.benchmarks.run import BenchmarkReport, BenchmarkRun, Shard

app = typer.Typer(
    help="Run a benchmark of the field with any models, and print the result among published ones.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


_DEMO = "demo"
_MAX_GROUPS = 12
"""Groups of a breakdown that are printed; the JSON has all."""
_ASKING_PANEL, _RUN_PANEL = "Asking", "The run"


@dataclass(frozen=True)
class DataOptions:
    """Which items."""

    data: Annotated[
        str,
        typer.Option(
            metavar="FOLDER|demo",
            help="Folder of the data set; 'demo' is a stand-in of twenty drawn pictures.",
        ),
    ]
    split: Annotated[str | None, typer.Option(help="By default the first that is listed.")] = None
    image_folder: Annotated[
        Path | None, typer.Option("--images", "-i", help="Folder of the pictures, if elsewhere.")
    ] = None
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many items.")] = None


@dataclass(frozen=True)
class AskingOptions:
    """How the models are asked, and how answers are scored."""

    protocol: Annotated[
        str | None,
        typer.Option(help="Whose rules score; by default the first that is listed."),
    ] = None
    asks: Annotated[
        str | None,
        typer.Option(
            "--ask",
            metavar="chat|detector",
            help="Who answers: the chat model, to a question; or the detector, to the phrase.",
            rich_help_panel=_ASKING_PANEL,
        ),
    ] = None
    prompt: Annotated[
        str | None,
        typer.Option(
            help="Question to the chat model; {sent} stands for the phrase.",
            rich_help_panel=_ASKING_PANEL,
        ),
    ] = None
    threshold: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="The detector keeps what scores above; by default its own, for AP 0.02.",
            rich_help_panel=_ASKING_PANEL,
        ),
    ] = None
    min_score: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Another score than the protocol's that a region needs to count (cgf1, grec).",
            rich_help_panel=_ASKING_PANEL,
        ),
    ] = None
    tracker: Annotated[
        str,
        typer.Option(
            metavar="TRACKER",
            help="Videos: what follows the answer; as of segue track.",
            rich_help_panel=_ASKING_PANEL,
        ),
    ] = "box_following"
    n_looks: Annotated[
        int,
        typer.Option(
            "--looks",
            min=1,
            help="Videos: frames to look at, evenly spread, until something is found.",
            rich_help_panel=_ASKING_PANEL,
        ),
    ] = 1


@dataclass(frozen=True)
class FolderOptions:
    """Where answers are kept, and which are asked here."""

    folder: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Folder of the run; the same command resumes it. By default benchmark-NAME-SPLIT.",
            rich_help_panel=_RUN_PANEL,
        ),
    ] = None
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="i/n",
            help="Ask every n-th item only, beginning with the i-th; all shards share --out.",
            rich_help_panel=_RUN_PANEL,
        ),
    ] = None
    only_report: Annotated[
        bool,
        typer.Option(
            "--only-report",
            help="Score what is answered, without any model; also with another protocol.",
            rich_help_panel=_RUN_PANEL,
        ),
    ] = False
    distortion: Annotated[
        str | None,
        typer.Option(
            "--distort",
            metavar="jpeg|scale|blur|rotate|typos|paraphrase",
            help="Run again and again with worse pictures or questions, and draw the curve.",
            rich_help_panel=_RUN_PANEL,
        ),
    ] = None
    json_target: JsonOption = None


@app.command("list")
def list_benchmarks(json_target: JsonOption = None) -> None:
    """List the benchmarks: splits, protocols, and where the data are to be had."""
    from rich.table import Table

    from segue.cli.terminal.results import write_json
    from segue.cli.terminal.screen import make_console

    console = make_console(quiet=json_target == "-")
    documents = []
    for name in BENCHMARKS:
        benchmark: Benchmark = BENCHMARKS.load(name)
        documents.append(
            {
                "name": name,
                "title": benchmark.title,
                "splits": list(benchmark.splits),
                "protocols": [protocol.name for protocol in benchmark.protocols],
                "data": benchmark.home,
                "files": benchmark.layout,
            }
        )
        table = Table(box=None, show_header=False, title=benchmark.title, title_justify="left")
        table.add_row("name", name)
        table.add_row("splits", ", ".join(benchmark.splits))
        table.add_row("protocols", ", ".join(p.name for p in benchmark.protocols))
        table.add_row("data", benchmark.home)
        table.add_row("files", benchmark.layout)
        console.print(table)
    write_json({"benchmarks": documents}, json_target)


@app.command("compare")
def compare(
    first: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")],
    second: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of another run.")],
    json_target: JsonOption = None,
) -> None:
    """Compare two runs item by item: differences with intervals, and McNemar's test."""
    from rich.table import Table

    from segue.benchmarks.comparison import compare_runs
    from segue.cli.terminal.results import write_json
    from segue.cli.terminal.screen import make_console, printable

    comparison = compare_runs(first, second)
    write_json(comparison.to_json(), json_target)
    if json_target == "-":
        return
    console = make_console()
    console.print(
        f"{comparison.benchmark} {comparison.split}, protocol {comparison.protocol}: "
        f"{comparison.n_items} items in both runs"
    )
    table = Table(box=None)
    table.add_column("figure")
    for heading in (first.name, second.name, "difference", "95 % interval", "p"):
        table.add_column(printable(heading), justify="right")
    for name, figure in comparison.figures.items():
        table.add_row(
            name,
            _percent(figure.first),
            _percent(figure.second),
            _percent(figure.second - figure.first),
            f"{_percent(figure.low)} to {_percent(figure.high)}",
            f"{figure.p_value:.3f}",
        )
    console.print(table)
    correct = comparison.correct
    console.print(
        f"correct only in the first {correct.only_first}, only in the second "
        f"{correct.only_second}; McNemar p = {correct.p_value:.3f}"
    )
    for count, which in ((comparison.only_first, "first"), (comparison.only_second, "second")):
        if count:
            console.print(f"{count} items only in the {which} run are left out", style="yellow")
    for note in comparison.notes:
        console.print(note, style="yellow")


def _add_benchmark(name: str) -> None:
    """Add the command of one benchmark."""

    @expand_option_groups
    def command(
        data_options: DataOptions,
        asking: AskingOptions,
        run_folder: FolderOptions,
        *,
        engine_options: options.EngineOptions,
        models: options.BareModelOptions,
    ) -> None:
        with ExitStack() as stack:
            _run(name, data_options, asking, run_folder, engine_options, models, stack)

    summary = BENCHMARKS[name].summary
    details = "Splits, protocols and where the data are to be had: segue benchmark list"
    app.command(name, help=f"{summary}. {details}", short_help=f"{summary}.")(command)


for _name in BENCHMARKS:
    _add_benchmark(_name)


def _run(
    name: str,
    data_options: DataOptions,
    asking: AskingOptions,
    run_folder: FolderOptions,
    engine_options: options.EngineOptions,
    models: options.BareModelOptions,
    stack: ExitStack,
) -> None:
    from segue.benchmarks.concept_protocol import mask_library
    from segue.benchmarks.run import BenchmarkRun, Shard
    from segue.cli.terminal.screen import make_console, say_how_to_go_on, show_status

    mask_library()  # before anything is asked
    engine_options.check()
    errors = make_console(error=True)
    how = "The same command goes on; its answers so far are kept."
    stack.enter_context(say_how_to_go_on(how))
    shard = Shard.parse(run_folder.shard)
    benchmark: Benchmark = BENCHMARKS.load(name)
    protocol = _choose_protocol(benchmark, asking)
    with show_status(errors, "reading the files"):
        dataset = _read(benchmark, data_options, stack)
        dataset.check_pictures()
    run = BenchmarkRun(
        benchmark=benchmark,
        dataset=dataset,
        protocol=protocol,
        folder=run_folder.folder or Path(f"benchmark-{name}-{dataset.split}"),
        limit=data_options.limit,
        notes=_notes(data_options, asking, models),
        checks_counts=data_options.data != _DEMO,
    )
    if run_folder.only_report:
        _print_report(_finish(run, errors), run_folder.json_target)
        return
    factory = _respondent_factory(protocol, asking, models, is_video=benchmark.is_video)
    respondent = _start_respondent(factory, engine_options, errors, stack)
    if run_folder.distortion is not None:
        _sweep(run, respondent, run_folder.distortion, shard, errors, run_folder.json_target)
        return
    run.start(respondent)
    _ask(run, respondent, shard, errors)
    _print_report(_finish(run, errors), run_folder.json_target)


def _finish(run: "BenchmarkRun", errors: "Console") -> "BenchmarkReport":
    """Score a run, and write report and page."""
    from segue.benchmarks.page import write_page
    from segue.cli.terminal.screen import show_status

    with show_status(errors, "scoring"):
        report = run.report()
        write_page(report)
    return report


def _count_changes(run: "BenchmarkRun", words: "Callable[[str], str] | None") -> str:
    """Say how many phrases a level of a sweep words differently; empty: it leaves words alone."""
    if words is None:
        return ""
    phrases = [phrase for item in run.items for phrase in item.phrases]
    changed = sum(words(phrase) != phrase for phrase in phrases)
    return f": {changed} of {len(phrases)} phrases are worded differently"


def _sweep(
    run: "BenchmarkRun",
    respondent: "ItemRespondent | RayRespondent",
    distortion: str,
    shard: "Shard",
    errors: "Console",
    json_target: str | None,
) -> None:
    """Run the benchmark plain and at every level of a distortion, and print the curve."""
    from rich.table import Table

    from segue.benchmarks.distortion import DistortionLevel, distortion_levels
    from segue.benchmarks.robustness import CURVE, CurvePoint, write_curve
    from segue.cli.terminal.results import write_json
    from segue.cli.terminal.screen import make_console, printable

    points = []
    for level in (DistortionLevel("plain"), *distortion_levels(distortion)):
        one = replace(run, folder=run.folder / level.name)
        disturbed = respondent.distorted(level.picture, level.words, level.restore)
        one.start(disturbed, "" if level.name == "plain" else level.name)
        errors.print(level.name + _count_changes(run, level.words), style="dim")
        _ask(one, disturbed, shard, errors)
        report = _finish(one, errors)
        points.append(CurvePoint(level.name, report.figures[run.protocol.headline]))
    title = f"{run.benchmark.title} {run.dataset.split}, protocol {run.protocol.name}"
    write_curve(run.folder, title, run.protocol.headline, points)
    write_json(
        {
            "benchmark": run.benchmark.title,
            "split": run.dataset.split,
            "protocol": run.protocol.name,
            "figure": run.protocol.headline,
            "levels": [
                {
                    "level": point.level,
                    "value": point.figure.value,
                    "low": point.figure.low,
                    "high": point.figure.high,
                }
                for point in points
            ],
            "curve": str(run.folder / CURVE),
        },
        json_target,
    )
    console = make_console(quiet=json_target == "-")
    table = Table(box=None, title=title, title_justify="left")
    for heading in ("level", run.protocol.headline, "95 % interval"):
        table.add_column(heading, justify="left" if heading == "level" else "right")
    for point in points:
        low, high = _percent(point.figure.low), _percent(point.figure.high)
        table.add_row(point.level, _percent(point.figure.value), f"{low} to {high}")
    console.print(table)
    for sentence in run.notes:
        console.print(printable(sentence), style="yellow")
    console.print(f"the curve is in {run.folder / CURVE}, each level in a folder beside it")


def _notes(
    data_options: DataOptions, asking: AskingOptions, models: options.BareModelOptions
) -> list[str]:
    notes = []
    if data_options.data != _DEMO and models.preset == "embedded" and not models.detect:
        notes.append("The bundled models know drawn scenes only. Name others: --preset")
    if data_options.data == _DEMO:
        notes.append("A stand-in of drawn pictures: not comparable with any published figure.")
    if asking.min_score is not None:
        notes.append(f"A region counts from a score of {asking.min_score:g}, not the protocol's.")
    return notes


def _choose_protocol(benchmark: "Benchmark", asking: AskingOptions) -> "EvaluationProtocol":
    protocol = benchmark.protocol(asking.protocol)
    if asking.min_score is None:
        return protocol
    if not hasattr(protocol, "min_score"):
        raise InputError(f"The protocol {protocol.name} has no score that regions must reach.")
    changed: EvaluationProtocol = replace(protocol, min_score=asking.min_score)  # type: ignore[type-var]
    return changed


def _read(
    benchmark: "Benchmark", data_options: DataOptions, stack: ExitStack
) -> "BenchmarkDataset":
    """Read the data set, or write and read the stand-in."""
    import tempfile

    split = data_options.split or benchmark.splits[0]
    if data_options.data != _DEMO:
        folder = Path(data_options.data).expanduser()
        if not folder.is_dir():
            raise InputError(
                f"The folder {folder} does not exist. Expected {benchmark.layout}. The data are to "
                f"be had from {benchmark.home}. Without them: --data demo"
            )
        return benchmark.read(folder, split, data_options.image_folder)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="segue-benchmark-")))
    demo_split = benchmark.write_demo(folder)
    if data_options.split not in (None, demo_split):
        raise InputError(
            f"The stand-in has the split {demo_split!r} only, got {data_options.split!r}."
        )
    return benchmark.read(folder, demo_split, None)


def _respondent_factory(
    protocol: "EvaluationProtocol",
    asking: AskingOptions,
    models: options.BareModelOptions,
    *,
    is_video: bool,
) -> "Callable[[], ItemRespondent]":
    """Return what loads the models, here or in another process."""
    from segue.benchmarks.box_protocols import GrecProtocol, QwenVlProtocol, RefL4Protocol
    from segue.benchmarks.detection_protocol import ApProtocol

    asks = asking.asks or protocol.respondent
    if asks not in ("chat", "detector"):
        raise InputError(f"--ask must be 'chat' or 'detector', got {asks!r}.")
    respondent: Literal["chat", "detector"] = "chat" if asks == "chat" else "detector"
    prompt = protocol.prompt if asking.prompt is None else asking.prompt
    if "{sent}" not in prompt:
        raise InputError(f"The prompt must have {{sent}} where the phrase goes, got {prompt!r}.")
    is_ap = isinstance(protocol, ApProtocol)
    only_boxes = isinstance(protocol, QwenVlProtocol | RefL4Protocol | GrecProtocol) or (
        isinstance(protocol, ApProtocol) and protocol.kind == "bbox"
    )
    chosen = replace(models, chat="none") if respondent == "detector" else models
    chosen = replace(chosen, segment="none") if only_boxes else chosen
    return partial(
        _load_respondent,
        chosen,
        tracker=asking.tracker if is_video else None,
        respondent=respondent,
        prompt=prompt,
        threshold=0.02 if is_ap and asking.threshold is None else asking.threshold,
        with_masks=not only_boxes,
        n_looks=asking.n_looks,
    )


def _load_respondent(
    models: options.BareModelOptions, tracker: str | None, **settings: Any
) -> "ItemRespondent":
    """Load the models; a worker of Ray calls this too."""
    from segue.assistant.loading import load_tracker
    from segue.benchmarks.respondent import ItemRespondent

    assistant = models.load()
    follower = None
    if tracker is not None:
        follower = load_tracker(
            tracker, assistant.segmenter, device=models.device, dtype=models.dtype
        )
    return ItemRespondent(assistant, tracker=follower, **settings)


def _start_respondent(
    factory: "Callable[[], ItemRespondent]",
    engine_options: options.EngineOptions,
    errors: "Console",
    stack: ExitStack,
) -> "ItemRespondent | RayRespondent":
    """Load the models in this process, or start others that do."""
    from segue.cli.terminal.screen import show_status

    with show_status(errors, "loading the models"):
        if engine_options.engine == "local":
            return factory()
        from segue.benchmarks.ray_respondent import RayRespondent

        return stack.enter_context(
            RayRespondent(
                factory,
                workers=engine_options.workers,
                address=engine_options.address,
                gpus_per_worker=engine_options.gpus_per_worker,
            )
        )


def _ask(
    run: "BenchmarkRun",
    respondent: "ItemRespondent | RayRespondent",
    shard: "Shard",
    errors: "Console",
) -> None:
    """Ask what is open, with a bar in a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    items = run.open_items(shard)
    n_known = len(run.items[shard.number - 1 :: shard.of]) - len(items)
    if n_known:
        errors.print(f"{count_noun(n_known, 'item')} answered already", style="dim")
    columns = (
        f"{run.benchmark.title} {run.dataset.split}", BarColumn(), MofNCompleteColumn(),
        TimeRemainingColumn(), "{task.fields[note]}",
    )  # fmt: skip
    n_failed = 0
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bar:
        task = bar.add_task("asking", total=len(items), note="")
        for answer in run.ask(respondent, items, shard):
            n_failed += answer.error is not None
            bar.update(task, advance=1, note=f"{n_failed} failed" if n_failed else "")


def _print_report(report: "BenchmarkReport", json_target: str | None) -> None:
    from segue.cli.terminal.results import write_json
    from segue.cli.terminal.screen import make_console, printable

    write_json(report.to_json(), json_target)
    if json_target == "-":
        return
    console, run = make_console(), report.run
    console.print(
        f"{run.benchmark.title} {run.dataset.split}, protocol {run.protocol.name}: "
        f"{len(report.table.rows)} items scored"
    )
    console.print(printable(run.protocol.source), style="dim")
    _print_figures(console, report)
    for title, groups in (
        ("by part", report.by_subset if len(report.by_subset) > 1 else {}),
        ("by size", report.by_size),
        ("by category", report.by_category),
    ):
        _print_groups(console, title, groups)
    _print_published(console, report)
    for sentence in report.sentences():
        console.print(printable(sentence), style="yellow")
    console.print(f"answers, scores, report.json and index.html are in {run.folder}")


def _print_figures(console: "Console", report: "BenchmarkReport") -> None:
    from rich.table import Table

    table = Table(box=None)
    table.add_column("figure")
    table.add_column("%", justify="right")
    table.add_column("95 % interval", justify="right")
    for name, figure in report.figures.items():
        has_interval = math.isfinite(figure.low) and math.isfinite(figure.high)
        interval = f"{_percent(figure.low)} to {_percent(figure.high)}" if has_interval else "-"
        table.add_row(name, _percent(figure.value), interval)
    console.print(table)


def _print_groups(
    console: "Console", title: str, groups: Mapping[str, Mapping[str, float]]
) -> None:
    from rich.table import Table

    from segue.cli.terminal.screen import printable

    if not groups or list(groups) == ["none"]:
        return
    names = [name for name in next(iter(groups.values())) if name != "items"][:4]
    table = Table(box=None)
    table.add_column(title)
    for name in ("items", *names):
        table.add_column(name, justify="right")
    for group, figures in list(groups.items())[:_MAX_GROUPS]:
        cells = (_percent(figures[name]) for name in names)
        table.add_row(printable(group), f"{figures['items']:.0f}", *cells)
    console.print(table)
    if len(groups) > _MAX_GROUPS:
        console.print(f"and {len(groups) - _MAX_GROUPS} more, in report.json", style="dim")


def _print_published(console: "Console", report: "BenchmarkReport") -> None:
    from rich.table import Table

    rows = report.published
    if len(rows) < 2:
        console.print("no published row of this split and protocol is bundled", style="dim")
        return
    table = Table(box=None, title="among published results", title_justify="left")
    for heading in ("model", "year", rows[0]["figure"], "source"):
        table.add_column(
            heading, justify="right" if heading in ("year", rows[0]["figure"]) else "left"
        )
    for row in rows:
        value = math.nan if row["value"] is None else row["value"]
        style = "bold" if row["model"] == "this run" else ""
        table.add_row(
            row["model"], str(row["year"] or ""), _percent(value), row["source"], style=style
        )
    console.print(table)


def _percent(value: float) -> str:
    return "-" if not math.isfinite(value) else f"{100 * value:.1f}"
