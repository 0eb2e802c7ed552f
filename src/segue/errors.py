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
        names: hub ids.
        reason: why they cannot be fetched, a clause: "the hub cannot be reached".
        remedy: what else would do, a sentence.
    """

    def __init__(self, names: Sequence[str], reason: str, remedy: str = "") -> None:
        *others, last = (repr(name) for name in names)
        listed = f"{', '.join(others)} and {last}" if others else last
        commands = "; ".join(f"hf download {name}" for name in names)
        folders = "those folders" if others else "that folder"
        message = (
            f"The weights of {listed} are not on this machine and {reason}. Where there is a "
            f"network run: {commands}, and copy {folders} or the hub's cache here."
        )
        super().__init__(f"{message} {remedy}".strip())
        self.names = tuple(names)
        self.reason = reason

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by the arguments, so that it travels from a worker process."""
        return type(self), (self.names, self.reason)
