"""One picture of a run, before it is read."""

from dataclasses import dataclass
from pathlib import Path

from segue.runs.sources.locations import FileLocation, PictureLocation
from segue.values.box import Box


@dataclass(frozen=True, slots=True)
class SourcePicture:
    """A picture of a run."""

    name: str
    """Unique in the run; relative to the folder it was found in, with "/" between its parts."""
    location: PictureLocation
    boxes: tuple[tuple[str, Box], ...] = ()
    """What the source says is on it: class and box, in pixels of the picture."""
    question: str | None = None
    """What the source asks about it; None: nothing."""
    problem: str | None = None
    """Why it cannot be annotated, as a sentence; None: nothing is known against it."""

    @classmethod
    def of_file(
        cls, name: str, path: Path, boxes: tuple[tuple[str, Box], ...] = ()
    ) -> "SourcePicture":
        """Return a picture that is a file of its own."""
        return cls(name, FileLocation(path), boxes)
