"""The commands of `segue chat`: lines that begin with "/"."""

import re
from pathlib import Path

from segue.cli import options
from segue.cli.terminal import results
from segue.cli.terminal.repl import Repl, ReplCommand
from segue.cli.terminal.screen import region_table
from segue.errors import InputError
from segue.files.counts import count_noun

_COORDINATES = re.compile(r"-?[\d.]+(,-?[\d.]+){1,3}")


def _add_region(repl: Repl, arguments: list[str]) -> None:
    """Add a region: /add X0,Y0,X1,Y1 or X,Y[,0]... [PHRASE]."""
    coordinates = [word for word in arguments if _COORDINATES.fullmatch(word)]
    phrase = " ".join(word for word in arguments if word not in coordinates)
    boxes = [options.parse_box(word) for word in coordinates if word.count(",") == 3]
    clicks = [options.parse_click(word) for word in coordinates if word.count(",") < 3]
    if len(boxes) > 1 or not coordinates:
        raise InputError("Expected /add X0,Y0,X1,Y1 or /add X,Y X,Y,0 …, for one object.")
    region = repl.conversation.add_region(
        box=boxes[0] if boxes else None,
        points=[(x, y) for x, y, _ in clicks] or None,
        labels=[label for _, _, label in clicks] or None,
        phrase=phrase,
    )
    repl.print_status(f"added {region.id}, {region.mask.area if region.mask else 0} pixels")


def _refine_region(repl: Repl, arguments: list[str]) -> None:
    """Refine a mask: /refine REGION X,Y[,0]...; earlier clicks still count."""
    if len(arguments) < 2:
        raise InputError("Expected /refine REGION X,Y[,0]..., as in /refine r1 120,80 30,40,0.")
    name, *click_texts = arguments
    clicks = [*repl.conversation.region(name).clicks, *map(options.parse_click, click_texts)]
    region = repl.conversation.update_region(
        name,
        points=[(x, y) for x, y, _ in clicks],
        labels=[label for _, _, label in clicks],
    )
    repl.print_status(f"{name} now has {region.mask.area if region.mask else 0} pixels")


def _rename_region(repl: Repl, arguments: list[str]) -> None:
    """Rename a region: /rename REGION PHRASE."""
    if len(arguments) < 2:
        raise InputError("Expected /rename REGION PHRASE.")
    region = repl.conversation.update_region(arguments[0], phrase=" ".join(arguments[1:]))
    repl.print_status(f"{region.id} is now {region.phrase!r}")


def _merge_regions(repl: Repl, arguments: list[str]) -> None:
    """Merge regions: /merge REGION REGION..."""
    region = repl.conversation.merge_regions(arguments)
    repl.print_status(f"merged {', '.join(arguments)} into {region.id}")


def _delete_regions(repl: Repl, arguments: list[str]) -> None:
    """Delete regions: /delete REGION..."""
    if not arguments:
        raise InputError("Expected /delete REGION..., got no region.")
    for name in arguments:
        repl.conversation.delete_region(name)
        repl.print_status(f"deleted {name}")


def _single_argument(arguments: list[str], usage: str) -> str:
    if len(arguments) != 1:
        raise InputError(f"Expected {usage}, got {len(arguments)} arguments.")
    return arguments[0]


def _show_help(repl: Repl, _arguments: list[str]) -> None:
    for command in repl.commands.values():
        repl.console.print(f"  {command.usage:<38}{command.help_text}")


def _open_pictures(repl: Repl, arguments: list[str]) -> None:
    if not arguments:
        raise InputError("Expected /open PICTURE..., got no picture.")
    n_before = len(repl.conversation.images)
    repl.conversation.add_images(*options.open_images(arguments, repl.allow_urls))
    if len(repl.conversation.images) == n_before:
        repl.print_status("shown before; the next question is about that picture")
        return
    repl.print_status(f"{len(repl.conversation.images)} picture(s); questions are about the newest")


def _undo_step(repl: Repl, _arguments: list[str]) -> None:
    step = repl.conversation.undo()
    repl.print_status("nothing to undo" if step is None else f"undone: {step}")


def _redo_step(repl: Repl, _arguments: list[str]) -> None:
    step = repl.conversation.redo()
    repl.print_status("nothing to redo" if step is None else f"redone: {step}")


def _mark_answer(repl: Repl, arguments: list[str]) -> None:
    """Mark what the last answer spoke of: /mark [PHRASE]."""
    phrase = " ".join(arguments)
    before = {region.id for region in repl.last_answer().regions}
    answer = repl.conversation.mark(phrase or None)
    found = [region for region in answer.regions if region.id not in before]
    if found:
        repl.console.print(region_table(found, with_picture=len(answer.images) > 1))
    else:
        repl.print_status(f"not found: {', '.join(answer.not_found) or phrase}")


def _forget_turns(repl: Repl, arguments: list[str]) -> None:
    """Let the chat model forget the oldest turns: /forget N."""
    text = _single_argument(arguments, "/forget N")
    if not text.isdecimal():
        raise InputError(f"Expected /forget N, a number of turns, got {text!r}.")
    n_left = repl.conversation.forget(int(text))
    repl.print_status(f"forgotten: {text} turn(s); the chat model is still sent {n_left}")


def _start_over(repl: Repl, _arguments: list[str]) -> None:
    repl.conversation.forget()
    repl.print_status("a new topic: no earlier turn is sent; pictures and regions stay")


def _list_regions(repl: Repl, _arguments: list[str]) -> None:
    with_picture = len(repl.conversation.images) > 1
    repl.console.print(region_table(repl.conversation.regions, with_picture=with_picture))


def _draw_overlay(repl: Repl, arguments: list[str]) -> None:
    target = Path(_single_argument(arguments, "/draw FILE.png"))
    for file in results.write_overlays(repl.last_answer(), target):
        repl.print_status(f"wrote {file}")


def _write_masks(repl: Repl, arguments: list[str]) -> None:
    folder = Path(_single_argument(arguments, "/masks FOLDER"))
    files = results.write_masks(repl.last_answer().regions, folder)
    repl.print_status(f"wrote {count_noun(len(files), 'mask')} to {folder}")


def _apply_edit(repl: Repl, arguments: list[str]) -> None:
    from segue.cli.commands.edit import make_edit, parse_settings

    if len(arguments) < 3:
        raise InputError(
            f"Expected {repl.commands['edit'].usage}, as in /edit r1 blur out.png strength=12; "
            f"got {len(arguments)} arguments."
        )
    name, operation, target, *settings = arguments
    if name not in {region.id for region in repl.conversation.regions}:
        raise InputError(f"There is no region {name!r}. /regions lists them.")
    edit, pictures = make_edit([name], operation, parse_settings(settings))
    results.save_picture(repl.conversation.edit(edit, pictures), Path(target))
    repl.print_status(f"wrote {target}; {len(repl.conversation.edits)} edit(s) so far")


def _write_edited_picture(repl: Repl, arguments: list[str]) -> None:
    target = Path(_single_argument(arguments, "/edited FILE.png"))
    if not repl.conversation.images:
        raise InputError("There is no picture yet. /open PICTURE adds one.")
    for file in results.write_edited_pictures(repl.conversation, target):
        repl.print_status(f"wrote {file}")


def _list_edits(repl: Repl, _arguments: list[str]) -> None:
    for number, edit in enumerate(repl.conversation.edits, 1):
        parameters = " ".join(f"{name}={value}" for name, value in edit.parameters.items())
        summary = f"{', '.join(edit.regions)} {edit.operation} {parameters}"
        repl.print_status(f"{number}. {summary}".rstrip())
    if not repl.conversation.edits:
        repl.print_status("no edits so far")


def _undo_edit(repl: Repl, _arguments: list[str]) -> None:
    if not repl.conversation.edits:
        raise InputError("There is no edit to undo. /edit makes one.")
    edit = repl.conversation.edits[-1]
    repl.conversation.delete_edit(len(repl.conversation.edits) - 1)
    repl.print_status(f"undone: {edit.operation} of {', '.join(edit.regions)}")


def _save_conversation(repl: Repl, arguments: list[str]) -> None:
    folder = repl.conversation.save(_single_argument(arguments, "/save FOLDER"))
    repl.print_status(f"saved to {folder}; resume with: segue chat --session {folder}")


def _export_regions(repl: Repl, arguments: list[str]) -> None:
    """Write all regions in a format: /export FORMAT TARGET [--force]."""
    from segue.cli.commands.export import print_report
    from segue.export.reading import conversation_data_set
    from segue.export.writing import ExportPlan, write_data_set

    words = [word for word in arguments if word != "--force"]
    if len(words) != 2:
        raise InputError(
            "Expected /export FORMAT TARGET [--force], as in /export coco out/; segue export "
            f"--list names the formats. Got {len(words)} arguments."
        )
    if not repl.conversation.images:
        raise InputError("There is no picture yet. /open PICTURE adds one.")
    plan = ExportPlan(format=words[0], target=Path(words[1]), force="--force" in arguments)
    data = conversation_data_set(repl.conversation.images, repl.conversation.regions)
    print_report(repl.console, write_data_set(data, plan, repl.session_folder), plan.format)


def _leave(repl: Repl, _arguments: list[str]) -> None:
    repl.is_finished = True


COMMANDS = {
    "help": ReplCommand("/help", "list the commands", _show_help),
    "open": ReplCommand("/open PICTURE...", "add pictures", _open_pictures),
    "undo": ReplCommand("/undo", "undo the last change", _undo_step),
    "redo": ReplCommand("/redo", "redo the last undone change", _redo_step),
    "new": ReplCommand("/new", "begin a new topic; pictures and regions stay", _start_over),
    "forget": ReplCommand("/forget N", "let the model forget the N oldest turns", _forget_turns),
    "regions": ReplCommand("/regions", "list all regions", _list_regions),
    "mark": ReplCommand(
        "/mark [PHRASE]", "mark what the last answer speaks of, or a phrase", _mark_answer
    ),
    "add": ReplCommand(
        "/add X0,Y0,X1,Y1|X,Y... [PHRASE]", "add a region by a box or clicks", _add_region
    ),
    "refine": ReplCommand(
        "/refine REGION X,Y[,0]...", "refine a mask with more clicks; 0: background", _refine_region
    ),
    "rename": ReplCommand("/rename REGION PHRASE", "change the phrase of a region", _rename_region),
    "merge": ReplCommand("/merge REGION REGION...", "merge regions into one", _merge_regions),
    "delete": ReplCommand("/delete REGION...", "delete regions", _delete_regions),
    "draw": ReplCommand(
        "/draw FILE.png", "draw the last answer's masks on the picture", _draw_overlay
    ),
    "masks": ReplCommand(
        "/masks FOLDER", "write the last answer's masks, one PNG each", _write_masks
    ),
    "edit": ReplCommand(
        "/edit REGION OPERATION FILE.png",
        "cutout, blur, recolour, erase, background; on top of earlier edits",
        _apply_edit,
    ),
    "edited": ReplCommand(
        "/edited FILE.png", "write the picture with all its edits", _write_edited_picture
    ),
    "edits": ReplCommand(
        "/edits", "list the edits; the original picture is unchanged", _list_edits
    ),
    "unedit": ReplCommand("/unedit", "undo the last edit", _undo_edit),
    "save": ReplCommand("/save FOLDER", "save the conversation", _save_conversation),
    "export": ReplCommand(
        "/export FORMAT TARGET", "write all regions as coco, yolo, voc, …", _export_regions
    ),
    "quit": ReplCommand("/quit", "leave, as does ^D", _leave),
}
