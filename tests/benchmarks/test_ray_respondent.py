"""Models in processes of Ray give what they give here, each answer once, through deaths."""

import json
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import segue
from segue.benchmarks import BENCHMARKS
from segue.benchmarks.item import BenchmarkItem
from segue.benchmarks.ray_respondent import (
    ItemWorker,
    RayRespondent,
    located_item_from_json,
    located_item_to_json,
)
from segue.benchmarks.respondent import ItemRespondent, LocatedItem
from segue.benchmarks.run import BenchmarkRun, Shard
from segue.detect.fixed import Fixed
from segue.runs.sources.locations import ParquetCell
from segue.segment.box_fill import BoxFill

pytestmark = [pytest.mark.xdist_group("ray"), pytest.mark.filterwarnings("ignore")]

TABLE = {"airplane": [(133, 35, 445, 347, 0.9)], "dog": [(100, 220, 310, 410, 0.8)]}


class DyingOnce(Fixed):
    """A detector whose process dies when it is first asked for a dog."""

    def __init__(self, marker: str) -> None:
        super().__init__(TABLE)
        self.marker = Path(marker)

    def find(self, image, phrases, *arguments, **options):
        if "dog" in phrases and self.marker.name and not self.marker.exists():
            self.marker.write_text("died")
            os._exit(9)
        return super().find(image, phrases, *arguments, **options)


@dataclass(frozen=True)
class Factory:
    """Makes a respondent of stand-ins in a worker."""

    marker: str = ""
    threshold: float | None = None

    def __call__(self) -> ItemRespondent:
        assistant = segue.load(chat=None, detect=DyingOnce(self.marker), segment=BoxFill())
        return ItemRespondent(assistant, "detector", "{sent}", self.threshold)


@pytest.fixture
def run(tmp_path) -> BenchmarkRun:
    benchmark = BENCHMARKS.load("grefcoco")
    benchmark.write_demo(tmp_path)
    return BenchmarkRun(
        benchmark=benchmark,
        dataset=benchmark.read(tmp_path, "val", None),
        protocol=benchmark.protocol("gres"),
        folder=tmp_path / "run",
        limit=12,
    )


def ask(run: BenchmarkRun, respondent) -> None:
    run.start(respondent)
    list(run.ask(respondent, run.open_items(Shard()), Shard()))


def test_a_run_on_ray_has_each_answer_once_though_a_worker_died(run, tmp_path):
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'segue[ray]'")
    here = replace(run, folder=tmp_path / "here")
    ask(here, Factory()())
    first = replace(run, limit=4)
    ask(first, Factory()())  # a run goes on with another engine
    ray.init("local", num_cpus=1, include_dashboard=False, log_to_driver=False)
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers do not see tests/
    try:
        marker = tmp_path / "died"
        with RayRespondent(Factory(str(marker)), workers=1) as respondent:
            ask(run, respondent)
    finally:
        ray.shutdown()
    assert marker.exists()
    lines = (run.folder / "answers.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)["id"] for line in lines) == sorted(i.id for i in run.items)
    assert run.report().to_json()["figures"] == here.report().to_json()["figures"]


def rows_of(factory: Factory, facts, questions) -> list:
    arrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    block = arrow.table({"work": [located_item_to_json(question) for question in questions]})
    return [json.loads(row) for row in ItemWorker(factory, facts)(block)["row"]]


def test_a_worker_with_other_models_refuses(run):
    facts = Factory(threshold=0.5)().facts()
    (row,) = rows_of(Factory(), facts, [LocatedItem(run.items[0])])
    assert row["failure"][0] == "InputError"
    assert "has other models than the run: threshold was 0.5, is None" in row["failure"][1]


def test_a_worker_that_does_not_see_a_picture_ends_the_run(tmp_path):
    item = BenchmarkItem(id="q", image_name="a.png", phrases=("dog",))
    question = LocatedItem(item, [tmp_path / "a.png"])
    (row,) = rows_of(Factory(), Factory()().facts(), [question])
    assert "Pictures need the same path on all machines" in row["failure"][1]


def test_items_travel_without_their_truth():
    cell = ParquetCell("/shards/0.parquet", (10, 20), 3, "image")
    names = ("v/0.jpg", "v/1.jpg")
    item = BenchmarkItem(id="é", image_name=names[0], phrases=("鸟",), frame_names=names)
    question = LocatedItem(item, [Path("/Ä/\udcff.png"), cell])
    text = located_item_to_json(question)
    assert text.isascii()
    assert located_item_from_json(json.loads(text)) == question
