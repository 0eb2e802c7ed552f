"""Name -> implementation, imported only when asked for.

A new backend is one file and one line in its stage's catalogue. From that line follow the
listing, the nearest-name hint, the install command for a missing extra, and the contract tests.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import Any

from segue.errors import MissingExtra, UnknownName


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a catalogue."""

    target: str
    """Where the implementation lives, as "package.module:factory"."""
    summary: str = ""
    """One line for listings."""
    extra: str | None = None
    """The extra of `pip install 'segue[...]'` that brings its dependencies."""
    stand_in: bool = False
    """True for scripted implementations that exist for tests and teaching, never as a default."""
    remote: bool = False
    """True where the source is an address, not weights."""
    takes_profile: bool = False
    """True where the factory takes `profile=`, what `segue doctor` found out about a model."""
    options: tuple[str, ...] = ()
    """What may stand behind a source: "source?option=value&option=value"."""


class Catalog(Mapping[str, Entry]):
    """An ordered mapping from a name to an `Entry`, with helpful failures."""

    def __init__(self, kind: str, entries: Mapping[str, Entry]) -> None:
        self.kind = kind
        self._entries = dict(entries)

    def __getitem__(self, name: str) -> Entry:
        if name in self._entries:
            return self._entries[name]
        raise UnknownName(unknown_name_message(self.kind, name, self._entries))

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def load(self, name: str, /, *arguments: Any, **options: Any) -> Any:
        """Import the named implementation and build it.

        Raises:
            UnknownName: there is no such name; the message offers the nearest one.
            MissingExtra: a package it needs is not installed; the message names the command.
        """
        entry = self[name]
        module, _, factory = entry.target.partition(":")
        try:
            build = getattr(import_module(module), factory)
        except ModuleNotFoundError as error:
            is_segue_module = (error.name or "").partition(".")[0] == "segue"
            if is_segue_module or entry.extra is None:
                raise
            raise MissingExtra(
                f"The {self.kind} {name!r} needs the {entry.extra!r} extra ({error.name} is not "
                f"installed). Run: pip install 'segue[{entry.extra}]'"
            ) from error
        return build(*arguments, **options)


def unknown_name_message(kind: str, name: str, valid_names: Mapping[str, object]) -> str:
    """Say that `name` is not known, offer the nearest name, and list the rest.

    >>> unknown_name_message("colour", "gren", {"green": 1, "red": 2})
    "Unknown colour 'gren'. Did you mean 'green'? Known: green, red."
    """
    near = nearest_name(name, valid_names)
    hint = f" Did you mean {near!r}?" if near is not None else ""
    return f"Unknown {kind} {name!r}.{hint} Known: {', '.join(sorted(valid_names))}."


def nearest_name(name: str, valid_names: Iterable[str]) -> str | None:
    """Return the name that was probably meant; None where none is near.

    What begins with the name comes first, then what has it inside, then what is spelt alike.

    >>> nearest_name("qwen3", ["qwen-vl", "qwen3-vl-2b"]), nearest_name("gren", ["red", "green"])
    ('qwen3-vl-2b', 'green')
    """
    names = sorted(valid_names, key=lambda valid: (len(valid), valid))
    typed = name.lower()
    if len(typed) > 1:
        beginning = [valid for valid in names if valid.lower().startswith(typed)]
        inside = [valid for valid in names if typed in valid.lower()]
        if parts := beginning or inside:
            return parts[0]
    return next(iter(get_close_matches(name, names, n=1)), None)
