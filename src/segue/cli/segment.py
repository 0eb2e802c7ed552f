"""`segue segment`: masks by phrase, box or click, without a chat model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segue.cli import options
from segue.errors import InputError

if TYPE_CHECKING:
    from segue.box import Box


def segment(
    image: Annotated[str, typer.Argument(help="The picture.")],
    phrases: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PHRASE]...", help="What to look for.", show_default=False),
    ] = None,
    box: Annotated[
        list[str] | None,
        typer.Option(metavar="X0,Y0,X1,Y1", help="A box in pixels; one object each."),
    ] = None,
    point: Annotated[
        list[str] | None,
        typer.Option(
            metavar="X,Y[,0|1]", help="A click in pixels on the object (1) or beside it (0)."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write the picture with masks drawn on it.")
    ] = None,
    json: Annotated[
        str | None, typer.Option(help="Write the regions as JSON; '-' is standard output.")
    ] = None,
    masks: Annotated[
        Path | None, typer.Option(help="Write one PNG a mask into this folder.")
    ] = None,
    preset: options.Preset = "embedded",
    detect: options.Detect = None,
    segment: options.Segment = None,
    device: options.Device = "auto",
    dtype: options.Dtype = None,
    allow_urls: options.AllowUrls = False,
) -> None:
    """Segment what phrases, boxes or clicks name. All clicks together are one object."""
    from segue.cli import results
    from segue.cli.screen import printable, region_table, screen, waiting

    boxes = [_box(text) for text in box or []]
    clicks = [_click(text) for text in point or []]
    if not (phrases or boxes or clicks):
        raise InputError("Nothing to segment: give phrases, --box or --point.")
    console = screen(error=json == "-", quiet=json == "-")
    (picture,) = options.open_images([image], allow_urls)
    with waiting(console, "loading the models"):
        assistant = options.load_assistant(
            preset, device, dtype, chat="none", detect=detect if phrases else "none",
            segment=segment,
        )  # fmt: skip
    regions = assistant.segment(
        picture,
        phrases=phrases,
        boxes=boxes or None,
        points=[(x, y) for x, y, _ in clicks] or None,
        labels=[label for _, _, label in clicks] or None,
    )
    console.print(region_table(regions))
    for phrase in phrases or []:
        if phrase not in {region.phrase for region in regions}:
            console.print(f"not in the picture: {printable(phrase)}", style="yellow")
    results.write_regions(picture, regions, out=out, json_target=json, masks=masks)


def _box(text: str) -> "Box":
    from segue.box import Box

    xa, ya, xb, yb = options.numbers(text, (4,), "--box x0,y0,x1,y1")
    return Box.spanning(xa, ya, xb, yb)


def _click(text: str) -> tuple[float, float, int]:
    x, y, label = [*options.numbers(text, (2, 3), "--point x,y or x,y,0"), 1][:3]
    if label not in (0, 1):
        raise InputError(f"The third number of a point must be 0 or 1, got {text!r}.")
    return x, y, int(label)
