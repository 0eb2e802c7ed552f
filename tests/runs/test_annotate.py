"""Whole runs: rules, both routes, broken pictures, interruptions."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

import segue
from builders import an_image, like_a_photograph
from concepts import FixedConcepts, UnaskedSegmenter
from segue.chat.scripted import Scripted
from segue.detect.fixed import Fixed
from segue.errors import InputError, ModelError
from segue.runs.annotate import AnnotationRun, annotate
from segue.runs.sources import find_pictures
from segue.runs.store import RunStore
from segue.segment.box_fill import BoxFill
from segue.segment.everything import EverythingOptions
from segue.values.image import Image

PLACES = {
    "dog": [[8, 6, 24, 18, 0.9], [40, 20, 60, 40, 0.4]],
    "puppy": [[9, 6, 24, 18, 0.7]],
    "cat": [[8, 7, 24, 18, 0.6]],
    "wolf": [[40, 20, 60, 40, 0.5]],
}
POINTING = (
    "<ref>a dog</ref><box>(125,125),(375,375)</box> <ref>tree</ref><box>(0,0),(900,900)</box>"
)


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.png").write_bytes(an_image(seed=number).to_png_bytes())
    return folder


def an_assistant(*replies):
    return segue.Assistant(Scripted(list(replies) or ["words"] * 99), Fixed(PLACES), BoxFill())


def found(store):
    return {
        result.name: [(r.phrase, r.score) for r in result.regions] for result in store.results()
    }


def only(store):
    return found(store)["0.png"]


def test_masks_of_a_detector_that_segments_need_no_segmenter(pictures, tmp_path):
    detector = FixedConcepts(PLACES, {"puppy": 0.8})
    assistant = segue.Assistant(None, detector, UnaskedSegmenter())
    store = annotate(pictures, tmp_path / "run", assistant=assistant, classes="dog=puppy, cat")
    for result in store.results():
        assert [(r.phrase, r.box.corners) for r in result.regions] == [
            ("dog", (9, 6, 24, 18)),
            ("cat", (8, 7, 24, 18)),
        ]
        assert all(0 < r.mask.area < r.box.area for r in result.regions)
        assert [str(r.verdict) for r in result.regions] == ["present (80 %)", "absent (25 %)"]


def test_everything_is_one_class_and_the_rules_hold_for_it(pictures, tmp_path):
    rules = {"everything": EverythingOptions(points_per_side=3), "max_per_class": 4}
    store = annotate(pictures / "0.png", tmp_path / "run", assistant=an_assistant(), **rules)
    (result,) = store.results()
    assert [(r.phrase, r.found_by, r.score) for r in result.regions] == [
        ("object", "segmenter", 1.0)
    ] * 4
    assert result.notices == ("left out by the rules: 5 beyond the number of its class",)
    assert RunStore(tmp_path / "run").settings == store.settings
    assert store.settings.names == ("object",)
    with pytest.raises(InputError, match="without classes, questions or boxes"):
        annotate(pictures, tmp_path / "other", assistant=an_assistant(), classes="dog", **rules)
    with pytest.raises(InputError, match="needs a segmenter"):
        annotate(pictures, tmp_path / "other", assistant=segue.Assistant(None, None, None), **rules)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"classes": "dog"}, [("dog", 0.9), ("dog", 0.4)]),
        ({"classes": "dog:0.5"}, [("dog", 0.9)]),
        ({"classes": "dog", "threshold": 0.5}, [("dog", 0.9)]),
        ({"classes": "dog:0.3", "threshold": 0.5}, [("dog", 0.9), ("dog", 0.4)]),
        ({"classes": "pet=dog|puppy"}, [("pet", 0.9), ("pet", 0.4)]),
        ({"classes": "dog,cat"}, [("dog", 0.9), ("dog", 0.4), ("cat", 0.6)]),
        ({"classes": "dog,cat", "max_overlap": 0.5}, [("dog", 0.9), ("dog", 0.4)]),
        ({"classes": "dog,cat", "max_per_class": 1}, [("dog", 0.9), ("cat", 0.6)]),
        ({"classes": "dog", "negatives": ("wolf",)}, [("dog", 0.9)]),
        ({"classes": "dog", "min_area": 250.0}, [("dog", 0.4)]),
        ({"classes": "unicorn"}, []),
    ],
)
def test_rules_say_what_is_kept(pictures, tmp_path, settings, expected):
    store = annotate(pictures / "0.png", tmp_path / "run", assistant=an_assistant(), **settings)
    scores = [(name, pytest.approx(score)) for name, score in expected]
    assert only(store) == scores
    (result,) = store.results()
    assert all(region.mask is not None for region in result.regions)
    assert [region.id for region in result.regions] == [f"r{n + 1}" for n in range(len(expected))]
    n_found = sum(len(PLACES.get(p, [])) for rule in store.settings.classes for p in rule.phrases)
    by_rules = settings.keys() & {"max_overlap", "max_per_class", "negatives", "min_area"}
    assert bool(result.notices) == bool(by_rules)
    if by_rules:
        (notice,) = result.notices
        counts = [int(number) for number in re.findall(r"\d+", notice)]
        assert sum(counts) == n_found - len(expected)
    missing = {rule.name for rule in store.settings.classes} - {name for name, _ in expected}
    assert set(result.not_found) == missing


def test_a_question_gives_regions_of_the_classes_and_says_what_it_left_out(pictures, tmp_path):
    run = {"classes": "dog:0.95", "question": "Where is it?", "assistant": an_assistant(POINTING)}
    store = annotate(pictures / "0.png", tmp_path / "run", **run)
    (result,) = store.results()
    assert [(r.phrase, r.found_by, r.agreement) for r in result.regions] == [("dog", "chat", 0.0)]
    assert "left out, as no class: tree" in result.notices


def test_a_question_without_classes_keeps_every_phrase(pictures, tmp_path):
    store = annotate(
        pictures / "0.png", tmp_path / "run", question="what?", assistant=an_assistant(POINTING)
    )
    assert [name for name, _ in only(store)] == ["a dog", "tree"]


def test_both_routes_say_how_far_they_agree(pictures, tmp_path):
    store = annotate(
        pictures / "0.png", tmp_path / "run", classes="dog", question="Where is the dog?",
        assistant=an_assistant(POINTING),
    )  # fmt: skip
    (result,) = store.results()
    assert [round(region.agreement, 1) for region in result.regions] == [1.0, 0.0]


def test_boxes_of_coco_instances_are_segmented(pictures, tmp_path):
    document = {
        "images": [{"id": 1, "file_name": "0.png"}],
        "categories": [{"id": 7, "name": "kite"}],
        "annotations": [{"image_id": 1, "category_id": 7, "bbox": [4, 4, 10, 20]}],
    }
    (tmp_path / "coco.json").write_text(json.dumps(document))
    store = annotate(
        tmp_path / "coco.json", tmp_path / "run", images=pictures, from_boxes=True,
        assistant=an_assistant(),
    )  # fmt: skip
    (result,) = store.results()
    (region,) = result.regions
    assert (region.phrase, region.mask.area, region.found_by) == ("kite", 200, "user")


def test_a_broken_picture_is_a_result_with_its_reason_and_the_run_goes_on(pictures, tmp_path):
    (pictures / "1.png").write_text("no picture")
    store = annotate(pictures, tmp_path / "run", classes="dog", assistant=an_assistant())
    results = {result.name: result for result in store.results()}
    assert len(results) == 3
    assert "not a picture" in results["1.png"].error
    again = AnnotationRun(
        find_pictures([pictures]), tmp_path / "run", store.settings, an_assistant()
    )
    assert again.pending == []
    retried = AnnotationRun(
        find_pictures([pictures]), tmp_path / "run", store.settings, an_assistant(),
        retry_failed=True,
    )  # fmt: skip
    assert [picture.name for picture in retried.pending] == ["1.png"]


def test_a_name_that_cannot_be_kept_and_a_pipe_are_results_with_their_reasons(pictures, tmp_path):
    (pictures / "0.png").rename(os.fsdecode(os.fsencode(pictures) + b"/caf\xe9.png"))
    os.mkfifo(pictures / "pipe.png")
    (tmp_path / "list.txt").write_text("pipe.png\n")
    sources = [pictures, tmp_path / "list.txt"]
    store = annotate(
        sources, tmp_path / "run", images=pictures, classes="dog", assistant=an_assistant()
    )
    errors = {result.name: result.error for result in store.results()}
    assert errors["caf\N{REPLACEMENT CHARACTER}.png"] == (
        "Its name is in no known encoding. Rename the file."
    )
    assert errors["pipe.png"] == "It is no file."
    assert len(errors) == 4


def test_equal_names_of_two_folders_stay_two_pictures_whatever_the_order(pictures, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "0.png").write_bytes(an_image(seed=9).to_png_bytes())
    run = {"folder": tmp_path / "run", "classes": "dog", "assistant": an_assistant()}
    annotate(pictures, **run)
    first = list(annotate(other, **run).results())
    assert sorted(result.path for result in first) == sorted(
        map(str, [*pictures.iterdir(), other / "0.png"])
    )
    for sources in ([pictures, other], [other, pictures], [other]):
        assert list(annotate(sources, **run).results()) == first
    (pictures / "0.png").rename(tmp_path / "moved.png")
    assert len(list(annotate([pictures, tmp_path / "moved.png"], **run).results())) == 5


def test_a_copy_of_a_folder_is_known(pictures, tmp_path):
    run = {"folder": tmp_path / "run", "classes": "dog", "assistant": an_assistant()}
    first = list(annotate(pictures, **run).results())
    shutil.copytree(pictures, tmp_path / "copy")
    assert list(annotate(tmp_path / "copy", **run).results()) == first


def test_a_changed_picture_is_done_again_and_a_touched_one_is_not(pictures, tmp_path):
    annotate(pictures, tmp_path / "run", classes="dog", assistant=an_assistant())
    (pictures / "0.png").write_bytes(an_image(seed=77).to_png_bytes())
    os.utime(pictures / "1.png", ns=(1, 1))
    settings = RunStore(tmp_path / "run").settings
    run = AnnotationRun(find_pictures([pictures]), tmp_path / "run", settings, an_assistant())
    done = [result and result.name for result in run.results()]
    assert done == ["0.png", None]
    assert len(list(run.store.results())) == 3


class Failing(Fixed):
    """Fails after some pictures."""

    def __init__(self, n_good):
        super().__init__(PLACES)
        self.n_left = n_good

    def find(self, *arguments, **options):
        self.n_left -= 1
        if self.n_left < 0:
            raise ModelError("the card is gone")
        return super().find(*arguments, **options)


def test_photographs_before_the_bundled_models_are_noticed(tmp_path):
    Image(like_a_photograph()).to_pil().save(tmp_path / "photo.png")
    store = annotate(tmp_path / "photo.png", tmp_path / "run", classes="dog",
                     assistant=segue.load("embedded", chat=None))  # fmt: skip
    (result,) = store.results()
    (notice,) = result.notices
    assert "looks like a photograph" in notice


def test_a_failing_model_ends_the_run_and_the_next_one_goes_on(pictures, tmp_path):
    assistant = an_assistant()
    assistant.detector = Failing(2)
    with pytest.raises(ModelError, match="the card is gone"):
        annotate(pictures, tmp_path / "run", classes="dog", assistant=assistant)
    assert len(list(RunStore(tmp_path / "run").results())) == 2
    store = annotate(pictures, tmp_path / "run", classes="dog", assistant=an_assistant())
    assert len(found(store)) == 3


def test_models_that_are_needed_are_asked_for(pictures, tmp_path):
    nothing = segue.Assistant(None, None, BoxFill())
    with pytest.raises(InputError, match="needs a detector"):
        annotate(pictures, tmp_path / "a", classes="dog", assistant=nothing)
    with pytest.raises(InputError, match="needs a chat model"):
        annotate(pictures, tmp_path / "b", question="what?", assistant=nothing)
    with pytest.raises(InputError, match="Nothing to look for"):
        annotate(pictures, tmp_path / "c", assistant=nothing)


def test_without_a_detector_classes_sort_what_the_chat_model_says(pictures, tmp_path):
    reply = (
        "<ref>two dogs</ref><box>(10,10),(40,40)</box> <ref>a tram</ref><box>(5,5),(99,99)</box>"
    )
    assistant = segue.Assistant(Scripted({"what?": reply}), None, BoxFill())
    store = annotate(
        pictures, tmp_path / "run", classes="dog, cat", question="what?", assistant=assistant
    )
    (result, *_) = [one for one in store.results() if one.error is None]
    assert [(region.phrase, region.agreement) for region in result.regions] == [("dog", None)]
    assert result.not_found == ("cat",)
    assert "left out, as no class: a tram" in result.notices


SCRIPT = """
import signal, sys
import segue
from segue.detect.fixed import Fixed
from segue.segment.box_fill import BoxFill
from segue.values.image import Image
from segue.runs.annotate import annotate

assistant = segue.Assistant(None, Fixed({"dog": [[8, 6, 24, 18, 0.9]]}), BoxFill())
signal.setitimer(signal.ITIMER_REAL, float(sys.argv[3]))  # its signal ends a process at once
annotate(sys.argv[1], sys.argv[2], classes="dog", assistant=assistant)
"""


@pytest.mark.skipif("not hasattr(__import__('signal'), 'setitimer')", reason="POSIX only")
def test_killed_at_any_moment_each_picture_has_exactly_one_result(tmp_path):
    pytest.importorskip("pyarrow")
    folder, run = tmp_path / "in", tmp_path / "run"
    folder.mkdir()
    content = an_image().to_png_bytes()
    for number in range(600):
        (folder / f"{number:03}.png").write_bytes(content)
    counts = [0]
    for milliseconds in (15, 30, 45, 60, 75):
        command = [sys.executable, "-c", SCRIPT, str(folder), str(run), str(milliseconds / 1000)]
        subprocess.run(command, check=False)
        has_begun = (run / "run.json").exists()  # not before that on a busy machine
        names = [result.name for result in RunStore(run).results()] if has_begun else []
        assert len(names) == len(set(names))
        counts.append(len(names))
    assert counts == sorted(counts)
    subprocess.run([*command[:-1], "0"], check=True)
    results = list(RunStore(run).results())
    assert sorted(result.name for result in results) == [f"{n:03}.png" for n in range(600)]
    assert {result.error for result in results} == {None}
