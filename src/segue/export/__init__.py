"""Exporters: answers and annotated pictures -> files that other programs read.

Every dataset format is one file here with `write_<format>(pictures, target)` and, where the format
holds enough to come back, `read_<format>`. Each says in its first lines what it loses. The masks
inside this package are exact, and COCO RLE (coco.py, json.py) keeps them so.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from segue.box import Size
from segue.catalog import Catalog, Entry
from segue.export.names import unique_names
from segue.message import Answer
from segue.region import Region


@dataclass(frozen=True, slots=True)
class Annotated:
    """One picture of a data set: where it is, how large, and what is on it. It holds no pixels."""

    name: str
    """File name or path relative to the data set's pictures, with "/" between its parts."""
    size: Size
    regions: tuple[Region, ...] = ()


def annotated(answers: Iterable[Answer]) -> list[Annotated]:
    """The pictures of conversations with all that was found on them, ready to be written.

    Answers of one conversation share their pictures; a picture is known by its content. Names that
    are missing or taken become "image.png", "image-2.png", …
    """
    pictures: dict[str, tuple[str, Size, list[Region]]] = {}
    for answer in answers:
        for index, image in enumerate(answer.images):
            found = [region for region in answer.regions if region.image == index]
            entry = pictures.setdefault(image.digest, (image.name or "image.png", image.size, []))
            entry[2].extend(found)
    names = unique_names(name for name, _, _ in pictures.values())
    return [
        Annotated(name, size, tuple(regions))
        for name, (_, size, regions) in zip(names, pictures.values(), strict=True)
    ]


FORMATS = Catalog(
    "export format",
    {
        "coco": Entry("segue.export.coco:write_coco", "COCO instances, one .json; masks as RLE"),
        "yolo": Entry("segue.export.yolo:write_yolo", "YOLO segmentation, a folder of .txt"),
        "labelme": Entry("segue.export.labelme:write_labelme", "LabelMe, one .json a picture"),
        "label-studio": Entry(
            "segue.export.label_studio:write_label_studio", "Label Studio tasks, one .json; brushes"
        ),
        "cvat": Entry("segue.export.cvat:write_cvat", "CVAT for images 1.1, one .xml; masks"),
        "geojson": Entry(
            "segue.export.geojson:write_geojson", "GeoJSON in pixels, one file a picture"
        ),
    },
)
"""Writers of data sets: `FORMATS.load(name, pictures, target)` writes and returns the files."""
