"""`segue segment`: masks by phrase, box or click, without a chat model."""

from typing import Annotated

import typer

from segue.cli import options
from segue.cli.option_groups import expand_option_groups


@expand_option_groups
def segment(
    image_source: options.ImageArgument,
    phrases: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PHRASE",
            help="What to look for; one argument may hold several phrases, with commas.",
            show_default=False,
        ),
    ] = None,
    boxes: options.BoxesOption = None,
    clicks: options.PointsOption = None,
    exemplars: options.ExemplarsOption = None,
    negative_exemplars: options.NegativeExemplarsOption = None,
    overlay_file: options.OverlayOption = None,
    json_target: options.JsonOption = None,
    mask_folder: options.MaskFolderOption = None,
    *,
    models: options.DetectorOptions,
    allow_urls: options.AllowUrlsOption = False,
    fail_if_empty: options.FailIfEmptyOption = False,
) -> None:
    """Segment what phrases, examples, boxes or clicks name. All clicks mark one object."""
    from segue.cli.terminal import results
    from segue.cli.terminal.screen import make_console, region_table

    to_stdout = results.check_standard_output(json_target, overlay_file)
    results.check_picture_targets([overlay_file])
    console = make_console(error=to_stdout, quiet=json_target == "-")
    results.refuse_overwriting([overlay_file, json_target], [image_source])
    results.refuse_overwriting_by_masks(mask_folder, [image_source])
    examples = options.parse_exemplars(exemplars, negative_exemplars)
    (picture,) = options.open_images([image_source], allow_urls)
    regions = options.find_regions(console, picture, phrases, boxes, clicks, models, examples)
    results.write_regions(
        regions,
        overlay_file=overlay_file,
        json_target=json_target,
        mask_folder=mask_folder,
    )
    console.print(region_table(regions))
    results.fail_if_empty(fail_if_empty, regions, regions.not_found)
