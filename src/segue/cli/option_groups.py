"""Groups of options that commands share: a dataclass stands for one parameter."""

import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import wraps
from typing import Any


def expand_option_groups(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command with one option for each field of its dataclass parameters.

    The fields of the parameter's default are the defaults of the options.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass
        ... class Size:
        ...     width: int
        ...     height: int = 1
        >>> @expand_option_groups
        ... def draw(name: str, size: Size = Size(3)) -> None:
        ...     print(name, size)
        >>> {name: option.default for name, option in inspect.signature(draw).parameters.items()}
        {'name': <class 'inspect._empty'>, 'width': 3, 'height': 1}
        >>> draw(name="a", width=4, height=2)
        a Size(width=4, height=2)
    """
    parameters, group_types = [], {}
    for parameter in inspect.signature(command, eval_str=True).parameters.values():
        group_type = parameter.annotation
        if isinstance(group_type, type) and is_dataclass(group_type):
            group_types[parameter.name] = group_type
            group = parameter.default
            for field in inspect.signature(group_type, eval_str=True).parameters.values():
                default = field.default if group is parameter.empty else getattr(group, field.name)
                parameters.append(field.replace(default=default))
        else:
            parameters.append(parameter)
    options = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]

    @wraps(command)
    def call_command(**values: Any) -> None:
        groups = {
            name: group_type(**{field.name: values.pop(field.name) for field in fields(group_type)})
            for name, group_type in group_types.items()
        }
        command(**values, **groups)

    call_command.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    call_command.__annotations__ = {option.name: option.annotation for option in options}
    return call_command
