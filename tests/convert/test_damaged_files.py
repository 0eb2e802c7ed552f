"""Every reader on damaged files, in little memory: no exception but the package's own."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("seed", [1, 2])
def test_damaged_files_raise_nothing_foreign_and_take_little_memory(seed):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "benchmarks.fuzz_readers", "1500", str(seed)],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 foreign exceptions" in done.stdout


@pytest.mark.parametrize(
    "shape", ["[[10,10,40,10,40,NaN,10,50]]", "[[10,10,40,10,1e15,40,10,50]]",
              '{"size":[30000,30000],"counts":[0,900000000]}'],
)  # fmt: skip
def test_a_mask_never_takes_all_memory(tmp_path, folder, shape):
    limit = 4_000_000 * 1024
    root = folder(["a.jpg"])
    (tmp_path / "x.json").write_text(
        '{"images":[{"id":1,"file_name":"a.jpg","height":48,"width":64}],'
        '"categories":[{"id":1,"name":"dog"}],"annotations":[{"id":1,"image_id":1,'
        f'"category_id":1,"bbox":[8,8,9,9],"iscrowd":0,"segmentation":{shape}}}]}}'
    )
    command = "from segue.cli.app import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", command, "convert", "coco", str(tmp_path / "x.json"), "--images",
         str(root), "--out", str(tmp_path / "o"), "--masks", "--negatives", "0"],
        capture_output=True, text=True, timeout=300, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )  # fmt: skip
    assert done.returncode == 2
    assert "nothing in it to ask for 1" in done.stderr
    assert "Traceback" not in done.stderr
