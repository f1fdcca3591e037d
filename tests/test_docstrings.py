"""First lines of docstrings and the module paths that the pages name."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WORDS = 12
ROOMS = (
    "sorn",
    "pipeline/evaluation",
    "pipeline/datasets",
    "pipeline/shards",
    "pipeline/labelers",
    "pipeline/io",
    "pipeline/runtime",
    "pipeline/cli",
    "pipeline/search",
    "pipeline/training",
    "pipeline/features",
    "pipeline/reports",
    "pipeline/tools",
    "pipeline/stages",
    "pipeline/runs",
    "pipeline/errors.py",
)
RIDDLES = {"says", "said", "tells", "told", "knows", "whoever", "somebody", "nobody", "anybody", "theirs"}
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "data_manifests" / "README.md"]
PATH = re.compile(r"(?<![\w./-])(?:pipeline|sorn|tests|benchmarks|docs|data_manifests)/[\w./-]*\w/?")
NO_MODULES = {"sorn.labelers", "sorn.keypoints", "sorn.onnx", "sorn.json", "sorn.pt"}  # entry points and files
DOTTED = re.compile(r"\b(?:pipeline|sorn)\.[a-z_]+(?:\.[a-z_]+)*\b")


def modules() -> list[Path]:
    places = [ROOT / room for room in ROOMS]
    return sorted(path for place in places for path in (place.rglob("*.py") if place.is_dir() else [place]))


def documented(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Name and docstring of a module and of its public classes, functions and methods."""
    if text := ast.get_docstring(tree):
        yield "module", text
    waiting: list[tuple[str, ast.AST]] = [("", tree)]
    while waiting:
        prefix, parent = waiting.pop()
        for node in ast.iter_child_nodes(parent):
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
                if text := ast.get_docstring(node):
                    yield prefix + node.name, text
                if isinstance(node, ast.ClassDef):
                    waiting.append((f"{prefix}{node.name}.", node))


def faults(docstring: str) -> list[str]:
    """What is wrong with the first line: a shape in brackets and a sign are no words."""
    first, *rest = docstring.splitlines()
    words = re.findall(r"\S*\w\S*", re.sub(r"\[[^]]*\]", "", first))
    prose = {word.strip(".,:;()").lower() for word in words}
    wrong = [f"{len(words)} words"] if len(words) > WORDS else []
    wrong += ["goes on in the second line"] if rest and rest[0].strip() else []
    wrong += [f"'{word}'" for word in RIDDLES & prose]
    return wrong


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_first_lines_are_short_noun_phrases(path):
    for name, docstring in documented(ast.parse(path.read_text(encoding="utf-8"))):
        assert not faults(docstring), f"{name}: {docstring.splitlines()[0]}"


def test_every_module_of_these_rooms_has_a_first_line():
    assert all(ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) for path in modules())


@pytest.mark.parametrize(
    ("docstring", "wrong"),
    [
        ("Mean of the images [B, C, H, W] -> [B, C].", []),
        ("One two three four five six seven eight nine ten eleven twelve thirteen.", ["13 words"]),
        ("Mean of the images\nof a batch.", ["goes on in the second line"]),
        ("What the manifest says of the data.", ["'says'"]),
    ],
)
def test_a_bad_first_line_is_found(docstring, wrong):
    assert faults(docstring) == wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_and_modules_of_the_pages_exist(page):
    text = page.read_text(encoding="utf-8")
    for name in PATH.findall(text):
        assert (ROOT / name).exists(), name
    for name in set(DOTTED.findall(text)) - NO_MODULES:
        parts = name.split(".")
        places = [ROOT.joinpath(*parts[:count]) for count in range(1, len(parts) + 1)]
        assert any(place.with_suffix(".py").exists() for place in places) or places[-1].is_dir(), name
