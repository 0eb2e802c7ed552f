"""`segue segment`: masks by phrase, box or click, without a chat model."""

from pathlib import Path
from typing import Annotated

import typer

from segue.cli import options
from segue.cli.option_groups import grouped


@grouped
def segment(
    image: Annotated[str, typer.Argument(help="The picture.")],
    phrases: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PHRASE]...",
            help="What to look for; one argument may hold several, with commas.",
            show_default=False,
        ),
    ] = None,
    box: options.Boxes = None,
    point: options.Points = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write the picture with masks drawn on it.")
    ] = None,
    json: Annotated[
        str | None, typer.Option(help="Write the regions as JSON; '-' is standard output.")
    ] = None,
    masks: Annotated[
        Path | None, typer.Option(help="Write one PNG a mask into this folder.")
    ] = None,
    *,
    models: options.Finders,
    allow_urls: options.AllowUrls = False,
) -> None:
    """Segment what phrases, boxes or clicks name. All clicks together are one object."""
    from segue.cli.terminal import results
    from segue.cli.terminal.screen import region_table, screen

    console = screen(error=json == "-", quiet=json == "-")
    results.keep_inputs([out, json], [image])
    results.keep_inputs_from(masks, [image])
    (picture,) = options.open_images([image], allow_urls)
    regions = options.find_regions(console, picture, phrases, box, point, models)
    results.write_regions(picture, regions, out=out, json_target=json, masks=masks)
    console.print(region_table(regions))
