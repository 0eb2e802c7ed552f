"""Region: an answer in space. What was meant, where it is, how sure, and who found it."""

from dataclasses import dataclass, replace
from typing import Literal

from segue.values.box import Box
from segue.values.mask import Mask
from segue.values.presence import PresenceVerdict

FoundBy = Literal["chat", "detector", "user", "segmenter"]
"""Who placed the box: the chat model itself, the detector, the user with a box or click, or the
segmenter, which segmented everything."""

Click = tuple[float, float, int]
"""x, y in pixels of the upright picture; 1: on the object, 0: not on it."""


@dataclass(frozen=True, slots=True, repr=False)
class Region:
    """One object that was pointed at."""

    id: str
    """Stable within its conversation: "r1", "r2", … in the order they became known."""
    phrase: str
    """What it was called; empty when the model gave a box without a name."""
    box: Box
    """Where it is, in pixels of the upright picture."""
    found_by: FoundBy
    image: int = 0
    """Index of the picture within the conversation."""
    mask: Mask | None = None
    """Its pixels; None until segmented, or when there is no segmenter."""
    score: float | None = None
    """The finder's confidence in [0, 1]; None when it gives none (chat models do not)."""
    span: tuple[int, int] | None = None
    """Where `phrase` stands in the clean text of the answer: [start, end) in code points."""
    quad: tuple[tuple[float, float], ...] | None = None
    """The four corners, when the model gave a rotated quadrilateral (text lines)."""
    point: tuple[float, float] | None = None
    """(x, y), when the model gave a point and no box: then `box` is the mask's, and without a mask
    it has no area."""
    clicks: tuple[Click, ...] = ()
    """The clicks by which the user made or corrected the mask."""

    agreement: float | None = None
    """How far the other route put it in the same place, IoU in [0, 1]; None: not checked."""

    presence_score: float | None = None
    """The detector's own estimate that what `phrase` names is in the picture at all, in [0, 1];
    None: it gives none. Not part of any saved form; the verdict that follows from it is."""

    verdict: PresenceVerdict | None = None
    """Whether what it is called is in the picture; None: no calibration of the models is known, and
    the detector states no presence score."""

    names: tuple[str, ...] = ()
    """All phrases that named it in its conversation, in any language, the first one first."""
    turns: tuple[int, ...] = ()
    """Indexes of the turns that mentioned it, ascending; () when only the user made it."""

    def __repr__(self) -> str:
        score = "" if self.score is None else f", score={self.score:.2f}"
        mask = "no mask" if self.mask is None else f"mask of {self.mask.area} px"
        box = ", ".join(f"{value:g}" for value in self.box.corners)
        return f"<Region {self.id} {self.phrase!r} at ({box}), {mask}{score}>"

    def _repr_png_(self) -> bytes | None:
        """Return the mask for a notebook; None: there is none."""
        return None if self.mask is None else self.mask._repr_png_()

    def with_mask(self, mask: Mask) -> "Region":
        """Return the same region with a mask."""
        return replace(self, mask=mask)
