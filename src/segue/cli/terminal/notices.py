"""Warnings of this package, as sentences for a person."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer


@contextmanager
def warnings_as_sentences() -> Iterator[None]:
    """Write warnings of this package to standard error as one line each, without file and line.

    Those of other packages are written as Python does.
    """
    with warnings.catch_warnings():
        usual = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *rest: Any, **more: Any) -> None:
            if category.__module__.partition(".")[0] == "segue":
                typer.echo(f"segue: {message}", err=True)
            else:
                usual(message, category, *rest, **more)

        warnings.showwarning = show
        yield
