"""The notebooks run from top to bottom, and the code in the docs does what it says."""

import re
import warnings
from pathlib import Path

import pytest

from segue.runtime.weights import locate

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PYTHON = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module", autouse=True)
def embedded_models():
    for part in ("chat", "detector", "segmenter"):
        locate(f"embedded/{part}")


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(notebook, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nbformat = pytest.importorskip("nbformat")
        client = pytest.importorskip("nbclient")
        document = nbformat.read(notebook, as_version=4)
        client.NotebookClient(document, timeout=120, cwd=str(tmp_path)).execute()
    assert [o for cell in document.cells for o in cell.get("outputs", [])]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_python_in_the_docs_runs(page, tmp_path, monkeypatch):
    blocks = PYTHON.findall(page.read_text(encoding="utf-8"))
    if not blocks:
        pytest.skip(f"{page.name} holds no Python")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": page.stem}
    for block in blocks:
        exec(compile(block, page.name, "exec"), names)


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda path: path.stem)
def test_links_in_the_docs_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
