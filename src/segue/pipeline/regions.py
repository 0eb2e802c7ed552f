"""The regions of one picture, which know their picture."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, SupportsIndex, overload

import PIL.Image

from segue.draw import draw_regions
from segue.draw.rich_display import figure_html, not_found_html, picture_html, region_table_html
from segue.files.counts import count_noun
from segue.values.image import Image
from segue.values.region import Region
from segue.values.serialize import picture_to_json, region_to_json


class Regions(tuple[Region, ...]):
    """What `Assistant.segment` returns: a tuple of regions, with the picture they are on.

    In a notebook it shows itself.
    """

    image: Image
    not_found: tuple[str, ...]
    """Phrases of which there is none in the picture."""

    def __new__(
        cls, regions: Iterable[Region], image: Image, not_found: Sequence[str] = ()
    ) -> "Regions":
        """Make a tuple of regions of `image`."""
        instance = super().__new__(cls, regions)
        instance.image, instance.not_found = image, tuple(not_found)
        return instance

    @overload
    def __getitem__(self, index: SupportsIndex, /) -> Region: ...
    @overload
    def __getitem__(self, index: slice, /) -> "Regions": ...
    def __getitem__(self, index: Any, /) -> Any:
        """Return one region, or some of them, which know the picture too."""
        picked = super().__getitem__(index)
        return Regions(picked, self.image, self.not_found) if isinstance(index, slice) else picked

    def __getnewargs__(self) -> tuple[tuple[Region, ...], Image, tuple[str, ...]]:
        return tuple(self), self.image, self.not_found

    def draw(self) -> PIL.Image.Image:
        """Draw the regions on their picture."""
        return draw_regions(self.image, self)

    def save(self, file: str | Path) -> None:
        """Draw the regions and write the picture; its format is that of the file's name."""
        self.draw().save(file)

    def to_json(self) -> dict[str, Any]:
        """Write plain JSON values, a part of what an answer has.

        {"image", "size": [h, w], "regions": […], "not_found": […],
         "images": [{"name", "size": [h, w], "digest"}]}
        """
        return {
            "image": self.image.name,
            "size": list(self.image.size),
            "regions": [region_to_json(region) for region in self],
            "not_found": list(self.not_found),
            "images": [picture_to_json(self.image)],
        }

    def __repr__(self) -> str:
        phrases = ", ".join(dict.fromkeys(region.phrase or "?" for region in self))
        missing = f", not found: {', '.join(self.not_found)}" if self.not_found else ""
        return f"<{count_noun(len(self), 'region')}: {phrases}{missing}>"

    def _repr_html_(self) -> str:
        return figure_html(
            picture_html(self.image, self), region_table_html(self), not_found_html(self.not_found)
        )
