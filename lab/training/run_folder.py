"""The files of a training run: checkpoint, log and weights.

A run's whole state is one file; it is written beside the old one and then put in its place, so
that a run killed at any moment resumes from its last checkpoint, exactly.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from segue.errors import ModelError
from segue.files.atomic import replacing


@dataclass
class TrainingFolder:
    """The folder of a run: `checkpoint.pt`, `log.jsonl` and `weights/`."""

    path: Path

    def __post_init__(self) -> None:
        self.path = Path(self.path)
        self.path.mkdir(parents=True, exist_ok=True)

    @property
    def checkpoint(self) -> Path:
        """The state of the run."""
        return self.path / "checkpoint.pt"

    @property
    def log_file(self) -> Path:
        """The log, one JSON object a line."""
        return self.path / "log.jsonl"

    @property
    def weights(self) -> Path:
        """The folder with the weights as they are used, in transformers' layout."""
        return self.path / "weights"

    def save(self, state: dict[str, Any]) -> None:
        """Replace the checkpoint, all or nothing."""
        with replacing(self.checkpoint) as part:
            torch.save(state, part)

    def load(self) -> dict[str, Any] | None:
        """Read the checkpoint.

        Returns:
            What `save` was given; None where there is no checkpoint yet.

        Raises:
            ModelError: the checkpoint cannot be read.
        """
        if not self.checkpoint.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(
                self.checkpoint, map_location="cpu", weights_only=True
            )
        except Exception as error:  # a damaged pickle raises whatever it likes
            raise ModelError(
                f"The checkpoint {self.checkpoint} cannot be read: {error}. "
                "Delete it to start the run from scratch."
            ) from error
        return state

    def log(self, **fields: Any) -> None:
        """Add one line to the log, numbers rounded to five digits."""
        rounded = {k: round(v, 5) if isinstance(v, float) else v for k, v in fields.items()}
        with self.log_file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(rounded) + "\n")
