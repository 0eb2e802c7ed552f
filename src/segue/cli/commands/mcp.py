"""`segue mcp`: masks as tools for agents, over standard input and output."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segue.cli import options
from segue.cli.option_groups import grouped

if TYPE_CHECKING:
    from segue.assistant import Assistant


@grouped
def mcp(
    root: Annotated[
        Path, typer.Option(help="Folder whose pictures an agent may name.", file_okay=False)
    ] = Path("."),
    *,
    models: options.Models,
    allow_urls: options.AllowUrls = False,
    memory: options.Memory = None,
) -> None:
    """Serve tools to an agent: segment, ask, overlay, edit (Model Context Protocol, stdio)."""
    from segue.cli.extras import needed

    with needed("mcp"):
        from segue.server.integrations.mcp import Tools, serve_tools

    budget = options.budget(memory)

    def load() -> "Assistant":
        assistant = models.load()
        assistant.limit_memory(budget)
        return assistant

    tools = Tools(
        load,
        root,
        allow_urls=allow_urls,
    )
    serve_tools(tools).run()
