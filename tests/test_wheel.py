"""The wheel, unpacked outside the checkout, does what the checkout does."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from tiny_project import TinyProject

from pipeline.datasets.manifest import known_datasets
from pipeline.tools.doctor import installation

ROOT = Path(__file__).parents[1]
BUILT_FROM = (
    "pipeline",
    "sorn",
    "data_manifests",
    "weights",
    "pyproject.toml",
    "setup.py",
    "requirements.txt",
    "README.md",
    "LICENSE",
)
OFFLINE = ("--no-deps", "--no-build-isolation", "--no-index")
SEVERAL = """
import json, sys
from pipeline.cli.app import main
for words in json.loads(sys.argv[1]):
    main(words, standalone_mode=False)
"""
DOCTOR = """
import sys
from pipeline.cli.app import main
from pipeline.tools.doctor import doctor, probes
# The probes that import torch take a minute on a busy machine.
doctor.ask = lambda name, *_: probes.ask(name) if name in ("hdf5", "pillow") else {"error": "not asked"}
main(["doctor", "--json"])
"""


NETWORK = "tiny"  # ships in this wheel only; its weights are a text
RESOLVED = f"from pipeline.runs.shipped import find_shipped; print(find_shipped('{NETWORK}').require_sound().weights)"


def _add_network(folder: Path) -> None:
    folder.mkdir()
    outputs = {}
    for name in ("model.safetensors", "config.json"):
        (folder / name).write_text(name)
        outputs[name] = [hashlib.sha256(name.encode()).hexdigest(), len(name), 0]
    record = {"schema_version": 1, "stage": "train", "outputs": outputs}
    (folder / "stamp.json").write_text(json.dumps(record))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the wheel's packages and metadata, as site-packages would hold them."""
    folder = tmp_path_factory.mktemp("wheel")
    source, unpacked = folder / "source", folder / "installed"
    source.mkdir()
    for name in BUILT_FROM:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source)
    _add_network(source / "weights" / NETWORK)
    command = [sys.executable, "-m", "pip", "wheel", *OFFLINE, "-w", "wheels", "."]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = (source / "wheels").glob("sorn-*.whl")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(unpacked)
    shutil.rmtree(source)
    return unpacked


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a user, away from the checkout."""
    return tmp_path_factory.mktemp("elsewhere")


def python(installed: Path, elsewhere: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(installed), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-P", *words]
    return subprocess.run(command, cwd=elsewhere, env=environment, capture_output=True, text=True, check=False)


def said(installed: Path, elsewhere: Path, *words: str) -> str:
    done = python(installed, elsewhere, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_file_of_the_packages_is_in_it(installed: Path) -> None:
    for top in ("pipeline", "sorn"):
        files = {path.relative_to(ROOT) for path in (ROOT / top).rglob("*") if path.is_file()}
        own = {path for path in files if "__pycache__" not in path.parts}
        assert own <= {path.relative_to(installed) for path in (installed / top).rglob("*")}
    for top in ("data_manifests", "weights"):
        own = {path.relative_to(ROOT) for path in (ROOT / top).rglob("*") if path.is_file()}
        there = {path.relative_to(installed / "pipeline") for path in (installed / "pipeline" / top).rglob("*")}
        assert own == {
            path for path in there if (installed / "pipeline" / path).is_file() and NETWORK not in path.parts
        }


def test_its_networks_are_found_by_name_and_their_damage_is_told(installed: Path, elsewhere: Path) -> None:
    weights = installed / "pipeline" / "weights" / NETWORK / "model.safetensors"
    assert said(installed, elsewhere, "-c", RESOLVED).strip() == str(weights)
    unknown = python(installed, elsewhere, "-m", "pipeline", "export", "tinny").stderr
    assert f"Did you mean {NETWORK}?" in unknown and "Traceback" not in unknown
    weights.write_text("damaged")
    damaged = python(installed, elsewhere, "-m", "pipeline", "export", NETWORK).stderr
    weights.write_text(weights.name)
    assert damaged.startswith("Error: ") and "is damaged: its sha256 is" in damaged
    assert "pip install --force-reinstall --no-deps" in damaged and len(damaged.splitlines()) == 1


def test_it_knows_the_datasets_and_lies_outside_the_checkout(installed: Path, elsewhere: Path) -> None:
    where = said(installed, elsewhere, "-c", "import pipeline, sorn; print(pipeline.__file__); print(sorn.__file__)")
    assert all(Path(line).is_relative_to(installed) for line in where.splitlines())
    listed = said(installed, elsewhere, "-m", "pipeline", "datasets")
    assert all(name in listed for name in known_datasets())


def test_data_check_and_every_stage_of_a_tiny_dataset(installed: Path, elsewhere: Path) -> None:
    project = TinyProject(elsewhere / "dataset")
    runs = elsewhere / "runs"
    short = ["--set", "schedule.epochs=1", "--set", "schedule.milestones=[]", "--set", "schedule.warmup_epochs=0"]
    stages = [project.command(stage, runs, *short)[3:] for stage in ("data", "masks", "train", "eval")]
    check = ["data", "check", str(elsewhere / "dataset" / "tiny.csv")]
    text = said(installed, elsewhere, "-c", SEVERAL, json.dumps([*stages, check]))
    assert "can be used" in text, text
    report = json.loads((project.folder_of("eval", runs) / "report.json").read_text())
    assert report["metrics"]["sorn"]["queries"] == 2
    assert (project.folder_of("eval", runs) / "report.html").stat().st_size > 10_000


def test_doctor_looks_at_the_installed_package(installed: Path, elsewhere: Path) -> None:
    done = python(installed, elsewhere, "-c", DOCTOR)
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert checks["sorn"]["level"] == "ok" and str(installed) in checks["sorn"]["found"]
    assert "requirements.txt" not in json.dumps(checks["packages"])
    assert checks["h5py"]["level"] == checks["Pillow"]["level"] == "ok"
    assert checks["torch"]["level"] == "problem" and checks["torch"]["remedy"].startswith("Run: pip install 'torch>=")
    assert done.returncode == 1


def test_its_metadata_names_what_it_requires_and_what_of_it_is_missing(installed: Path, tmp_path: Path) -> None:
    named = [[(name, set(ranges.split(","))) for name, ranges in installation.required(of)] for of in (installed, ROOT)]
    assert named[0] == named[1] and "onnx" not in dict(named[0])
    assert installation.missing_files(installed) == []
    broken = tmp_path / "broken"
    shutil.copytree(installed, broken, ignore=shutil.ignore_patterns("synped_demo.toml"))
    assert installation.missing_files(broken) == ["pipeline/data_manifests/synped_demo.toml"]
    assert "force-reinstall" in installation.restore(broken)
    shutil.rmtree(next(broken.glob("sorn-*.dist-info")))
    assert installation.required(broken) == []
