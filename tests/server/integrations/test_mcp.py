"""Masks as tools for agents, through the protocol's own client."""

import asyncio
import base64
import json
import re
import sys
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters

from segue.server.integrations.mcp import Tools, serve_tools
from segue.values.image import Image
from segue.values.mask import Mask
from server.conftest import ALOUD, BOXES, PICTURE, apart, breaking_off, data_url, scripted


@pytest.fixture
def call(tmp_path):
    """Call a tool of a server in this process."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "scene.png").write_bytes(PICTURE.to_png_bytes())
    (tmp_path / "in" / "circle.png").symlink_to("circle.png")
    (tmp_path / "outside.png").write_bytes(PICTURE.to_png_bytes())
    server = serve_tools(Tools(scripted, tmp_path / "in", allow_urls=False))

    async def through(name, arguments):
        async with Client(server) as client:
            return await client.call_tool(name, arguments)

    def call(name, **arguments):
        return apart(lambda: asyncio.run(through(name, arguments)))

    return call


@pytest.fixture
def call_all(tmp_path):
    """Call tools of one server in turn; questions take the route "auto"."""
    (tmp_path / "scene.png").write_bytes(PICTURE.to_png_bytes())
    assistant = scripted()
    assistant.route = "auto"
    server = serve_tools(Tools(lambda: assistant, tmp_path, allow_urls=False))

    async def through(calls):
        async with Client(server) as client:
            return [await client.call_tool(name, arguments) for name, arguments in calls]

    return lambda *calls: apart(lambda: asyncio.run(through(calls)))


def test_the_tools_say_what_they_do(tmp_path):
    async def listed():
        async with Client(serve_tools(Tools(scripted, tmp_path, allow_urls=False))) as client:
            return client.instructions, (await client.list_tools()).tools

    instructions, tools = apart(lambda: asyncio.run(listed()))
    assert "pixels of the upright picture" in instructions
    assert [tool.name for tool in tools] == [
        "segment", "ask", "overlay", "edit", "edited_picture",
    ]  # fmt: skip
    assert all(tool.description for tool in tools)
    assert "phrases" in tools[0].input_schema["properties"]


def test_phrases_boxes_and_clicks_give_masks(call):
    found = call("segment", picture="scene.png", phrases=["dog", "cat"]).structured_content
    assert found["size"] == [60, 80]
    assert found["not_found"] == ["cat"]
    (dog,) = found["regions"]
    assert dog["mask"].pop("format") == "coco_rle"
    assert Mask.from_rle(dog["mask"]).area == dog["area"] == 600
    boxed = call("segment", picture=data_url(), boxes=[[1, 1, 9, 9]], masks="none")
    assert "mask" not in boxed.structured_content["regions"][0]
    clicked = call("segment", picture="scene.png", points=[[20, 20], [24, 20]], labels=[1, 0])
    assert 0 < clicked.structured_content["regions"][0]["area"] < 81


def test_a_question_is_answered_with_regions(call):
    answer = call("ask", picture="scene.png", question="what?").structured_content
    assert answer["text"] == "Here 飞机 and dog, cat."
    assert [region["phrase"] for region in answer["regions"]] == ["飞机", "dog"]
    assert BOXES


def test_a_conversation_goes_on_and_speaks_of_what_was_found(call_all):
    first, second, blurred, shown, unknown = call_all(
        ("ask", {"picture": "scene.png", "question": "segment the dog"}),
        ("ask", {"conversation": "c1", "question": "where is it?"}),
        ("ask", {"conversation": "c1", "question": "make it red"}),
        ("edited_picture", {"conversation": "c1"}),
        ("ask", {"conversation": "c9", "question": "what?"}),
    )
    assert first.structured_content["conversation"] == "c1"
    ids = [[r["id"] for r in one.structured_content["regions"]] for one in (first, second)]
    assert ids == [["r1"], ["r1"]]
    (edit,) = blurred.structured_content["edits"]
    assert (edit["operation"], edit["regions"]) == ("recolour", ["r1"])
    assert Image.open(base64.b64decode(shown.content[0].data)) != PICTURE
    assert unknown.is_error
    assert "Known: c1" in unknown.content[0].text


def test_the_conversations_used_last_are_kept(call_all):
    begin = ("ask", {"picture": "scene.png", "question": "what?"})
    again = ("ask", {"conversation": "c1", "question": "what?"})
    *_, first, second = call_all(
        *[begin] * 10, again, *[begin] * 10, again, ("ask", {**again[1], "conversation": "c2"})
    )
    assert not first.is_error
    assert second.is_error


def test_a_question_needs_a_picture(call):
    assert "Give a picture" in call("ask", question="what?").content[0].text


def test_an_agent_is_told_how_an_answer_came_about(tmp_path):
    (tmp_path / "scene.png").write_bytes(PICTURE.to_png_bytes())
    failing = breaking_off("error", "The endpoint says: enough.")
    for chat, text, said in (
        (failing, "Here 飞机 and dog, cat.", ["The endpoint says: enough."]),
        (scripted(ALOUD), "It is a dog.", []),
    ):
        tools = Tools(lambda chat=chat: chat, tmp_path, allow_urls=False)

        async def through(tools=tools):
            async with Client(serve_tools(tools)) as client:
                return await client.call_tool("ask", {"picture": "scene.png", "question": "what?"})

        answer = apart(lambda: asyncio.run(through())).structured_content
        assert (answer["text"], answer["notices"]) == (text, said)
        assert len(answer["regions"]) == 1


def test_an_overlay_and_an_edit_are_pictures(call):
    for name, arguments in (
        ("overlay", {"phrases": ["dog"]}),
        ("edit", {"phrase": "dog", "operation": "recolour", "parameters": {"colour": "red"}}),
    ):
        (content,) = call(name, picture="scene.png", **arguments).content
        assert (content.type, content.mime_type) == ("image", "image/png")
        picture = Image.open(base64.b64decode(content.data))
        assert picture.size == PICTURE.size
        assert picture != PICTURE


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"picture": "../outside.png", "phrases": ["dog"]}, "Only pictures there"),
        ({"picture": "/etc/passwd", "phrases": ["dog"]}, "Only pictures there"),
        ({"picture": "http://127.0.0.1/x.png", "phrases": ["dog"]}, "network is off"),
        ({"picture": "file:///etc/passwd", "phrases": ["dog"]}, "no file|Only pictures"),
        ({"picture": "sample:nowhere", "phrases": ["dog"]}, "Known: airport"),
        ({"picture": "scene.png"}, "Nothing to segment"),
        ({"picture": "scene.png", "boxes": [[1, 2]]}, "x0, y0, x1, y1"),
        ({"picture": "a\0b", "phrases": ["dog"]}, "cannot be the path"),
        ({"picture": "circle.png", "phrases": ["dog"]}, "cannot be the path|no file"),
        ({"picture": "x" * 5000, "phrases": ["dog"]}, "Cannot read|cannot be"),
        ({"picture": "scene.png", "phrases": ["x" * 20_001]}, "20000 characters, got 20001"),
        ({"picture": "scene.png", "phrases": ["x"] * 257}, "256 entries, got 257"),
    ],
)
def test_what_cannot_be_done_is_said(call, arguments, said):
    answer = call("segment", **arguments)
    assert answer.is_error
    assert re.search(said, answer.content[0].text)


def test_a_link_does_not_lead_out_of_the_folder(call, tmp_path):
    (tmp_path / "in" / "link.png").symlink_to(tmp_path / "outside.png")
    assert call("segment", picture="link.png", phrases=["dog"]).is_error


def test_the_command_speaks_over_stdio(tmp_path):
    script = tmp_path / "script.json"
    script.write_text(json.dumps([BOXES]))
    (tmp_path / "scene.png").write_bytes(PICTURE.to_png_bytes())
    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "segue.cli", "mcp", "--root", str(tmp_path), "--chat", f"scripted:{script}",
              "--detect", "none", "--segment", "box_fill:"],
        env={"PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip

    async def asked():
        async with Client(command) as client:
            return await client.call_tool("ask", {"picture": "scene.png", "question": "what?"})

    answer = apart(lambda: asyncio.run(asked())).structured_content
    assert answer["regions"][0]["phrase"] == "飞机"
    assert answer["not_found"] == ["dog", "cat"]


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("segment", {}, "picture: Field required. segment takes: picture (needed), phrases, boxes"),
        ("segment", {"picture": 5}, "picture: Input should be a valid string. segment takes: "),
        ("segment", {"picture": "scene.png", "boxes": [["a"]]}, "boxes.0.0: Input should be a "),
        ("segment", {"picture": "scene.png", "masks": "svg"}, "masks: Input should be 'rle' or"),
        ("segment", {"picture": "scene.png", "phrase": "dog"}, "segment has no argument 'phrase'."),
        ("find", {}, "There is no tool 'find'. Known: segment, ask, overlay, edit, edited_picture"),
    ],
)
def test_arguments_that_do_not_fit_are_answered_with_a_sentence(call, name, arguments, said):
    outcome = call(name, **arguments)
    assert outcome.is_error
    text = outcome.content[0].text
    assert text.startswith(said)
    assert "\n" not in text
    assert "pydantic" not in text


def test_the_documentation_lists_every_argument_of_every_tool(tmp_path):
    async def listed():
        async with Client(serve_tools(Tools(scripted, tmp_path, allow_urls=False))) as client:
            return (await client.list_tools()).tools

    rows = (Path(__file__).parents[3] / "docs" / "serve.md").read_text("utf-8").splitlines()
    for tool in apart(lambda: asyncio.run(listed())):
        (row,) = [row for row in rows if row.startswith(f"| `{tool.name}` |")]
        needed = re.findall(r"\*\*`(\w+)`\*\*", row)
        assert needed == tool.input_schema.get("required", [])
        arguments = row.split("|")[2]
        assert set(re.findall(r"`(\w+)`", arguments)) == set(tool.input_schema["properties"])
