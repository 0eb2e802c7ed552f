"""Parquet, one row a picture: a table for Arrow and data frames, and one with the pictures inside.

    file_name, width, height             of the picture
    objects                              struct of lists, one entry a region:
        id, label, found_by              texts
        category                         number of the class, from 0
        bbox                             x, y, width, height in pixels
        area, score                      pixels of the mask or box; score, or null
        mask                             counts of a compressed COCO RLE of height x width, or null

The data set for Hugging Face (`hf-dataset`) has a column `image` before them, a struct of bytes and
path, in files of about `FILE_BYTES`. The schema notes the features as the library datasets does, so
that it decodes the pictures and knows the names of the classes:

    datasets.load_dataset("out")

Lost: spans, quadrilaterals, the masks' own scores.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from segue.errors import InputError, MissingExtra
from segue.export import AnnotatedImage
from segue.export.labels import label_of, labels_of
from segue.export.picture_files import PictureFile, read_picture
from segue.files.atomic import replacing
from segue.files.unicode import well_formed
from segue.values.region import Region

ROW_GROUP_SIZE = 100
FILE_BYTES = 256 * 2**20
"""Of pictures, after which another file is begun."""


def write_parquet(
    pictures: Sequence[AnnotatedImage],
    target: str | Path,
    *,
    categories: Sequence[str] | None = None,
) -> list[Path]:
    """Write all pictures into one table, without their pixels.

    Args:
        pictures: what to write.
        target: the .parquet file.
        categories: the classes in the order of their numbers; None: as they occur.

    Returns:
        The one file.

    Raises:
        InputError: a region is called by none of the categories, or the file cannot be written.
        MissingExtra: pyarrow is not installed.
    """
    labels = labels_of(pictures, categories)
    rows = (_row(picture, labels) for picture in pictures)
    return [_write(rows, Path(target), labels, with_images=False)]


def write_hf_dataset(
    pictures: Sequence[AnnotatedImage],
    target: str | Path,
    *,
    categories: Sequence[str] | None = None,
    files: Mapping[str, PictureFile] | None = None,
) -> list[Path]:
    """Write a folder that the library datasets loads, with the pictures inside.

    Args:
        pictures: what to write.
        target: the folder.
        categories: the classes in the order of their numbers; None: as they occur.
        files: the pictures by name; None: they are left out, and so is the column of them.

    Returns:
        The files, in the order of the pictures.

    Raises:
        InputError: a region is called by none of the categories, or a file cannot be written.
        MissingExtra: pyarrow is not installed.
    """
    labels = labels_of(pictures, categories)
    rows = _with_images((_row(picture, labels) for picture in pictures), files)
    written: list[Path] = []
    first = next(rows, None)
    while first is not None or not written:
        part = _until_full(first, rows) if first is not None else iter(())
        name = f"data-{len(written):05}.parquet"
        written.append(_write(part, Path(target) / name, labels, with_images=files is not None))
        first = next(rows, None)
    return written


def _with_images(
    rows: Iterable[dict[str, Any]], files: Mapping[str, PictureFile] | None
) -> Iterator[dict[str, Any]]:
    for row in rows:
        if files is None:
            yield row
        else:
            name = row["file_name"]
            content = read_picture(files[name]) if name in files else None
            yield {"image": {"bytes": content, "path": Path(name).name}, **row}


def _until_full(first: dict[str, Any], rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield rows until their pictures fill a file."""
    n_bytes = 0
    row: dict[str, Any] | None = first
    while row is not None:
        yield row
        n_bytes += len((row.get("image") or {}).get("bytes") or b"")
        row = next(rows, None) if n_bytes < FILE_BYTES else None


def _row(picture: AnnotatedImage, labels: Sequence[str]) -> dict[str, Any]:
    numbers = {label: number for number, label in enumerate(labels)}
    regions = picture.regions
    return {
        "file_name": well_formed(picture.name),
        "width": picture.size.width,
        "height": picture.size.height,
        "objects": {
            "id": [well_formed(region.id) for region in regions],
            "label": [well_formed(label_of(region)) for region in regions],
            "category": [numbers[label_of(region)] for region in regions],
            "bbox": [_xywh(region) for region in regions],
            "area": [_area(region) for region in regions],
            "score": [region.score for region in regions],
            "found_by": [region.found_by for region in regions],
            "mask": [None if r.mask is None else r.mask.rle["counts"] for r in regions],
        },
    }


def _xywh(region: Region) -> list[float]:
    box = region.box
    return [float(box.x0), float(box.y0), float(box.width), float(box.height)]


def _area(region: Region) -> float:
    return float(region.box.area if region.mask is None else region.mask.area)


def _write(
    rows: Iterable[dict[str, Any]], file: Path, labels: Sequence[str], *, with_images: bool
) -> Path:
    arrow = _pyarrow()
    from pyarrow import parquet

    schema = _schema(arrow, labels, with_images)
    try:
        with replacing(file) as part, parquet.ParquetWriter(part, schema) as writer:
            group: list[dict[str, Any]] = []
            for row in rows:
                group.append(row)
                if len(group) >= ROW_GROUP_SIZE:
                    writer.write_table(arrow.Table.from_pylist(group, schema))
                    group = []
            writer.write_table(arrow.Table.from_pylist(group, schema))
    except arrow.ArrowException as error:
        raise InputError(f"{file} cannot be written: {error}.") from error
    return file


def _schema(arrow: Any, labels: Sequence[str], with_images: bool) -> Any:
    """Return the columns, and the same as features of the library datasets."""
    text, integer, number = arrow.string(), arrow.int64(), arrow.float64()
    columns = {
        "id": (text, _value("string")),
        "label": (text, _value("string")),
        "category": (
            integer,
            {"names": [well_formed(label) for label in labels], "_type": "ClassLabel"},
        ),
        "bbox": (arrow.list_(number), {"feature": _value("float64"), "_type": "Sequence"}),
        "area": (number, _value("float64")),
        "score": (number, _value("float64")),
        "found_by": (text, _value("string")),
        "mask": (text, _value("string")),
    }
    objects = arrow.struct([(name, arrow.list_(kind)) for name, (kind, _) in columns.items()])
    fields = [("file_name", text), ("width", integer), ("height", integer), ("objects", objects)]
    features: dict[str, Any] = {
        "file_name": _value("string"),
        "width": _value("int64"),
        "height": _value("int64"),
        "objects": {
            name: {"feature": feature, "_type": "Sequence"}
            for name, (_, feature) in columns.items()
        },
    }
    if with_images:
        fields.insert(0, ("image", arrow.struct([("bytes", arrow.binary()), ("path", text)])))
        features = {"image": {"_type": "Image"}, **features}
    note = json.dumps({"info": {"features": features}})
    return arrow.schema(fields, metadata={"huggingface": note})


def _value(dtype: str) -> dict[str, Any]:
    return {"dtype": dtype, "_type": "Value"}


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "Parquet needs the 'parquet' extra (pyarrow is not installed). "
            "Run: pip install 'segue[parquet]'"
        ) from error
    return pyarrow
