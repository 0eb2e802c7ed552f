"""Options that commands take together: a class of them stands for one parameter."""

import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import wraps
from typing import Any


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose parameters of a dataclass kind are given as one option for each field.

    The fields of the parameter's default are the defaults of the options.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass
        ... class Size:
        ...     width: int
        ...     height: int = 1
        >>> @grouped
        ... def draw(name: str, size: Size = Size(3)) -> None:
        ...     print(name, size)
        >>> {name: one.default for name, one in inspect.signature(draw).parameters.items()}
        {'name': <class 'inspect._empty'>, 'width': 3, 'height': 1}
        >>> draw(name="a", width=4, height=2)
        a Size(width=4, height=2)
    """
    parameters, groups = [], {}
    for parameter in inspect.signature(command, eval_str=True).parameters.values():
        kind = parameter.annotation
        if isinstance(kind, type) and is_dataclass(kind):
            groups[parameter.name] = kind
            for field in inspect.signature(kind, eval_str=True).parameters.values():
                given = parameter.default
                usual = field.default if given is parameter.empty else getattr(given, field.name)
                parameters.append(field.replace(default=usual))
        else:
            parameters.append(parameter)
    keywords = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in parameters]

    @wraps(command)
    def run(**given: Any) -> None:
        made = {
            name: kind(**{field.name: given.pop(field.name) for field in fields(kind)})
            for name, kind in groups.items()
        }
        command(**given, **made)

    run.__signature__ = inspect.Signature(keywords)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in keywords}
    return run
