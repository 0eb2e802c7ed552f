"""The image and its compositions name files, extras and options that exist."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from segue.cli.app import app
from segue.pipeline.presets import PRESETS

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text("utf-8")
COMPOSITIONS = sorted((ROOT / "docker").glob("*.yaml"))


def commands() -> list[list[str]]:
    """The arguments of segue that the image and the compositions start it with."""
    found = [re.findall(r'"([^"]+)"', DOCKERFILE.rpartition("CMD [")[2])]
    for file in COMPOSITIONS:
        for service in yaml.safe_load(file.read_text("utf-8"))["services"].values():
            found += [service["command"]] if "command" in service else []
    return found


def test_copied_files_exist_and_are_not_ignored():
    kept = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE):
        for name in line.split()[:-1]:
            assert (ROOT / name).exists(), name
            assert f"!{name}" in kept, name


def test_extras_exist():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = re.search(r"^ARG EXTRAS=(.+)$", DOCKERFILE, re.MULTILINE)[1].split(",")
    assert set(extras) <= project["optional-dependencies"].keys()


@pytest.mark.parametrize("arguments", commands(), ids=" ".join)
def test_options_exist(arguments):
    name, *rest = arguments
    command = get_command(app).commands[name]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {argument for argument in rest if argument.startswith("--")} <= known
    if "--preset" in rest:
        assert rest[rest.index("--preset") + 1] in PRESETS


def test_the_gpu_composition_changes_a_service_of_the_plain_one():
    plain, gpu = (
        yaml.safe_load((ROOT / "docker" / name).read_text("utf-8"))["services"]
        for name in ("compose.yaml", "compose.gpu.yaml")
    )
    assert gpu.keys() <= plain.keys()
    assert (ROOT / "docker" / plain["segue"]["build"]["context"]).resolve() == ROOT
