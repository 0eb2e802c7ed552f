"""`segue segment` with stand-ins."""

import io
import json
from pathlib import Path

import pytest

from segue.values.image import Image
from tiny_models import tiny_sam3


def test_phrases_boxes_and_clicks(run, picture: Path, stages: list[str], tmp_path: Path) -> None:
    options = stages[2:]
    outcome = run("segment", picture, "dog", "unicorn", *options, "--out", tmp_path / "o.png")
    assert outcome.code == 0, outcome.err
    assert outcome.out.splitlines()[-1].split() == (
        ["■", "r1", "dog", "10,", "5,", "30,", "25", "400", "px", "0.75", "detector"]
    )
    assert "not in the picture: unicorn" in outcome.out
    assert Image.open(tmp_path / "o.png").size == (48, 64)
    outcome = run("segment", picture, "--box", "30,25,10,5", *options, "--json", "-")
    written = json.loads(outcome.out)
    assert written["size"] == [48, 64]
    assert written["not_found"] == []
    (region,) = written["regions"]
    assert region["box"] == [10, 5, 30, 25]
    assert region["found_by"] == "user"
    outcome = run("segment", picture, "--point", "20,20", "--point", "50,40,0", *options)
    assert outcome.code == 0, outcome.err
    assert "user" in outcome.out


def piped(run, monkeypatch, picture: Path, *arguments: str) -> tuple[int, bytes, str]:
    """Run with the picture on standard input; return code, bytes written and errors."""
    output = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr("sys.stdout", output)
    outcome = run(*arguments, stdin=io.TextIOWrapper(io.BytesIO(picture.read_bytes())))
    output.flush()
    return outcome.code, output.buffer.getvalue(), outcome.err


def test_a_picture_goes_through_a_pipe(run, picture: Path, stages: list[str], monkeypatch) -> None:
    code, content, errors = piped(
        run, monkeypatch, picture, "segment", "-", "dog", "unicorn", *stages[2:], "--out", "-"
    )
    assert code == 0, errors
    assert Image.open(content).size == (48, 64)
    assert "not in the picture: unicorn" in errors


def test_targets_are_checked_before_models_run(run, picture: Path, tmp_path: Path) -> None:
    missing = ["--detect", str(tmp_path / "no such model")]
    for target, wrong in (("x.txt", "suffix of a picture format"), (str(tmp_path), "is a folder")):
        outcome = run("segment", picture, "dog", "--out", target, *missing)
        assert outcome.code == 2
        assert wrong in outcome.err
    outcome = run("segment", picture, "dog", "--out", "-", "--json", "-", *missing)
    assert outcome.code == 2
    assert "the picture or the JSON" in outcome.err
    outcome = run("ask", "-", "-", "What?", *missing)
    assert outcome.code == 2
    assert "more than once" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        ([], "give phrases, --box or --point"),
        (["--box", "1,2,3"], "Expected --box x0,y0,x1,y1 in pixels, got '1,2,3'"),
        (["--exemplar", "1,2"], "Expected --exemplar x0,y0,x1,y1 in pixels, got '1,2'"),
        (["dog", "--exemplar", "1,2,9,9"], "Examples need a detector that takes boxes, got 'emb"),
        (["--point", "a,b"], "Expected --point x,y or x,y,0 in pixels, got 'a,b'"),
        (["--point", "1,2,5"], "must be 0 or 1, got '1,2,5'"),
    ],
)
def test_what_cannot_be_used_is_refused(
    run, picture: Path, arguments: list[str], wrong: str
) -> None:
    outcome = run("segment", picture, *arguments)
    assert outcome.code == 2
    assert wrong in outcome.err


def test_a_model_that_segments_what_it_finds_needs_no_segmenter(
    run, picture: Path, tmp_path: Path
) -> None:
    folder = tiny_sam3(tmp_path / "sam3", box_threshold=0.0)
    stages = ("--detect", folder, "--segment", "facebook/sam-vit-base")
    outcome = run("segment", picture, "cat", *stages, "--json", "-", "--masks", tmp_path / "masks")
    assert outcome.code == 0, outcome.err
    regions = json.loads(outcome.out)["regions"]
    assert len(regions) == 12
    assert all(region["mask"]["size"] == [48, 64] for region in regions)
    assert {region["verdict"]["presence"] for region in regions} <= {"present", "absent"}
    assert len(list((tmp_path / "masks").iterdir())) == 12
    examples = ("--exemplar", "8,4,40,36", "--negative-exemplar", "0,0,6,6")
    outcome = run("segment", picture, *examples, *stages, "--json", "-")
    assert outcome.code == 0, outcome.err
    alike = json.loads(outcome.out)["regions"]
    assert {region["phrase"] for region in alike} == {""}
    assert [region["score"] for region in alike] != [region["score"] for region in regions]


def test_one_folder_is_the_detector_and_the_segmenter(run, picture: Path, tmp_path: Path) -> None:
    folder = tiny_sam3(tmp_path / "sam3", box_threshold=0.0)
    stages = ("--detect", folder, "--segment", folder)
    outcome = run("segment", picture, "cat", "--box", "8,4,40,36", *stages, "--json", "-")
    *found, by_hand = json.loads(outcome.out)["regions"]
    assert {region["found_by"] for region in found} == {"detector"}
    assert (by_hand["found_by"], by_hand["mask"]["size"]) == ("user", [48, 64])


def test_a_bundled_scene_is_named_in_the_place_of_a_file(run):
    done = run("segment", "sample:airport", "airplane")
    assert (done.code, "airplane" in done.out) == (0, True)
    wrong = run("segment", "sample:airprt", "airplane")
    assert wrong.code
    assert "Did you mean 'airport'" in wrong.err
