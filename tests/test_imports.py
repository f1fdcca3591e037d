"""The arrows of docs/architecture.md, read from the source."""

import ast
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted([*(ROOT / "sorn").rglob("*.py"), *(ROOT / "pipeline").rglob("*.py")])
SORN_MAY_IMPORT = {"sorn", "torch", "torchvision", "numpy"}
TORCH_FREE = [
    *(f"sorn.{name}" for name in ("parts", "sample", "features", "config", "metrics")),
    *(
        f"pipeline.{name}"
        for name in (
            "cli",
            "cli_results",
            "cli_search",
            "cli_common",
            "cli_tables",
            "config",
            "config_files",
            "driver",
            "manifest",
            "layout",
            "stamp",
            "shards",
            "shard_content",
            "feature_store",
        )
    ),
]
LAYERS = [  # each may import from itself downwards
    {"__main__"},
    {"cli", "cli_results", "cli_search", "cli_common", "cli_tables"},
    {"tables", "verification", "cleaning"},
    {"driver"},
    {"stages"},
    {"training", "extraction", "export", "labeler_training", "search", "search_page"},
    {"training_log", "validation", "batch_order", "export_check", "embedding", "faiss_candidates", "feature_parts"},
    {"labeler_crops"},
    {"report", "exact_masks", "labelers", "poses", "synped", "shard_dataset", "shard_plan", "manifest_check"}
    | {"batch_loader", "shard_labeling", "shard_jobs", "densepose_coco", "doctor", "doctor_probes"},
    {
        "shards",
        "shard_content",
        "shard_index",
        "feature_store",
        "checkpoints",
        "weights_header",
        "training_states",
        "initial_weights",
        "trained_run",
        "trained_network",
        "segmenter",
        "device",
        "pixels",
        "image_files",
        "dataset_findings",
        "mapped_bank",
        "own_images",
    },
    {"image_search", "csv_dataset", "dataset_folders", "data_summary", "coco_annotations"},
    {"manifest", "records", "layout", "stamp", "config", "config_files", "progress", "disk_space", "hdf5_file", "ranks"}
    | {"stage_lock"},
    {"errors", "ahead", "interruption", "rle", "doctor_machine", "torch_threads", "allocator", "text_files"},
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


def layer(name: str) -> int:
    first = name.split(".")[1] if "." in name else "errors"
    found = [number for number, layer_ in enumerate(LAYERS) if first in layer_]
    assert found, f"pipeline.{first} has no place in the layers of {__file__}"
    return found[0]


@pytest.mark.parametrize("path", [p for p in MODULES if "sorn" in p.parts[-2:-1]], ids=module_name)
def test_sorn_imports_only_what_a_tensor_needs(path):
    outside = {name.split(".")[0] for name in imported(path)} - SORN_MAY_IMPORT - set(sys.stdlib_module_names)
    assert not outside


@pytest.mark.parametrize("path", [p for p in MODULES if p.relative_to(ROOT).parts[0] == "pipeline"], ids=module_name)
def test_pipeline_imports_point_downwards(path):
    own = module_name(path)
    for name in imported(path):
        if name.split(".")[0] != "pipeline" or own == "pipeline":
            continue
        assert layer(own) <= layer(name), f"{own} imports {name}, which lies above it"
        if own.startswith("pipeline.stages."):
            assert not name.startswith("pipeline.stages."), f"{own} imports another stage: {name}"


def test_shards_know_no_labeler():
    assert not any("labelers" in name for name in imported(ROOT / "pipeline" / "shards.py"))


def test_detectron2_is_named_by_its_labeler_only():
    users = {
        module_name(path)
        for path in MODULES
        if any(name.split(".")[0] in ("detectron2", "densepose") for name in imported(path))
    }
    assert users == {"pipeline.labelers.densepose_model"}


def test_the_quick_modules_import_no_torch():
    code = f"import sys, {', '.join(TORCH_FREE)}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_everything_is_installed():
    """An editable installation, as everybody here has, would not miss what pyproject.toml forgets."""
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    packages = {path.parent.relative_to(ROOT).as_posix().replace("/", ".") for path in MODULES}
    assert packages <= set(tools["packages"])
    files = [path for top in ("sorn", "pipeline") for path in (ROOT / top).rglob("*") if path.is_file()]
    data = [path for path in files if path.suffix not in (".py", ".pyc")]
    patterns = {package.replace(".", "/"): found for package, found in tools["package-data"].items()}
    for path in data:
        own = {folder: path.relative_to(ROOT / folder) for folder in patterns if path.is_relative_to(ROOT / folder)}
        assert any(fnmatch(str(own[folder]), pattern) for folder in own for pattern in patterns[folder]), path
