"""`segue evaluate`: ask the models many questions, save the predictions, and score them."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from segue.cli import options
from segue.cli.commands.calibrate import calibrate
from segue.cli.option_groups import expand_option_groups
from segue.cli.options import JsonOption
from segue.cli.renamed_options import accept_old_names
from segue.cli.terminal.results import refuse_overwriting, write_json
from segue.errors import InputError
from segue.files.counts import count_noun

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(
    help="Measure the quality of answers.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

InputFile = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", help="Questions to ask, or predictions to score, as JSON lines."
    ),
]
PredictionsOption = Annotated[
    Path | None,
    typer.Option(
        "--out", "-o", help="File for the predictions; an interrupted run is resumed from it."
    ),
]
SynonymsOption = Annotated[
    Path | None,
    typer.Option("--synonyms", help='More synonyms, a JSON file like [["tram", "streetcar"]].'),
]
PromptOption = Annotated[
    str,
    typer.Option(help='Question for a referring expression ("sent"), which replaces {sent}.'),
]
ImageFolderOption = Annotated[
    Path | None,
    typer.Option(
        "--images", "-i", help="Folder of relative picture names; by default that of the file."
    ),
]
LimitOption = Annotated[
    int | None, typer.Option(min=1, help="Ask only the first so many questions.")
]

GREEDY = options.SamplingOptions(temperature=0.0)


@dataclass(frozen=True)
class QuestionOptions:
    """Which questions of a file are asked, and how."""

    prompt: PromptOption = "Where is the {sent}?"
    image_folder: ImageFolderOption = None
    limit: LimitOption = None


@app.command("predict")
@expand_option_groups
def predict(
    questions_file: Annotated[
        Path, typer.Argument(metavar="QUESTIONS", help="Questions, as JSON lines.")
    ],
    predictions_file: Annotated[
        Path,
        typer.Option(
            "--out", "-o", help="File for the predictions; an interrupted run is resumed from it."
        ),
    ],
    *,
    question_options: QuestionOptions,
    models: options.BareModelOptions,
    sampling: options.SamplingOptions = GREEDY,
    json_target: JsonOption = None,
) -> None:
    """Ask every question once and save the predictions; score them later, without models."""
    refuse_overwriting([json_target, predictions_file], [questions_file])
    counts = _predict(questions_file, predictions_file, question_options, models, sampling)
    write_json({"predictions": str(predictions_file), **counts}, json_target)


def _add_scoring_command(part: str, summary: str) -> None:
    """Add a command that scores one part, and asks the questions first where necessary."""

    @expand_option_groups
    def command(
        input_file: InputFile,
        predictions_file: PredictionsOption = None,
        json_target: JsonOption = None,
        synonyms_file: SynonymsOption = None,
        *,
        question_options: QuestionOptions,
        models: options.BareModelOptions,
        sampling: options.SamplingOptions = GREEDY,
    ) -> None:
        input_files = [input_file, *([synonyms_file] if synonyms_file else [])]
        refuse_overwriting([json_target, predictions_file], input_files)
        if _is_predictions(input_file):
            predictions_file = input_file
        elif predictions_file is None:
            raise InputError(
                f"{input_file} holds questions, not predictions. Name a file for the predictions: "
                "--out FILE"
            )
        else:
            _predict(input_file, predictions_file, question_options, models, sampling)
        _print_report(predictions_file, part, json_target, synonyms_file)

    app.command(part, help=summary)(command)


_add_scoring_command("tags", "Tag-valid rate, phrase accuracy, over-trigger rate, absent objects.")
_add_scoring_command("boxes", "Acc@0.5 of questions with one true box, as for RefCOCO.")
_add_scoring_command("masks", "gIoU, cIoU, P@X, N-acc and T-acc of questions with a true mask.")
_add_scoring_command("all", "All scores that the file allows.")


app.command("calibrate")(calibrate)


@app.command("detections", context_settings=accept_old_names({"most": "max-detections"}))
def detections(
    truth_file: Annotated[
        Path, typer.Argument(metavar="TRUTH", help="Ground truth: COCO instances_*.json.")
    ],
    results_file: Annotated[
        Path, typer.Argument(metavar="RESULTS", help="COCO results: a JSON list with scores.")
    ],
    masks: Annotated[bool, typer.Option("--masks", help="Compare masks instead of boxes.")] = False,
    max_detections: Annotated[
        int, typer.Option(help="Maximum detections per picture; 300 for LVIS.")
    ] = 100,
    json_target: JsonOption = None,
) -> None:
    """Compute COCO's AP of detections with scores."""
    from segue.cli.terminal.screen import make_console
    from segue.evaluate.metrics import average_precision

    refuse_overwriting([json_target], [truth_file, results_file])
    kind = "segm" if masks else "bbox"
    scores = average_precision(
        _read_json(truth_file), _read_json(results_file), kind, max_detections
    )
    write_json(scores, json_target)
    if json_target != "-":
        _print_table(make_console(), "detections", {"": scores})


def _predict(
    questions_file: Path,
    predictions_file: Path,
    question_options: QuestionOptions,
    models: options.BareModelOptions,
    sampling_options: options.SamplingOptions,
) -> dict[str, int]:
    """Ask what was not asked before; return how many there are, and how many failed."""
    from rich.console import Console
    from rich.progress import track

    from segue.cli.terminal.screen import make_console, say_how_to_go_on, show_status
    from segue.evaluate import predictions
    from segue.evaluate.questions import read_questions

    console = make_console(error=True)
    sampling, prompt = sampling_options.to_sampling(), question_options.prompt
    limit = question_options.limit
    questions = list(
        read_questions(questions_file, prompt=prompt, images=question_options.image_folder)
    )[:limit]
    with show_status(console, "loading the models"):
        assistant = models.load()
    manifest = predictions.make_manifest(
        assistant, questions_file, sampling, prompt=prompt, limit=limit
    )
    with predictions.PredictionsFile(predictions_file, manifest) as file:
        n_remaining = sum(question.id not in file.answered_ids for question in questions)
        if n_remaining < len(questions):
            n_answered = len(questions) - n_remaining
            console.print(f"{n_answered} of {len(questions)} already answered", style="dim")
        new_predictions = predictions.predict(assistant, questions, file, sampling)
        stream = Console(stderr=True)
        progress = track(
            new_predictions,
            "asking",
            n_remaining,
            console=stream,
            disable=not stream.is_terminal,
            transient=True,
        )
        with say_how_to_go_on(f"The same command goes on; answers are in {predictions_file}."):
            n_failed = sum(prediction.error is not None for prediction in progress)
    if n_failed:
        console.print(
            f"{count_noun(n_failed, 'question')} failed; see 'error' in {predictions_file}"
        )
    return {"questions": len(questions), "asked": n_remaining, "failed": n_failed}


def _print_report(
    predictions_file: Path, part: str, json_target: str | None, synonyms_file: Path | None
) -> None:
    from segue.cli.terminal.screen import make_console
    from segue.evaluate.report import make_report
    from segue.prompting.synonyms import Synonyms

    synonyms = Synonyms.read(synonyms_file) if synonyms_file is not None else None
    report = make_report(predictions_file, () if part == "all" else (part,), synonyms)
    write_json(report, json_target)
    if json_target == "-":
        return
    console = make_console()
    manifest = report["manifest"]
    console.print(f"models: {_join_values(manifest['models'])}")
    thresholds = {
        name: "the detector's own" if value is None else value
        for name, value in manifest["thresholds"].items()
    }
    sampling = _join_values(manifest["sampling"])
    console.print(f"thresholds: {_join_values(thresholds)}; sampling: {sampling}")
    console.print(f"prompt: {manifest['prompt']!r}; versions: {_join_values(manifest['versions'])}")
    _print_table(console, "answers", {"": report["answers"]})
    for name in (key for key in report if key not in ("manifest", "answers")):
        _print_tables(console, name, report[name])


def _print_tables(console: "Console", title: str, content: dict[str, Any]) -> None:
    """Print the numbers of a level as one table with a column per group, then the levels below."""
    groups = {key: value for key, value in content.items() if isinstance(value, dict) and value}
    numbers = {key: value for key, value in content.items() if not isinstance(value, dict | list)}
    columns = {key: value for key, value in groups.items() if not _has_groups(value)}
    if numbers:
        _print_table(console, title, {"": numbers})
    if columns:
        _print_table(console, title, columns)
    for key, value in groups.items():
        if key not in columns:
            _print_tables(console, f"{title}, {key}", value)


def _has_groups(value: dict[str, Any]) -> bool:
    return any(isinstance(inner, dict) for inner in value.values())


def _print_table(console: "Console", title: str, columns: dict[str, dict[str, Any]]) -> None:
    """Print rates in percent, with a row per number and a column per group."""
    from rich.table import Table

    table = Table(title, box=None)
    for name in columns:
        table.add_column(name, justify="right")
    for row in dict.fromkeys(name for numbers in columns.values() for name in numbers):
        table.add_row(row, *(_format_value(numbers.get(row)) for numbers in columns.values()))
    console.print()
    console.print(table)


def _format_value(value: Any) -> str:
    from segue.evaluate.metrics import percent

    return percent(value) if value is None or isinstance(value, float) else str(value)


def _is_predictions(file: Path) -> bool:
    from segue.evaluate.questions import json_lines

    first = next(json_lines(file), None)
    if first is None:
        raise InputError(f"{file} is empty. Give questions or predictions, as JSON lines.")
    return "manifest" in first


def _join_values(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items() if value not in (None, []))


def _read_json(file: Path) -> Any:
    from segue.files.text import read_json

    return read_json(file)
