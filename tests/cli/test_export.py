"""`segue export`, and `/export` in `segue chat`."""

import json
import re
from pathlib import Path

import pytest

from builders import an_image
from segue.assistant import Assistant
from segue.export import FORMATS
from segue.export.layout import EXPORT_LAYOUTS, LAYOUTS
from segue.export.reading import read_pictures
from segue.segment.box_fill import BoxFill
from segue.values.box import Box

DOCS = Path(__file__).parent.parent.parent / "docs" / "export.md"


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    """A saved conversation about two pictures with two cats and a dog."""
    conversation = Assistant(segmenter=BoxFill()).open(
        an_image(name="a.jpg"), an_image(seed=1, name="b.png")
    )
    for phrase, image in (("cat", 0), ("dog", 0), ("cat", 1)):
        conversation.add_region(box=Box(2, 4, 9, 20), phrase=phrase, image=image)
    return conversation.save(tmp_path / "talk")


@pytest.mark.parametrize("name", list(FORMATS))
def test_a_session_becomes_a_data_set_and_another(run, talk, tmp_path, name) -> None:
    outcome = run("export", talk, "--format", name, "--out", tmp_path / "out")
    assert (outcome.code, outcome.err) == (0, "")
    assert f"read 2 picture(s) with 3 region(s) from a session: {talk}" in outcome.out
    assert f"wrote 2 picture(s) with 3 region(s) as {name}" in outcome.out
    assert "  cat  2\n  dog  1\n" in outcome.out
    assert "copied 2 picture(s)" in outcome.out
    assert LAYOUTS[name].loses in outcome.out
    assert "left out" not in outcome.out
    outcome = run("export", tmp_path / "out", "-f", "coco", "-o", tmp_path / "again.json")
    assert outcome.code == 0, outcome.err
    assert [len(p.regions) for p in read_pictures(tmp_path / "again.json")] == [2, 1]


def test_classes_and_splits_are_counted(run, talk, tmp_path) -> None:
    outcome = run("export", talk, "-f", "yolo", "-o", tmp_path / "out", "--classes", "zebra,cat",
                  "--split", "one=1", "--seed", "3", "--pictures", "none")  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert "one: wrote 2 picture(s) with 2 region(s) as yolo" in outcome.out
    assert "  zebra  0\n  cat  2\n" in outcome.out
    assert "left out 1 region(s), of another class: dog 1" in outcome.out
    assert "copied" not in outcome.out
    assert not (tmp_path / "out" / "one" / "images").exists()


def test_what_cannot_be_read_or_copied_is_said(run, tmp_path) -> None:
    images = [{"id": n, "file_name": f"{n}.png", "width": 10, "height": 10} for n in range(12)]
    entry = {"id": 1, "image_id": 99, "category_id": 1, "bbox": [1, 1, 2, 2]}
    document = {"images": images, "annotations": [entry], "categories": [{"id": 1, "name": "x"}]}
    (tmp_path / "set.json").write_text(json.dumps(document))
    outcome = run("export", tmp_path / "set.json", "-f", "voc", "-o", tmp_path / "out")
    assert outcome.code == 0, outcome.err
    assert "left out while reading: 1\n" in outcome.out
    assert "annotation 1: its picture 99 is not listed" in outcome.out
    assert "not copied, not found or no picture (--images names their folder): 12" in outcome.out
    assert "  and 2 more" in outcome.out
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "3.png").write_bytes(an_image().to_png_bytes())
    outcome = run("export", tmp_path / "set.json", "-f", "voc", "-o", tmp_path / "out", "--force",
                  "--images", folder)  # fmt: skip
    assert "copied 1 picture(s)" in outcome.out
    assert (tmp_path / "out" / "JPEGImages" / "3.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{talk}"], "Give what to export, a format and where to"),
        (["{talk}", "-f", "vox", "-o", "{out}"], "Did you mean 'voc'?"),
        (["{talk}", "-f", "voc", "-o", "{talk}", "--force"], "would overwrite the source"),
        (["{talk}/images", "-f", "voc", "-o", "{out}"], "Expected one of: a folder with session"),
        (["{talk}", "-f", "voc", "-o", "{out}", "--split", "a=2"], "above 0 and at most 1"),
        (["{talk}", "-f", "voc", "-o", "{out}", "--classes", "a,,b"], "a name of its own"),
    ],
)
def test_failures_write_nothing(run, talk, tmp_path, arguments, message) -> None:
    out = tmp_path / "out"
    outcome = run("export", *[word.format(talk=talk, out=out) for word in arguments])
    assert outcome.code == 2
    assert message in outcome.err
    assert not out.exists()


def test_formats_are_listed_with_what_they_lose(run) -> None:
    outcome = run("export", "--list")
    assert outcome.code == 0
    for name in FORMATS:
        assert re.search(rf"^ {name} .* {re.escape(LAYOUTS[name].loses)} *$", outcome.out, re.M)


def test_the_documentation_has_every_format_and_its_losses() -> None:
    rows = [line for line in DOCS.read_text("utf-8").splitlines() if line.startswith("| `")]
    losses = {row.split("`")[1]: row.strip("| ").split(" | ")[-1] for row in rows}
    assert losses == {name: layout.loses for name, layout in EXPORT_LAYOUTS.items()}


def test_a_talk_is_exported_while_it_goes_on(run, picture, stages, tmp_path) -> None:
    out = tmp_path / "out"
    lines = [f"/export coco {out}", "first", f"/export coco {out}", "/delete r1",
             f"/export coco {out} --force", "/export coco", f"/export cocoo {out}"]  # fmt: skip
    outcome = run("chat", picture, *stages, stdin="\n".join(lines))
    assert outcome.code == 0, outcome.err
    assert "wrote 1 picture(s) with 0 region(s) as coco" in outcome.out
    assert "exists and is not empty" in outcome.out
    assert "Expected /export FORMAT TARGET" in outcome.out
    assert "Did you mean 'coco'?" in outcome.out
    assert (out / "images" / "scene.png").is_file()
    outcome = run("chat", *stages, stdin=f"/export coco {out}")
    assert "There is no picture yet" in outcome.out


def test_a_talk_is_never_exported_over_its_session(run, picture, stages, tmp_path) -> None:
    folder = tmp_path / "kept"
    lines = f"first\n/export yolo {folder} --force\n"
    outcome = run("chat", picture, "--session", folder, *stages, stdin=lines)
    assert "would overwrite the source" in outcome.out
    assert not (folder / "data.yaml").exists()


@pytest.mark.parametrize("name", ["supervision", "parquet", "hf-dataset"])
def test_a_session_becomes_a_data_set_for_a_library(run, talk, tmp_path, name) -> None:
    if name != "supervision":
        pytest.importorskip("pyarrow")
    outcome = run("export", talk, "--format", name, "--out", tmp_path / "out")
    assert (outcome.code, outcome.err) == (0, "")
    assert f"wrote 2 picture(s) with 3 region(s) as {name}" in outcome.out
    assert "copied 2 picture(s)" in outcome.out
    assert EXPORT_LAYOUTS[name].loses in outcome.out
    assert name in run("export", "--list").out


@pytest.mark.parametrize("arguments", [["", "-o", "out"], [" ", "-o", "out"], ["talk", "-o", ""]])
def test_an_empty_name_is_not_the_current_folder(run, talk, monkeypatch, arguments) -> None:
    monkeypatch.chdir(talk)
    outcome = run("export", *arguments, "-f", "coco")
    assert outcome.code == 2
    assert "is empty. Name a folder or a file; this folder is '.'." in outcome.err


def test_a_long_list_of_classes_is_counted(run, tmp_path) -> None:
    image = an_image(name="a.png")
    conversation = Assistant(segmenter=BoxFill()).open(image)
    for number in range(45):
        conversation.add_region(box=Box(2, 4, 9, 20), phrase=f"thing {number}")
    conversation.save(tmp_path / "talk")
    outcome = run("export", tmp_path / "talk", "-f", "coco", "-o", tmp_path / "all")
    assert "  thing 19  1\n  and 25 more class(es) with 25 region(s)\n" in outcome.out
    outcome = run("export", tmp_path / "talk", "-f", "coco", "-o", tmp_path / "one",
                  "--classes", "thing 0")  # fmt: skip
    assert "left out 44 region(s), of another class: thing 1 1," in outcome.out
    assert "thing 20 1 and 24 more" in " ".join(outcome.out.split())
