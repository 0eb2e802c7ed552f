"""Files that docs and docstrings name exist."""

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDERS = ("benchmarks", "docs", "examples", "lab", "recipes", "scripts", "src", "tests")
FILES = {
    f"/{path.relative_to(ROOT).as_posix()}"
    for path in [*ROOT.iterdir(), *(path for name in FOLDERS for path in (ROOT / name).rglob("*"))]
    if path.is_file()
}
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MODULES = [path for name in ("src", "lab") for path in sorted((ROOT / name).rglob("*.py"))]
CITATION = re.compile(r"(?<![\w/.:*{}<>-])(?:[\w.-]+/)*[\w.-]+\.(?:py|md|js|css|html)(?![\w/])")
FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
ALLOWED = {
    "processing_*.py": "of transformers",
    "utils/chat_template_utils.py": "of transformers",
    "kosmos-2/demo/decode_string.py": "of microsoft/unilm",
    "docs/references.md": "is being written",
}
"""Files that are not here, as patterns, with where they are."""


def docstrings(source: str) -> Iterator[str]:
    """Strings that stand alone: those of modules, classes and functions, and below attributes."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield str(node.value.value)


def citations(path: Path) -> set[str]:
    """Names of files in the prose of a page or module."""
    text = path.read_text("utf-8")
    prose = FENCED.sub("", text) if path.suffix == ".md" else "\n".join(docstrings(text))
    return set(CITATION.findall(prose))


def is_here(citation: str, path: Path) -> bool:
    """Whether a file is beside the one that cites it, or a path in the repository ends so."""
    beside = (path.parent / citation).is_file()
    return beside or any(file.endswith(f"/{citation}") for file in FILES)


def test_cited_files_exist():
    missing = {
        (path.relative_to(ROOT).as_posix(), citation)
        for path in [*PAGES, *MODULES]
        for citation in citations(path)
        if not is_here(citation, path)
        and not any(fnmatch(citation, allowed) for allowed in ALLOWED)
    }
    assert missing == set()


def test_what_is_missing_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "`chat/gone.py`, `design.md`, [here](page.md)\n```\nsegue/new.py\n```\n*.py", "utf-8"
    )
    assert citations(page) == {"chat/gone.py", "design.md", "page.md"}
    assert [name for name in sorted(citations(page)) if not is_here(name, page)] == ["chat/gone.py"]
