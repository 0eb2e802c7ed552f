"""The engine on Ray: what the local one gives, through deaths, failures and interruptions."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import segue
from builders import an_image
from segue.chat.scripted import Scripted
from segue.cli.app import main
from segue.detect.fixed import Fixed
from segue.errors import InputError, ModelError
from segue.runs.annotate import AnnotationRun, annotate
from segue.runs.ray_engine import PictureWorker, RayEngine, _picture_from_json, _picture_to_json
from segue.runs.settings import RunSettings, parse_classes
from segue.runs.sources import SourcePicture, find_pictures
from segue.runs.store import JOURNAL
from segue.segment.box_fill import BoxFill
from segue.values.box import Box

pytestmark = [pytest.mark.xdist_group("ray"), pytest.mark.filterwarnings("ignore")]

PLACES = {
    "dog": [[8, 6, 24, 18, 0.9], [40, 20, 60, 40, 0.4]],
    "puppy": [[9, 6, 24, 18, 0.7]],
    "wolf": [[40, 20, 60, 40, 0.3]],
}
REPLY = "<ref>a dog</ref><box>(125,125),(375,375)</box> <ref>tree</ref><box>(0,0),(900,900)</box>"
RULES = {
    "classes": "pet=dog|puppy, unicorn:0.5",
    "question": "Where is it?",
    "negatives": ("wolf",),
}
BAD = "03.png"


class Mishap(Fixed):
    """A detector to which something happens on one picture."""

    def __init__(self, kind: str = "", marker: str = "") -> None:
        super().__init__(PLACES)
        self.kind, self.marker = kind, Path(marker)

    def find(self, image, *arguments, **options):
        if image.name == BAD:
            if self.kind == "fail":
                raise ModelError("the card is gone")
            if self.kind == "bug":
                raise ZeroDivisionError("a bug")
            if self.kind == "die" or (self.kind == "die once" and not self.marker.exists()):
                with self.marker.open("a") as deaths:
                    deaths.write("died\n")
                os._exit(9)
        return super().find(image, *arguments, **options)


@dataclass(frozen=True)
class Factory:
    """Makes an assistant of stand-ins in a worker."""

    kind: str = ""
    marker: str = ""

    def __call__(self) -> segue.Assistant:
        if self.kind == "no weights":
            raise ModelError("there are no weights")
        return segue.Assistant(Scripted([REPLY] * 99), Mishap(self.kind, self.marker), BoxFill())


@pytest.fixture(scope="module")
def ray():
    reason = "Ray is not installed: pip install 'segue[ray]'"
    ray = pytest.importorskip("ray", reason=reason)
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers do not see tests/
    yield ray
    ray.shutdown()


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "in"
    (folder / "Ä").mkdir(parents=True)
    for number in range(9):
        (folder / f"{number:02}.png").write_bytes(an_image(seed=number).to_png_bytes())
    (folder / "Ä" / "鸟.png").write_bytes(an_image(seed=77).to_png_bytes())
    (folder / "broken.png").write_text("no picture")
    (folder / "cut.png").write_bytes(an_image(seed=1).to_png_bytes()[:200])
    return folder


def lines(store) -> list[str]:
    """What a run keeps, sorted by name, without how long it took."""
    rows = [result.to_json() for result in store.results()]
    for row in rows:
        row["seconds"] = 0
    return [json.dumps(row) for row in sorted(rows, key=lambda row: row["name"])]


def expected(pictures, tmp_path) -> list[str]:
    """What the local engine gives."""
    return lines(annotate(pictures, tmp_path / "local", assistant=Factory()(), **RULES))


def kept_names(run: Path) -> list[str]:
    """The names in a journal, as often as they stand there."""
    return [json.loads(line)["name"] for line in (run / JOURNAL).read_text().splitlines()]


def test_the_results_are_those_of_the_local_engine(ray, pictures, tmp_path):
    engine = RayEngine(Factory(), workers=2)
    store = annotate(pictures, tmp_path / "ray", assistant=engine, **RULES)
    assert lines(store) == expected(pictures, tmp_path)
    errors = {result.name: result.error for result in store.results() if result.error}
    assert sorted(errors) == ["broken.png", "cut.png"]
    assert len([result for result in store.results() if result.regions]) == 10
    manifests = [(tmp_path / name / "run.json").read_bytes() for name in ("ray", "local")]
    assert manifests[0] == manifests[1]
    assert ray.is_initialized()  # what was there before the engine stays


def test_a_failing_model_ends_the_run_and_the_results_before_it_are_kept(ray, pictures, tmp_path):
    engine = RayEngine(Factory("fail"), workers=1)
    with pytest.raises(ModelError, match="the card is gone"):
        annotate(pictures, tmp_path / "ray", assistant=engine, **RULES)
    names = kept_names(tmp_path / "ray")
    assert {"00.png", "01.png", "02.png"} <= set(names)
    assert BAD not in names
    store = annotate(pictures, tmp_path / "ray", assistant=RayEngine(Factory(), workers=1), **RULES)
    assert lines(store) == expected(pictures, tmp_path)


def test_an_interrupted_run_goes_on_and_may_change_its_engine(ray, pictures, tmp_path):
    settings = RunSettings(**{**RULES, "classes": parse_classes(RULES["classes"])})
    run = AnnotationRun(
        find_pictures([pictures]), tmp_path / "ray", settings, RayEngine(Factory(), workers=2)
    )
    results = run.results()
    next(results)
    results.close()
    assert len(kept_names(tmp_path / "ray")) == 1
    store = annotate(pictures, tmp_path / "ray", assistant=Factory()(), **RULES)
    assert lines(store) == expected(pictures, tmp_path)
    assert len(kept_names(tmp_path / "ray")) == 12


def test_a_worker_that_dies_loses_nothing_and_doubles_nothing(ray, pictures, tmp_path):
    marker = tmp_path / "died"
    engine = RayEngine(Factory("die once", str(marker)), workers=2)
    store = annotate(pictures, tmp_path / "ray", assistant=engine, **RULES)
    assert marker.read_text() == "died\n"
    assert lines(store) == expected(pictures, tmp_path)
    assert len(kept_names(tmp_path / "ray")) == 12


def test_a_picture_that_kills_workers_becomes_broken_and_the_run_goes_on(ray, pictures, tmp_path):
    marker = tmp_path / "died"
    engine = RayEngine(Factory("die", str(marker)), workers=2)
    store = annotate(pictures, tmp_path / "ray", assistant=engine, **RULES)
    assert marker.read_text() == "died\n" * 3
    deadly = {result.name: result.error for result in store.results()}.pop(BAD)
    assert deadly.startswith("3 workers died over it: it takes too much memory, or crashes")
    others = [line for line in expected(pictures, tmp_path) if json.loads(line)["name"] != BAD]
    assert [line for line in lines(store) if json.loads(line)["name"] != BAD] == others
    assert sorted(kept_names(tmp_path / "ray")) == sorted({*kept_names(tmp_path / "ray")})
    again = annotate(pictures, tmp_path / "ray", assistant=RayEngine(Factory("die")), **RULES)
    assert len(kept_names(tmp_path / "ray")) == 12
    assert lines(again) == lines(store)
    retried = annotate(
        pictures, tmp_path / "ray", assistant=RayEngine(Factory()), retry_failed=True, **RULES
    )
    assert lines(retried) == expected(pictures, tmp_path)


def test_models_that_cannot_be_loaded_are_told_before_the_run_begins(ray, pictures, tmp_path):
    with pytest.raises(ModelError, match="there are no weights"):
        annotate(pictures, tmp_path / "ray", assistant=RayEngine(Factory("no weights")), **RULES)
    assert not (tmp_path / "ray").exists()


def test_the_command_runs_on_ray_and_goes_on_locally(ray, pictures, tmp_path, capsys):
    (tmp_path / "places.json").write_text(json.dumps(PLACES))
    command = ["annotate", str(pictures), "-c", "dog", "-o", str(tmp_path / "run")]
    command += ["--detect", f"fixed:{tmp_path / 'places.json'}", "--segment", "box_fill:"]
    command += ["--chat", "none"]
    outputs = []
    for options in (["--engine", "ray", "--workers", "2"], []):
        with pytest.raises(SystemExit) as leaving:
            main([*command, *options])
        assert not leaving.value.code
        outputs.append(capsys.readouterr().out)
    assert "12 picture(s): 0 with nothing found, 2 failed" in outputs[0]
    assert "12 of 12 pictures done already" in outputs[1]


def test_no_cluster_at_an_address_is_told(tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'segue[ray]'")
    code = (
        "from segue.runs.ray_engine import RayEngine\n"
        "import socket; place = socket.create_server(('127.0.0.1', 0)).getsockname()[1]\n"
        "RayEngine(print, address=f'127.0.0.1:{place}')"
    )
    assert "There is no Ray cluster at '127.0.0.1:" in run_python(code).stderr


def test_more_gpus_than_there_are_is_told(ray):
    with pytest.raises(InputError, match=r"shall have 0.5 GPU\(s\), and Ray sees 0"):
        RayEngine(Factory(), gpus_per_worker=0.5)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"workers": 0}, "At least one worker is needed, got 0"),
        ({"gpus_per_worker": -1}, "got -1"),
        ({"gpus_per_worker": 1.5}, "got 1.5"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(options, said):
    with pytest.raises(InputError, match=said):
        RayEngine(Factory(), **options)


def a_block(pictures, known=None):
    """A block of pictures, as Ray gives it to a worker."""
    arrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    found = find_pictures([pictures])
    return arrow.table({"work": [_picture_to_json(one, known) for one in found]})


def rows_of(factory, facts, pictures, known=None):
    settings = RunSettings(classes=parse_classes("dog")).to_json()
    block = PictureWorker(factory, settings, facts)(a_block(pictures, known))
    return [json.loads(row) for row in block["row"]]


@pytest.fixture
def facts(pictures, tmp_path):
    store = annotate(pictures / "00.png", tmp_path / "facts", assistant=Factory()(), classes="dog")
    return {key: store.manifest[key] for key in ("models", "version")} | {"calibration": None}


@pytest.mark.parametrize("key", ["version", "calibration"])
def test_a_worker_with_another_version_or_calibration_refuses(pictures, facts, key):
    (row,) = rows_of(Factory(), {**facts, key: "other"}, pictures)
    assert row["failure"][0] == "InputError"
    assert f"{key} was 'other', is" in row["failure"][1]


def test_a_bug_in_a_worker_is_a_row_with_its_traceback(pictures, facts):
    *rows, last = rows_of(Factory("bug"), facts, pictures)
    assert [row["result"]["name"] for row in rows] == ["00.png", "01.png", "02.png"]
    assert last["failure"][0] == ""
    assert "in find" in last["failure"][1]


def test_a_picture_of_known_content_is_not_done_again(pictures, facts):
    first = rows_of(Factory(), facts, pictures / "00.png")[0]["result"]
    assert rows_of(Factory(), facts, pictures / "00.png", first["digest"]) == [{"result": None}]
    assert rows_of(Factory(), facts, pictures / "01.png", first["digest"])[0]["result"] is not None


@pytest.mark.parametrize("name", ["a.png", "Ä/鸟.png", "\udcff.png", "a\0.png", "new\nline.png"])
def test_every_file_name_travels(name):
    picture = SourcePicture.of_file(name, Path("/x") / name, (("dog", Box(1, 2.5, 3, 4)),))
    text = _picture_to_json(picture, "digest")
    assert text.isascii()
    assert _picture_from_json(json.loads(text)) == (picture, "digest")


def run_python(code: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-W", "ignore", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_ray_is_imported_only_where_it_is_used():
    code = "import segue.cli.app, segue.runs.annotate, sys; print('ray' in sys.modules)"
    assert run_python(code).stdout.strip() == "False"


def test_a_missing_ray_is_told_with_its_extra():
    code = (
        "import sys; sys.modules['ray'] = None\n"
        "from segue.runs.ray_engine import RayEngine; RayEngine(print)"
    )
    assert "pip install 'segue[ray]'" in run_python(code).stderr
