"""A cluster of two nodes, each with processes of its own, on this machine."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from builders import an_image

pytestmark = [pytest.mark.xdist_group("ray"), pytest.mark.filterwarnings("ignore")]

PLACES = {"dog": [[8, 6, 24, 18, 0.9]]}
SCRIPT = """
import os, sys
from dataclasses import dataclass
from pathlib import Path
import ray
from ray.cluster_utils import Cluster
import segue
from segue.detect.fixed import Fixed
from segue.runs.annotate import annotate
from segue.runs.ray_engine import RayEngine
from segue.segment.box_fill import BoxFill

folder = Path(sys.argv[1])
PLACES = {"dog": [[8, 6, 24, 18, 0.9]]}


class Noting(Fixed):
    def find(self, image, *arguments, **options):
        node = ray.get_runtime_context().get_node_id()
        with (folder / "nodes").open("a") as file:
            file.write(node + "\\n")
        if image.name == "05.png":
            os._exit(9)
        return super().find(image, *arguments, **options)


@dataclass
class Factory:
    def __call__(self):
        return segue.Assistant(None, Noting(PLACES), BoxFill())


cluster = Cluster(
    initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
)
cluster.add_node(num_cpus=1)
cluster.wait_for_nodes()
ray.cloudpickle.register_pickle_by_value(sys.modules["__main__"])
with RayEngine(Factory(), workers=2, address=cluster.address) as engine:
    annotate(folder / "in", folder / "run", classes="dog", assistant=engine)
    print("nodes", len(ray.nodes()))
sys.stdout.flush()
os.environ["RAY_ADDRESS"] = cluster.address
from segue.cli.app import main
command = ["annotate", str(folder / "in"), "-c", "dog", "-o", str(folder / "second")]
command += ["--engine", "ray", "--workers", "2", "--address", cluster.address, "--chat", "none"]
command += ["--detect", "fixed:" + str(folder / "places.json"), "--segment", "box_fill:"]
try:
    main(command)
except SystemExit as leaving:
    print("code", leaving.code)
cluster.shutdown()
"""


def results(run: Path) -> dict[str, dict]:
    rows = map(json.loads, (run / "journal.jsonl").read_text().splitlines())
    return {row["name"]: row for row in rows}


def test_both_nodes_work_and_a_deadly_picture_is_left_behind(tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'segue[ray]'")
    (tmp_path / "in").mkdir()
    for number in range(24):
        file = tmp_path / "in" / f"{number:02}.png"
        file.write_bytes(an_image(seed=number).to_png_bytes())
    (tmp_path / "places.json").write_text(json.dumps(PLACES))
    (tmp_path / "cluster.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(tmp_path / "cluster.py"), str(tmp_path)],
        capture_output=True, text=True, check=False, timeout=240,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert "nodes 2" in done.stdout, done.stdout + done.stderr
    nodes = (tmp_path / "nodes").read_text().split()
    assert len(set(nodes)) == 2
    first = results(tmp_path / "run")
    assert len(first) == 24
    assert [name for name, row in first.items() if row["error"]] == ["05.png"]
    assert "workers died over it" in first["05.png"]["error"]
    assert all(len(row["regions"]) == 1 for row in first.values() if not row["error"])
    assert "code 0" in done.stdout, done.stdout + done.stderr
    assert len(results(tmp_path / "second")) == 24
    assert "24 picture(s): 0 with nothing found, 0 failed" in done.stdout
