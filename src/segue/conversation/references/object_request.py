"""What a request about objects asks for: an action, and a referring expression, word for word.

What the expression means is decided by `segue.conversation.references.resolution`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from segue.conversation.references.expressions import Exclusion, Expression
from segue.conversation.references.resolution import read_expression
from segue.prompting.intent import is_chinese

_EDITS_OF_REST = frozenset(["blur", "recolour"])
"""Operations that can paint everything but an object."""
Action = Literal["point", "edit", "delete", "merge", "rename", "undo", "redo"]


@dataclass(frozen=True, slots=True)
class ObjectRequest:
    """What shall be done with which objects."""

    action: Action
    target: str = ""
    """A referring expression, as it was typed; "" where none is needed."""
    operation: str = ""
    """Of an edit: one of `segue.edit.operations.OPERATIONS`."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Of an edit, as the operation takes them."""
    name: str = ""
    """The new name, for "rename"."""
    is_bare: bool = False
    """There was no verb: only "the left one"."""
    is_comparison: bool = False
    """It was asked which of several objects it is: "which one is bigger?"."""

    @property
    def expression(self) -> Expression | None:
        """The target as it is read; None: the rules do not know it.

        Of "blur all but the dog" it is the dog, and the edit is one of the rest.
        """
        expression = read_expression(self.target)
        if self.parameters.get("where") == "rest" and isinstance(expression, Exclusion):
            return expression.excluded
        return expression


_BACKGROUND = re.compile(r"^the (?:whole |rest of the )?(?:background|surroundings?)$", re.I)


def target_in(match: re.Match[str]) -> str:
    """Return the target of a match, whichever of its groups has it; "" for none."""
    groups = match.groupdict()
    found = groups.get("target") or groups.get("other") or groups.get("third") or ""
    return found.strip()


def colour_in(match: re.Match[str]) -> str:
    """Return the colour of a match, as it was typed; "" for none."""
    groups = match.groupdict()
    return (groups.get("colour") or groups.get("other_colour") or "").strip()


def all_objects(text: str) -> str:
    """Return the expression for all objects, in the language of a text."""
    return "全部" if is_chinese(text) else "everything"


def edit_request(operation: str, target: str, **parameters: Any) -> ObjectRequest:
    """Make a request for an edit; "the background" is what no object covers."""
    is_background = bool(_BACKGROUND.match(target)) or target in ("背景", "周围")
    if is_background and operation in _EDITS_OF_REST:
        objects = all_objects(target)
        return ObjectRequest("edit", objects, operation, {**parameters, "where": "rest"})
    expression = read_expression(target)
    if (
        operation in _EDITS_OF_REST
        and isinstance(expression, Exclusion)
        and expression.whole.noun is None
    ):
        parameters["where"] = "rest"
    return ObjectRequest("edit", target, operation, parameters)
