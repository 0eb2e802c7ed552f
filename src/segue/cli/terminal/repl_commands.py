"""The commands of `segue chat`: lines that begin with "/"."""

import re
from pathlib import Path

from segue.cli import options
from segue.cli.terminal import results
from segue.cli.terminal.repl import Command, Repl
from segue.cli.terminal.screen import region_table
from segue.errors import InputError

_NUMBERS = re.compile(r"-?[\d.]+(,-?[\d.]+){1,3}")


def _add(repl: Repl, arguments: list[str]) -> None:
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


def _refine(repl: Repl, arguments: list[str]) -> None:
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


def _rename(repl: Repl, arguments: list[str]) -> None:
    """/rename REGION PHRASE"""
    if len(arguments) < 2:
        raise InputError("Expected /rename REGION PHRASE.")
    region = repl.conversation.update_region(arguments[0], phrase=" ".join(arguments[1:]))
    repl.say(f"{region.id} is {region.phrase!r} now")


def _merge(repl: Repl, arguments: list[str]) -> None:
    """/merge REGION REGION..."""
    region = repl.conversation.merge_regions(arguments)
    repl.say(f"{', '.join(arguments)} are {region.id} now")


def _delete(repl: Repl, arguments: list[str]) -> None:
    """/delete REGION..."""
    if not arguments:
        raise InputError("Expected /delete REGION..., got no region.")
    for name in arguments:
        repl.conversation.delete_region(name)
        repl.say(f"deleted {name}")


def _one(arguments: list[str], usage: str) -> str:
    if len(arguments) != 1:
        raise InputError(f"Expected {usage}, got {len(arguments)} arguments.")
    return arguments[0]


def _help(repl: Repl, _arguments: list[str]) -> None:
    for command in repl.commands.values():
        repl.console.print(f"  {command.usage:<38}{command.help}")


def _open(repl: Repl, arguments: list[str]) -> None:
    if not arguments:
        raise InputError("Expected /open PICTURE..., got no picture.")
    repl.conversation.add_images(*options.open_images(arguments, repl.allow_urls))
    repl.say(f"{len(repl.conversation.images)} picture(s); the newest is talked about")


def _undo(repl: Repl, _arguments: list[str]) -> None:
    step = repl.conversation.undo()
    repl.say("nothing to take back" if step is None else f"took back: {step}")


def _redo(repl: Repl, _arguments: list[str]) -> None:
    step = repl.conversation.redo()
    repl.say("nothing to do again" if step is None else f"did again: {step}")


def _regions(repl: Repl, _arguments: list[str]) -> None:
    several = len(repl.conversation.images) > 1
    repl.console.print(region_table(repl.conversation.regions, several=several))


def _draw(repl: Repl, arguments: list[str]) -> None:
    target = Path(_one(arguments, "/draw FILE.png"))
    for file in results.write_overlays(repl.last_answer(), target):
        repl.say(f"wrote {file}")


def _masks(repl: Repl, arguments: list[str]) -> None:
    folder = Path(_one(arguments, "/masks FOLDER"))
    files = results.write_masks(repl.last_answer().regions, folder)
    repl.say(f"wrote {len(files)} masks to {folder}")


def _edit(repl: Repl, arguments: list[str]) -> None:
    from segue.cli.commands.edit import read_edit, read_settings

    if len(arguments) < 3:
        raise InputError(
            f"Expected {repl.commands['edit'].usage}, as in /edit r1 blur out.png strength=12; "
            f"got {len(arguments)} arguments."
        )
    name, operation, target, *settings = arguments
    if name not in {region.id for region in repl.conversation.regions}:
        raise InputError(f"There is no region {name!r}. /regions lists them.")
    edit, pictures = read_edit([name], operation, read_settings(settings))
    results.save_picture(repl.conversation.edit(edit, pictures), Path(target))
    repl.say(f"wrote {target}; {len(repl.conversation.edits)} edit(s) so far")


def _edits(repl: Repl, _arguments: list[str]) -> None:
    for number, edit in enumerate(repl.conversation.edits, 1):
        parameters = " ".join(f"{name}={value}" for name, value in edit.parameters.items())
        named = f"{', '.join(edit.regions)} {edit.operation} {parameters}"
        repl.say(f"{number}. {named}".rstrip())
    if not repl.conversation.edits:
        repl.say("no edits so far")


def _unedit(repl: Repl, _arguments: list[str]) -> None:
    if not repl.conversation.edits:
        raise InputError("There is no edit to take back. /edit makes one.")
    edit = repl.conversation.edits[-1]
    repl.conversation.delete_edit(len(repl.conversation.edits) - 1)
    repl.say(f"took back: {edit.operation} of {', '.join(edit.regions)}")


def _save(repl: Repl, arguments: list[str]) -> None:
    folder = repl.conversation.save(_one(arguments, "/save FOLDER"))
    repl.say(f"saved to {folder}; segue chat --session {folder} goes on with it")


def _quit(repl: Repl, _arguments: list[str]) -> None:
    repl.leaving = True


COMMANDS = {
    "help": Command("/help", "this list", _help),
    "open": Command("/open PICTURE...", "show more pictures", _open),
    "undo": Command("/undo", "take the last change back", _undo),
    "redo": Command("/redo", "do again what was taken back", _redo),
    "regions": Command("/regions", "everything that was pointed at so far", _regions),
    "add": Command("/add X0,Y0,X1,Y1|X,Y... [PHRASE]", "a region by hand", _add),
    "refine": Command("/refine REGION X,Y[,0]...", "click on it, or beside", _refine),
    "rename": Command("/rename REGION PHRASE", "call it something else", _rename),
    "merge": Command("/merge REGION REGION...", "make several one", _merge),
    "delete": Command("/delete REGION...", "take it away", _delete),
    "draw": Command("/draw FILE.png", "the last answer's masks, drawn on the picture", _draw),
    "masks": Command("/masks FOLDER", "the last answer's masks, one PNG each", _masks),
    "edit": Command(
        "/edit REGION OPERATION FILE.png",
        "cutout, blur, recolour, erase, background; on top of earlier edits",
        _edit,
    ),
    "edits": Command("/edits", "the edits so far; the picture itself stays as it is", _edits),
    "unedit": Command("/unedit", "take the last edit back", _unedit),
    "save": Command("/save FOLDER", "keep the conversation", _save),
    "quit": Command("/quit", "leave; so does ^D", _quit),
}
