"""Checkpoints that a killed run can trust, and the record of the run.

<output>/run.json          versions, data, command, recipe; what must not change on the way
<output>/log.jsonl         one line for each logged step and each evaluation
<output>/checkpoints/      checkpoint-<step>/, each sealed by complete.json when it is whole
<output>/adapter/          what was learned (lora, qlora), or
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
SEAL = "complete.json"
FIXED = (
    *("base", "method", "mask", "train_vision", "train_embeddings", "lora_r", "lora_alpha"),
    *("lora_dropout", "lora_targets", "max_length", "too_long", "min_pixels", "max_pixels"),
    *("epochs", "max_steps", "batch_size", "gradient_accumulation_steps", "learning_rate"),
    *("weight_decay", "adam_beta1", "adam_beta2", "max_grad_norm", "schedule", "warmup"),
    *("precision", "seed"),
)
"""What a run that goes on must have in common with its beginning, beside the data."""


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run."""

    path: Path

    @property
    def checkpoints(self) -> Path:
        """Where checkpoints are kept."""
        return self.path / "checkpoints"

    @property
    def record(self) -> Path:
        """`run.json`."""
        return self.path / "run.json"

    @property
    def log(self) -> Path:
        """`log.jsonl`."""
        return self.path / "log.jsonl"

    def result(self, recipe: Recipe) -> Path:
        """Where what was learned goes."""
        return self.path / ("model" if recipe.method == "full" else "adapter")

    def last(self) -> Path | None:
        """The newest checkpoint that is whole."""
        whole = [path for path in self.checkpoints.glob("checkpoint-*") if is_whole(path)]
        return max(whole, key=step_of, default=None)

    def tidy(self, keep: int) -> None:
        """Delete checkpoints that are not whole, and of the others all but the newest `keep`."""
        found = sorted(self.checkpoints.glob("checkpoint-*"), key=step_of)
        whole = [path for path in found if is_whole(path)]
        for path in found:
            if path not in whole[-keep:]:
                shutil.rmtree(path)

    def forget(self) -> None:
        """Delete checkpoints, log and record; what was learned stays until it is replaced."""
        shutil.rmtree(self.checkpoints, ignore_errors=True)
        for file in (self.log, self.record):
            file.unlink(missing_ok=True)

    def note(self, **fields: Any) -> None:
        """Add a line to the log."""
        with self.log.open("a", encoding="utf-8") as file:
            file.write(json_text(fields) + "\n")

    def rewind(self, step: int) -> None:
        """Take lines of later steps out of the log; they will be written again."""
        if not self.log.exists():
            return
        kept = []
        for line in self.log.read_text(encoding="utf-8").splitlines():
            with suppress(ValueError):  # a line that a killed run did not finish
                if int(json.loads(line).get("step", 0)) <= step:
                    kept.append(line + "\n")
        _replace(self.log, "".join(kept))


def step_of(checkpoint: Path) -> int:
    """The step at which a checkpoint was made."""
    number = re.search(r"\d+$", checkpoint.name)
    return int(number[0]) if number else -1


def seal(checkpoint: Path) -> None:
    """Declare a checkpoint whole: list its files with their sizes."""
    files = {
        str(path.relative_to(checkpoint)): path.stat().st_size
        for path in sorted(checkpoint.rglob("*"))
        if path.is_file() and path.name != SEAL
    }
    _replace(checkpoint / SEAL, json.dumps({"files": files}, indent=1))


def is_whole(checkpoint: Path) -> bool:
    """True when the checkpoint was sealed and its files still have the sizes they had then."""
    try:
        files = json.loads((checkpoint / SEAL).read_text(encoding="utf-8"))["files"]
        return all((checkpoint / name).stat().st_size == size for name, size in files.items())
    except (OSError, ValueError, KeyError):
        return False


def begin(
    folder: RunFolder, recipe: Recipe, data: Mapping[str, Any], command: Sequence[str]
) -> None:
    """Write `run.json`, or check that the run that is there may go on with this recipe and data.

    Raises:
        InputError: there are checkpoints of another recipe or of other data, or the folder cannot
            be written.
    """
    now = {name: _plain(getattr(recipe, name)) for name in FIXED}
    now["data"] = data["train"]["sha256"]
    if folder.last() is not None:
        before = _before(folder)
        differing = sorted(k for k in {*before, *now} if before.get(k) != now.get(k))
        if differing:
            changes = "; ".join(f"{k}: {before.get(k)!r} -> {now.get(k)!r}" for k in differing)
            raise InputError(
                f"{folder.path} holds a run that cannot be gone on with, since this changed: "
                f"{changes}. Give another output, or start anew with --fresh."
            )
        return
    record = {
        "started": _now(),
        "command": list(command),
        "versions": versions(),
        "data": dict(data),
        "fixed": now,
        "recipe": {name: _plain(value) for name, value in recipe.to_json().items()},
    }
    try:
        folder.checkpoints.mkdir(parents=True, exist_ok=True)
        _replace(folder.record, json_text(record, indent=2) + "\n")
    except OSError as error:
        raise InputError(
            f"Cannot write into the folder {folder.path}: {error.strerror}. Say another output."
        ) from error


def _before(folder: RunFolder) -> dict[str, Any]:
    """What the run that is there was begun with."""
    try:
        before = json.loads(folder.record.read_text(encoding="utf-8"))["fixed"]
        return dict(before)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{folder.checkpoints} holds checkpoints, but {folder.record} does not say what they "
            "are of: it is missing or damaged. Give another output, or start anew with --fresh."
        ) from error


def is_finished(folder: RunFolder, recipe: Recipe) -> bool:
    """True when the run came to its end and what was learned is there."""
    with suppress(OSError, ValueError):
        record = json.loads(folder.record.read_text(encoding="utf-8"))
        return "finished" in record and folder.result(recipe).is_dir()
    return False


def is_last(checkpoint: Path) -> bool:
    """True when a checkpoint was made at the last step, so that nothing is left to train."""
    with suppress(OSError, ValueError, KeyError):
        state = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
        return bool(state["global_step"] >= state["max_steps"])
    return False


def finish(folder: RunFolder, **results: Any) -> None:
    """Add to `run.json` how the run ended."""
    record = json.loads(folder.record.read_text(encoding="utf-8"))
    record |= {"finished": _now(), **results}
    _replace(folder.record, json_text(record, indent=2) + "\n")


def versions() -> dict[str, str]:
    """Of this package, Python, and what the numbers depend on."""
    found = {"segue": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _replace(path: Path, text: str) -> None:
    write_bytes(path, text.encode(), durable=True)
