"""Options that several commands share, and the assistant they describe."""

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from segue.cli import completion
from segue.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from segue.assistant import Assistant
    from segue.detect import Exemplar
    from segue.pipeline.regions import Regions
    from segue.runtime.memory import MemoryBudget
    from segue.values.box import Box
    from segue.values.image import Image
    from segue.values.message import Sampling

_MODELS_PANEL = "Models"
_SAMPLING_PANEL = "Sampling"

ImageArgument = Annotated[
    str,
    typer.Argument(
        metavar="IMAGE", help="The picture; '-' is standard input, sample:airport a bundled scene."
    ),
]
PresetOption = Annotated[
    str,
    typer.Option(
        envvar="SEGUE_PRESET",
        autocompletion=completion.complete_preset,
        help="Preset for every stage that is not given; see `segue models`.",
        rich_help_panel=_MODELS_PANEL,
    ),
]
ChatOption = Annotated[
    str | None,
    typer.Option(
        autocompletion=completion.complete_chat,
        help="Chat model: a nickname, hub id, folder or openai:MODEL@URL.",
        rich_help_panel=_MODELS_PANEL,
    ),
]
DetectOption = Annotated[
    str | None,
    typer.Option(
        autocompletion=completion.complete_detector,
        help="Detector: a nickname, hub id, folder or .pth file; 'none' for no detector.",
        rich_help_panel=_MODELS_PANEL,
    ),
]
SegmentOption = Annotated[
    str | None,
    typer.Option(
        autocompletion=completion.complete_segmenter,
        help="Segmenter: a nickname, hub id, folder or .pth file; 'none' for no segmenter.",
        rich_help_panel=_MODELS_PANEL,
    ),
]
DeviceOption = Annotated[
    str,
    typer.Option(
        envvar="SEGUE_DEVICE",
        autocompletion=completion.complete_device,
        help="auto, cpu, cuda, cuda:1 or mps.",
        rich_help_panel=_MODELS_PANEL,
    ),
]
DtypeOption = Annotated[
    str | None,
    typer.Option(
        autocompletion=completion.complete_dtype,
        help="float32, bfloat16 or float16; by default the best for the device.",
        rich_help_panel=_MODELS_PANEL,
    ),
]
DialectOption = Annotated[
    str | None,
    typer.Option(
        autocompletion=completion.complete_dialect,
        help="Markup of the chat model's replies, see `segue models dialects`; by default the "
        "model's own.",
        rich_help_panel=_MODELS_PANEL,
    ),
]
TagPromptOption = Annotated[
    bool,
    typer.Option(
        "--tag-prompt",
        help="Explain the tag <gsam> in a system prompt, for chat models not fine-tuned to it.",
        rich_help_panel=_MODELS_PANEL,
    ),
]
RouteOption = Annotated[
    str,
    typer.Option(
        metavar="reply|auto|box|tag",
        autocompletion=completion.complete_route,
        help="Where boxes come from. auto: whichever suits the question, and what an answer in "
        "words speaks of is marked; reply: only what the reply points at; box: the chat model; "
        "tag: the detector.",
        rich_help_panel=_MODELS_PANEL,
    ),
]
HistoryOption = Annotated[
    str,
    typer.Option(
        metavar="auto|all|TURNS",
        help="How many earlier turns the chat model is sent: auto, as many as it can follow.",
        rich_help_panel=_MODELS_PANEL,
    ),
]
SecondLookOption = Annotated[
    int,
    typer.Option(
        "--second-look",
        min=0,
        metavar="N",
        help="Where a verdict is unsure, ask the other route as well, up to N times an answer.",
        rich_help_panel=_MODELS_PANEL,
    ),
]
AllowUrlsOption = Annotated[
    bool, typer.Option("--allow-urls", help="Allow pictures to be fetched from http(s) URLs.")
]
MemoryOption = Annotated[
    str | None,
    typer.Option(
        "--memory",
        metavar="SIZE",
        help="Memory budget for caches, e.g. 2GiB; by default a quarter of the free memory, at "
        "most 2 GiB. Weights and activations are not counted.",
        show_default=False,
    ),
]
BoxesOption = Annotated[
    list[str] | None,
    typer.Option("--box", metavar="X0,Y0,X1,Y1", help="A box in pixels; one object per box."),
]
PointsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--point",
        metavar="X,Y[,0|1]",
        help="A click in pixels, on the object (1, the default) or on the background (0); all "
        "clicks mark one object.",
    ),
]
ExemplarsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--exemplar",
        metavar="X0,Y0,X1,Y1",
        help="A box around one of what is meant: all others like it are found. One phrase at most "
        "may name it. For SAM 3 and CLIPSeg.",
    ),
]
NegativeExemplarsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--negative-exemplar",
        metavar="X0,Y0,X1,Y1",
        help="A box around something that is not meant.",
    ),
]
OverlayOption = Annotated[
    Path | None,
    typer.Option(
        "--out", "-o", help="Write the picture with the masks drawn on it; '-' is standard output."
    ),
]
MaskFolderOption = Annotated[
    Path | None, typer.Option("--masks", help="Write one PNG per mask into this folder.")
]
JsonOption = Annotated[
    str | None,
    typer.Option("--json", help="Write the result as JSON; '-' is standard output."),
]
FailIfEmptyOption = Annotated[
    bool,
    typer.Option("--fail-if-empty", help="Exit with code 5, and say so, when nothing was found."),
]
SeedOption = Annotated[
    int | None,
    typer.Option(help="Seed of the random sampling.", rich_help_panel=_SAMPLING_PANEL),
]
TemperatureOption = Annotated[
    float | None,
    typer.Option(min=0, help="Sampling temperature; 0 is greedy.", rich_help_panel=_SAMPLING_PANEL),
]
MaxNewTokensOption = Annotated[
    int | None,
    typer.Option(min=1, help="Maximum length of a reply.", rich_help_panel=_SAMPLING_PANEL),
]


@dataclass(frozen=True)
class DetectorOptions:
    """The models of a command without a chat model."""

    preset: PresetOption = "embedded"
    detect: DetectOption = None
    segment: SegmentOption = None
    device: DeviceOption = "auto"
    dtype: DtypeOption = None

    def load(self, *, find_phrases: bool, segment_places: bool = True) -> "Assistant":
        """Load an assistant without a chat model.

        Args:
            find_phrases: whether a detector is needed, to look for phrases.
            segment_places: whether boxes or clicks of the user are segmented.

        Raises:
            SegueError: as `segue.load`.
        """
        settings = {**asdict(self), "chat": "none", "phrases_only": not segment_places}
        return _load(**(settings if find_phrases else {**settings, "detect": "none"}))


@dataclass(frozen=True)
class SegmenterOptions:
    """The one model of a command that only segments."""

    preset: PresetOption = "embedded"
    segment: SegmentOption = None
    device: DeviceOption = "auto"
    dtype: DtypeOption = None

    def load(self) -> "Assistant":
        """Load an assistant with a segmenter alone.

        Raises:
            SegueError: as `segue.load`.
        """
        return _load(**asdict(self), chat="none", detect="none")


@dataclass(frozen=True)
class ModelOptions:
    """The models of a command that asks questions, and how they work together."""

    preset: PresetOption = "embedded"
    chat: ChatOption = None
    detect: DetectOption = None
    segment: SegmentOption = None
    dialect: DialectOption = None
    tag_prompt: TagPromptOption = False
    route: RouteOption = "auto"
    history: HistoryOption = "auto"
    second_look: SecondLookOption = 0
    device: DeviceOption = "auto"
    dtype: DtypeOption = None

    def __post_init__(self) -> None:
        """Refuse unknown values before pictures are read and models are loaded."""
        from segue.pipeline.pipeline import check_history
        from segue.pipeline.routing import check_route

        check_route(self.route)
        check_history(self.history)

    def load(self, memory: str | None = None, *, phrases_only: bool = False) -> "Assistant":
        """Load the assistant.

        Args:
            memory: what its caches may hold, as `segue.load` takes it.
            phrases_only: whether nothing but phrases is asked for, of the detector.

        Raises:
            SegueError: as `segue.load`.
        """
        settings = {**asdict(self), "memory": memory, "phrases_only": phrases_only}
        settings["teach_tag"] = settings.pop("tag_prompt")
        return _load(**settings)


@dataclass(frozen=True)
class BareModelOptions(ModelOptions):
    """The models of a command that shows what they do by themselves."""

    route: RouteOption = "reply"


_ENGINE_PANEL = "Engine"


@dataclass(frozen=True)
class EngineOptions:
    """Where the models run."""

    engine: Annotated[
        str,
        typer.Option(
            metavar="local|ray",
            help="local: this process; ray: several processes or machines, with Ray Data.",
            rich_help_panel=_ENGINE_PANEL,
        ),
    ] = "local"
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Processes of the engine ray, each with the models; by default as many as the "
            "GPUs take, without GPUs one.",
            rich_help_panel=_ENGINE_PANEL,
        ),
    ] = None
    address: Annotated[
        str | None,
        typer.Option(
            envvar="RAY_ADDRESS",
            metavar="HOST:PORT|auto",
            help="Of a Ray cluster; by default Ray is started on this machine.",
            rich_help_panel=_ENGINE_PANEL,
        ),
    ] = None
    gpus_per_worker: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="0.5 lets two workers share a GPU; by default 1 where there are GPUs.",
            rich_help_panel=_ENGINE_PANEL,
        ),
    ] = None

    def check(self) -> None:
        """Refuse options that do not go together.

        Raises:
            InputError: the engine is unknown, or an option needs another one.
        """
        if self.engine not in ("local", "ray"):
            raise InputError(f"The engine must be 'local' or 'ray', got {self.engine!r}.")
        if self.engine == "local" and (
            self.workers is not None or self.gpus_per_worker is not None
        ):
            raise InputError("--workers and --gpus-per-worker need --engine ray.")


@dataclass(frozen=True)
class SamplingOptions:
    """How the chat model samples its reply."""

    seed: SeedOption = None
    temperature: TemperatureOption = None
    max_new_tokens: MaxNewTokensOption = None

    def to_sampling(self) -> "Sampling":
        """Return the options as the library takes them."""
        from segue.values.message import Sampling

        return Sampling(**asdict(self))


def _load(
    preset: str, chat: str | None, detect: str | None, segment: str | None, **settings: Any
) -> "Assistant":
    """Call `segue.load`, where None means "of the preset" and "none" leaves a stage out.

    The profiles that `segue doctor` made for this user are used, and the calibration that `segue
    evaluate calibrate` fitted for these models.
    """
    from segue.assistant import load
    from segue.presence.calibration import user_calibration
    from segue.runtime import profile

    stage_names = {"chat": chat, "detect": detect, "segment": segment}
    stages: dict[str, Any] = {
        kind: None if name.lower() == "none" else name
        for kind, name in stage_names.items()
        if name is not None
    }
    assistant = load(preset, **stages, **settings, find_profile=profile.load)
    calibration = user_calibration(assistant.stage_names)
    if calibration is not None:
        assistant.calibration = calibration
    return assistant


def open_images(sources: list[str], allow_urls: bool) -> "list[Image]":
    """Read pictures before any model is loaded, so that a typo costs nothing.

    "-" is standard input, "sample:airport" a bundled scene.

    Raises:
        InputError: one of them cannot be read.
        UnknownName: there is no sample scene of that name.
    """
    from segue.embedded.samples import PREFIX, sample
    from segue.values.image import Image

    if sources.count("-") > 1:
        raise InputError("Standard input holds one picture, but '-' is given more than once.")
    return [
        sample(source.removeprefix(PREFIX)).image
        if source.startswith(PREFIX)
        else Image.open(sys.stdin.buffer if source == "-" else source, allow_urls=allow_urls)
        for source in sources
    ]


def find_regions(
    console: "Console",
    picture: "Image",
    phrases: list[str] | None,
    boxes: list[str] | None,
    points: list[str] | None,
    models: DetectorOptions,
    exemplars: "list[Exemplar] | None" = None,
) -> "Regions":
    """Segment what phrases, exemplars, boxes and clicks name, and print what was not found.

    Raises:
        SegueError: nothing of that is given, or as `Assistant.segment`.
    """
    from segue.cli.terminal.phrases import parse_phrases
    from segue.cli.terminal.screen import describe_missing, printable, show_status

    phrases = parse_phrases(console, phrases or [])
    rectangles = [parse_box(text) for text in boxes or []]
    clicks = [parse_click(text) for text in points or []]
    if not (phrases or rectangles or clicks or exemplars):
        raise InputError("Nothing to segment: give phrases, --box or --point.")
    with show_status(console, "loading the models"):
        assistant = models.load(
            find_phrases=bool(phrases or exemplars), segment_places=bool(rectangles or clicks)
        )
    regions, notices = assistant.segment_with_notices(
        picture,
        phrases=phrases,
        boxes=rectangles or None,
        points=[(x, y) for x, y, _ in clicks] or None,
        labels=[label for _, _, label in clicks] or None,
        exemplars=exemplars or (),
    )
    if exemplars and not phrases and not any(one.found_by == "detector" for one in regions):
        console.print("nothing like the examples is in the picture", style="yellow")
    for notice in notices:
        console.print(printable(notice), style="yellow")
    for phrase in phrases:
        if phrase not in {region.phrase for region in regions}:
            missing = assistant.missing(picture, phrase)
            message = f"not in the picture: {printable(phrase)}"
            if missing.verdict is not None and missing.verdict.presence != "absent":
                message = describe_missing(missing)
            console.print(message, style="yellow")
    return regions


def parse_exemplars(shown: list[str] | None, others: list[str] | None) -> "list[Exemplar]":
    """Read --exemplar and --negative-exemplar.

    Raises:
        InputError: one is no box.
    """
    from segue.detect import Exemplar

    return [
        *(Exemplar(parse_box(text, "--exemplar")) for text in shown or []),
        *(Exemplar(parse_box(text, "--negative-exemplar"), False) for text in others or []),
    ]


def memory_budget(memory: str | None) -> "MemoryBudget":
    """Return the memory budget that --memory gives, or the default of this machine.

    Raises:
        InputError: it is not a size.
    """
    from segue.runtime.memory import MemoryBudget

    return MemoryBudget.of_machine() if memory is None else MemoryBudget.parse(memory)


def parse_numbers(text: str, counts: tuple[int, ...], example: str) -> list[float]:
    """Parse numbers with commas between, such as "1,2,3.5".

    Args:
        text: what the user typed.
        counts: how many numbers are allowed.
        example: what to show the user instead.

    Raises:
        InputError: the text is anything else.

    >>> parse_numbers("1, 2.5", (2, 3), "x,y")
    [1.0, 2.5]
    """
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) not in counts:
        raise InputError(f"Expected {example} in pixels, got {text!r}. Write it without brackets.")
    return values


def parse_box(text: str, option: str = "--box") -> "Box":
    """Parse "x0,y0,x1,y1" of an option; the two corners may come in any order."""
    from segue.values.box import Box

    xa, ya, xb, yb = parse_numbers(text, (4,), f"{option} x0,y0,x1,y1")
    return Box.spanning(xa, ya, xb, yb)


def parse_click(text: str) -> tuple[float, float, int]:
    """Parse "x,y" or "x,y,label", label 1 (on the object, the default) or 0 (background).

    >>> parse_click("3,4.5")
    (3.0, 4.5, 1)
    """
    x, y, label = [*parse_numbers(text, (2, 3), "--point x,y or x,y,0"), 1][:3]
    if label not in (0, 1):
        raise InputError(f"The third number of a point must be 0 or 1, got {text!r}.")
    return x, y, int(label)
