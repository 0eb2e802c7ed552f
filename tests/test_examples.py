"""The notebooks run from top to bottom, and the code in the docs does what it says."""

import re
import warnings
from pathlib import Path

import PIL.Image
import PIL.ImageSequence
import pytest

from documented_code import code_blocks, run_blocks
from fake_openai import FakeOpenAI
from segue.runtime.weights import locate

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COOKBOOK = sorted((ROOT / "docs" / "cookbook").glob("*.md"))
OLLAMA = "http://localhost:11434/v1"
"""An address that recipes name; a stand-in for the endpoint answers in its place."""


@pytest.fixture(scope="module", autouse=True)
def embedded_models():
    for part in ("chat", "detector", "segmenter"):
        locate(f"embedded/{part}")


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(notebook, tmp_path, monkeypatch):
    monkeypatch.setenv("SEGUE_PRESET", "embedded")
    if "click_widget" in notebook.read_text("utf-8"):
        pytest.importorskip("anywidget")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nbformat = pytest.importorskip("nbformat")
        client = pytest.importorskip("nbclient")
        document = nbformat.read(notebook, as_version=4)
        client.NotebookClient(document, timeout=120, cwd=str(tmp_path)).execute()
    assert [o for cell in document.cells for o in cell.get("outputs", [])]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_python_in_the_docs_runs(page, tmp_path, monkeypatch):
    if not code_blocks(page, "python"):
        pytest.skip(f"{page.name} holds no Python")
    monkeypatch.chdir(tmp_path)
    run_blocks(page)


@pytest.mark.parametrize("recipe", COOKBOOK, ids=lambda path: path.stem)
def test_recipe_of_the_cookbook_runs(recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_blocks(ROOT / "docs" / "cookbook" / "index.md")
    with FakeOpenAI(models=("qwen3-vl:4b",)) as endpoint:
        run_blocks(recipe, replacements={OLLAMA: endpoint.url})
    assert list(Path("photos").iterdir())


@pytest.mark.parametrize(
    "page", [*PAGES, *COOKBOOK, ROOT / "CONTRIBUTING.md"], ids=lambda path: path.stem
)
def test_links_in_the_docs_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_tour_of_the_readme_is_a_small_animation_of_about_20_seconds():
    file = ROOT / "docs" / "images" / "tour.webp"
    assert "docs/images/tour.webp" in PAGES[0].read_text("utf-8")
    assert file.stat().st_size < 1_500_000
    with PIL.Image.open(file) as picture:
        shown_ms = 0
        for frame in PIL.ImageSequence.Iterator(picture):
            frame.load()  # Pillow knows how long a frame is shown only then
            shown_ms += frame.info["duration"]
    assert 15_000 < shown_ms < 25_000
