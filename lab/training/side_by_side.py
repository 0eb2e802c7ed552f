"""Several trainings at once, each a process of its own, on one machine."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from segue.errors import ModelError

PAUSE = 0.5
"""Seconds between two looks at the processes."""


def train_side_by_side(
    arguments: Mapping[str, Sequence[str]],
    folder: Path,
    report: Callable[[str], None],
    every: float = 30.0,
) -> None:
    """Run `python -m lab` once for each training, and wait for all of them.

    What they print goes to `<folder>/<name>.txt`.

    Args:
        arguments: those of `python -m lab`, by the name of the training; each writes to
            `<folder>/<name>`.
        folder: of the runs.
        report: is given the last line of each log now and then.
        every: seconds between two reports.

    Raises:
        ModelError: one failed; then the others are stopped, and can be resumed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    processes: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name, options in arguments.items():
            with (folder / f"{name}.txt").open("wb") as output:
                processes[name] = subprocess.Popen(
                    [sys.executable, "-m", "lab", *options], stdout=output, stderr=output
                )
        reported = time.monotonic()
        while any(process.poll() is None for process in processes.values()):
            _raise_failures(processes, folder)
            time.sleep(PAUSE)
            if time.monotonic() - reported > every:
                reported = time.monotonic()
                for name in processes:
                    report(f"{name}: {last_figures(folder / name)}")
        _raise_failures(processes, folder)
    finally:
        for process in processes.values():
            process.terminate()
        for process in processes.values():
            process.wait()


def _raise_failures(processes: Mapping[str, subprocess.Popen[bytes]], folder: Path) -> None:
    for name, process in processes.items():
        if process.poll():
            output = folder / f"{name}.txt"
            lines = output.read_text("utf-8", "replace").strip().splitlines()
            raise ModelError(
                f"The training of the {name} ended with code {process.returncode}: "
                f"{lines[-1] if lines else 'it said nothing.'} All that it said is in {output}."
            )


def last_figures(folder: Path) -> str:
    """Return the last line of figures in the logs of a run, in short."""
    logs = sorted(folder.rglob("log.jsonl"), key=lambda path: path.stat().st_mtime)
    lines = logs[-1].read_text("utf-8").splitlines() if logs else []
    rows = [json.loads(line) for line in lines]
    steps = [row for row in rows if "step" in row and "event" not in row and "check" not in row]
    if not steps:
        return "no step yet"
    return ", ".join(
        f"{name} {value:.4g}" for name, value in steps[-1].items() if isinstance(value, int | float)
    )
