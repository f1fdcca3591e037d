"""The arrows of docs/architecture.md, read from the source."""

import ast
import graphlib
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
from setuptools import find_packages

ROOT = Path(__file__).parents[1]
MODULES = sorted([*(ROOT / "sorn").rglob("*.py"), *(ROOT / "pipeline").rglob("*.py")])
SORN_MAY_IMPORT = {"sorn", "torch", "torchvision", "numpy", "numba"}
TORCH_FREE = ["cli", "runs", "stages", "io"]  # whose modules import no torch before a function needs it
QUICK_IN_SORN = [f"sorn.{name}" for name in ("parts", "sample", "features", "config", "metrics")]
ROOMS = [  # from the top to the foundation: each may import from itself downwards
    "cli",
    "tools",
    "stages",
    "search",
    "training",
    "reports",
    "evaluation",
    "features",
    "shards",
    "labelers",
    "runs",
    "datasets",
    "io",
    "runtime",
    "errors",
]


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path, everywhere: bool = True) -> set[str]:
    """Full names of imported modules; only those at import time with everywhere=False."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = ast.walk(tree) if everywhere else iter(tree.body)
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def floor(name: str) -> int:
    """Position of a module's room, from the top."""
    room = name.split(".")[1]
    assert room in ROOMS, f"pipeline.{room} is no room of {__file__}"
    return ROOMS.index(room)


@pytest.mark.parametrize("path", [p for p in MODULES if "sorn" in p.parts[-2:-1]], ids=module_name)
def test_sorn_imports_only_what_a_tensor_needs(path):
    optional = {"timm"} if path.stem == "timm_backbone" else set()
    outside = {name.split(".")[0] for name in imported(path)} - SORN_MAY_IMPORT - optional
    outside -= set(sys.stdlib_module_names)
    assert not outside


@pytest.mark.parametrize("path", [p for p in MODULES if p.relative_to(ROOT).parts[0] == "pipeline"], ids=module_name)
def test_pipeline_imports_point_downwards(path):
    own = module_name(path)
    for name in imported(path):
        if name.split(".")[0] != "pipeline" or own in ("pipeline", "pipeline.__main__"):
            continue
        assert floor(own) <= floor(name), f"{own} imports {name}, which lies above it"
        if own.startswith("pipeline.stages."):
            assert not name.startswith("pipeline.stages."), f"{own} imports another stage: {name}"


def test_no_circle_of_imports():
    """graphlib raises CycleError, which names the modules."""
    names = {module_name(path) for path in MODULES}
    graph = {}
    for path in MODULES:
        own = module_name(path)
        used = {name if name in names else name.rpartition(".")[0] for name in imported(path)}
        graph[own] = (used & names) - {own}
    graphlib.TopologicalSorter(graph).prepare()


def test_shards_know_no_labeler():
    assert not any("labelers" in name for name in imported(ROOT / "pipeline" / "shards" / "format.py"))


def test_detectron2_is_named_by_its_labeler_only():
    users = {
        module_name(path)
        for path in MODULES
        if any(name.split(".")[0] in ("detectron2", "densepose") for name in imported(path))
    }
    assert users == {"pipeline.labelers.densepose_model"}


def test_the_quick_rooms_import_no_torch():
    quick = [name for name in map(module_name, MODULES) if name.startswith(tuple(f"pipeline.{n}." for n in TORCH_FREE))]
    quick = [name for name in quick if name != "pipeline.io.checkpoints"] + QUICK_IN_SORN
    code = f"import sys, {', '.join(quick)}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_everything_is_installed():
    """An editable installation, as everybody here has, would not miss what pyproject.toml forgets."""
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    packages = {path.parent.relative_to(ROOT).as_posix().replace("/", ".") for path in MODULES}
    assert packages <= set(find_packages(str(ROOT), include=tools["packages"]["find"]["include"]))
    files = [
        path
        for top in ("sorn", "pipeline")
        for path in (ROOT / top).rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    ]
    data = [path for path in files if path.suffix not in (".py", ".pyc")]
    patterns = {package.replace(".", "/"): found for package, found in tools["package-data"].items()}
    for path in data:
        own = {folder: path.relative_to(ROOT / folder) for folder in patterns if path.is_relative_to(ROOT / folder)}
        assert any(fnmatch(str(own[folder]), pattern) for folder in own for pattern in patterns[folder]), path
