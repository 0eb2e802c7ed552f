"""What can be referred to, and what comes of an expression."""

from dataclasses import dataclass, field

from segue.values.box import Box


@dataclass(frozen=True, slots=True)
class Referent:
    """An object of a conversation, as far as one can refer to it."""

    id: str
    names: tuple[str, ...]
    """All phrases that name it, in any language."""
    box: Box
    """In pixels of the upright picture."""
    area: float
    """Pixels of its mask, or of its box."""
    image: int = 0
    """Index of its picture."""
    colours: frozenset[str] = field(default_factory=frozenset)
    """Basic colour terms of its pixels, such as "red"; empty: not known."""

    @property
    def name(self) -> str:
        """What to call it."""
        return next((name for name in self.names if name), self.id)


@dataclass(frozen=True, slots=True)
class Resolution:
    """What an expression refers to.

    Resolved: `ids`. Ambiguous: `choices`, of which the user has to say one. Neither: it is handed
    on to the chat model.
    """

    ids: tuple[str, ...] = ()
    """In the order in which the objects were found."""
    choices: tuple[str, ...] = ()
    reason: str = ""
    """Why these; or the question to the user; or why it is handed on."""

    @property
    def is_resolved(self) -> bool:
        return bool(self.ids)

    @property
    def is_ambiguous(self) -> bool:
        return bool(self.choices)


NOTHING = Resolution()
"""The words are not understood."""
