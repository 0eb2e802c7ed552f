"""Use segue's tools as an agent does: list them, ask, go on in the conversation, save the edit.

    python examples/agent/agent.py            # the bundled models and a bundled scene
    python examples/agent/agent.py --preset qwen3-vl-4b photos cat.jpg "Segment the cat."

An agent's framework does the same calls: it starts `segue mcp` and offers the tools to its model.
"""

import asyncio
import base64
import sys
from pathlib import Path

from mcp import Client, StdioServerParameters


async def main(arguments: list[str]) -> None:
    """Ask one question about a picture, blur all but what was found, and save the result."""
    n_options = 2 if "--preset" in arguments else 0
    options, arguments = arguments[:n_options], arguments[n_options:]
    root, picture, question = arguments or (".", "sample:meadow", "Segment the dog.")
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "segue.cli", "mcp", "--root", root, *options]
    )
    async with Client(server) as client:
        tools = (await client.list_tools()).tools
        print("tools:", ", ".join(tool.name for tool in tools))

        asked = {"picture": picture, "question": question, "masks": "none"}
        answer = (await client.call_tool("ask", asked)).structured_content
        for region in answer["regions"]:
            print("found:", region["phrase"], [round(side) for side in region["box"]])
        if not answer["regions"]:
            print("not found:", answer["not_found"])
            return

        talk = {"conversation": answer["conversation"]}
        phrase = answer["regions"][0]["phrase"]
        edit = {**talk, "question": f"blur all but the {phrase}", "masks": "none"}
        print((await client.call_tool("ask", edit)).structured_content["text"])
        shown = await client.call_tool("edited_picture", talk)
        (image,) = [item for item in shown.content if item.type == "image"]
        Path("edited.png").write_bytes(base64.b64decode(image.data))
        print("written: edited.png")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
