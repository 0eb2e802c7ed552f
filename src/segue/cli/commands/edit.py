"""`segue edit`: cut out, blur, recolour or erase an object, or replace its background."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from segue.cli import options
from segue.cli.option_groups import expand_option_groups
from segue.errors import InputError

if TYPE_CHECKING:
    from segue.edit import Edit
    from segue.values.image import Image
    from segue.values.region import Region


@expand_option_groups
def edit(
    image_source: options.ImageArgument,
    operation: Annotated[
        str,
        typer.Argument(metavar="OPERATION", help="cutout, blur, recolour, erase or background."),
    ],
    setting_texts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME=VALUE",
            help="colour=teal, strength=12, where=rest, feather=3, crop=true, picture=beach.jpg …",
            show_default=False,
        ),
    ] = None,
    phrases: Annotated[
        list[str] | None, typer.Option("--phrase", "-p", help="An object to find and edit.")
    ] = None,
    boxes: options.BoxesOption = None,
    clicks: options.PointsOption = None,
    exemplars: options.ExemplarsOption = None,
    negative_exemplars: options.NegativeExemplarsOption = None,
    target: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="File to write; by default IMAGE-OPERATION.png in this folder. '-' is standard "
            "output.",
        ),
    ] = None,
    *,
    models: options.DetectorOptions,
    allow_urls: options.AllowUrlsOption = False,
    json_target: options.JsonOption = None,
) -> None:
    """Edit what phrases, boxes or clicks name, all of it together as one object."""
    from segue.cli.terminal import results
    from segue.cli.terminal.phrases import refuse_picture_files
    from segue.cli.terminal.screen import make_console, region_table

    to_stdout = results.check_standard_output(json_target, target)
    console = make_console(error=to_stdout, quiet=json_target == "-")
    results.check_picture_targets([target])
    (picture,) = options.open_images([image_source], allow_urls)
    refuse_picture_files([operation, *(setting_texts or [])], "an operation or NAME=VALUE")
    parameters = parse_settings(setting_texts or [])
    name = canonical_operation(operation, parameters)
    target = target or Path(f"{Path(picture.name).stem or 'picture'}-{name}.png")
    results.refuse_overwriting(
        [target, json_target], [image_source, str(parameters.get("picture", ""))]
    )
    examples = options.parse_exemplars(exemplars, negative_exemplars)
    regions = options.find_regions(console, picture, phrases, boxes, clicks, models, examples)
    if not regions:
        sought = " or ".join(phrases or []) or "thing like the examples"
        raise InputError(f"There is no {sought} in the picture to edit.")
    results.save_picture(edit_regions(picture, regions, name, parameters), target)
    console.print(region_table(regions))
    console.print(f"wrote {target}", style="dim")
    edited = {"operation": name, "parameters": parameters, "file": str(target)}
    results.write_json({**regions.to_json(), "edit": edited}, json_target)


def parse_settings(texts: Sequence[str]) -> dict[str, Any]:
    """Parse "name=value" texts, with numbers and booleans as in JSON.

    >>> parse_settings(["strength=4", "colour=teal", "crop=true"])
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


def canonical_operation(name: str, parameters: Mapping[str, Any]) -> str:
    """Return the operation's name in the library: "cutout" and "cut-out" are "cut_out".

    Raises:
        UnknownName: there is no such operation.
        InputError: it has no such parameter.
    """
    from segue.edit import Edit

    name = name.lower().replace("-", "_")
    name = "cut_out" if name == "cutout" else name
    return Edit(name, ["r1"], parameters).operation


def edit_regions(
    image: "Image", regions: "Sequence[Region]", operation: str, parameters: Mapping[str, Any]
) -> Any:
    """Apply one edit to all regions together; returns a PIL image.

    Raises:
        SegueError: as `segue.edit.apply`.
    """
    from segue.edit import apply

    region_edit, pictures = make_edit([region.id for region in regions], operation, parameters)
    return apply(image, regions, [region_edit], pictures=pictures)


def make_edit(
    region_ids: Sequence[str], operation: str, parameters: Mapping[str, Any]
) -> "tuple[Edit, dict[str, Image]]":
    """Return the edit that the user typed, and the background picture that it names, if any.

    Raises:
        SegueError: there is no such operation, parameter or picture.
    """
    from segue.edit import Edit
    from segue.values.image import Image

    background = parameters.get("picture")
    pictures = {} if background is None else {str(background): Image.open(Path(str(background)))}
    return Edit(canonical_operation(operation, parameters), list(region_ids), parameters), pictures
