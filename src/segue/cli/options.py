"""Options that several commands share, and the assistant they describe."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from segue.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from segue.assistant import Assistant
    from segue.runtime.memory import MemoryBudget
    from segue.values.box import Box
    from segue.values.image import Image
    from segue.values.message import Sampling
    from segue.values.region import Region

_MODELS = "Models"
_WORDS = "RouteDecision of words"

Preset = Annotated[
    str,
    typer.Option(
        envvar="SEGUE_PRESET",
        help="Fills every stage that is not named; see `segue models`.",
        rich_help_panel=_MODELS,
    ),
]
Chat = Annotated[
    str | None,
    typer.Option(help="Chat model: a nickname, hub id or folder.", rich_help_panel=_MODELS),
]
Detect = Annotated[
    str | None,
    typer.Option(
        help="Detector: a nickname, hub id, folder or .pth; 'none' leaves it out.",
        rich_help_panel=_MODELS,
    ),
]
Segment = Annotated[
    str | None,
    typer.Option(
        help="Segmenter: a nickname, hub id, folder or .pth; 'none' leaves it out.",
        rich_help_panel=_MODELS,
    ),
]
Device = Annotated[
    str,
    typer.Option(
        envvar="SEGUE_DEVICE", help="auto, cpu, cuda, cuda:1 or mps.", rich_help_panel=_MODELS
    ),
]
Dtype = Annotated[
    str | None,
    typer.Option(
        help="float32, bfloat16 or float16; by default what suits the device.",
        rich_help_panel=_MODELS,
    ),
]
Dialect = Annotated[
    str | None,
    typer.Option(
        help="Markup of the chat model's replies, see `segue models dialects`; by default its own.",
        rich_help_panel=_MODELS,
    ),
]
TeachTag = Annotated[
    bool,
    typer.Option(
        "--teach-tag",
        help="Teach the chat model the tag <gsam> with a system prompt, where it was not tuned.",
        rich_help_panel=_MODELS,
    ),
]
Route = Annotated[
    str,
    typer.Option(
        metavar="reply|auto|box|tag",
        help="What answers: the reply as it comes, the chat model's boxes, the detector, or "
        "whichever suits the question.",
        rich_help_panel=_MODELS,
    ),
]
AllowUrls = Annotated[
    bool, typer.Option("--allow-urls", help="Fetch pictures named by an http(s) URL.")
]
Memory = Annotated[
    str | None,
    typer.Option(
        "--memory",
        metavar="SIZE",
        help="What may be remembered to save time, as 2GiB; by default a quarter of what is free, "
        "2 GiB at most. Weights and the work itself come on top.",
        show_default=False,
    ),
]
Boxes = Annotated[
    list[str] | None,
    typer.Option("--box", metavar="X0,Y0,X1,Y1", help="A box in pixels; one object each."),
]
Points = Annotated[
    list[str] | None,
    typer.Option(
        "--point",
        metavar="X,Y[,0|1]",
        help="A click in pixels on the object (1) or beside it (0); together one object.",
    ),
]
Seed = Annotated[
    int | None, typer.Option(help="Makes sampled words repeatable.", rich_help_panel=_WORDS)
]
Temperature = Annotated[
    float | None, typer.Option(min=0, help="0 is greedy.", rich_help_panel=_WORDS)
]
MaxNewTokens = Annotated[
    int | None, typer.Option(min=1, help="The longest reply.", rich_help_panel=_WORDS)
]


@dataclass(frozen=True)
class Finders:
    """The models of a command that does not chat."""

    preset: Preset = "embedded"
    detect: Detect = None
    segment: Segment = None
    device: Device = "auto"
    dtype: Dtype = None

    def load(self, *, phrases: bool) -> "Assistant":
        """An assistant without a chat model, and without a detector unless it looks for phrases.

        Raises:
            SegueError: as `segue.load`.
        """
        given = {**asdict(self), "chat": "none"}
        return _load(**(given if phrases else {**given, "detect": "none"}))


@dataclass(frozen=True)
class Models:
    """The models of a command that asks, and how they work together."""

    preset: Preset = "embedded"
    chat: Chat = None
    detect: Detect = None
    segment: Segment = None
    dialect: Dialect = None
    teach_tag: TeachTag = False
    route: Route = "reply"
    device: Device = "auto"
    dtype: Dtype = None

    def __post_init__(self) -> None:
        """Refuse a route that is none before pictures are read and models loaded."""
        from segue.pipeline.routing import check_route

        check_route(self.route)

    def load(self) -> "Assistant":
        """The assistant.

        Raises:
            SegueError: as `segue.load`.
        """
        return _load(**asdict(self))


@dataclass(frozen=True)
class Words:
    """How the chat model picks its words."""

    seed: Seed = None
    temperature: Temperature = None
    max_new_tokens: MaxNewTokens = None

    @property
    def sampling(self) -> "Sampling":
        """The same, as the library takes it."""
        from segue.values.message import Sampling

        return Sampling(**asdict(self))


def _load(
    preset: str, chat: str | None, detect: str | None, segment: str | None, **manner: Any
) -> "Assistant":
    """`segue.load`, where None means "the preset's" and "none" leaves a stage out.

    The profiles that `segue doctor` made for this user are used.
    """
    from segue.assistant import load
    from segue.runtime import profile

    named = {"chat": chat, "detect": detect, "segment": segment}
    stages: dict[str, Any] = {
        kind: None if name.lower() == "none" else name
        for kind, name in named.items()
        if name is not None
    }
    return load(preset, **stages, **manner, find_profile=profile.load)


def open_images(sources: list[str], allow_urls: bool) -> "list[Image]":
    """Read pictures before any model is loaded, so that a typo costs nothing.

    Raises:
        InputError: one of them cannot be read.
    """
    from segue.values.image import Image

    return [Image.open(source, allow_urls=allow_urls) for source in sources]


def find_regions(
    console: "Console",
    picture: "Image",
    phrases: list[str] | None,
    boxes: list[str] | None,
    points: list[str] | None,
    models: Finders,
) -> "tuple[Region, ...]":
    """Segment what phrases, boxes and clicks name, and say which phrases are not there.

    Raises:
        SegueError: nothing was asked for, or as `Assistant.segment`.
    """
    from segue.cli.terminal.phrases import read_phrases
    from segue.cli.terminal.screen import printable, waiting

    phrases = read_phrases(console, phrases or [])
    rectangles = [read_box(text) for text in boxes or []]
    clicks = [read_click(text) for text in points or []]
    if not (phrases or rectangles or clicks):
        raise InputError("Nothing to segment: give phrases, --box or --point.")
    with waiting(console, "loading the models"):
        assistant = models.load(phrases=bool(phrases))
    regions = assistant.segment(
        picture,
        phrases=phrases,
        boxes=rectangles or None,
        points=[(x, y) for x, y, _ in clicks] or None,
        labels=[label for _, _, label in clicks] or None,
    )
    for phrase in phrases:
        if phrase not in {region.phrase for region in regions}:
            console.print(f"not in the picture: {printable(phrase)}", style="yellow")
    return regions


def budget(memory: str | None) -> "MemoryBudget":
    """What --memory says.

    Raises:
        InputError: it is no size.
    """
    from segue.runtime.memory import MemoryBudget

    return MemoryBudget.of_machine() if memory is None else MemoryBudget.parse(memory)


def numbers(text: str, counts: tuple[int, ...], example: str) -> list[float]:
    """Read "1,2,3.5" with one of the given counts of numbers.

    Raises:
        InputError: it is something else.

    >>> numbers("1, 2.5", (2, 3), "x,y")
    [1.0, 2.5]
    """
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) not in counts:
        raise InputError(f"Expected {example} in pixels, got {text!r}. Write it without brackets.")
    return values


def read_box(text: str) -> "Box":
    """Read "x0,y0,x1,y1"; the corners may stand in any order."""
    from segue.values.box import Box

    xa, ya, xb, yb = numbers(text, (4,), "--box x0,y0,x1,y1")
    return Box.spanning(xa, ya, xb, yb)


def read_click(text: str) -> tuple[float, float, int]:
    """Read "x,y" or "x,y,label", label 1 (on the object, the default) or 0.

    >>> read_click("3,4.5")
    (3.0, 4.5, 1)
    """
    x, y, label = [*numbers(text, (2, 3), "--point x,y or x,y,0"), 1][:3]
    if label not in (0, 1):
        raise InputError(f"The third number of a point must be 0 or 1, got {text!r}.")
    return x, y, int(label)
