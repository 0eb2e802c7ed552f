"""What a run keeps of one picture."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from segue.values.box import Size
from segue.values.region import Region
from segue.values.serialize import region_from_json, region_to_json


@dataclass(frozen=True, slots=True)
class PictureStamp:
    """How a file is recognised: by content, and quickly by size and time."""

    digest: str
    """BLAKE2 of the bytes of the file."""
    size_bytes: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class PictureResult:
    """The result for one picture, or why there is none."""

    name: str
    path: str
    """Where the picture was: an absolute path, or what else `location_of` reads."""
    stamp: PictureStamp
    size: Size | None = None
    """Upright, in pixels; None: it could not be opened."""
    regions: tuple[Region, ...] = ()
    """`Region.phrase` is the class."""
    not_found: tuple[str, ...] = ()
    """Classes of which there is nothing."""
    notices: tuple[str, ...] = ()
    error: str | None = None
    """Why the picture has no result; None: it has one."""
    seconds: float = 0.0
    """Of the models."""
    question: str | None = None
    """What its source asked about it; None: nothing."""

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, which `from_json` reads."""
        return {
            "name": self.name,
            "path": self.path,
            "digest": self.stamp.digest,
            "size_bytes": self.stamp.size_bytes,
            "modified_ns": self.stamp.modified_ns,
            "height": None if self.size is None else self.size.height,
            "width": None if self.size is None else self.size.width,
            "regions": [region_to_json(region) for region in self.regions],
            "not_found": list(self.not_found),
            "notices": list(self.notices),
            "error": self.error,
            "seconds": round(self.seconds, 4),
            "question": self.question,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "PictureResult":
        """Read what `to_json` wrote.

        Raises:
            KeyError, TypeError: it is not that.
            InputError: a region makes no sense.
        """
        height, width = value["height"], value["width"]
        return cls(
            name=value["name"],
            path=value["path"],
            stamp=PictureStamp(value["digest"], value["size_bytes"], value["modified_ns"]),
            size=None if height is None else Size(height, width),
            regions=tuple(map(region_from_json, value["regions"])),
            not_found=tuple(value["not_found"]),
            notices=tuple(value["notices"]),
            error=value["error"],
            seconds=value["seconds"],
            question=value.get("question"),
        )
