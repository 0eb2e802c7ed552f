"""Options that several commands share, and the assistant they describe."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from segue.errors import InputError

if TYPE_CHECKING:
    from segue.assistant import Assistant
    from segue.image import Image
    from segue.message import Sampling

_MODELS = "Models"
_WORDS = "Choice of words"

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
AllowUrls = Annotated[
    bool, typer.Option("--allow-urls", help="Fetch pictures named by an http(s) URL.")
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


def load_assistant(
    preset: str,
    device: str,
    dtype: str | None,
    *,
    chat: str | None = None,
    detect: str | None = None,
    segment: str | None = None,
) -> "Assistant":
    """`segue.load`, where None means "the preset's" and "none" leaves a stage out.

    Raises:
        SegueError: as `segue.load`.
    """
    from segue.assistant import load

    named = {"chat": chat, "detect": detect, "segment": segment}
    stages: dict[str, Any] = {
        kind: None if name.lower() == "none" else name
        for kind, name in named.items()
        if name is not None
    }
    return load(preset, device=device, dtype=dtype, **stages)


def open_images(sources: list[str], allow_urls: bool) -> "list[Image]":
    """Read pictures before any model is loaded, so that a typo costs nothing.

    Raises:
        InputError: one of them cannot be read.
    """
    from segue.image import Image

    return [Image.open(source, allow_urls=allow_urls) for source in sources]


def sampling(seed: int | None, temperature: float | None, max_new_tokens: int | None) -> "Sampling":
    """How the chat model picks its words."""
    from segue.message import Sampling

    return Sampling(seed=seed, temperature=temperature, max_new_tokens=max_new_tokens)


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
