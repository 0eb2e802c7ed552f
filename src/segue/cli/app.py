"""The program `segue`: which commands there are, and what a failure looks like.

Exit codes:

    0   done
    1   a bug in segue, with a traceback
    2   invalid input, or an unknown name
    3   an optional dependency is not installed
    4   weights are missing, unreadable, or the model failed
    5   nothing was found, with --fail-if-empty
    130 interrupted; long commands say how to go on
"""

import errno
import logging
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from segue.cli.commands import (
    annotate,
    ask,
    benchmark,
    chat,
    convert,
    convert_weights,
    demo,
    doctor,
    edit,
    evaluate,
    export,
    finetune,
    mcp,
    models,
    review,
    segment,
    serve,
    track,
)
from segue.cli.renamed_options import accept_old_names
from segue.cli.terminal.notices import warnings_as_sentences
from segue.cli.terminal.output import tolerate_output_errors
from segue.cli.usage_errors import ExplainingGroup
from segue.errors import InputError, MissingExtra, ModelError, SegueError, UnknownName
from segue.files.atomic import printable_path
from segue.version import __version__

EXIT_CODES: Mapping[type[SegueError], int] = {
    InputError: 2,
    UnknownName: 2,
    MissingExtra: 3,
    ModelError: 4,
}

app = typer.Typer(
    name="segue",
    cls=ExplainingGroup,
    help="Talk about a picture, get pixel-accurate masks.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"], **accept_old_names()},
)
app.command("ask", context_settings=accept_old_names({"agreement": "cross-check"}))(ask.ask)
app.command("chat")(chat.chat)
app.command("segment")(segment.segment)
app.command("annotate")(annotate.annotate)
app.command("review")(review.review)
app.command("track")(track.track)
app.command("edit")(edit.edit)
app.command("export")(export.export)
app.command(
    "serve",
    context_settings=accept_old_names({"rate": "rate-limit", "max-waiting": "max-queue"}),
)(serve.serve)
app.command("mcp")(mcp.mcp)
app.command("demo")(demo.demo)
app.command("models")(models.models)
app.command("convert-weights")(convert_weights.convert_weights)
app.command("finetune")(finetune.finetune)
app.command("merge")(finetune.merge)
app.command(
    "doctor",
    context_settings=accept_old_names({"keep": "save-profile", "no-keep": "no-save-profile"}),
)(doctor.doctor)
app.add_typer(convert.app, name="convert")
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(benchmark.app, name="benchmark")


def _print_version(is_requested: bool) -> None:
    if is_requested:
        typer.echo(f"segue {__version__}")
        raise typer.Exit


@app.callback()
def configure_logging(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
    verbose: Annotated[
        int,
        typer.Option(
            "-v",
            "--verbose",
            count=True,
            help="Print progress; twice: print everything, with tracebacks.",
        ),
    ] = 0,
) -> None:
    """Set up logging; runs before every command."""
    level = {0: logging.ERROR, 1: logging.INFO}.get(verbose, logging.DEBUG)
    libraries = logging.WARNING if verbose else logging.ERROR
    logging.basicConfig(level=libraries, format="%(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("segue").setLevel(level)
    if not verbose and not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")


def exit_code(error: SegueError) -> int:
    """Return the exit code of an error: that of the nearest class in `EXIT_CODES`, else 1."""
    for error_class in type(error).__mro__:
        if error_class in EXIT_CODES:
            return EXIT_CODES[error_class]
    return 1


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit.

    Args:
        arguments: the command line after `segue`; None: that of this process.

    Raises:
        SystemExit: always, with one of the exit codes above.
    """
    with tolerate_output_errors() as streams, warnings_as_sentences():
        code = _run_command(arguments)
    failures = [stream.failure for stream in streams if stream.failure is not None]
    if failures and failures[0].errno != errno.EPIPE and code in (0, None):
        typer.echo(
            f"segue: Cannot write standard output: {failures[0].strerror}. Files named by "
            "options were written.",
            err=True,
        )
        code = 2
    raise SystemExit(code)


def _run_command(arguments: Sequence[str] | None) -> int | str | None:
    """Run one command and return the exit code."""
    try:
        app(args=list(arguments) if arguments is not None else None, prog_name="segue")
    except SystemExit as system_exit:
        return system_exit.code
    except SegueError as error:
        if logging.getLogger("segue").isEnabledFor(logging.DEBUG):
            traceback.print_exception(error)
        typer.echo(f"segue: {error}", err=True)
        return exit_code(error)
    except OSError as error:
        if error.errno not in _DISK_ERRNOS:
            raise
        file_name = f" {printable_path(error.filename)}" if error.filename else ""
        typer.echo(
            f"segue: Cannot write{file_name}: {error.strerror}. Free space, or write elsewhere.",
            err=True,
        )
        return 2
    return 0


_DISK_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)
"""A disk that is full or read-only: not an error of the program."""
