"""The findings of an examination."""

from dataclasses import dataclass, field

import PIL.Image

from segue.doctor.drawings import Drawing
from segue.draw import draw_regions
from segue.runtime.profile import Profile
from segue.values.box import Box
from segue.values.region import Region


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    topic: str
    """What was checked: "streaming", "boxes", …"""
    is_good: bool | None
    """None: the check was inconclusive."""
    text: str
    """A sentence or two for the user."""


@dataclass(slots=True)
class Verdict:
    """All findings, and a profile for later calls."""

    profile: Profile
    findings: list[Finding] = field(default_factory=list)
    pictures: dict[str, PIL.Image.Image] = field(default_factory=dict)
    """Name -> the drawing with the true and the predicted boxes."""

    def add_finding(self, topic: str, is_good: bool | None, text: str) -> None:
        """Add a finding."""
        self.findings.append(Finding(topic, is_good, text))

    @property
    def defects(self) -> list[Finding]:
        """The findings that are not good."""
        return [finding for finding in self.findings if finding.is_good is False]


def draw_boxes(drawing: Drawing, boxes: list[tuple[str, Box | None]]) -> PIL.Image.Image:
    """Draw the true boxes and the predicted ones on a drawing."""
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
