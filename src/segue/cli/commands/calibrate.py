"""`segue evaluate calibrate`: fit how likely the models' findings are true."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from segue.cli import options
from segue.cli.option_groups import expand_option_groups
from segue.cli.terminal.results import refuse_overwriting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.table import Table

    from segue.evaluate.calibration import CalibrationScores


@expand_option_groups
def calibrate(
    data_file: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="Labelled pictures: questions with 'phrases' and 'expect' as JSON lines, or COCO "
            "instances (.json).",
        ),
    ],
    calibration_file: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="File for the calibration; by default beside the user's profiles."
        ),
    ] = None,
    evidence_file: Annotated[
        Path | None,
        typer.Option(
            "--evidence",
            help="File for the evidence; an interrupted run is resumed from it. By default beside "
            "the calibration.",
        ),
    ] = None,
    image_folder: Annotated[
        Path | None,
        typer.Option(
            "--images", "-i", help="Folder of relative picture names; by default that of the file."
        ),
    ] = None,
    method: Annotated[
        Literal["logistic", "isotonic"],
        typer.Option(help="What maps evidence to probabilities; isotonic needs 1,000 phrases."),
    ] = "logistic",
    absent_below: Annotated[
        float, typer.Option(min=0, max=1, help="Less likely than this is 'absent'.")
    ] = 0.2,
    present_above: Annotated[
        float, typer.Option(min=0, max=1, help="More likely than this is 'present'.")
    ] = 0.8,
    diagram_file: Annotated[
        Path | None, typer.Option("--diagram", help="Draw a reliability diagram into this file.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Ask only about the first so many phrases.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the draw of absent categories.")] = 0,
    *,
    models: options.BareModelOptions,
    json_target: options.JsonOption = None,
) -> None:
    """Fit verdicts (present, absent, unsure) to labelled pictures. Needs the extra "evaluate"."""
    from rich.progress import track

    from segue.cli.terminal.results import save_picture
    from segue.cli.terminal.results import write_json as write_document
    from segue.cli.terminal.screen import make_console, say_how_to_go_on, show_status
    from segue.errors import InputError
    from segue.evaluate.calibration import fit_calibration
    from segue.evaluate.presence import EvidenceFile, add_evidence, read_presence_questions
    from segue.evaluate.reliability_diagram import draw_reliability
    from segue.files.atomic import write_json
    from segue.presence.calibration import user_calibration_file

    if absent_below > present_above:
        raise InputError(
            f"--absent-below {absent_below} must not be above --present-above {present_above}."
        )
    refuse_overwriting([calibration_file, evidence_file, diagram_file, json_target], [data_file])
    named = [file.resolve() for file in (calibration_file, evidence_file, diagram_file) if file]
    if len(set(named)) < len(named):
        raise InputError("The calibration, the evidence and the diagram need a file each.")
    questions = read_presence_questions(data_file, image_folder, seed)[:limit]
    console = make_console(quiet=json_target == "-")
    progress_console = make_console(error=True)
    with show_status(progress_console, "loading the models"):
        assistant = models.load()
    names = {kind: assistant.model_names()[kind] for kind in ("chat", "detect", "segment")}
    target = calibration_file or user_calibration_file(names)
    header = {"names": names, "data": data_file.name, "seed": seed}
    problems = []
    with EvidenceFile(evidence_file or target.with_suffix(".evidence.jsonl"), header) as file:
        n_known = len(file.samples_of(questions))
        if n_known:
            progress_console.print(f"{n_known} phrases are known from {file.path}", style="dim")
        progress = track(
            add_evidence(assistant, questions, file),
            "asking",
            max(0, len(questions) - n_known),
            console=progress_console,
            disable=not progress_console.is_terminal,
            transient=True,
        )
        with say_how_to_go_on(f"The same command goes on; evidence is in {file.path}."):
            problems = [problem for problem in progress if problem is not None]
        samples = file.samples_of(questions)
    for problem in problems[:5]:
        progress_console.print(problem, style="yellow")
    if problems:
        progress_console.print(f"{len(problems)} phrases have no evidence", style="yellow")
    report = fit_calibration(
        samples,
        names,
        method=method,
        absent_below=absent_below,
        present_above=present_above,
        fitted_on={"data": data_file.name, "pictures": len({s.question.image for s in samples})},
    )
    write_json(target, report.calibration.to_json(), indent=1)
    console.print(scores_table(report.scores))
    console.print(f"wrote {target}", style="dim")
    if diagram_file is not None:
        titles = {f"asked: {sources}": value for sources, value in report.predictions.items()}
        save_picture(draw_reliability(titles), diagram_file)
        console.print(f"wrote {diagram_file}", style="dim")
    write_document(
        {
            "calibration": str(target),
            "scores": {sources: asdict(one) for sources, one in report.scores.items()},
        },
        json_target,
    )


def scores_table(scores: "Mapping[Any, CalibrationScores]") -> "Table":
    """Return a table with a row for each combination of models that were asked."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("asked", "phrases", "present", "ECE", "Brier", "unsure", "decided right"):
        table.add_column(heading, justify="left" if heading == "asked" else "right")
    for sources, one in scores.items():
        right = "" if one.decided_right is None else f"{100 * one.decided_right:.1f} %"
        table.add_row(
            sources, str(one.samples), str(one.present), f"{one.ece:.3f}", f"{one.brier:.3f}",
            f"{100 * one.unsure:.1f} %", right,
        )  # fmt: skip
    return table
