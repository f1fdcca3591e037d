"""This program's own files and requirements, in a checkout or installed."""

from __future__ import annotations

import importlib.metadata
import shlex
from collections.abc import Iterable
from pathlib import Path

from pipeline.datasets.manifest import MANIFEST_DIR, known_datasets
from pipeline.runs.config_loading import presets
from pipeline.tools.doctor.probes import ROOT
from pipeline.tools.doctor.versions import read_requirement

SETUP = "Run: make setup, or in an environment of your own: pip install -r requirements.txt"
AGAIN = "Install the program again: pip install --force-reinstall --no-deps, and the path of the wheel."
SHOWN = 3  # names of missing files


def in_checkout(root: Path = ROOT) -> bool:
    """Whether the program runs from its source tree, also where that is installed as editable."""
    return (root / "pyproject.toml").is_file() and (root / "requirements.txt").is_file()


def required(root: Path = ROOT) -> list[tuple[str, str]]:
    """Packages and their version ranges, extras left out: of requirements.txt, or of the installed metadata.

    Empty where neither exists.
    """
    if in_checkout(root):
        texts: Iterable[str] = (root / "requirements.txt").read_text(encoding="utf-8").splitlines()
    else:
        found = _distribution(root)
        texts = (found.requires if found else None) or []
    return [requirement for requirement in map(read_requirement, texts) if requirement]


def missing_files(root: Path = ROOT) -> list[str]:
    """Files of the program that are not there: of the installed metadata's list, or manifests and presets."""
    found = None if in_checkout(root) else _distribution(root)
    if found and found.files:
        missing = [str(file) for file in found.files if file.suffix != ".pyc" and not Path(str(file.locate())).exists()]
        return [*missing[:SHOWN], *([f"{len(missing) - SHOWN} more"] if len(missing) > SHOWN else [])]
    there: dict[str, list[str]] = {
        str(MANIFEST_DIR / "*.toml"): known_datasets(),
        "pipeline/runs/presets/*.toml": presets(),
    }
    return [name for name, names in there.items() if not names]


def described(root: Path = ROOT) -> str:
    """Where the program is, of which version, and how many datasets it knows."""
    found = None if in_checkout(root) else _distribution(root)
    kind = "a checkout" if in_checkout(root) else f"installed, version {found.version if found else 'unknown'}"
    return f"{kind}, in {root}; {len(known_datasets())} datasets"


def restore(root: Path = ROOT) -> str:
    """The remedy where files of the program are missing."""
    return "Run: git checkout -- data_manifests pipeline" if in_checkout(root) else AGAIN


def install(packages: Iterable[str], root: Path = ROOT) -> str:
    """The remedy where these required packages are missing or of another version."""
    if in_checkout(root):
        return SETUP
    ranges = dict(required(root))
    return f"Run: pip install {' '.join(shlex.quote(name + ranges.get(name, '')) for name in packages)}"


def _distribution(root: Path) -> importlib.metadata.Distribution | None:
    """The metadata that lies beside this code: another installation of the program has its own."""
    return next(iter(importlib.metadata.distributions(name="sorn", path=[str(root)])), None)
