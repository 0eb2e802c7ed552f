"""The architecture, as a test: rooms in order, imports point downwards, no circles."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "segue"
ROOMS = [
    {"errors", "version", "deprecated"},
    {"files"},
    {"values"},
    {"runtime"},
    {"draw", "annotations", "prompting", "presence", "video"},
    {"edit"},
    {"models", "dialects"},
    {"chat", "detect", "segment"},
    {"trackers"},
    {"pipeline"},
    {"conversation"},
    {"assistant"},
    {"runs"},
    {"review"},
    {"export", "convert", "evaluate", "finetune", "doctor", "embedded"},
    {"benchmarks"},
    {"server", "notebook"},
    {"cli"},
    {"__main__"},
]
"""From the ground up. Rooms of one line do not know one another."""
FLOOR_OF = {room: floor for floor, rooms in enumerate(ROOMS) for room in rooms}
ALLOWED = {
    ("finetune", "convert"): "it learns from what `convert` writes",
    ("convert", "export"): "a run becomes dialogues as exports read it, with what was reviewed",
    ("finetune", "evaluate"): "it is measured while it learns with everybody's metrics",
}
"""Imports between rooms of one floor, each with its reason."""
HEAVY = {"torch", "transformers", "peft", "fastapi", "uvicorn", "ray", "diffusers"}
HEAVY_ALLOWED = {
    "runtime",
    "models",
    "chat",
    "detect",
    "segment",
    "trackers",
    "finetune",
    "server",
    "edit",
}
LAZY_HEAVY_ALLOWED = {"edit", "cli", "evaluate", "convert", "runs"}
"""May import a heavy package inside a function only."""
FILES = sorted(SOURCE.rglob("*.py"))


def module_name(path: Path) -> str:
    """The dotted name of a source file."""
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in FILES}


def imports(nodes) -> set[str]:
    """Dotted names imported by the given syntax nodes."""
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def at_import_time(tree: ast.Module):
    """Nodes that run when the module is imported: not function bodies, not TYPE_CHECKING."""
    pending = list(tree.body)
    while pending:
        node = pending.pop()
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        pending.extend(ast.iter_child_nodes(node))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_point_downwards(path):
    room = path.relative_to(SOURCE).with_suffix("").parts[0]
    if room == "__init__":
        pytest.skip("the public face may name anything")
    assert room in FLOOR_OF, f"{room} has no floor: add it to ROOMS"
    for name in imports(ast.walk(ast.parse(path.read_text()))):
        top, *rest = name.split(".")
        if top != "segue" or not rest or rest[0] == room or rest[0] not in FLOOR_OF:
            continue
        other = rest[0]
        allowed = FLOOR_OF[other] < FLOOR_OF[room] or (room, other) in ALLOWED
        assert allowed, f"{room} (floor {FLOOR_OF[room]}) may not import {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_heavy_packages_stay_where_models_run(path):
    room = path.relative_to(SOURCE).with_suffix("").parts[0]
    tree = ast.parse(path.read_text())
    nodes = at_import_time(tree) if room in LAZY_HEAVY_ALLOWED else ast.walk(tree)
    heavy = {name.split(".")[0] for name in imports(nodes)} & HEAVY
    if room not in HEAVY_ALLOWED:
        assert not heavy, f"{room} may not import {sorted(heavy)}"


def imported_modules(path: Path) -> set[str]:
    """Modules of this package that a file imports, deferred and type-only imports included."""
    found = set()
    for name in imports(ast.walk(ast.parse(path.read_text()))):
        while name and name not in MODULES:
            name = name.rpartition(".")[0]
        found.add(name)
    return found - {"", "segue", module_name(path)}


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that reach one another (strongly connected, after Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph[node]:
            if other not in index:
                visit(other)
            if other in stack:
                low[node] = min(low[node], low[other])
        if low[node] == index[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1:
                groups.append(sorted(group))

    for node in graph:
        if node not in index:
            visit(node)
    return groups


def test_no_circle_of_imports():
    """Deferred and type-only imports count: a circle is one to the reader too."""
    assert circles({name: imported_modules(path) for name, path in MODULES.items()}) == []


def test_circles_are_found():
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a", "e"}, "e": set()}
    assert circles(graph) == [["a", "b", "c"]]
