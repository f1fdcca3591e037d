"""Files and requirements of this program, in a checkout or installed."""

from __future__ import annotations

import importlib.metadata
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline.datasets.manifest import MANIFEST_DIR, known_datasets
from pipeline.errors import UserError
from pipeline.runs.config_loading import presets
from pipeline.runs.shipped import REINSTALL, find_shipped, shipped_names
from pipeline.tools.doctor.diagnosis import Diagnosis
from pipeline.tools.doctor.probes import ROOT
from pipeline.tools.doctor.versions import read_requirement

SETUP = "Run: make setup, or in an environment of your own: pip install -r requirements.txt"
SHOWN = 3  # names of missing files


def in_checkout(root: Path = ROOT) -> bool:
    """Whether the program runs from its source tree.

    True also for an editable installation.
    """
    return (root / "pyproject.toml").is_file() and (root / "requirements.txt").is_file()


def required(root: Path = ROOT) -> list[tuple[str, str]]:
    """Required packages with their version ranges, without extras.

    Read from requirements.txt, or from the metadata of the installation; empty if neither exists.
    """
    if in_checkout(root):
        texts: Iterable[str] = (root / "requirements.txt").read_text(encoding="utf-8").splitlines()
    else:
        found = _distribution(root)
        texts = (found.requires if found else None) or []
    return [requirement for requirement in map(read_requirement, texts) if requirement]


def missing_files(root: Path = ROOT) -> list[str]:
    """Missing files of the program.

    An installation is compared with the list in its metadata. In a checkout only manifests and presets are checked.
    """
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
    """Place and version of the program, and its number of datasets."""
    found = None if in_checkout(root) else _distribution(root)
    kind = "a checkout" if in_checkout(root) else f"installed, version {found.version if found else 'unknown'}"
    return f"{kind}, in {root}; {len(known_datasets())} datasets"


def program() -> Iterator[Diagnosis]:
    """Results of the checks of the program's own files.

    They are dataset manifests and presets, or all that the wheel brought, and the networks that ship.
    """
    missing = missing_files()
    if missing:
        yield Diagnosis("sorn", "problem", f"missing: {', '.join(missing)}", restore())
    else:
        yield Diagnosis("sorn", "ok", described())
    yield _shipped_networks()


def _shipped_networks() -> Diagnosis:
    """Networks that ship, with the digests of their files compared."""
    found = []
    for name in shipped_names():
        try:
            if network := find_shipped(name):
                found.append(f"{name} ({network.require_sound().network})")
        except UserError as error:
            return Diagnosis("weights", "warning", error.wrong, error.remedy)
    return Diagnosis("weights", "ok", f"networks that ship: {', '.join(found) or 'none'}")


def restore(root: Path = ROOT) -> str:
    """Remedy for missing files of the program."""
    return "Run: git checkout -- data_manifests pipeline" if in_checkout(root) else REINSTALL


def install(packages: Iterable[str], root: Path = ROOT) -> str:
    """Remedy for required packages that are missing or of a wrong version."""
    if in_checkout(root):
        return SETUP
    ranges = dict(required(root))
    return f"Run: pip install {' '.join(shlex.quote(name + ranges.get(name, '')) for name in packages)}"


def _distribution(root: Path) -> importlib.metadata.Distribution | None:
    """Metadata beside this code, not that of another installation of the program."""
    return next(iter(importlib.metadata.distributions(name="sorn", path=[str(root)])), None)
