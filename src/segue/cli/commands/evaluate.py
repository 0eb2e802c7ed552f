"""`segue evaluate`: ask the models many questions, keep the answers, and score them."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from segue.cli import options
from segue.cli.option_groups import grouped
from segue.cli.terminal.results import keep_inputs
from segue.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(
    help="Measure how good the answers are.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

File = Annotated[
    Path, typer.Argument(help="Questions to ask, or predictions to score, as JSON lines.")
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out", "-o", help="Where predictions are kept; a run that was stopped goes on there."
    ),
]
Json = Annotated[str | None, typer.Option(help="Write the report as JSON; '-' is standard output.")]
SynonymsFile = Annotated[
    Path | None, typer.Option("--synonyms", help='A JSON file like [["tram", "streetcar"]].')
]
Prompt = Annotated[
    str, typer.Option(help='How an expression ("sent") is asked for; {sent} is replaced.')
]
Pictures = Annotated[
    Path | None,
    typer.Option("--images", "-i", help="Where relative picture names begin; else at the file."),
]
Limit = Annotated[int | None, typer.Option(min=1, help="Ask the first so many only.")]

GREEDY = options.Words(temperature=0.0)


@dataclass(frozen=True)
class Asking:
    """What is asked of the questions in a file."""

    prompt: Prompt = "Where is the {sent}?"
    images: Pictures = None
    limit: Limit = None


@app.command("predict")
@grouped
def predict(
    questions: Annotated[Path, typer.Argument(help="Questions, as JSON lines.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where predictions are kept.")],
    *,
    asking: Asking,
    models: options.Models,
    words: options.Words = GREEDY,
) -> None:
    """Ask every question once and keep the answers; score them later, as often as you like."""
    _predict(questions, out, asking, models, words)


def _scoring(part: str, summary: str) -> None:
    """Add a command that scores one part, and asks the questions first where need be."""

    @grouped
    def command(
        file: File,
        out: Out = None,
        json: Json = None,
        synonyms: SynonymsFile = None,
        *,
        asking: Asking,
        models: options.Models,
        words: options.Words = GREEDY,
    ) -> None:
        keep_inputs([json, out], [file, *([synonyms] if synonyms else [])])
        predictions = file
        if not _is_predictions(file):
            if out is None:
                raise InputError(
                    f"{file} holds questions, not predictions. Say where the answers go: --out FILE"
                )
            _predict(file, out, asking, models, words)
            predictions = out
        _report(predictions, part, json, synonyms)

    app.command(part, help=summary)(command)


_scoring("tags", "Tag-valid rate, phrase accuracy, over-trigger rate, absent objects.")
_scoring("boxes", "Acc@0.5 of questions with one true box, as for RefCOCO.")
_scoring("masks", "gIoU, cIoU, P@X, N-acc and T-acc of questions with a true mask.")
_scoring("all", "Everything that the file allows.")


@app.command("detections")
def detections(
    truth: Annotated[Path, typer.Argument(help="COCO instances_*.json")],
    results: Annotated[Path, typer.Argument(help="COCO results: a JSON list with scores.")],
    masks: Annotated[bool, typer.Option("--masks", help="Compare masks, not boxes.")] = False,
    most: Annotated[int, typer.Option(help="Detections a picture; 300 for LVIS.")] = 100,
    json: Json = None,
) -> None:
    """COCO's AP of detections with scores."""
    from segue.cli.terminal.results import write_text
    from segue.cli.terminal.screen import screen
    from segue.evaluate.metrics import average_precision

    keep_inputs([json], [truth, results])
    scores = average_precision(
        _read_json(truth), _read_json(results), "segm" if masks else "bbox", most
    )
    if json is not None:
        write_text(_dumped(scores), json)
    if json != "-":
        _table(screen(), "detections", {"": scores})


def _predict(
    questions: Path, out: Path, asking: Asking, models: options.Models, words: options.Words
) -> None:
    from rich.console import Console
    from rich.progress import track

    from segue.cli.terminal.screen import screen, waiting
    from segue.evaluate import predictions
    from segue.evaluate.questions import read_questions

    console = screen(error=True)
    how, limit = words.sampling, asking.limit
    asked = list(read_questions(questions, prompt=asking.prompt, images=asking.images))[:limit]
    with waiting(console, "loading the models"):
        assistant = models.load()
    about = predictions.manifest(assistant, questions, how, prompt=asking.prompt, limit=limit)
    with predictions.PredictionsFile(out, about) as file:
        left = sum(question.id not in file.done for question in asked)
        if left < len(asked):
            console.print(f"{len(asked) - left} of {len(asked)} were answered before", style="dim")
        answers = predictions.predict(assistant, asked, file, how)
        stream = Console(stderr=True)
        shown = track(
            answers, "asking", left, console=stream, disable=not stream.is_terminal, transient=True
        )
        failed = sum(prediction.error is not None for prediction in shown)
    if failed:
        console.print(f"{failed} questions could not be answered; see 'error' in {out}")


def _report(predictions: Path, part: str, json: str | None, synonyms: Path | None) -> None:
    from segue.cli.terminal.results import write_text
    from segue.cli.terminal.screen import screen
    from segue.evaluate.report import report
    from segue.evaluate.synonyms import Synonyms

    words = Synonyms.read(synonyms) if synonyms is not None else None
    result = report(predictions, () if part == "all" else (part,), words)
    if json is not None:
        write_text(_dumped(result), json)
    if json == "-":
        return
    console = screen()
    about = result["manifest"]
    console.print(f"models: {_listed(about['models'])}")
    thresholds = {
        name: "the detector's own" if value is None else value
        for name, value in about["thresholds"].items()
    }
    console.print(f"thresholds: {_listed(thresholds)}; sampling: {_listed(about['sampling'])}")
    console.print(f"prompt: {about['prompt']!r}; versions: {_listed(about['versions'])}")
    _table(console, "answers", {"": result["answers"]})
    for name in (key for key in result if key not in ("manifest", "answers")):
        _tables(console, name, result[name])


def _tables(console: "Console", title: str, content: dict[str, Any]) -> None:
    """The numbers of a level as one table with a column for each group, then the levels below."""
    groups = {key: value for key, value in content.items() if isinstance(value, dict) and value}
    flat = {key: value for key, value in content.items() if not isinstance(value, dict | list)}
    columns = {key: value for key, value in groups.items() if not _is_deep(value)}
    if flat:
        _table(console, title, {"": flat})
    if columns:
        _table(console, title, columns)
    for key, value in groups.items():
        if key not in columns:
            _tables(console, f"{title}, {key}", value)


def _is_deep(value: dict[str, Any]) -> bool:
    return any(isinstance(inner, dict) for inner in value.values())


def _table(console: "Console", title: str, columns: dict[str, dict[str, Any]]) -> None:
    """Rates in percent; a row for each number, a column for each group."""
    from rich.table import Table

    table = Table(title, box=None)
    for name in columns:
        table.add_column(name, justify="right")
    for row in dict.fromkeys(name for numbers in columns.values() for name in numbers):
        table.add_row(row, *(_shown(numbers.get(row)) for numbers in columns.values()))
    console.print()
    console.print(table)


def _shown(value: Any) -> str:
    from segue.evaluate.metrics import percent

    return percent(value) if value is None or isinstance(value, float) else str(value)


def _is_predictions(file: Path) -> bool:
    from segue.evaluate.questions import json_lines

    first = next(json_lines(file), None)
    if first is None:
        raise InputError(f"{file} is empty. Give questions or predictions, as JSON lines.")
    return "manifest" in first


def _listed(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items() if value not in (None, []))


def _read_json(file: Path) -> Any:
    from segue.files.text import read_json

    return read_json(file)


def _dumped(value: Any) -> str:
    from segue.files.atomic import json_text

    return json_text(value, indent=2) + "\n"
