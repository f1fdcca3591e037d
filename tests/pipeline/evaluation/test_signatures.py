"""No function of the rooms evaluation and reports has more than five parameters; evaluation imports no report."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3] / "pipeline"
MOST = 5
FILES = sorted(path for room in ("evaluation", "reports") for path in (ROOT / room).rglob("*.py"))


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """Without self and cls."""
    found = function.args
    names = [argument.arg for argument in (*found.posonlyargs, *found.args, *found.kwonlyargs)]
    names += [argument.arg for argument in (found.vararg, found.kwarg) if argument]
    return [name for name in names if name not in ("self", "cls")]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_functions_have_few_parameters(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert len(parameters(node)) <= MOST, f"{path.name}: {node.name} takes {', '.join(parameters(node))}"


def test_more_parameters_are_found() -> None:
    (function,) = ast.parse("def f(self, a, b, /, c, *, d, **e): pass").body
    assert isinstance(function, ast.FunctionDef) and parameters(function) == ["a", "b", "c", "d", "e"]
