"""`segue mcp`: masks as tools for agents, over standard input and output."""

from pathlib import Path
from typing import Annotated

import typer

from segue.cli import options
from segue.cli.option_groups import grouped


@grouped
def mcp(
    root: Annotated[
        Path, typer.Option(help="Folder whose pictures an agent may name.", file_okay=False)
    ] = Path("."),
    *,
    models: options.Models,
    allow_urls: options.AllowUrls = False,
) -> None:
    """Serve tools to an agent: segment, ask, overlay, edit (Model Context Protocol, stdio)."""
    from segue.cli.extras import needed

    with needed("mcp"):
        from segue.server.mcp import Tools, serve_tools

    tools = Tools(
        models.load,
        root,
        allow_urls=allow_urls,
    )
    serve_tools(tools).run()
