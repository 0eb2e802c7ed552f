"""What the parser's own errors do not say: which values an option takes."""

from typing import Any

from typer.core import TyperGroup

_NEEDED_VALUES = {"--json": "--json needs a file, or - for standard output."}
"""Option -> what to say where it stands without a value."""
_MISSING_OPTIONS = {
    "FOLDER|demo": "Give the folder of the data set, or demo for a stand-in of drawn pictures."
}
"""Metavar of an option that must be given -> what to say where it is not."""


class ExplainingGroup(TyperGroup):
    """Commands whose usage errors name the values that an option takes."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that the arguments name."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            _explain(error)
            raise


def _explain(error: Any) -> None:
    """Put more into the message of a usage error, whichever parser raised it."""
    option_name = getattr(error, "option_name", None)
    metavar = getattr(getattr(error, "param", None), "metavar", None)
    if option_name in _NEEDED_VALUES and "requires an argument" in str(error.message):
        error.message = _NEEDED_VALUES[option_name]
    elif type(error).__name__ == "MissingParameter" and metavar in _MISSING_OPTIONS:
        error.message = _MISSING_OPTIONS[metavar]
