"""What an examination found."""

from dataclasses import dataclass, field

import PIL.Image

from segue.doctor.drawings import Drawing
from segue.draw import draw_regions
from segue.runtime.profile import Profile
from segue.values.box import Box
from segue.values.region import Region


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    """What it is about: "streaming", "boxes", …"""
    good: bool | None
    """None: it could not be told."""
    text: str
    """A sentence or two for a person."""


@dataclass(slots=True)
class Verdict:
    """All findings, and what later calls should know."""

    profile: Profile
    findings: list[Finding] = field(default_factory=list)
    pictures: dict[str, PIL.Image.Image] = field(default_factory=dict)
    """Name -> the drawing with the true boxes and those that were read."""

    def add(self, what: str, good: bool | None, text: str) -> None:
        """Note a finding."""
        self.findings.append(Finding(what, good, text))

    @property
    def defects(self) -> list[Finding]:
        """The bad ones."""
        return [finding for finding in self.findings if finding.good is False]


def shown(drawing: Drawing, boxes: list[tuple[str, Box | None]]) -> PIL.Image.Image:
    """A drawing with the true boxes, and what the model gave for them."""
    regions = [
        Region(f"t{n}", f"{shape.phrase} (true)", shape.box, "user")
        for n, shape in enumerate(drawing.shapes)
    ]
    regions += [
        Region(f"m{n}", f"{phrase} (model)", box, "chat")
        for n, (phrase, box) in enumerate(boxes)
        if box is not None
    ]
    return draw_regions(drawing.image, regions)
