"""A finished run of the eval stage with copies to change, and what runs of the masks stage need."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path

import pytest
from eval_runs import GALLERY, QUERY, run, write_run
from mask_runs import Recorder
from train_runs import Tiny

from pipeline import labelers
from pipeline.datasets.manifest import Manifest
from pipeline.labelers.unlabeled import Unlabeled
from pipeline.runs import run as runs
from pipeline.runs.layout import Paths
from pipeline.shards import labeling
from sorn import engine


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    paths = Paths("synped_demo", "ground_truth", Path("data"), tmp_path_factory.mktemp("runs"))
    write_run(paths, {"query": QUERY, "gallery": GALLERY})
    run(paths)
    return paths


@pytest.fixture
def paths(finished: Paths, tmp_path: Path) -> Paths:
    """A copy of the finished run, to change: files by a rename, since they are linked."""
    shutil.copytree(finished.runs, tmp_path / "runs", copy_function=os.link)
    return dataclasses.replace(finished, runs=tmp_path / "runs")


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any use of the network fails."""

    def fail(*_: object) -> None:
        raise AssertionError("features were extracted again")

    monkeypatch.setattr(engine, "extract_features", fail)
    monkeypatch.setattr(engine, "explain", fail)


@pytest.fixture
def mine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The manifest of the dataset that mask_runs makes."""
    monkeypatch.setattr(runs, "load_manifest", lambda name: Manifest(name, "Mine"))


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> type[Recorder]:
    Recorder.asked, Recorder.dies_at = [], ""
    for name in ("LARGEST_BATCH", "SMALLEST_BATCH"):
        monkeypatch.setattr(labeling, name, 5)
    kinds = {"ground_truth": Recorder, "none": Unlabeled}
    monkeypatch.setattr(labelers, "create", lambda name, options, source: kinds[name](options, source))
    return Recorder


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    return Tiny(tmp_path_factory.mktemp("tiny"))
