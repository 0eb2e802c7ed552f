"""A pytest plugin for an installation without extras: what needs a missing package is skipped.

    python -m pytest -p bare_install

A test module, a conftest or a test that fails because a package of an extra is not installed
(`ModuleNotFoundError` of a foreign package, or `MissingExtra`) counts as skipped, whatever it is;
there is no list to keep. Too few passed tests are a failure, so that a broken installation cannot
pass by skipping everything.
"""

import ast
import importlib.util
from collections import Counter

import pytest

MIN_PASSED = 3500
"""Of the tests that need no extra; more than 4,000 do."""
OURS = ("segue", "lab", "benchmarks", "examples")

missing: Counter[str] = Counter()


def missing_package(error: BaseException | None) -> str | None:
    """The foreign package for want of which something failed; None: it failed otherwise."""
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, ModuleNotFoundError) and error.name:
            package = error.name.partition(".")[0]
            return None if package in OURS else package
        if type(error).__name__ == "MissingExtra":
            return "an extra"
        error = error.__cause__ or error.__context__
    return None


class SkippedModule(pytest.Module):
    """A test module whose imports are not installed."""

    def collect(self):
        try:
            return list(super().collect())
        except self.CollectError as error:
            package = missing_package(error)
            if package is None:
                raise
            missing[package] += 1
            pytest.skip(f"needs {package}", allow_module_level=True)


def pytest_pycollect_makemodule(module_path, parent):
    """Collect a test module, or skip it."""
    return SkippedModule.from_parent(parent, path=module_path)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A test that failed for want of a package is skipped."""
    report = yield
    if report.failed and call.excinfo is not None:
        error = call.excinfo.value
        package = missing_package(error) or missing_package(getattr(error, "failures", [None])[0])
        if package is None and "not installed" in str(error) and "segue[" in str(error):
            package = "an extra"
        if package is not None:
            missing[package] += 1
            report.outcome = "skipped"
            report.longrepr = (str(item.path), 0, f"Skipped: needs {package}")
    return report


def pytest_ignore_collect(collection_path):
    """Leave out folders whose conftest imports a package that is not installed."""
    conftest = collection_path / "conftest.py"
    if not collection_path.is_dir() or not conftest.is_file():
        return None
    for node in ast.parse(conftest.read_text(encoding="utf-8")).body:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            package = name.partition(".")[0]
            if package and importlib.util.find_spec(package) is None:
                missing[f"{package} (all of {collection_path.name}/)"] += 1
                return True
    return None


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    """Fail where too little has run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    passed = len(reporter.stats.get("passed", [])) if reporter else 0
    if passed < MIN_PASSED and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter):
    """Say what was skipped for want of what."""
    passed = len(terminalreporter.stats.get("passed", []))
    terminalreporter.section("without extras")
    terminalreporter.line(f"{passed} passed; at least {MIN_PASSED} must")
    for package, count in missing.most_common():
        terminalreporter.line(f"{count:5} skipped: {package}")
