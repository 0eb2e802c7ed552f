"""Dialects: the markup in which a chat model points at things. Text in, events out; no torch.

A dialect knows nothing of pictures: it yields boxes in the frame the model speaks, and leaves the
translation to whoever knows the picture. It is tolerant: whatever it cannot read comes out as
`MalformedMarkup`, word for word, and reading goes on.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from segue.deprecated import renamed_in
from segue.runtime.catalog import Catalog, Entry
from segue.values.frames import FramedBox, FramedPoint


@dataclass(frozen=True, slots=True)
class PlainText:
    """Words to show. Joined, all `PlainText` events of a reply are its clean text."""

    text: str


@dataclass(frozen=True, slots=True)
class BoxMention:
    """The model gave a box itself."""

    phrase: str
    """What it named; "" for a box without a name."""
    box: FramedBox
    span: tuple[int, int] | None = None
    """Where the phrase stands in the clean text, [start, end) in code points."""
    quad: tuple[tuple[float, float], ...] | None = None
    """Four corners (x, y) in the frame of `box`, when it gave a quadrilateral."""
    image: int | None = None
    """1-based number of the picture, when the reply names one; None: the newest."""


@dataclass(frozen=True, slots=True)
class PointMention:
    """The model gave a point on something."""

    phrase: str
    """What it named; "" for a point without a name."""
    point: FramedPoint
    span: tuple[int, int] | None = None
    image: int | None = None
    """1-based number of the picture, when the reply names one; None: the newest."""


@dataclass(frozen=True, slots=True)
class DetectRequest:
    """The model named something that a detector must find."""

    phrase: str
    span: tuple[int, int] | None = None
    image: int | None = None
    """1-based number of the picture, when the reply names one; None: the newest."""


@dataclass(frozen=True, slots=True)
class MalformedMarkup:
    """Markup that was opened and never made sense, word for word."""

    text: str
    cut: bool = False
    """The reply ended inside it: more might have come."""
    reason: str = ""
    """For people, where it is more than that it makes no sense."""


@dataclass(frozen=True, slots=True)
class Absence:
    """The model says itself that something is not in the picture."""

    phrase: str
    span: tuple[int, int] | None = None
    image: int | None = None
    """1-based number of the picture, when the reply names one; None: the newest."""


@dataclass(frozen=True, slots=True)
class Thought:
    """The model thought; what it thought is neither shown nor acted on."""

    length: int
    """In characters."""
    retracts: bool = False
    """Its beginning was not marked: all events before this one belong to it and no longer count.
    The clean text, and with it every later span, begins anew."""
    cut: bool = False
    """The reply ended inside it."""


@dataclass(frozen=True, slots=True)
class Remark:
    """What a user should know of how the reply was read: a fall-back, a loop that was cut."""

    text: str


ReplyEvent = (
    PlainText
    | BoxMention
    | PointMention
    | DetectRequest
    | Absence
    | MalformedMarkup
    | Thought
    | Remark
)


def drop_retracted(events: Iterable[ReplyEvent]) -> list[ReplyEvent]:
    """The events of a whole reply that count: without those that a thought took back."""
    kept: list[ReplyEvent] = []
    for event in events:
        if isinstance(event, Thought) and event.retracts:
            kept.clear()
        kept.append(event)
    return kept


class Dialect(Protocol):
    """Reads one reply. How the reply was cut into chunks must not matter."""

    def read(
        self, chunks: Iterable[str], *, thinks: bool = False, grounded: bool = False
    ) -> Iterator[ReplyEvent]:
        """Translate a reply while it streams in; each event comes as soon as it is certain.

        Args:
            chunks: the reply. A generator may return why the reply ended, as chat models do.
            thinks: the model may begin inside a thought that its prompt opened: nothing is
                handed out before the thought has ended, or the reply.
            grounded: the question asked for places, so bare numbers may be some.
        """


DIALECTS = Catalog(
    "dialect",
    {
        "qwen_vl": Entry(
            "segue.dialects.qwen_vl:dialect",
            "Qwen-VL, Qwen-VL-Chat: <ref>, <box>, <quad>, a 0-1000 grid",
        ),
        "qwen2_vl": Entry(
            "segue.dialects.qwen2_vl:dialect",
            "Qwen2-VL: <|object_ref_start|>, <|box_start|>, a 0-1000 grid",
        ),
        "qwen2_vl_stripped": Entry(
            "segue.dialects.qwen2_vl_stripped:dialect",
            "Qwen2-VL behind a server that drops special tokens: dog(1,2),(3,4)",
        ),
        "qwen2_5_vl": Entry(
            "segue.dialects.qwen2_5_vl:dialect",
            "Qwen2.5-VL: JSON with bbox_2d, point_2d, pixels of the resized picture",
        ),
        "qwen3_vl": Entry(
            "segue.dialects.qwen3_vl:dialect",
            "Qwen3-VL, Qwen3.5: JSON with bbox_2d, point_2d, a 0-1000 grid",
        ),
        "internvl": Entry(
            "segue.dialects.internvl:dialect", "InternVL: <ref>, <box>[[…]], a 0-1000 grid"
        ),
        "glm_v": Entry(
            "segue.dialects.glm_v:dialect",
            "GLM-4.1V to GLM-5V: <|begin_of_box|>[[…]] or JSON, a 0-1000 grid",
        ),
        "deepseek_vl2": Entry(
            "segue.dialects.deepseek_vl2:dialect",
            "DeepSeek-VL2, DeepSeek-OCR: <|ref|>, <|det|>[[…]], 0-999",
        ),
        "paligemma": Entry(
            "segue.dialects.paligemma:dialect", "PaliGemma: <locNNNN>, y first, 1024 steps"
        ),
        "florence2": Entry(
            "segue.dialects.florence2:dialect",
            "Florence-2: name<loc_N>…, 1000 steps, or the processor's dictionary",
        ),
        "kosmos2": Entry(
            "segue.dialects.kosmos2:dialect", "Kosmos-2: <phrase>, <object>, a 32 x 32 grid"
        ),
        "molmo": Entry(
            "segue.dialects.molmo:dialect",
            "Molmo (percent) and Molmo2 (0-1000): <point>, <points>",
        ),
        "gemini": Entry(
            "segue.dialects.gemini:dialect", "Gemini: JSON with box_2d, y first, a 0-1000 grid"
        ),
        "moondream": Entry(
            "segue.dialects.moondream:dialect", "Moondream: JSON with x_min, fractions"
        ),
        "auto": Entry(
            "segue.dialects.auto:dialect", "recognised from the reply; for models not known"
        ),
        "gsam": Entry("segue.dialects.gsam:dialect", "words with <gsam> tags, and nothing else"),
    },
)

__getattr__ = renamed_in(__name__)
