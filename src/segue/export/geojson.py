"""GeoJSON: one FeatureCollection a picture, in pixels.

Kept: masks exactly, as MultiPolygons with holes along pixel edges; phrases, boxes, scores, ids, who
found a region. A region without a mask is the polygon of its box, marked `"mask": false`.
Lost: spans, quadrilaterals. Coordinates are pixels with y down, not degrees on the globe, against
RFC 7946 but as QuPath and others read it; rings turn as that RFC asks if y were up.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from segue.annotations.entry_log import EntryLog
from segue.annotations.fields import (
    MaskBudget,
    are_near,
    read_list,
    read_number,
    read_object,
    read_size,
)
from segue.errors import InputError
from segue.export import AnnotatedImage
from segue.export.files import read_json, write_json
from segue.export.label_files import label_files
from segue.values.box import Box, Size
from segue.values.mask import Mask
from segue.values.mask.contour import Polygon, Ring
from segue.values.region import Region
from segue.values.serialize import region_from_json, region_to_json

_PROPERTIES = ("id", "phrase", "box", "score", "found_by")


def write_geojson(pictures: Sequence[AnnotatedImage], target: str | Path) -> list[Path]:
    """Write one file for each picture into a folder, named like it with .geojson.

    Raises:
        InputError: two pictures would share a file, or it cannot be written.
    """
    return [
        write_json(geojson(picture), Path(target) / name)
        for picture, name in zip(pictures, label_files(pictures, ".geojson"), strict=True)
    ]


def geojson(picture: AnnotatedImage) -> dict[str, Any]:
    """Return a picture as a FeatureCollection; "name" and "size" are ours."""
    return {
        "type": "FeatureCollection",
        "name": picture.name,
        "size": list(picture.size),
        "features": [_feature(region) for region in picture.regions],
    }


def read_geojson(source: str | Path, *, skipped: list[str] | None = None) -> AnnotatedImage:
    """Read one file that `write_geojson` wrote.

    Args:
        source: the file.
        skipped: gets a sentence for each feature that is left out; None: the first ends it all.

    Raises:
        InputError: it is not such a file.
    """
    document = read_json(source)
    log, budget = EntryLog(source, skipped), MaskBudget()
    regions: list[Region] = []
    with log.whole("GeoJSON of a picture"):
        size = read_size(*read_list(document["size"], "size"))
        features, name = read_list(document["features"], "features"), str(document["name"])
    for number, feature in enumerate(features, 1):
        with log.entry(f"feature {number}"):
            regions.append(_region(read_object(feature, "it"), size, budget))
    return AnnotatedImage(name, size, tuple(regions))


def _feature(region: Region) -> dict[str, Any]:
    value = region_to_json(region)
    properties = {key: value[key] for key in _PROPERTIES}
    polygons = region.mask.polygons if region.mask is not None else (_rectangle(region.box),)
    rings = [[_close_ring(ring) for ring in (p.outer, *p.holes)] for p in polygons]
    return {
        "type": "Feature",
        "properties": {**properties, "mask": region.mask is not None},
        "geometry": {"type": "MultiPolygon", "coordinates": rings},
    }


def _region(feature: Mapping[str, Any], size: Size, budget: MaskBudget) -> Region:
    properties = dict(read_object(feature["properties"], "properties"))
    region = region_from_json(properties | {"mask": None})
    if not properties.get("mask"):
        return region
    budget.spend(size)
    polygons = []
    for rings in feature["geometry"]["coordinates"]:
        outer, *holes = (
            tuple((read_number(x, "a corner"), read_number(y, "a corner")) for x, y in ring[:-1])
            for ring in rings
        )
        if not all(are_near(corner, size) for ring in (outer, *holes) for corner in ring):
            raise InputError("a ring lies far outside its picture")
        polygons.append(Polygon(outer, tuple(holes)))
    return region.with_mask(Mask.from_polygons(polygons, size))


def _rectangle(box: Box) -> Polygon:
    return Polygon(((box.x0, box.y0), (box.x1, box.y0), (box.x1, box.y1), (box.x0, box.y1)))


def _close_ring(ring: Ring) -> list[list[float]]:
    return [[x, y] for x, y in (*ring, ring[0])]
