"""Fixtures for resources; values come from tests/builders.py."""

import os
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parent.parent
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")
"""How long an example takes says how busy the machine is, not whether the code is right."""

if "PYTEST_XDIST_WORKER" in os.environ:
    # There are as many workers as cores; threads of their own would only wait for one another.
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests with a browser together, and name groups where pytest-xdist looks for them.

    Playwright bears one loop in a process, so one worker has the browser and all that use it. One
    of them that fails is tried once more, and the summary says so ("rerun"): beside a busy worker
    a browser may be too slow for a time limit of Playwright.

    xdist 3.8 puts the group of a test in its id for versions of pytest before 9.2; since then every
    test was a group of its own, without a word.
    """
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("browser"))
            item.add_marker(pytest.mark.flaky(reruns=1))
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return
    for item in items:
        group = "_".join(sorted({mark.args[0] for mark in item.iter_markers("xdist_group")}))
        if group and not item.nodeid.endswith(f"@{group}"):
            item._id = type(item._id).parse(f"{item.nodeid}@{group}")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data beside the project: goldens made with the original programs."""
    folder = Path(os.environ.get("SEGUE_SHARED", ROOT.parent / "shared"))
    if not (folder / "golden").is_dir():
        pytest.skip(f"no reference data at {folder}; set SEGUE_SHARED to the folder that holds it")
    return folder


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    """One Chromium for all tests; skipped where it cannot be had, failed where CI promises it."""
    chromium = os.environ.get("SEGUE_CHROMIUM") or shutil.which("chromium")
    missing = "" if chromium else "Chromium is missing. Run: apt-get install chromium"
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        missing = "Playwright is missing. Run: pip install playwright"
    if missing and os.environ.get("CI") == "true":
        pytest.fail(f"{missing} It is required where CI=true.")
    if missing:
        pytest.skip(missing)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection that leaves this machine."""
    connect = socket.socket.connect

    def connect_here(self, address):
        here = {"127.0.0.1", "::1", "localhost"}
        if self.family != socket.AF_UNIX and str(address[0]) not in here:
            raise AssertionError(f"a test tried to reach {address}; tests need no network")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_here)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(autouse=True)
def no_profiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a doctor found on this machine must not change a test."""
    monkeypatch.setenv("SEGUE_HOME", str(ROOT / "tests" / "no-such-home"))


@pytest.fixture(autouse=True)
def small_numbers_stay() -> Iterator[None]:
    """A training flushes denormal numbers for its whole process; the next test gets them back."""
    yield
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_flush_denormal(False)
