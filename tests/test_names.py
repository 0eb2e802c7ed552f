"""Names say what a thing is: no bare participles as names of functions, no class name twice."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted([*(ROOT / "src" / "segue").rglob("*.py"), *(ROOT / "lab").rglob("*.py")])
_WORDS = """
adapted answered apart asked begun brought carried chosen cleaned clipped closed come
counted cut derived drawn found framed gathered given gone grown held judged kept known
left lent listed lost made marked meant modelled moved named opened placed pointed seen
sent settled shown spelt spotted stored taken told touched turned wanted written
"""
PARTICIPLES = frozenset(_WORDS.split())
"""Each is something done to something: say what does it (`find_boxes`) or what it is (`boxes`)."""
ALLOWED_METHODS = frozenset({"clipped"})
"""`Box.clipped` is a pure transformation, as `sorted` and `reversed` are."""


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_function_or_class_is_named_by_a_participle_alone(path):
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    names = [node.name for node in nodes if isinstance(node, kinds)]
    bare = [name for name in names if name.strip("_").lower() in PARTICIPLES]
    assert [name for name in bare if name not in ALLOWED_METHODS] == []


def test_a_class_name_exists_once_in_the_package():
    places = defaultdict(list)
    for path in (ROOT / "src" / "segue").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(path.relative_to(ROOT)))
    assert {name: files for name, files in places.items() if len(files) > 1} == {}
