"""`segue review`: accept, correct or reject annotated pictures on a web page."""

import hashlib
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segue.cli import options
from segue.cli.access import PANEL, AccessOptions, HostOption, PortOption, describe_reach
from segue.cli.option_groups import expand_option_groups
from segue.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from segue.review.journal import ReviewJournal
    from segue.server.review.service import ReviewService

_MAX_SENTENCES = 10


@expand_option_groups
def review(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="RUN",
            help="A run of segue annotate, or a data set: COCO, YOLO, LabelMe and others.",
            show_default=False,
        ),
    ],
    picture_folder: Annotated[
        Path | None,
        typer.Option(
            "--images",
            "-i",
            help="The folder with the pictures of a data set; by default its own, or images or "
            "JPEGImages in it.",
            show_default=False,
        ),
    ] = None,
    *,
    models: options.SegmenterOptions,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8001,
    data_folder: Annotated[
        Path | None,
        typer.Option(
            "--data",
            envvar="SEGUE_DATA",
            help="Folder where the key and logins are stored; by default ~/.local/share/segue.",
            show_default=False,
            rich_help_panel=PANEL,
        ),
    ] = None,
    access: AccessOptions,
    max_megapixels: Annotated[
        float, typer.Option(min=0.01, help="Maximum size of a picture in megapixels.")
    ] = 100,
    memory: options.MemoryOption = None,
) -> None:
    """Review annotated pictures on a web page: accept, correct or reject them.

    What is done is kept in a journal beside the run, at once. The run itself is never changed;
    segue export and segue convert coco give the corrected state. Several people can review at the
    same time.
    """
    from segue.cli.extras import require_extra

    with require_extra("serve"):
        from segue.server.app import serve as run_server
        from segue.server.review.service import ReviewService
        from segue.server.settings import Settings

    from segue.cli.terminal.screen import make_console, printable
    from segue.export.reading import read_data_set
    from segue.files import folders
    from segue.review.journal import ReviewJournal

    console = make_console()
    skipped: list[str] = []
    data = read_data_set(
        source, skipped=skipped, picture_folder=picture_folder, reviewed="original"
    )
    if not data.pictures:
        raise InputError(f"{source} holds no picture that could be reviewed.")
    assert data.journal is not None
    place = hashlib.blake2b(str(data.journal.absolute()).encode(), digest_size=6).hexdigest()
    data_folder = (data_folder or folders.data_folder()).expanduser() / "reviews" / place
    access_keys = access.read_keys(data_folder)
    settings = Settings(
        data=data_folder,
        host=host,
        port=port,
        memory=options.memory_budget(memory),
        login_token=secrets.token_urlsafe(32),
        keys=access_keys.keys,
        allowed_hosts=tuple(access.allowed_host or ()),
        max_pixels=int(max_megapixels * 1e6),
        max_body_bytes=64 * 2**20,
        requests_per_minute=0,
    )
    with ReviewJournal(data.journal) as journal:
        service = ReviewService.of(
            data, journal, source.resolve().name, max_pixels=settings.max_pixels
        )
        del data  # its masks take more memory than all the rest
        _print_start(console, journal, service, skipped)
        reach = describe_reach(settings)

        def print_address(address: str) -> None:
            console.print(f"Listening on {address}, {reach}.", highlight=False, soft_wrap=True)
            key = f"/#key={settings.login_token}" if access_keys.is_generated else ""
            console.print(f"Open {address}{key}", highlight=False, soft_wrap=True)
            line = f"The review is kept in {journal.file}."
            console.print(printable(line), style="dim", soft_wrap=True)

        run_server(settings, models.load, print_address, review=service)


def _print_start(
    console: "Console",
    journal: "ReviewJournal",
    service: "ReviewService",
    skipped: list[str],
) -> None:
    """Print what is reviewed, and all that was left out or is missing."""
    from segue.cli.terminal.screen import printable

    review = service.review
    n_regions = sum(len(one.regions) for one in review.reviews)
    console.print(
        f"{len(review.reviews)} picture(s) with {n_regions} region(s) from {service.kind}"
    )
    counts = ", ".join(f"{n} {_WORDS[state]}" for state, n in review.counts().items())
    console.print(f"  {counts}")
    order = (
        "in the order of doubt" if review.queue.is_by_doubt
        else "in the order of the file: nothing has a score"
    )  # fmt: skip
    console.print(f"  {order}")
    warnings = [f"left out while reading: {sentence}" for sentence in skipped[:_MAX_SENTENCES]]
    if len(skipped) > _MAX_SENTENCES:
        warnings.append(f"left out while reading: {len(skipped) - _MAX_SENTENCES} more")
    n_missing = len(review.reviews) - len(service.files)
    if n_missing:
        warnings.append(f"{n_missing} picture file(s) were not found; --images names their folder")
    if review.n_outdated:
        warnings.append(
            f"{review.n_outdated} change(s) of the review do not count: their pictures were "
            "annotated anew, or are gone"
        )
    if journal.was_cut:
        warnings.append("the last line of the review was cut off by a crash, and is dropped")
    for sentence in warnings:
        console.print(printable(sentence), style="yellow")


_WORDS = {"todo": "to do", "accepted": "accepted", "corrected": "corrected", "rejected": "rejected"}
