"""Renders chat templates, in a process of its own that may use little memory and touch no files.

A template comes with a model's folder: it is a program by a stranger. Jinja's sandbox keeps it from
Python's objects; that it ends, and in how much memory, is seen to by limits of this process and by
the one who waits for it (`rendering.py`). Run as `python -I template_process.py`: it imports
nothing of this package. One JSON object a line comes in, one goes out.

The environment is the one that transformers renders with (utils/chat_template_utils.py).
"""

import json
import sys
from datetime import datetime
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

MEMORY_BYTES = 512 * 2**20
LONGEST = 8_000_000
"""Characters of a prompt."""


class _Generation(Extension):
    """`{% generation %}` marks what the assistant says; its content is text like any other."""

    tags = {"generation"}  # noqa: RUF012, as Jinja wants it

    def parse(self, parser: Parser) -> nodes.Node | list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def render(source: str, values: dict[str, Any]) -> str:
    """Render a template.

    Raises:
        jinja2.TemplateError: it is broken, refuses the messages, or leaves the sandbox.
        Whatever a template can raise.
    """
    text = _environment().from_string(source).render(**values)
    if len(text) > LONGEST:
        raise jinja2.TemplateError(f"the prompt has {len(text)} characters")
    return text


def _environment() -> ImmutableSandboxedEnvironment:
    def raise_exception(message: str) -> None:
        raise jinja2.TemplateError(message)

    def tojson(value: Any, **options: Any) -> str:
        valid_options = ("ensure_ascii", "indent", "separators", "sort_keys")
        given_options = {name: options[name] for name in valid_options if name in options}
        return json.dumps(value, **{"ensure_ascii": False, **given_options})

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return environment


def _limit() -> None:
    """Little memory, no files, no processes; where the system knows such limits."""
    try:
        import resource
    except ImportError:  # Windows: time is limited all the same
        return
    limits = {"RLIMIT_AS": MEMORY_BYTES, "RLIMIT_FSIZE": 0, "RLIMIT_NPROC": 0, "RLIMIT_CORE": 0}
    for name, value in limits.items():
        if hasattr(resource, name):
            _, hard = resource.getrlimit(getattr(resource, name))
            allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
            try:
                resource.setrlimit(getattr(resource, name), (allowed, allowed))
            except (OSError, ValueError):
                if sys.platform != "darwin":  # which refuses limits of memory, but not the rest
                    raise


def _answer(line: str) -> dict[str, str]:
    try:
        request = json.loads(line)
        return {"text": render(request["template"], request["values"])}
    except MemoryError:
        return {"error": "it needs too much memory", "kind": "resources"}
    except RecursionError:
        return {"error": "it calls itself without end", "kind": "resources"}
    except jinja2.TemplateError as error:
        return {"error": str(error)[:500] or type(error).__name__, "kind": "template"}
    except Exception as error:  # a template can raise what it likes
        return {"error": f"{type(error).__name__}: {error}"[:500], "kind": "template"}


def main() -> None:
    """Answer until nobody asks any more."""
    _limit()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_answer(line)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
