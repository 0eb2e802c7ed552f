"""`segue serve`: the HTTP API and the web page."""

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segue.cli import options
from segue.cli.access import PANEL, AccessOptions, HostOption, PortOption, describe_reach
from segue.cli.option_groups import expand_option_groups

if TYPE_CHECKING:
    from segue.assistant import Assistant
    from segue.trackers import Tracker

_LIMITS_PANEL = "Limits"


@expand_option_groups
def serve(
    host: HostOption = "127.0.0.1",
    port: PortOption = 8000,
    data_folder: Annotated[
        Path | None,
        typer.Option(
            "--data",
            envvar="SEGUE_DATA",
            help="Folder where conversations are stored; by default ~/.local/share/segue.",
            show_default=False,
        ),
    ] = None,
    *,
    models: options.ModelOptions,
    access: AccessOptions,
    cors_origin: Annotated[
        list[str] | None,
        typer.Option(help="An allowed CORS origin; may be repeated.", rich_help_panel=PANEL),
    ] = None,
    allow_urls: options.AllowUrlsOption = False,
    tracker: Annotated[
        str,
        typer.Option(
            metavar="box_following|MODEL",
            help="What follows things through films: box_following, with the segmenter; or a "
            "video model: sam2.1-hiera-tiny, a hub id, a folder.",
        ),
    ] = "box_following",
    label_studio: Annotated[
        bool,
        typer.Option(
            "--label-studio", help="Act as an ML backend of Label Studio, under /label-studio."
        ),
    ] = False,
    label_studio_url: Annotated[
        str,
        typer.Option(
            help="URL of Label Studio; its pictures are fetched from there with the token in "
            "SEGUE_LABEL_STUDIO_TOKEN."
        ),
    ] = "",
    max_queue: Annotated[
        int,
        typer.Option(min=1, help="Maximum requests in the queue.", rich_help_panel=_LIMITS_PANEL),
    ] = 32,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="CPU threads of the models; by default 1 for the embedded ones.",
            rich_help_panel=_LIMITS_PANEL,
            show_default=False,
        ),
    ] = None,
    deadline: Annotated[
        float,
        typer.Option(min=1, help="Maximum seconds for a request.", rich_help_panel=_LIMITS_PANEL),
    ] = 120,
    rate_limit: Annotated[
        int,
        typer.Option(
            min=0,
            help="Maximum requests per minute and key; 0: no limit.",
            rich_help_panel=_LIMITS_PANEL,
        ),
    ] = 1200,
    memory: options.MemoryOption = None,
    max_mb: Annotated[
        int,
        typer.Option(min=1, help="Maximum size of a request in MB.", rich_help_panel=_LIMITS_PANEL),
    ] = 32,
    max_megapixels: Annotated[
        float,
        typer.Option(
            min=0.01, help="Maximum size of a picture in megapixels.", rich_help_panel=_LIMITS_PANEL
        ),
    ] = 40,
    max_video_mb: Annotated[
        int,
        typer.Option(min=1, help="Maximum size of a film in MB.", rich_help_panel=_LIMITS_PANEL),
    ] = 256,
    max_video_frames: Annotated[
        int,
        typer.Option(min=1, help="Maximum frames of a film.", rich_help_panel=_LIMITS_PANEL),
    ] = 20_000,
    max_videos_gb: Annotated[
        float,
        typer.Option(
            min=0.001,
            help="Maximum GB of all films and what was followed in them; those used longest ago "
            "are deleted first.",
            rich_help_panel=_LIMITS_PANEL,
        ),
    ] = 4,
) -> None:
    """Serve the web page and an OpenAI-compatible API, and store conversations.

    Listens on this machine only, unless --host gives another address.
    """
    from segue.cli.extras import require_extra

    with require_extra("serve"):
        from segue.server.app import serve as run_server
        from segue.server.settings import Settings

    from segue.cli.terminal.screen import make_console
    from segue.files import folders

    data_folder = (data_folder or folders.data_folder()).expanduser()
    access_keys = access.read_keys(data_folder)
    settings = Settings(
        data=data_folder,
        host=host,
        port=port,
        memory=options.memory_budget(memory),
        login_token=secrets.token_urlsafe(32),
        keys=access_keys.keys,
        allowed_hosts=tuple(access.allowed_host or ()),
        cors_origins=tuple(cors_origin or ()),
        allow_urls=allow_urls,
        label_studio=label_studio or bool(label_studio_url),
        label_studio_url=label_studio_url,
        label_studio_token=os.environ.get("SEGUE_LABEL_STUDIO_TOKEN", ""),
        max_waiting=max_queue,
        threads=threads,
        deadline_s=deadline,
        requests_per_minute=rate_limit,
        max_body_bytes=max_mb * 2**20,
        max_pixels=int(max_megapixels * 1e6),
        max_video_bytes=max_video_mb * 2**20,
        max_video_frames=max_video_frames,
        max_videos_bytes=int(max_videos_gb * 2**30),
    )
    console = make_console()
    reach = describe_reach(settings)

    def print_address(address: str) -> None:
        console.print(f"Listening on {address}, {reach}.", highlight=False, soft_wrap=True)
        if access_keys.is_generated:
            page_url = f"{address}/#key={settings.login_token}"
            console.print(f"Open {page_url}", highlight=False, soft_wrap=True)
            console.print(f"Key for API clients: {data_folder / 'key'}", soft_wrap=True)
        console.print(f"Conversations are stored in {data_folder}.", style="dim", soft_wrap=True)

    def make_tracker(assistant: "Assistant") -> "Tracker | None":
        from segue.assistant.loading import load_tracker

        if assistant.segmenter is None:
            return None
        return load_tracker(tracker, assistant.segmenter, device=models.device, dtype=models.dtype)

    run_server(settings, models.load, print_address, make_tracker=make_tracker)
