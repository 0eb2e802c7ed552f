"""Commands of `segue chat` that correct regions by hand."""

import re
from typing import TYPE_CHECKING

from segue.cli import options
from segue.errors import InputError

if TYPE_CHECKING:
    from segue.cli.terminal.repl import Repl

_NUMBERS = re.compile(r"-?[\d.]+(,-?[\d.]+){1,3}")


def add(repl: "Repl", arguments: list[str]) -> None:
    """/add X0,Y0,X1,Y1 or X,Y[,0]... [PHRASE]"""
    places = [word for word in arguments if _NUMBERS.fullmatch(word)]
    phrase = " ".join(word for word in arguments if word not in places)
    boxes = [options.read_box(word) for word in places if word.count(",") == 3]
    clicks = [options.read_click(word) for word in places if word.count(",") < 3]
    if len(boxes) > 1 or not places:
        raise InputError("Expected /add X0,Y0,X1,Y1 or /add X,Y X,Y,0 …, for one object.")
    region = repl.conversation.add_region(
        box=boxes[0] if boxes else None,
        points=[(x, y) for x, y, _ in clicks] or None,
        labels=[label for _, _, label in clicks] or None,
        phrase=phrase,
    )
    repl.say(f"added {region.id}, {region.mask.area if region.mask else 0} pixels")


def refine(repl: "Repl", arguments: list[str]) -> None:
    """/refine REGION X,Y[,0]...; clicks of before still count"""
    if len(arguments) < 2:
        raise InputError("Expected /refine REGION X,Y[,0]..., as in /refine r1 120,80 30,40,0.")
    name, *words = arguments
    clicks = [*repl.conversation.region(name).clicks, *map(options.read_click, words)]
    region = repl.conversation.update_region(
        name,
        points=[(x, y) for x, y, _ in clicks],
        labels=[label for _, _, label in clicks],
    )
    repl.say(f"{name} has {region.mask.area if region.mask else 0} pixels now")


def rename(repl: "Repl", arguments: list[str]) -> None:
    """/rename REGION PHRASE"""
    if len(arguments) < 2:
        raise InputError("Expected /rename REGION PHRASE.")
    region = repl.conversation.update_region(arguments[0], phrase=" ".join(arguments[1:]))
    repl.say(f"{region.id} is {region.phrase!r} now")


def merge(repl: "Repl", arguments: list[str]) -> None:
    """/merge REGION REGION..."""
    region = repl.conversation.merge_regions(arguments)
    repl.say(f"{', '.join(arguments)} are {region.id} now")


def delete(repl: "Repl", arguments: list[str]) -> None:
    """/delete REGION..."""
    if not arguments:
        raise InputError("Expected /delete REGION..., got no region.")
    for name in arguments:
        repl.conversation.delete_region(name)
        repl.say(f"deleted {name}")
