"""Parquet tables and data sets for Hugging Face."""

import json

import pytest

from builders import SIZE, a_mask, a_region, an_image
from segue.errors import InputError
from segue.export import AnnotatedImage
from segue.export import parquet as export_parquet
from segue.export.parquet import write_hf_dataset, write_parquet
from segue.export.reading import DataSet
from segue.export.writing import ExportPlan, write_data_set
from segue.runs.sources import find_pictures
from segue.values.mask import Mask

arrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
from pyarrow import parquet  # noqa: E402

PICTURES = [
    AnnotatedImage("a.png", SIZE, (a_region("r1", "dog", score=0.5), a_region("r2", "cat"))),
    AnnotatedImage("deep/b.png", SIZE, (a_region("r1", "cat", masked=False),)),
    AnnotatedImage("c.png", SIZE),
]


@pytest.fixture
def files(tmp_path):
    places = {picture.name: tmp_path / "in" / picture.name for picture in PICTURES}
    for number, file in enumerate(places.values()):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(an_image(seed=number).to_png_bytes())
    return places


def features_of(file):
    note = json.loads(parquet.read_schema(file).metadata[b"huggingface"])
    return note["info"]["features"]


def test_a_row_has_all_that_is_known_of_a_picture(tmp_path):
    (file,) = write_parquet(PICTURES, tmp_path / "x.parquet", categories=["cat", "dog"])
    first, second, third = parquet.read_table(file).to_pylist()
    assert (first["file_name"], first["width"], first["height"]) == ("a.png", 64, 48)
    objects = first["objects"]
    assert (objects["label"], objects["category"]) == (["dog", "cat"], [1, 0])
    assert objects["bbox"][0] == [8, 6, 16, 12]
    assert (objects["score"], objects["found_by"]) == ([0.5, None], ["chat", "chat"])
    counts = {"size": [first["height"], first["width"]], "counts": objects["mask"][0]}
    assert Mask.from_rle(counts) == a_mask()
    assert second["objects"]["mask"] == [None]
    assert third["objects"]["id"] == []
    assert features_of(file)["objects"]["category"]["feature"]["names"] == ["cat", "dog"]


def test_a_data_set_has_its_pictures_inside_and_annotate_reads_them(tmp_path, files):
    (file,) = write_hf_dataset(PICTURES, tmp_path / "hf", files=files)
    assert features_of(file)["image"] == {"_type": "Image"}
    rows = parquet.read_table(file).to_pylist()
    assert [row["image"]["path"] for row in rows] == ["a.png", "b.png", "c.png"]
    contents = [row["image"]["bytes"] for row in rows]
    assert contents == [place.read_bytes() for place in files.values()]
    assert [picture.location.read() for picture in find_pictures([file])] == contents


def test_large_data_sets_become_several_files(tmp_path, files, monkeypatch):
    monkeypatch.setattr(export_parquet, "FILE_BYTES", 1)
    parts = write_hf_dataset(PICTURES, tmp_path / "hf", files=files)
    assert [part.name for part in parts] == [f"data-{n:05}.parquet" for n in range(3)]
    rows = [row for part in parts for row in parquet.read_table(part).to_pylist()]
    assert [row["file_name"] for row in rows] == [picture.name for picture in PICTURES]


def test_a_plan_splits_embeds_and_counts(tmp_path, files):
    data = DataSet(PICTURES, {name: file for name, file in files.items() if name != "c.png"})
    plan = ExportPlan(format="hf-dataset", target=tmp_path / "hf", splits={"all": 1.0})
    (part,) = write_data_set(data, plan).parts
    assert (part.copied, part.not_copied, part.regions) == (2, ["c.png"], 3)
    assert [file.relative_to(tmp_path) for file in part.files] == [
        (tmp_path / "hf" / "all" / "data-00000.parquet").relative_to(tmp_path)
    ]
    rows = parquet.read_table(part.files[0]).to_pylist()
    assert [row["image"]["bytes"] is None for row in rows] == [False, False, True]
    bare = ExportPlan(format="hf-dataset", target=tmp_path / "bare", pictures="none")
    (part,) = write_data_set(data, bare).parts
    assert "image" not in parquet.read_schema(part.files[0]).names
    table = ExportPlan(format="parquet", target=tmp_path / "table")
    (part,) = write_data_set(data, table).parts
    assert (tmp_path / "table" / "images" / "deep" / "b.png").is_file()


def test_no_picture_at_all_is_an_empty_table(tmp_path):
    (file,) = write_hf_dataset([], tmp_path / "hf", files={})
    assert parquet.read_table(file).num_rows == 0


def test_a_class_that_is_not_listed_is_refused(tmp_path):
    with pytest.raises(InputError, match="lack 'dog'"):
        write_parquet(PICTURES, tmp_path / "x.parquet", categories=["cat"])
