"""`segue mcp`: masks as tools for agents, over standard input and output."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segue.cli import options
from segue.cli.option_groups import expand_option_groups

if TYPE_CHECKING:
    from segue.assistant import Assistant


@expand_option_groups
def mcp(
    root: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER", help="Folder whose pictures an agent may open.", file_okay=False
        ),
    ] = Path("."),
    *,
    models: options.ModelOptions,
    allow_urls: options.AllowUrlsOption = False,
    memory: options.MemoryOption = None,
) -> None:
    """Serve tools to an agent: segment, ask, overlay, edit (Model Context Protocol, stdio)."""
    from segue.cli.extras import require_extra

    with require_extra("mcp"):
        from segue.server.integrations.mcp import Tools, serve_tools

    budget = options.memory_budget(memory)

    def load_assistant() -> "Assistant":
        assistant = models.load()
        assistant.limit_memory(budget)
        return assistant

    tools = Tools(
        load_assistant,
        root,
        allow_urls=allow_urls,
    )
    serve_tools(tools).run()
