"""`segue mcp`: masks as tools for agents, over standard input and output."""

from pathlib import Path
from typing import Annotated

import typer

from segue.cli import options


def mcp(
    root: Annotated[
        Path, typer.Option(help="Folder whose pictures an agent may name.", file_okay=False)
    ] = Path("."),
    preset: options.Preset = "embedded",
    chat: options.Chat = None,
    detect: options.Detect = None,
    segment: options.Segment = None,
    device: options.Device = "auto",
    dtype: options.Dtype = None,
    allow_urls: options.AllowUrls = False,
) -> None:
    """Serve tools to an agent: segment, ask, overlay, edit (Model Context Protocol, stdio)."""
    from segue.cli.extras import needed

    with needed("mcp"):
        from segue.server.mcp import Tools, serve_tools

    tools = Tools(
        lambda: options.load_assistant(
            preset, device, dtype, chat=chat, detect=detect, segment=segment
        ),
        root,
        allow_urls=allow_urls,
    )
    serve_tools(tools).run()
