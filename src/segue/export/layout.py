"""Where the files of each format lie, and what each format loses."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from segue.values.box import Size
from segue.values.region import Region


@dataclass(frozen=True, slots=True)
class FormatLayout:
    """One format of `FORMATS`: its files, its pictures, its losses."""

    loses: str
    """What does not come back, for a table."""
    file_name: str | None = None
    """The one file of the format, as it is called in a folder; None: it is a folder of files."""
    picture_folder: str = "images"
    """Where pictures are looked for: below the folder, or beside the one file."""
    takes_categories: bool = False
    """Whether classes have numbers or an order; the writer then takes `categories`."""
    needs_pixels: bool = False
    """Whether a region whose mask is empty cannot be written."""
    needs_area: bool = False
    """Whether a region without a mask whose box has no area inside the picture cannot be."""
    is_boxes_only: bool = False
    """Whether masks are lost."""
    holds_splits: bool = False
    """Whether one data set holds all splits, each in a folder of pictures; the writer then takes
    `splits`, and names that begin with a split's."""
    embeds_pictures: bool = False
    """Whether pictures are inside the files of the format; the writer then takes `files`."""

    def target_in(self, folder: Path, stem: str | None = None) -> Path:
        """Return what the writer is given to write into a folder.

        Args:
            folder: for the files of the format.
            stem: of the one file; None: as the format calls it.
        """
        if self.file_name is None:
            return folder
        name = Path(self.file_name)
        return folder / (name.name if stem is None else f"{stem}{name.suffix}")

    def reason_against(self, region: Region, size: Size) -> str | None:
        """Return why a region of a picture of this size cannot be written; None: it can be."""
        if self.needs_pixels and region.mask is not None and region.mask.is_empty:
            return "its mask is empty"
        is_box = region.mask is None or self.is_boxes_only
        if self.needs_area and is_box and region.box.clipped(size).is_empty:
            return "its box has no area inside the picture"
        return None


LAYOUTS: Mapping[str, FormatLayout] = {
    "coco": FormatLayout(
        "spans, quadrilaterals, the masks' own scores",
        file_name="instances.json",
        takes_categories=True,
    ),
    "yolo": FormatLayout(
        "scores, boxes beside masks, ids, who found a region, spans, quadrilaterals, empty masks, "
        "sizes of pictures",
        takes_categories=True,
        needs_pixels=True,
        needs_area=True,
        holds_splits=True,
    ),
    "labelme": FormatLayout(
        "boxes beside masks, who found a region, spans, quadrilaterals, empty masks",
        picture_folder=".",
        needs_pixels=True,
    ),
    "label-studio": FormatLayout(
        "boxes beside masks, who found a region, spans, quadrilaterals, empty masks, sizes of "
        "pictures without regions",
        file_name="tasks.json",
        needs_pixels=True,
    ),
    "cvat": FormatLayout(
        "boxes beside masks, scores, ids, who found a region, spans, quadrilaterals, empty masks",
        file_name="annotations.xml",
        takes_categories=True,
        needs_pixels=True,
    ),
    "geojson": FormatLayout("spans, quadrilaterals, the masks' own scores"),
    "voc": FormatLayout(
        "masks, fractions of pixels, scores, ids, who found a region, spans, quadrilaterals",
        picture_folder="JPEGImages",
        needs_area=True,
        is_boxes_only=True,
    ),
}
"""By the names of `segue.export.FORMATS`."""

EXPORT_LAYOUTS: Mapping[str, FormatLayout] = {
    **LAYOUTS,
    "supervision": FormatLayout(
        "scores, ids, who found a region, spans, quadrilaterals, which regions had no mask",
        file_name="annotations.json",
        takes_categories=True,
    ),
    "parquet": FormatLayout(
        "spans, quadrilaterals, the masks' own scores",
        file_name="annotations.parquet",
        takes_categories=True,
    ),
    "hf-dataset": FormatLayout(
        "spans, quadrilaterals, the masks' own scores",
        takes_categories=True,
        embeds_pictures=True,
    ),
}
"""By the names of `segue.export.EXPORT_FORMATS`."""
