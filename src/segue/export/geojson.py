"""GeoJSON: one FeatureCollection a picture, in pixels.

Kept: masks exactly, as MultiPolygons with holes along pixel edges; phrases, boxes, scores, ids, who
found a region. A region without a mask is the polygon of its box, marked `"mask": false`.
Lost: spans, quadrilaterals. Coordinates are pixels with y down, not degrees on the globe, against
RFC 7946 but as QuPath and others read it; rings turn as that RFC asks if y were up.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from segue.box import Box, Size
from segue.errors import InputError
from segue.export import Annotated
from segue.export.files import read_json, write_json
from segue.export.json import region_from_json, region_to_json
from segue.export.yolo import label_files
from segue.mask import Mask
from segue.mask.contour import Polygon, Ring
from segue.region import Region

_KEPT = ("id", "phrase", "box", "score", "found_by")


def write_geojson(pictures: Sequence[Annotated], target: str | Path) -> list[Path]:
    """Write one file for each picture into a folder, named like it with .geojson."""
    names = [Path(name).with_suffix(".geojson") for name in label_files(pictures)]
    return [
        write_json(geojson(picture), Path(target) / name)
        for picture, name in zip(pictures, names, strict=True)
    ]


def geojson(picture: Annotated) -> dict[str, Any]:
    """A picture as a FeatureCollection; "name" and "size" are ours."""
    return {
        "type": "FeatureCollection",
        "name": picture.name,
        "size": list(picture.size),
        "features": [_feature(region) for region in picture.regions],
    }


def read_geojson(source: str | Path) -> Annotated:
    """Read one file that `write_geojson` wrote.

    Raises:
        InputError: it is not such a file.
    """
    document = read_json(source)
    try:
        size = Size(*(int(side) for side in document["size"]))
        regions = tuple(_region(feature, size) for feature in document["features"])
        return Annotated(str(document["name"]), size, regions)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{source} is not GeoJSON of a picture: {error}.") from error


def _feature(region: Region) -> dict[str, Any]:
    value = region_to_json(region)
    properties = {key: value[key] for key in _KEPT}
    polygons = region.mask.polygons if region.mask is not None else (_rectangle(region.box),)
    rings = [[_closed(ring) for ring in (p.outer, *p.holes)] for p in polygons]
    return {
        "type": "Feature",
        "properties": {**properties, "mask": region.mask is not None},
        "geometry": {"type": "MultiPolygon", "coordinates": rings},
    }


def _region(feature: dict[str, Any], size: Size) -> Region:
    properties = feature["properties"]
    region = region_from_json(properties | {"mask": None})
    if not properties.get("mask"):
        return region
    polygons = []
    for rings in feature["geometry"]["coordinates"]:
        outer, *holes = (tuple((float(x), float(y)) for x, y in ring[:-1]) for ring in rings)
        polygons.append(Polygon(outer, tuple(holes)))
    return region.with_mask(Mask.from_polygons(polygons, size))


def _rectangle(box: Box) -> Polygon:
    return Polygon(((box.x0, box.y0), (box.x1, box.y0), (box.x1, box.y1), (box.x0, box.y1)))


def _closed(ring: Ring) -> list[list[float]]:
    return [[x, y] for x, y in (*ring, ring[0])]
