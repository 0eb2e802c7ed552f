"""The architecture, as a test: a module imports its own layer's package and lower layers only."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "segue"
LAYERS = [
    {"errors", "version"},
    {
        "image",
        "box",
        "mask",
        "region",
        "message",
        "reply",
        "unicode_text",
        "atomic_file",
        "text_file",
        "gsam_phrases",
    },
    {"draw", "edit", "export", "catalog", "weights", "device", "memory", "profile", "request"},
    {"models", "dialects", "chat", "detect", "segment"},
    {
        "presets",
        "assistant",
        "collector",
        "correction",
        "follower",
        "history",
        "conversation",
        "session",
        "convert_weights",
        "chat_detector",
        "sight",
        "routes",
    },
    {"annotate", "convert", "evaluate", "finetune", "embedded", "doctor"},
    {"cli", "server"},
]
LAYER_OF = {name: n for n, names in enumerate(LAYERS) for name in names}
PEERS = [LAYERS[1], LAYERS[2], LAYERS[4]]
"""Layers whose members may know one another. Stages may not, workflows may not."""
ALLOWED = {
    ("chat", "models"): "the native networks lie beside the stages",
    ("chat", "dialects"): "a chat model says in which dialect it replies",
    ("embedded", "models"): "they train the native network",
    ("finetune", "models"): "it trains the native network",
    ("finetune", "convert"): "it learns from what `convert` writes",
    ("finetune", "evaluate"): "it is measured while it learns with everybody's metrics",
    ("embedded", "evaluate"): "what is on board is measured with everybody's metrics",
    ("message", "draw"): "`Answer.draw()` reaches up, inside the function: values stay light",
    ("message", "export"): "so does `Answer.to_json()`",
    ("cli", "server"): "the command line starts the server",
}
"""Imports across the layers, each with its reason."""
HEAVY = {"torch", "transformers", "peft", "fastapi", "uvicorn", "ray", "diffusers"}
HEAVY_ALLOWED = {
    "models",
    "chat",
    "detect",
    "segment",
    "finetune",
    "embedded",
    "device",
    "weights",
    "server",
    "annotate",
    "edit",
}
LAZY_HEAVY_ALLOWED = {"edit", "cli", "evaluate", "assistant", "convert_weights"}
"""May import a heavy package inside a function only."""
FILES = sorted(SOURCE.rglob("*.py"))


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
    here = path.relative_to(SOURCE).with_suffix("").parts[0]
    if here == "__init__":
        pytest.skip("the public face may name anything")
    assert here in LAYER_OF, f"{here} has no layer: add it to LAYERS"
    for name in imports(ast.walk(ast.parse(path.read_text()))):
        top, *rest = name.split(".")
        if top != "segue" or not rest or rest[0] == here or rest[0] not in LAYER_OF:
            continue
        there = rest[0]
        fine = (
            LAYER_OF[there] < LAYER_OF[here]
            or any({here, there} <= peers for peers in PEERS)
            or (here, there) in ALLOWED
        )
        assert fine, f"{here} (layer {LAYER_OF[here]}) may not import {there}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_heavy_packages_stay_where_models_run(path):
    here = path.relative_to(SOURCE).with_suffix("").parts[0]
    tree = ast.parse(path.read_text())
    nodes = at_import_time(tree) if here in LAZY_HEAVY_ALLOWED else ast.walk(tree)
    heavy = {name.split(".")[0] for name in imports(nodes)} & HEAVY
    if here not in HEAVY_ALLOWED:
        assert not heavy, f"{here} may not import {sorted(heavy)}"
