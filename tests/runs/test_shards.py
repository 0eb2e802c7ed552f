"""Whole runs on shards and tables: the results are those of the same pictures as files."""

import io
import json
import tarfile

import pytest

import segue
from builders import an_image
from segue.chat.scripted import Scripted
from segue.detect.fixed import Fixed
from segue.errors import InputError
from segue.export.reading import read_data_set
from segue.export.writing import ExportPlan, write_data_set
from segue.runs.annotate import annotate
from segue.runs.settings import RunSettings, parse_classes
from segue.segment.box_fill import BoxFill

PLACES = {"dog": [[8, 6, 24, 18, 0.9]]}
CONTENTS = [an_image(seed=number).to_png_bytes() for number in range(4)]


def an_assistant(replies=("words",) * 99):
    return segue.Assistant(Scripted(list(replies)), Fixed(PLACES), BoxFill())


@pytest.fixture
def sources(tmp_path):
    """The same pictures in every form: form -> source."""
    arrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from pyarrow import parquet

    (tmp_path / "files").mkdir()
    cells = []
    with tarfile.open(tmp_path / "shard.tar", "w") as archive:
        for number, content in enumerate(CONTENTS):
            name = f"{number:06}.png"
            (tmp_path / "files" / name).write_bytes(content)
            cells.append({"bytes": content, "path": None})
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    parquet.write_table(arrow.table({"image": cells}), tmp_path / "shard.parquet")
    fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed")
    storage = fsspec.filesystem("memory")
    storage.store.clear()
    storage.put(str(tmp_path / "files"), "/bucket/", recursive=True)
    yield {
        "files": tmp_path / "files",
        "tar": tmp_path / "shard.tar",
        "parquet": tmp_path / "shard.parquet",
        "storage": "memory://bucket/files",
    }
    storage.store.clear()


def findings(store):
    """What was found, without where the pictures lie."""
    return [
        (result.stamp.digest, result.size, [(r.box, r.mask, r.score) for r in result.regions])
        for result in store.results()
    ]


@pytest.mark.parametrize("form", ["tar", "parquet", "storage"])
def test_results_are_those_of_files_and_a_run_goes_on(sources, tmp_path, form):
    expected = findings(
        annotate(sources["files"], tmp_path / "f", classes="dog", assistant=an_assistant())
    )
    for _ in range(2):
        store = annotate(sources[form], tmp_path / "run", classes="dog", assistant=an_assistant())
        assert findings(store) == expected
    assert len((tmp_path / "run" / "journal.jsonl").read_text().splitlines()) == 4


@pytest.mark.parametrize("form", ["tar", "parquet", "storage"])
def test_an_export_copies_the_pictures_out_of_shards(sources, tmp_path, form):
    annotate(sources[form], tmp_path / "run", classes="dog", assistant=an_assistant())
    data = read_data_set(tmp_path / "run")
    report = write_data_set(data, ExportPlan(format="coco", target=tmp_path / "coco"))
    assert report.parts[0].copied == 4
    document = json.loads((tmp_path / "coco" / "instances.json").read_text())
    for image, content in zip(document["images"], CONTENTS, strict=True):
        assert image["file_name"].endswith(".png")
        assert (tmp_path / "coco" / "images" / image["file_name"]).read_bytes() == content


def test_a_shard_that_is_gone_is_counted_by_an_export(sources, tmp_path):
    annotate(sources["tar"], tmp_path / "run", classes="dog", assistant=an_assistant())
    sources["tar"].unlink()
    skipped = []
    data = read_data_set(tmp_path / "run", skipped=skipped)
    report = write_data_set(data, ExportPlan(format="coco", target=tmp_path / "coco"))
    assert len(report.parts[0].not_copied) == 4
    assert "its picture cannot be copied" in skipped[0]


def test_each_picture_is_asked_its_own_question_and_a_changed_one_again(sources, tmp_path):
    table = tmp_path / "files" / "table.csv"
    table.write_text("path,q\n000000.png,Where is the dog?\n000001.png,Find it.\n000002.png,\n")
    reply = "<ref>dog</ref><box>(125,125),(375,375)</box>"

    def run():
        return {
            result.name: result
            for result in annotate(
                table, tmp_path / "run", ask_column="q", assistant=an_assistant([reply] * 9)
            ).results()
        }

    results = run()
    assert [result.question for result in results.values()] == ["Where is the dog?", "Find it.",
                                                                None]  # fmt: skip
    assert [len(result.regions) for result in results.values()] == [1, 1, 0]
    assert results["000002.png"].error == "It has no question in 'q'."
    table.write_text(table.read_text().replace("Find it.", "Find the dog."))
    assert run()["000001.png"].question == "Find the dog."
    journal = (tmp_path / "run" / "journal.jsonl").read_text().splitlines()
    assert [json.loads(line)["name"] for line in journal].count("000001.png") == 2
    assert len(journal) == 4


def test_a_column_and_one_question_for_all_exclude_each_other():
    with pytest.raises(InputError, match="--ask-column"):
        RunSettings(question="Where?", ask_column="q")


def test_settings_of_earlier_versions_are_read_and_written_as_they_were():
    settings = RunSettings(classes=parse_classes("dog"))
    assert "ask_column" not in settings.to_json()
    assert RunSettings.from_json(settings.to_json()) == settings
    asking = RunSettings(ask_column="q")
    assert RunSettings.from_json(asking.to_json()) == asking
