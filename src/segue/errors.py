"""Every error this package raises on purpose.

    SegueError
    ├── InputError      (ValueError)     the caller passed something we cannot use
    ├── UnknownName     (LookupError)    no model, preset, dialect or format has that name
    ├── MissingExtra    (ImportError)    an optional dependency is not installed
    └── ModelError      (RuntimeError)   weights could not be found, loaded or run
        └── ContextOverflow              a prompt is longer than the chat model can take

Each message is written for a person: what is wrong, with the value; what was expected; what to
do. A strange *reply* of a model is data, not an error: dialects yield `MalformedMarkup` and go on.
"""


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
