"""Exporters: answers and annotated pictures -> files that other programs read.

Every dataset format is one file here with `write_<format>(pictures, target)` and, where the format
holds enough to come back, `read_<format>`. Each says in its first lines what it loses. The masks
inside this package are exact, and COCO RLE (`coco.py`, `values/serialize.py`) keeps them so.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import count

from segue.deprecated import renamed_in
from segue.errors import InputError
from segue.export.names import unique_names
from segue.files.counts import count_noun
from segue.pipeline.answer import Answer
from segue.runtime.catalog import Catalog, Entry
from segue.values.box import Size
from segue.values.region import Region


@dataclass(frozen=True, slots=True)
class AnnotatedImage:
    """One picture of a data set: where it is, how large, and what is on it. It holds no pixels."""

    name: str
    """File name or path relative to the data set's pictures, with "/" between its parts."""
    size: Size
    regions: tuple[Region, ...] = ()


def annotated(
    answers: Iterable[Answer], names: Sequence[str | Sequence[str]] | None = None
) -> list[AnnotatedImage]:
    """Return the pictures of conversations with all that was found on them, ready to be written.

    Answers of one conversation share their pictures. A picture is known by its name and content, so
    two files with equal pixels stay two. An object that several answers of a conversation mention
    is one region, as the last of them has it, under its first name. Where two entries would have a
    region of one id, the later one is numbered on.

    Args:
        answers: of one conversation or many.
        names: for each answer the name of its picture, or of all its pictures, as the data set
            knows them ("train/1.png"); None: the pictures' own names, of which those that are
            missing or taken become "image.png", "image-2.png", …

    Raises:
        InputError: there are more or fewer names than pictures.
    """
    pictures: dict[tuple[str, str], tuple[Size, list[Region]]] = {}
    answer_list = list(answers)
    if names is not None and len(names) != len(answer_list):
        raise InputError(
            f"There are {len(answer_list)} answers and {len(names)} names; give each one."
        )
    for number, answer in enumerate(answer_list):
        called = [image.name or "image.png" for image in answer.images]
        if names is not None:
            image_name = names[number]
            called = [image_name] if isinstance(image_name, str) else list(image_name)
            if len(called) != len(answer.images):
                raise InputError(
                    f"Answer {number + 1} has {count_noun(len(answer.images), 'picture')}, got "
                    f"{len(called)} names for them."
                )
        for index, (name, image) in enumerate(zip(called, answer.images, strict=True)):
            image_regions = [region for region in answer.regions if region.image == index]
            _, regions = pictures.setdefault((name, image.digest), (image.size, []))
            for region in image_regions:
                _add_region(regions, region)
    unique = unique_names(name for name, _ in pictures)
    return [
        AnnotatedImage(name, size, _numbered(regions))
        for name, (size, regions) in zip(unique, pictures.values(), strict=True)
    ]


def _add_region(regions: list[Region], region: Region) -> None:
    """Add a region, or let it take the place of the same object in an earlier answer."""
    for place in reversed(range(len(regions))):
        earlier = regions[place]
        if earlier.id == region.id:
            count = len(earlier.turns)
            if 0 < count < len(region.turns) and region.turns[:count] == earlier.turns:
                regions[place] = replace(region, phrase=earlier.phrase)
                return
            break
    regions.append(region)


def _numbered(regions: Sequence[Region]) -> tuple[Region, ...]:
    """Return the regions with ids of their own: a second "r1" takes the next free number."""
    used_ids: set[str] = set()
    original_ids = {region.id for region in regions}
    unique = []
    for region in regions:
        if region.id in used_ids:
            number = next(n for n in count(1) if f"r{n}" not in original_ids)
            region = replace(region, id=f"r{number}")
            original_ids.add(region.id)
        used_ids.add(region.id)
        unique.append(region)
    return tuple(unique)


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
        "voc": Entry("segue.export.voc:write_voc", "Pascal VOC, one .xml a picture; boxes only"),
    },
)
"""Writers of data sets: `FORMATS.load(name, pictures, target)` writes and returns the files. What
they write is read back by `segue.export.reading`."""

EXPORT_FORMATS = Catalog(
    "export format",
    {
        **FORMATS,
        "supervision": Entry(
            "segue.export.supervision:write_supervision",
            "a .json for DetectionDataset.from_coco of supervision; masks exactly",
        ),
        "parquet": Entry(
            "segue.export.parquet:write_parquet",
            "Parquet, one row a picture; masks as RLE",
            extra="parquet",
        ),
        "hf-dataset": Entry(
            "segue.export.parquet:write_hf_dataset",
            "a folder for load_dataset of Hugging Face, pictures inside",
            extra="parquet",
        ),
    },
)
"""All that `segue export` writes: `FORMATS`, and those that are not read back."""

__getattr__ = renamed_in(__name__)
