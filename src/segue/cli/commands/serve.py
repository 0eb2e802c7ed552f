"""`segue serve`: the HTTP API and the web page."""

import os
import secrets
from pathlib import Path
from typing import Annotated

import typer

from segue.cli import options
from segue.cli.option_groups import grouped

_WHO = "Who may call"
_LIMITS = "Limits"


@grouped
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8000,
    data: Annotated[
        Path | None,
        typer.Option(
            envvar="SEGUE_DATA",
            help="Folder for conversations; by default ~/.local/share/segue.",
            show_default=False,
        ),
    ] = None,
    *,
    models: options.Models,
    keys: Annotated[
        Path | None,
        typer.Option(
            help="File of keys, one a line; SEGUE_KEYS holds some too. By default one is made.",
            rich_help_panel=_WHO,
        ),
    ] = None,
    no_key: Annotated[
        bool, typer.Option("--no-key", help="Ask nobody for a key.", rich_help_panel=_WHO)
    ] = False,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(help="A Host header to answer; may be repeated.", rich_help_panel=_WHO),
    ] = None,
    cors_origin: Annotated[
        list[str] | None,
        typer.Option(help="A site whose pages may call; may be repeated.", rich_help_panel=_WHO),
    ] = None,
    allow_urls: options.AllowUrls = False,
    label_studio: Annotated[
        bool,
        typer.Option("--label-studio", help="Be a Label Studio's model, under /label-studio."),
    ] = False,
    label_studio_url: Annotated[
        str,
        typer.Option(
            help="Where that Label Studio is; its pictures are fetched from there with the token "
            "in SEGUE_LABEL_STUDIO_TOKEN."
        ),
    ] = "",
    max_waiting: Annotated[
        int, typer.Option(min=1, help="Requests in the queue.", rich_help_panel=_LIMITS)
    ] = 32,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Processor threads of the models; by default 1 for embedded ones.",
            rich_help_panel=_LIMITS,
            show_default=False,
        ),
    ] = None,
    deadline: Annotated[
        float, typer.Option(min=1, help="Seconds for a request.", rich_help_panel=_LIMITS)
    ] = 120,
    rate: Annotated[
        int,
        typer.Option(min=0, help="Requests a minute and key; 0: any.", rich_help_panel=_LIMITS),
    ] = 1200,
    memory: options.Memory = None,
    max_mb: Annotated[
        int, typer.Option(min=1, help="Megabytes of a request.", rich_help_panel=_LIMITS)
    ] = 32,
    max_megapixels: Annotated[
        float, typer.Option(min=0.01, help="Size of a picture.", rich_help_panel=_LIMITS)
    ] = 40,
) -> None:
    """Serve the web page, an OpenAI-compatible API, and conversations that are kept.

    Listens on this machine only, unless --host says otherwise.
    """
    from segue.cli.extras import needed

    with needed("serve"):
        from segue.server.app import serve as run
        from segue.server.settings import Settings, load_or_create_key

    from segue.cli.terminal.screen import screen

    folder = data or Path(os.environ.get("XDG_DATA_HOME", "~/.local/share")) / "segue"
    folder = folder.expanduser()
    given = _keys(keys)
    settings = Settings(
        data=folder,
        host=host,
        port=port,
        memory=options.budget(memory),
        login_token=secrets.token_urlsafe(32),
        keys=() if no_key else given or (load_or_create_key(folder),),
        allowed_hosts=tuple(allowed_host or ()),
        cors_origins=tuple(cors_origin or ()),
        allow_urls=allow_urls,
        label_studio=label_studio or bool(label_studio_url),
        label_studio_url=label_studio_url,
        label_studio_token=os.environ.get("SEGUE_LABEL_STUDIO_TOKEN", ""),
        max_waiting=max_waiting,
        threads=threads,
        deadline_s=deadline,
        requests_per_minute=rate,
        max_body_bytes=max_mb * 2**20,
        max_pixels=int(max_megapixels * 1e6),
    )
    console = screen()
    reach = "from this machine only" if settings.is_local else "FROM OTHER MACHINES, unencrypted"

    def listening(address: str) -> None:
        console.print(f"Listening on {address}, {reach}.", highlight=False, soft_wrap=True)
        if not (no_key or given):
            page = f"{address}/#key={settings.login_token}"
            console.print(f"Open {page}", highlight=False, soft_wrap=True)
            console.print(f"The key for API clients is in {folder / 'key'}.", soft_wrap=True)
        console.print(f"Conversations are kept in {folder}.", style="dim", soft_wrap=True)

    run(
        settings,
        models.load,
        listening,
    )


def _keys(file: Path | None) -> tuple[str, ...]:
    """Keys from the environment and from a file; empty lines and "# …" are skipped."""
    from segue.errors import InputError

    listed = os.environ.get("SEGUE_KEYS", "").split()
    if file is not None:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"Cannot read the keys in {file}: {error}.") from error
        listed += [line.strip() for line in lines if line.strip() and line[0] != "#"]
        if not listed:
            raise InputError(f"{file} holds no key. Write one a line.")
    return tuple(dict.fromkeys(listed))
