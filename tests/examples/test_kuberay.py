"""The manifest for KubeRay: its fields exist, and its command can be typed."""

import json
import re
import shlex
from pathlib import Path

import pytest
import typer

from segue.cli.app import app

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def manifest():
    yaml = pytest.importorskip("yaml", reason="PyYAML, which comes with Ray, is not installed")
    return yaml.safe_load((ROOT / "examples" / "kuberay" / "annotate.yaml").read_text())


@pytest.fixture(scope="module")
def cluster(manifest):
    return manifest["spec"]["rayClusterSpec"]


def test_its_fields_are_those_of_a_rayjob(manifest):
    jsonschema = pytest.importorskip("jsonschema", reason="it comes with Ray, not installed")
    schema = json.loads((ROOT / "tests" / "reference" / "rayjob.schema.json").read_text())
    jsonschema.validate(manifest, schema)
    broken = {**manifest, "spec": {**manifest["spec"], "ttlAfterFinished": 1}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, schema)


def test_its_command_can_be_typed(manifest):
    program, name, *words = shlex.split(manifest["spec"]["entrypoint"])
    assert program == "segue"
    group = typer.main.get_command(app)
    context = group.context_class(group, info_name="segue")
    command = group.get_command(context, name)
    options, _, _ = command.make_parser(
        command.context_class(command, parent=context, info_name=name)
    ).parse_args(words)
    assert (options["engine"], options["address"]) == ("ray", "auto")


def test_workers_and_gpus_are_as_many_as_the_command_asks_for(manifest, cluster):
    entrypoint = manifest["spec"]["entrypoint"]
    (group,) = cluster["workerGroupSpecs"]
    assert int(re.search(r"--workers (\d+)", entrypoint)[1]) == group["replicas"]
    (container,) = group["template"]["spec"]["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"


def test_all_pods_have_one_image_and_see_the_pictures_under_one_path(manifest, cluster):
    templates = [group["template"] for group in cluster["workerGroupSpecs"]]
    templates.append(cluster["headGroupSpec"]["template"])
    containers = [template["spec"]["containers"][0] for template in templates]
    assert len({container["image"] for container in containers}) == 1
    mounts = {mount["mountPath"] for one in containers for mount in one["volumeMounts"]}
    assert len(mounts) == 1
    folders = re.findall(r"(/mnt\S*)", manifest["spec"]["entrypoint"])
    assert all(folder.startswith(mounts.copy().pop()) for folder in folders)
    requirement = re.search(r"ray\[data\]>=([\d.]+)", (ROOT / "pyproject.toml").read_text())[1]
    assert cluster["rayVersion"].startswith(requirement)


def test_the_head_can_hold_what_the_command_keeps_there(cluster):
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
