"""Checkpoints that a killed run can resume from, and the record of the run.

<output>/run.json          versions, data, command, recipe; what must not change when resuming
<output>/log.jsonl         one line for each logged step and each evaluation
<output>/checkpoints/      checkpoint-<step>/, each with a complete.json once it is complete
<output>/adapter/          the trained adapter (lora, qlora), or
<output>/model/            the whole model (full)
"""

import json
import platform
import re
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from segue.errors import InputError
from segue.files.atomic import json_text, write_bytes
from segue.finetune.recipe import Recipe
from segue.version import __version__

PACKAGES = ("torch", "transformers", "peft", "accelerate", "bitsandbytes", "numpy")
COMPLETE_FILE = "complete.json"
RESUME_KEYS = (
    *("base", "method", "mask", "train_vision", "train_embeddings", "lora_r", "lora_alpha"),
    *("lora_dropout", "lora_targets", "max_length", "too_long", "min_pixels", "max_pixels"),
    *("epochs", "max_steps", "batch_size", "gradient_accumulation_steps", "learning_rate"),
    *("weight_decay", "adam_beta1", "adam_beta2", "max_grad_norm", "schedule", "warmup"),
    *("precision", "seed", "packing"),
)
"""Settings that a resumed run must share with its start, as well as the data."""


@dataclass(frozen=True)
class FinetuneRunFolder:
    """The folder of one run."""

    path: Path

    @property
    def checkpoints(self) -> Path:
        """Where checkpoints are kept."""
        return self.path / "checkpoints"

    @property
    def run_file(self) -> Path:
        """`run.json`."""
        return self.path / "run.json"

    @property
    def log_file(self) -> Path:
        """`log.jsonl`."""
        return self.path / "log.jsonl"

    def result_folder(self, recipe: Recipe) -> Path:
        """Return the folder of the adapter or model that the run writes."""
        return self.path / ("model" if recipe.method == "full" else "adapter")

    def latest_checkpoint(self) -> Path | None:
        """Return the newest complete checkpoint; None when there is none."""
        complete_checkpoints = [
            path for path in self.checkpoints.glob("checkpoint-*") if is_complete(path)
        ]
        return max(complete_checkpoints, key=step_of, default=None)

    def prune_checkpoints(self, keep: int) -> None:
        """Delete incomplete checkpoints, and all but the newest `keep` of the complete ones."""
        all_checkpoints = sorted(self.checkpoints.glob("checkpoint-*"), key=step_of)
        complete_checkpoints = [path for path in all_checkpoints if is_complete(path)]
        for path in all_checkpoints:
            if path not in complete_checkpoints[-keep:]:
                shutil.rmtree(path)

    def clear(self) -> None:
        """Delete checkpoints, log and record; the result stays until it is replaced."""
        shutil.rmtree(self.checkpoints, ignore_errors=True)
        for file in (self.log_file, self.run_file):
            file.unlink(missing_ok=True)

    def append_log(self, **fields: Any) -> None:
        """Append a line to the log."""
        with self.log_file.open("a", encoding="utf-8") as file:
            file.write(json_text(fields) + "\n")

    def truncate_log(self, step: int) -> None:
        """Remove the lines of later steps from the log; they will be written again."""
        if not self.log_file.exists():
            return
        retained_lines = []
        for line in self.log_file.read_text(encoding="utf-8").splitlines():
            with suppress(ValueError):  # an incomplete line of a killed run
                if int(json.loads(line).get("step", 0)) <= step:
                    retained_lines.append(line + "\n")
        _write_durably(self.log_file, "".join(retained_lines))


def step_of(checkpoint: Path) -> int:
    """Return the step at which a checkpoint was saved."""
    number = re.search(r"\d+$", checkpoint.name)
    return int(number[0]) if number else -1


def mark_complete(checkpoint: Path) -> None:
    """Mark a checkpoint as complete by listing its files with their sizes."""
    files = {
        str(path.relative_to(checkpoint)): path.stat().st_size
        for path in sorted(checkpoint.rglob("*"))
        if path.is_file() and path.name != COMPLETE_FILE
    }
    _write_durably(checkpoint / COMPLETE_FILE, json.dumps({"files": files}, indent=1))


def is_complete(checkpoint: Path) -> bool:
    """Return True when a checkpoint is marked as complete and its file sizes still match."""
    try:
        files = json.loads((checkpoint / COMPLETE_FILE).read_text(encoding="utf-8"))["files"]
        return all((checkpoint / name).stat().st_size == size for name, size in files.items())
    except (OSError, ValueError, KeyError):
        return False


def start_or_resume(
    folder: FinetuneRunFolder,
    recipe: Recipe,
    data_summary: Mapping[str, Any],
    command: Sequence[str],
    n_processes: int = 1,
) -> None:
    """Write `run.json`, or check that an existing run can be resumed with this recipe and data.

    Args:
        folder: of the run.
        recipe: its settings.
        data_summary: what `run.json` says of the data.
        command: the command line.
        n_processes: how many processes train together; a step learns from a batch of each.

    Raises:
        InputError: there are checkpoints of another recipe or of other data, or the folder cannot
            be written.
    """
    settings = {name: _to_json_value(getattr(recipe, name)) for name in RESUME_KEYS}
    settings["data"] = data_summary["train"]["sha256"]
    settings["processes"] = n_processes
    if folder.latest_checkpoint() is not None:
        previous_settings = _read_resume_settings(folder)
        changed_keys = sorted(
            k
            for k in {*previous_settings, *settings}
            if previous_settings.get(k) != settings.get(k)
        )
        if changed_keys:
            changes = "; ".join(
                f"{k}: {previous_settings.get(k)!r} -> {settings.get(k)!r}" for k in changed_keys
            )
            raise InputError(
                f"{folder.path} holds a run that cannot be resumed because this changed: "
                f"{changes}. Use another output folder, or start over with --fresh."
            )
        return
    run_record = {
        "started": _timestamp(),
        "command": list(command),
        "versions": package_versions(),
        "data": dict(data_summary),
        "fixed": settings,
        "recipe": {name: _to_json_value(value) for name, value in recipe.to_json().items()},
    }
    try:
        folder.checkpoints.mkdir(parents=True, exist_ok=True)
        _write_durably(folder.run_file, json_text(run_record, indent=2) + "\n")
    except OSError as error:
        raise InputError(
            f"Cannot write into the folder {folder.path}: {error.strerror}. "
            "Use another output folder."
        ) from error


def _read_resume_settings(folder: FinetuneRunFolder) -> dict[str, Any]:
    """Return the settings that an existing run was started with."""
    try:
        previous_settings = json.loads(folder.run_file.read_text(encoding="utf-8"))["fixed"]
        added_later = {"processes": 1, "packing": False}
        return {**added_later, **previous_settings}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{folder.checkpoints} holds checkpoints, but {folder.run_file} does not say which "
            "run they belong to: it is missing or damaged. Use another output folder, or start "
            "over with --fresh."
        ) from error


def is_finished(folder: FinetuneRunFolder, recipe: Recipe) -> bool:
    """Return True when the run finished and its result exists."""
    with suppress(OSError, ValueError):
        run_record = json.loads(folder.run_file.read_text(encoding="utf-8"))
        return "finished" in run_record and folder.result_folder(recipe).is_dir()
    return False


def is_final_checkpoint(checkpoint: Path) -> bool:
    """Return True when a checkpoint was saved at the last step, with nothing left to train."""
    with suppress(OSError, ValueError, KeyError):
        state = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
        return bool(state["global_step"] >= state["max_steps"])
    return False


def record_results(folder: FinetuneRunFolder, **results: Any) -> None:
    """Add the results of the run to `run.json`."""
    run_record = json.loads(folder.run_file.read_text(encoding="utf-8"))
    run_record |= {"finished": _timestamp(), **results}
    _write_durably(folder.run_file, json_text(run_record, indent=2) + "\n")


def package_versions() -> dict[str, str]:
    """Return the versions of this package, Python, and the libraries that results depend on."""
    installed_versions = {"segue": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            installed_versions[package] = metadata.version(package)
    return installed_versions


def _to_json_value(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _timestamp() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _write_durably(path: Path, text: str) -> None:
    write_bytes(path, text.encode(), durable=True)
