"""The version is the same wherever it stands."""

import re
from pathlib import Path

from segue.version import __version__

ROOT = Path(__file__).parent.parent


def test_the_changelog_has_a_dated_section_for_the_version():
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.search(rf"^## \[{re.escape(__version__)}\] - \d{{4}}-\d\d-\d\d$", changelog, re.M)


def test_the_entries_of_the_changelog_are_single_short_lines():
    lines = (ROOT / "CHANGELOG.md").read_text("utf-8").splitlines()[4:]
    assert [line for line in lines if line and not line.startswith(("- ", "##"))] == []
    assert [line for line in lines if len(line) > 122] == []


def test_the_citation_names_the_version():
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text("utf-8")


def test_the_hooks_have_the_formatter_of_the_constraints():
    hooks = (ROOT / ".pre-commit-config.yaml").read_text("utf-8")
    constraints = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = set(re.findall(r"ruff==[\d.]+", hooks))
    assert len(pins) == 1
    assert pins <= set(constraints)
