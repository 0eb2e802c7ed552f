"""`segue edit`: cut out, blur, recolour, erase an object, or put it before something else."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from segue.cli import options
from segue.cli.option_groups import grouped
from segue.errors import InputError

if TYPE_CHECKING:
    from segue.edit import Edit
    from segue.values.image import Image
    from segue.values.region import Region


@grouped
def edit(
    image: Annotated[str, typer.Argument(help="The picture.")],
    operation: Annotated[str, typer.Argument(help="cutout, blur, recolour, erase or background.")],
    settings: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME=VALUE]...",
            help="colour=teal, strength=12, where=rest, feather=3, crop=true, picture=beach.jpg …",
            show_default=False,
        ),
    ] = None,
    phrase: Annotated[
        list[str] | None, typer.Option("--phrase", "-p", help="What to look for and edit.")
    ] = None,
    box: options.Boxes = None,
    point: options.Points = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="By default PICTURE-OPERATION.png here.")
    ] = None,
    *,
    models: options.Finders,
    allow_urls: options.AllowUrls = False,
) -> None:
    """Edit what phrases, boxes or clicks name; all of it together is the object."""
    from segue.cli.terminal import results
    from segue.cli.terminal.screen import region_table, screen

    console = screen()
    (picture,) = options.open_images([image], allow_urls)
    parameters = read_settings(settings or [])
    name = checked_operation(operation, parameters)
    target = out or Path(f"{Path(picture.name).stem or 'picture'}-{name}.png")
    results.keep_inputs([target], [image, str(parameters.get("picture", ""))])
    regions = options.find_regions(console, picture, phrase, box, point, models)
    if not regions:
        raise InputError(f"There is no {' or '.join(phrase or [])} in the picture to edit.")
    edited = edit_regions(picture, regions, name, parameters)
    results.save_picture(edited, target)
    console.print(region_table(regions))
    console.print(f"wrote {target}", style="dim")


def read_settings(texts: Sequence[str]) -> dict[str, Any]:
    """Read "name=value" texts; numbers and true or false are read as such.

    >>> read_settings(["strength=4", "colour=teal", "crop=true"])
    {'strength': 4, 'colour': 'teal', 'crop': True}
    """
    settings = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign:
            raise InputError(f"Expected a setting like strength=12, got {text!r}.")
        try:
            settings[name] = json.loads(value)
        except ValueError:
            settings[name] = value
    return settings


def checked_operation(name: str, parameters: Mapping[str, Any]) -> str:
    """The operation that a person means: "cutout" and "cut-out" are "cut_out".

    Raises:
        UnknownName: there is none of that name.
        InputError: it has no such parameter.
    """
    from segue.edit import Edit

    name = name.lower().replace("-", "_")
    name = "cut_out" if name == "cutout" else name
    return Edit(name, ["r1"], parameters).operation


def edit_regions(
    image: "Image", regions: "Sequence[Region]", operation: str, parameters: Mapping[str, Any]
) -> Any:
    """Do one edit to all regions together; returns a PIL image.

    Raises:
        SegueError: as `segue.edit.apply`.
    """
    from segue.edit import apply

    step, pictures = read_edit([region.id for region in regions], operation, parameters)
    return apply(image, regions, [step], pictures=pictures)


def read_edit(
    regions: Sequence[str], operation: str, parameters: Mapping[str, Any]
) -> "tuple[Edit, dict[str, Image]]":
    """The edit that was typed, and the picture that it names, if any.

    Raises:
        SegueError: there is no such operation, parameter or picture.
    """
    from segue.edit import Edit
    from segue.values.image import Image

    behind = parameters.get("picture")
    pictures = {} if behind is None else {str(behind): Image.open(Path(str(behind)))}
    return Edit(checked_operation(operation, parameters), list(regions), parameters), pictures
