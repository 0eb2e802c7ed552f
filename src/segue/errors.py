"""Every error this package raises on purpose.

    SegueError
    ├── InputError      (ValueError)     the caller passed something we cannot use
    ├── UnknownName     (LookupError)    no model, preset, dialect or format has that name
    ├── MissingExtra    (ImportError)    an optional dependency is not installed
    └── ModelError      (RuntimeError)   weights could not be found, loaded or run
        ├── ContextOverflow              a prompt is longer than the chat model can take
        └── MissingWeights               weights are not on this machine, and cannot be fetched now

Each message is written for a person: what is wrong, with the value; what was expected; what to
do. A strange *reply* of a model is data, not an error: dialects yield `MalformedMarkup` and go on.
"""

from collections.abc import Sequence
from typing import Any


class SegueError(Exception):
    """Catch this to catch everything below."""


class InputError(SegueError, ValueError):
    """The caller passed something we cannot use."""


class UnknownName(SegueError, LookupError):
    """No model, preset, dialect or format has that name."""


class MissingExtra(SegueError, ImportError):
    """An optional dependency is not installed."""


class ModelError(SegueError, RuntimeError):
    """Weights could not be found, loaded or run."""


class ContextOverflow(ModelError):
    """A prompt is longer than the chat model can take; a shorter one may work."""


class MissingWeights(ModelError):
    """Weights are not on this machine, and cannot be fetched now.

    Args:
        message: for a person.
        names: hub ids.
        reason: why they cannot be fetched, a clause: "the hub cannot be reached".
    """

    def __init__(self, message: str, names: Sequence[str] = (), reason: str = "") -> None:
        super().__init__(message)
        self.names = tuple(names)
        self.reason = reason

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle all of it, so that it travels from a worker process."""
        return type(self), (str(self), self.names, self.reason)
