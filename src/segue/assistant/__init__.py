"""The one place where the stages meet: chat -> dialect -> detect -> segment.

`load` puts an assistant together, `Assistant.open` begins a conversation about pictures, and
`Assistant.follow` is the heart: it reads a reply while it is being written (`follower.py`). There
is one stream of events and everything else reads it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from segue.assistant import presets
from segue.chat import ChatModel, thinks
from segue.detect import Detector, Found
from segue.dialects import DIALECTS
from segue.errors import InputError
from segue.pipeline.answer import Event
from segue.pipeline.chat_detector import WITHOUT_BOXES, detector_of
from segue.pipeline.coordinates import Sight
from segue.pipeline.cross_check import agreement
from segue.pipeline.reply_processor import Follower, region_ids
from segue.pipeline.routing import Policy, Route, check_route, policy
from segue.runtime.memory import MemoryBudget
from segue.segment import Point, Segmenter, View
from segue.segment.views import Views
from segue.values.box import Box
from segue.values.image import Image
from segue.values.region import Region

if TYPE_CHECKING:
    from segue.conversation import Conversation

REMEMBERED = 256
"""How many detections an assistant remembers."""


class _FromPreset:
    """The type of `FROM_PRESET`; printed in signatures."""

    def __repr__(self) -> str:
        return "FROM_PRESET"


FROM_PRESET: Final = _FromPreset()
"""This stage is the preset's."""

Stage = str | Path | None | _FromPreset
"""How a stage is named: a nickname, hub id, folder, checkpoint or URL; None leaves it out."""


def load(
    preset: str = "embedded",
    *,
    chat: Stage | ChatModel = FROM_PRESET,
    detect: Stage | Detector = FROM_PRESET,
    segment: Stage | Segmenter = FROM_PRESET,
    device: str = "auto",
    dtype: str | None = None,
    dialect: str | None = None,
    teach_tag: bool = False,
    route: Route = "reply",
    memory: "str | MemoryBudget | None" = None,
) -> "Assistant":
    """Put an assistant together.

    Args:
        preset: a name from `segue models`; it fills the stages that are not given below.
        chat: the chat model. A nickname, a hub id, a folder, an original checkpoint, a URL,
            "backend:source", or an object that is a `ChatModel`. None leaves the stage out.
        detect: the detector, named likewise; "chat" lets the chat model find phrases itself.
        segment: the segmenter, named likewise.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".
        dtype: "float32", "bfloat16" or "float16"; None lets each model choose for the device.
        dialect: the markup of the chat model's replies; None: as it says of itself.
        teach_tag: a system prompt teaches the chat model the tag `<gsam>`; for models that were not
            tuned to it.
        route: how questions are answered, see `segue.pipeline.routing`; `Conversation.ask` can override it.
        memory: how much may be remembered to save time, "2GiB"; None: a quarter of what is free,
            2 GiB at most. See `segue.runtime.memory`.

    Raises:
        UnknownName: no such preset or nickname.
        MissingExtra: a package that a stage needs is not installed.
        ModelError: weights are missing or cannot be read.
    """
    chosen = presets.preset(preset)
    budget = MemoryBudget.read(memory) if isinstance(memory, str) else memory
    if dialect is not None:
        _ = DIALECTS[dialect]
    check_route(route)

    def stage(kind: str, given: Any, default: str | None) -> Any:
        source = default if given is FROM_PRESET else given
        if source is None or not isinstance(source, str | Path):
            return source
        return presets.load_stage(kind, source, device=device, dtype=dtype)

    talker: ChatModel | None = stage("chat", chat, chosen.chat)
    detector: Detector | None
    if detect == "chat":
        if talker is None:
            raise InputError('detect="chat" needs a chat model, got chat=None.')
        detector = detector_of(talker, dialect=dialect)
    else:
        detector = stage("detect", detect, chosen.detect)
    return Assistant(
        chat=talker,
        detector=detector,
        segmenter=stage("segment", segment, chosen.segment),
        box_threshold=chosen.box_threshold if detect is FROM_PRESET else None,
        text_threshold=chosen.text_threshold if detect is FROM_PRESET else None,
        dialect=dialect,
        teach_tag=teach_tag,
        route=route,
        memory=budget or MemoryBudget.of_machine(),
    )


@dataclass
class Assistant:
    """A chat model, a detector and a segmenter that work together; each may be missing."""

    chat: ChatModel | None = None
    detector: Detector | None = None
    segmenter: Segmenter | None = None
    box_threshold: float | None = None
    """Passed to the detector; None: the detector's own. Lowered alone, it has its effect."""
    text_threshold: float | None = None
    """Passed to the detector; None: its own, and never above a `box_threshold` that is set."""
    dialect: str | None = None
    """The markup of the chat model's replies; None: as it says of itself."""
    teach_tag: bool = False
    """A system prompt teaches the chat model the tag `<gsam>`."""
    route: Route = "reply"
    """How questions are answered, unless `Conversation.ask` says otherwise; see `segue.pipeline.routing`."""
    policy: Policy = policy
    """What the route "auto" goes by."""
    memory: MemoryBudget = field(default_factory=MemoryBudget.of_machine)
    """How much may be remembered, together."""
    views: Views = field(default_factory=Views)
    """Encoded pictures, by content, within a byte budget."""
    _found: dict[tuple[Any, ...], list[Found]] = field(default_factory=dict, repr=False)
    """What was detected lately: asking for the same thing again costs nothing."""

    def __post_init__(self) -> None:
        """Share out the memory."""
        self.limit_memory(self.memory)

    def limit_memory(self, budget: MemoryBudget) -> None:
        """Bound what is remembered; what is over goes as new things come."""
        self.memory, parts = budget, budget.parts
        self.views.budget_bytes = parts["views"]
        if (limit := getattr(self.chat, "limit_memory", None)) is not None:
            limit(features=parts["features"], sequences=parts["sequences"])

    def memory_bytes(self) -> dict[str, int]:
        """What is remembered now, by kind: "views", "features", "sequences"."""
        measured = getattr(self.chat, "memory_bytes", dict)
        return {"views": self.views.size_bytes, "features": 0, "sequences": 0, **measured()}

    @property
    def speaks(self) -> str:
        """The name of the dialect in which replies are read."""
        return self.dialect or getattr(self.chat, "dialect", None) or "qwen_vl"

    def open(self, *images: Any, allow_urls: bool = False) -> "Conversation":
        """Begin a conversation about pictures.

        Args:
            images: paths, bytes, PIL images, arrays or `segue.Image`s; none is fine, `show` adds
                some later.
            allow_urls: let http(s) addresses among them be fetched.
        """
        from segue.conversation import Conversation

        return Conversation(self).show(*images, allow_urls=allow_urls)

    def segment(
        self,
        image: Any,
        phrases: str | Sequence[str] | None = None,
        boxes: Sequence[Box] | None = None,
        points: Sequence[Point] | Sequence[Sequence[Point]] | None = None,
        labels: Sequence[int] | Sequence[Sequence[int]] | None = None,
    ) -> tuple[Region, ...]:
        """Masks without a chat model: by phrase, by box, or by points.

        Args:
            image: anything `Image.open` takes.
            phrases: what the detector shall look for; a phrase that is not there adds nothing.
            boxes: one object each, in pixels of the upright picture.
            points: clicks of one object, or of several (see `View.mask`).
            labels: 1 (on the object) or 0 (not on it) for each point.

        Returns:
            The regions found by phrase, then those of the boxes and points.

        Raises:
            InputError: nothing was asked for, or the stage it needs is missing.
        """
        if not phrases and not boxes and not points:
            raise InputError("Nothing to segment: give phrases, boxes or points.")
        picture = Image.open(image)
        named = [phrases] if isinstance(phrases, str) else list(phrases or ())
        found: list[Region] = []
        if named:
            found += self.detect(picture, named)
        if found:
            found = self.with_masks(found, picture)
        if boxes or points:
            found += self._prompted(picture, boxes, points, labels, first=len(found) + 1)
        return tuple(found)

    def detect(
        self,
        image: Image,
        phrases: Sequence[str],
        *,
        index: int = 0,
        ids: Iterator[str] | None = None,
    ) -> list[Region]:
        """Regions without masks for every instance of every phrase.

        Raises:
            InputError: this assistant has no detector.
        """
        if self.detector is None:
            raise InputError(
                "This assistant has no detector, so it cannot look for a phrase. "
                "Load one: segue.load(detect=…)."
            )
        ids = ids or region_ids()
        key = (image.digest, tuple(phrases), self.box_threshold, self.text_threshold)
        if key not in self._found:
            while len(self._found) >= REMEMBERED:
                del self._found[next(iter(self._found))]
            self._found[key] = self.detector.find(
                image, phrases, self.box_threshold, self.text_threshold
            )
        return [
            Region(next(ids), one.phrase, one.box, "detector", image=index, score=one.score)
            for one in self._found[key]
        ]

    def checked(self, regions: Sequence[Region], images: Sequence[Image]) -> tuple[Region, ...]:
        """The regions, with how far the other route agrees with each.

        The detector is asked for what the chat model pointed at, and the chat model for what the
        detector found, once for each phrase; the latter costs a reply. Regions without a phrase, by
        hand, or without another route stay as they are. See `segue.pipeline.routing.agreement`.

        Args:
            regions: of an answer.
            images: all pictures of the conversation.
        """
        other: dict[tuple[int, str, str], list[Box] | None] = {}
        result = []
        for region in regions:
            key = (region.image, region.phrase, region.found_by)
            if key not in other:
                other[key] = self._found_by_other(images[region.image], *key[1:])
            boxes = other[key]
            agreed = None if boxes is None else agreement(region.box, boxes)
            result.append(region if agreed is None else replace(region, agreement=agreed))
        return tuple(result)

    def _found_by_other(self, image: Image, phrase: str, found_by: str) -> list[Box] | None:
        if not phrase:
            return None
        if found_by == "chat" and self.detector is not None:
            return [region.box for region in self.detect(image, [phrase])]
        has_boxes = self.speaks not in WITHOUT_BOXES
        if found_by == "detector" and self.chat is not None and has_boxes:
            asked = detector_of(self.chat, dialect=self.dialect)
            return [found.box for found in asked.find(image, [phrase])]
        return None

    def look(self, image: Image) -> View:
        """The encoded picture, from the cache where it is there.

        Raises:
            InputError: this assistant has no segmenter.
        """
        if self.segmenter is None:
            raise InputError("This assistant has no segmenter. Load one: segue.load(segment=…).")
        return self.views.of(image, self.segmenter.look)

    def follow(
        self,
        chunks: Iterable[str],
        images: Sequence[Image],
        ids: Iterator[str] | None = None,
        dialect: str | None = None,
        sight: Sight | None = None,
        grounded: bool = False,
        phrases: Sequence[str] = (),
    ) -> Iterator[Event]:
        """Follow a reply while it is written, and act on what it says.

        A closed `<box>` is segmented and a closed tag is detected and segmented at once, before
        the next piece of the reply is asked for.

        Args:
            chunks: the raw reply in pieces; how it is cut changes nothing.
            images: all pictures of the conversation, the newest last.
            ids: names for the regions; "r1", "r2", … when left out.
            dialect: its markup; None: the one this assistant's chat model speaks.
            sight: how the model saw the pictures; None: as the chat model says.
            grounded: the question asked for places, so bare numbers may be some.
            phrases: what it asked for.

        Yields:
            Every event but `Done`, in the order in which things become known.
        """
        sight = sight or Sight.of(self.chat)
        follower = Follower(self, images, ids or region_ids(), sight, phrases)
        thoughtful = dialect is None and thinks(self.chat)
        return follower.follow(chunks, dialect or self.speaks, thinks=thoughtful, grounded=grounded)

    def with_masks(self, regions: list[Region], image: Image) -> list[Region]:
        """The regions of one picture with masks, in one call of the segmenter; as they are where
        there is none."""
        if self.segmenter is None:
            return regions
        masks = self.look(image).mask(boxes=[region.box for region in regions])
        return [region.with_mask(mask) for region, mask in zip(regions, masks)]

    def _prompted(
        self, image: Image, boxes: Any, points: Any, labels: Any, *, first: int
    ) -> list[Region]:
        masks = self.look(image).mask(boxes=boxes, points=points, labels=labels)
        regions = []
        for number, mask in enumerate(masks):
            if boxes:
                box = boxes[number]
            else:
                box = mask.box or _around(points if len(masks) == 1 else points[number])
            regions.append(Region(f"r{first + number}", "", box, "person", mask=mask))
        return regions


def _around(points: Any) -> Box:
    """The box around clicks that gave an empty mask."""
    flat = [points] if isinstance(points[0], int | float) else points
    while not isinstance(flat[0][0], int | float):
        flat = flat[0]
    xs, ys = [p[0] for p in flat], [p[1] for p in flat]
    return Box(min(xs), min(ys), max(xs), max(ys))
