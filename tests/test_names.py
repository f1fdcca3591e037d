"""Size and names of the program: rooms, files, classes, untyped tables."""

import ast
import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
MODULES = sorted([*(ROOT / "sorn").rglob("*.py"), *(ROOT / "pipeline").rglob("*.py")])
MOST_ENTRIES, MOST_LINES, MOST_UNTYPED = 15, 300, 40
UNTYPED = re.compile(r"dict\[str, Any\]")
NOT_COUNTED = {"__init__.py", "__main__.py", "__pycache__"}


def classes(source: str) -> list[str]:
    return [node.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)]


def repeated(sources: list[str]) -> list[str]:
    counts = Counter(name for source in sources for name in classes(source))
    return sorted(name for name, count in counts.items() if count > 1)


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_no_class_name_occurs_twice() -> None:
    assert repeated([path.read_text(encoding="utf-8") for path in MODULES]) == []


def test_two_classes_of_one_name_are_seen() -> None:
    assert repeated(["class A: ...\nclass B: ...", "def make():\n    class A: ..."]) == ["A"]


def test_the_pipeline_has_few_rooms() -> None:
    entries = [path.name for path in (ROOT / "pipeline").iterdir() if path.name not in NOT_COUNTED]
    assert len(entries) <= MOST_ENTRIES, sorted(entries)


def test_no_file_is_long() -> None:
    assert {str(path.relative_to(ROOT)): len(lines(path)) for path in MODULES if len(lines(path)) > MOST_LINES} == {}


def test_few_tables_are_untyped() -> None:
    found = [f"{path.relative_to(ROOT)}: {line.strip()}" for path in MODULES for line in lines(path)]
    untyped = [line for line in found if UNTYPED.search(line)]
    assert len(untyped) <= MOST_UNTYPED, "\n".join(untyped)
