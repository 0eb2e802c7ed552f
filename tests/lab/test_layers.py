"""The lab as a second storey: it imports the package, the package never imports it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("scenes", "language", "training")
"""No room that stands earlier imports a later one; the models' rooms may import all of these."""


def imports(path: Path) -> set[str]:
    """Return the dotted names that a file imports anywhere."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_the_package_does_not_import_the_lab() -> None:
    for path in (ROOT / "src" / "segue").rglob("*.py"):
        assert not {name for name in imports(path) if name.split(".")[0] == "lab"}, path


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_earlier_rooms_only(room: str) -> None:
    allowed = {*ROOMS[: ROOMS.index(room) + 1]}
    for path in (ROOT / "lab" / room).glob("*.py"):
        rooms = {name.split(".")[1] for name in imports(path) if name.startswith("lab.")}
        assert rooms <= allowed, path


@pytest.mark.parametrize("room", ["scenes", "language"])
def test_drawing_and_wording_need_no_torch(room: str) -> None:
    for path in (ROOT / "lab" / room).glob("*.py"):
        assert "torch" not in {name.split(".")[0] for name in imports(path)}, path
