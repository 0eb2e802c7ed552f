"""Masks as tools for agents that speak the Model Context Protocol (`segue mcp`, over stdio).

An agent names pictures; only files in one folder, `data:` addresses and the sample scenes can be
named, and http(s) addresses where they are allowed. The models are loaded at the first call.
"""

import io
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from threading import Lock
from typing import Any, Literal

from mcp.server import MCPServer
from mcp.server.mcpserver import Image as McpImage
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import ValidationError

from segue.assistant import Assistant
from segue.conversation import Conversation
from segue.draw import draw_regions
from segue.edit import Edit
from segue.embedded.samples import PREFIX, sample
from segue.errors import InputError, SegueError, UnknownName
from segue.server.argument_errors import furthest_error, name_of_argument, sentence_of
from segue.values.box import Box
from segue.values.image import Image
from segue.values.region import Region
from segue.values.serialize import region_to_json
from segue.version import __version__

log = logging.getLogger(__name__)

INSTRUCTIONS = """Finds, outlines and edits things in pictures. Boxes are [x0, y0, x1, y1] and
points [x, y] in pixels of the upright picture, origin top left. Masks are COCO RLE. A picture is a
path inside the served folder, a data: address, or "sample:NAME"."""

Masks = Literal["rle", "none"]
MAX_TEXT = 20_000
"""Characters of a question, a phrase or a path."""
MAX_ITEMS = 256
"""Boxes, points or phrases of one call."""
MAX_CONVERSATIONS = 16
"""Conversations that can be continued, those used last."""


class Tools:
    """What an agent can call."""

    def __init__(self, load: Callable[[], Assistant], root: Path, *, allow_urls: bool) -> None:
        """
        Args:
            load: makes the assistant; called once, when it is needed.
            root: the folder whose pictures may be named.
            allow_urls: fetch pictures from public http(s) addresses.
        """
        self._load, self._root, self._allow_urls = load, root.resolve(), allow_urls
        self._assistant: Assistant | None = None
        self._conversations: dict[str, Conversation] = {}  # the one used last comes last
        self._n_conversations = 0
        self._lock = Lock()

    def segment(
        self,
        picture: str,
        phrases: list[str] | None = None,
        boxes: list[list[float]] | None = None,
        points: list[list[float]] | None = None,
        labels: list[int] | None = None,
        masks: Masks = "rle",
    ) -> dict[str, Any]:
        """Masks of things in a picture: by phrases ("the red cup"), by boxes, or by clicks.

        All points together are clicks on one object; label 1 is on it, 0 beside it. With
        masks="none" only boxes, scores and areas come back, which is shorter.
        """
        image, regions, notices = self._segment(picture, phrases, boxes, points, labels)
        found_phrases = {region.phrase for region in regions}
        return {
            "size": list(image.size),
            "regions": [_shape(region, masks) for region in regions],
            "not_found": [phrase for phrase in phrases or [] if phrase not in found_phrases],
            **({"notices": notices} if notices else {}),
        }

    def ask(
        self,
        question: str,
        picture: str | None = None,
        conversation: str | None = None,
        masks: Masks = "rle",
    ) -> dict[str, Any]:
        """Ask about a picture in Chinese or English; what the answer points at has masks.

        Give a picture to begin; to go on, give the "conversation" of an earlier answer, and a
        picture only to add one. Then words like "the left one", "blur all but the dog" and "undo
        that" speak of what was found; edited_picture shows the edits. Where "choices" names
        regions, the next question should say which of them is meant. "verdicts" say
        how likely each phrase is to be in the picture; say so where one is "unsure". "notices" say
        how the answer came about where there is something to say: that it broke off, was refused,
        or that the model only thought.
        """
        with self._lock:
            id, talk = self._conversation(conversation)
            if picture is not None:
                talk.add_images(self._open(picture))
            if not talk.images:
                raise InputError("Give a picture, or the conversation of an earlier answer.")
            answer = talk.ask(question)
            self._keep(id, talk)
        return {
            "conversation": id,
            "text": answer.text,
            "regions": [_shape(region, masks) for region in answer.regions],
            "not_found": list(answer.not_found),
            "notices": list(answer.notices),
            **({"verdicts": [one.to_json() for one in answer.verdicts]} if answer.verdicts else {}),
            **({"choices": list(answer.choices)} if answer.choices else {}),
            **({"edits": [edit.to_json() for edit in talk.edits]} if talk.edits else {}),
        }

    def edited_picture(self, conversation: str, picture: int | None = None) -> McpImage:
        """Show a picture of a conversation with the edits that were asked for.

        "picture" counts from 0; left out, it is the newest.
        """
        with self._lock:
            _, talk = self._conversation(conversation)
            if picture is not None and not 0 <= picture < len(talk.images):
                raise InputError(f"There is no picture {picture}; there are {len(talk.images)}.")
            return _picture(talk.edited_image(picture))

    def overlay(
        self,
        picture: str,
        phrases: list[str] | None = None,
        boxes: list[list[float]] | None = None,
        points: list[list[float]] | None = None,
        labels: list[int] | None = None,
    ) -> McpImage:
        """Draw masks and names on the picture, to look at. Arguments as in segment."""
        image, regions, _ = self._segment(picture, phrases, boxes, points, labels)
        return _picture(draw_regions(image, regions))

    def edit(
        self,
        picture: str,
        phrase: str,
        operation: str,
        parameters: dict[str, str | float | bool] | None = None,
    ) -> McpImage:
        """Edit what a phrase names: cut_out, blur, recolour, erase, background.

        Parameters depend on the operation: blur {"strength": 12, "where": "rest"}, recolour
        {"colour": "red"}, background {"colour": "#ffffff"}, cut_out {"crop": true}.
        """
        from segue.edit import apply

        image, regions, _ = self._segment(picture, [phrase], None, None, None)
        if not regions:
            raise InputError(f"{phrase!r} is not in the picture, so nothing was edited.")
        edit = Edit(operation, [region.id for region in regions], parameters or {})
        return _picture(apply(image, regions, [edit]))

    def _segment(
        self,
        picture: str,
        phrases: list[str] | None,
        boxes: list[list[float]] | None,
        points: list[list[float]] | None,
        labels: list[int] | None,
    ) -> tuple[Image, tuple[Region, ...], list[str]]:
        image = self._open(picture)
        if any(len(box) != 4 for box in boxes or []):
            raise InputError(f"A box must be [x0, y0, x1, y1], got {boxes!r}.")
        if any(len(point) != 2 for point in points or []):
            raise InputError(f"A point must be [x, y], got {points!r}.")
        with self._lock:
            models = self._models()
            regions, notices = models.segment_with_notices(
                image,
                phrases=phrases,
                boxes=[Box.spanning(*box) for box in boxes or []] or None,
                points=[(x, y) for x, y in points or []] or None,
                labels=labels,
            )
        return image, regions, notices

    def _conversation(self, id: str | None) -> tuple[str, Conversation]:
        """Return a conversation that was begun; for None a new one.

        Raises:
            UnknownName: there is none of that id, or it was too long ago.
        """
        if id is None:
            self._n_conversations += 1
            return f"c{self._n_conversations}", self._models().open()
        if id not in self._conversations:
            known_ids = ", ".join(self._conversations) or "none"
            raise UnknownName(
                f"There is no conversation {id!r}; the last {MAX_CONVERSATIONS} are kept. "
                f"Known: {known_ids}."
            )
        return id, self._conversations[id]

    def _keep(self, id: str, conversation: Conversation) -> None:
        self._conversations.pop(id, None)
        self._conversations[id] = conversation
        while len(self._conversations) > MAX_CONVERSATIONS:
            del self._conversations[next(iter(self._conversations))]

    def _models(self) -> Assistant:
        if self._assistant is None:
            self._assistant = self._load()
        return self._assistant

    def _open(self, picture: str) -> Image:
        """Open the picture that an agent names.

        Raises:
            InputError: it lies outside the folder, or is no picture.
        """
        if picture.startswith(PREFIX):
            return sample(picture.removeprefix(PREFIX)).image
        if picture[:8].lower().startswith(("data:", "http://", "https://")):
            return Image.open(picture, allow_urls=self._allow_urls)
        try:
            file = (self._root / picture).resolve()
        except (OSError, ValueError, RuntimeError) as error:  # a NUL, a circle of links
            raise InputError(f"{picture[:80]!r} cannot be the path of a picture.") from error
        if not file.is_relative_to(self._root):
            raise InputError(f"{picture!r} is not in {self._root}. Only pictures there are opened.")
        return Image.open(file)


class ToolServer(MCPServer):
    """A server whose complaints about arguments are sentences."""

    async def call_tool(self, name: str, arguments: dict[str, Any], context: Any = None) -> Any:
        """Call a tool.

        Raises:
            ToolError: there is no such tool, an argument is unknown or of another kind, or the
                tool says what is wrong.
        """
        schemas = {tool.name: tool.input_schema for tool in await self.list_tools()}
        if name not in schemas:
            raise ToolError(f"There is no tool {name!r:.80}. Known: {', '.join(schemas)}.")
        taken = _describe_arguments(schemas[name])
        for argument in arguments:
            if argument not in schemas[name]["properties"]:
                raise ToolError(f"{name} has no argument {argument!r:.80}. It takes: {taken}.")
        try:
            return await super().call_tool(name, arguments, context)
        except ToolError as error:
            if not isinstance(error.__cause__, ValidationError):
                raise
            detail = furthest_error(error.__cause__.errors())
            sentence = sentence_of(detail, name_of_argument(detail))
            raise ToolError(f"{sentence} {name} takes: {taken}.") from error


def _describe_arguments(schema: Mapping[str, Any]) -> str:
    """Name the arguments of a tool, those that it needs first."""
    needed = schema.get("required", [])
    return ", ".join(
        [f"{name} (needed)" for name in needed]
        + [name for name in schema["properties"] if name not in needed]
    )


def serve_tools(tools: Tools) -> MCPServer:
    """Make a server with these tools; `.run()` talks over stdio."""
    server = ToolServer(
        "segue",
        title="segue: masks for what pictures show",
        instructions=INSTRUCTIONS,
        version=__version__,
        log_level="WARNING",
    )
    values: tuple[Callable[..., Any], ...] = (tools.segment, tools.ask)
    pictures: tuple[Callable[..., Any], ...] = (
        tools.overlay,
        tools.edit,
        tools.edited_picture,
    )
    for tool in values:
        server.tool()(_with_reasons(tool))
    for tool in pictures:
        server.tool(structured_output=False)(_with_reasons(tool))
    return server


def _with_reasons(tool: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a tool: an error that is meant for the user reaches the agent in its words."""

    @wraps(tool)
    def call(*arguments: Any, **options: Any) -> Any:
        try:
            _check_texts((arguments, options))
            return tool(*arguments, **options)
        except SegueError as error:
            raise ToolError(str(error)) from error
        except (OSError, MemoryError, RecursionError, ArithmeticError, UnicodeError) as error:
            log.warning("a tool failed", exc_info=error)
            raise ToolError(
                f"This cannot be done ({type(error).__name__}). Try it with other arguments."
            ) from error

    return call


def _check_texts(value: Any) -> None:
    """Check every text in a tool's arguments.

    Raises:
        InputError: a text in it is no Unicode, or longer than a tool takes.
    """
    if isinstance(value, str):
        if len(value) > MAX_TEXT and value[:5].lower() != "data:":
            raise InputError(f"A text may have {MAX_TEXT} characters, got {len(value)}.")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise InputError("A text must be Unicode, got half of a surrogate pair.") from error
    elif isinstance(value, Mapping):
        _check_texts(tuple(value.items()))
    elif isinstance(value, Sequence):
        if len(value) > MAX_ITEMS:
            raise InputError(f"A list may have {MAX_ITEMS} entries, got {len(value)}.")
        for item in value:
            _check_texts(item)


def _shape(region: Region, masks: Masks) -> dict[str, Any]:
    value = region_to_json(region)
    shape = {key: value[key] for key in ("id", "phrase", "box", "score", "found_by")}
    if region.verdict is not None:
        shape["verdict"] = value["verdict"]
    if region.mask is not None:
        shape["area"] = region.mask.area
        if masks == "rle":
            shape["mask"] = {"format": "coco_rle", **region.mask.rle}
    return shape


def _picture(picture: Any) -> McpImage:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return McpImage(data=out.getvalue(), format="png")
