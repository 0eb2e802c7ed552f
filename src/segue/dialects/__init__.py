"""Dialects: the markup in which a chat model points at things. Text in, events out; no torch.

A dialect knows nothing of pictures: it yields boxes in the frame the model speaks, and leaves the
translation to whoever knows the picture. It is tolerant: whatever it cannot read comes out as
`Malformed`, word for word, and reading goes on.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from segue.box import FramedBox, FramedPoint
from segue.catalog import Catalog, Entry


@dataclass(frozen=True, slots=True)
class Text:
    """Words to show. Joined, all `Text` events of a reply are its clean text."""

    text: str


@dataclass(frozen=True, slots=True)
class Pointed:
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
class Spotted:
    """The model gave a point on something."""

    phrase: str
    """What it named; "" for a point without a name."""
    point: FramedPoint
    span: tuple[int, int] | None = None
    image: int | None = None
    """1-based number of the picture, when the reply names one; None: the newest."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The model named something that a detector must find."""

    phrase: str
    span: tuple[int, int] | None = None
    image: int | None = None
    """1-based number of the picture, when the reply names one; None: the newest."""


@dataclass(frozen=True, slots=True)
class Malformed:
    """Markup that was opened and never made sense, word for word."""

    text: str
    cut: bool = False
    """The reply ended inside it: more might have come."""


Event = Text | Pointed | Spotted | Wanted | Malformed


class Dialect(Protocol):
    """Reads one reply. How the reply was cut into chunks must not matter."""

    def read(self, chunks: Iterable[str]) -> Iterator[Event]:
        """Translate a reply while it streams in; each event comes as soon as it is certain."""


DIALECTS = Catalog(
    "dialect",
    {
        "qwen_vl": Entry(
            "segue.dialects.qwen_vl:QwenVLDialect",
            "Qwen-VL: <ref>, <box>, <quad> on a 0-1000 grid, and the <gsam> tag",
        ),
    },
)
