"""Evaluation in int8: its network, report and calibration beside those of the checkpoint, and what it refuses."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from eval_runs import GALLERY, QUERY, evaluated, images, run, write_run
from int8_stand_in import use_stand_in

from pipeline.errors import UserError
from pipeline.evaluation.calibration import read_calibration
from pipeline.evaluation.report import read_report
from pipeline.features.int8 import network, record
from pipeline.features.store import read_banks
from pipeline.runs.config import Runtime
from pipeline.runs.layout import Paths
from pipeline.runs.run import Run
from pipeline.stages import eval as stage

SPLITS = {
    "query": QUERY,
    "gallery": GALLERY,
    "val_query": images("val_query", [(pid, 1) for pid in range(200, 230)]),
    "val_gallery": images("val_gallery", [(pid, camid) for pid in range(200, 230) for camid in (1, 2)]),
    "train": images("train", [(pid, camid) for pid in range(300, 340) for camid in (1, 2)]),
}
INT8 = evaluated(precision="int8")


@pytest.fixture
def paths(tmp_path) -> Paths:
    return Paths("synped_demo", "ground_truth", tmp_path / "data", tmp_path / "runs")


def test_the_report_tells_what_int8_changes(paths, monkeypatch):
    seen = use_stand_in(monkeypatch)
    write_run(paths, SPLITS)
    run(paths)
    plain, own = read_banks(paths.features), paths.checkpoint_calibration.read_bytes()
    run(paths, INT8)
    report = read_report(paths.report_json)
    told = report.provenance.int8
    assert report.provenance.features["precision"] == "int8" and told.images == 80
    assert report.provenance.features["int8"] == told.digest and told.comparison.queries == 30
    for page in (paths.report_md, paths.report_html):
        text = page.read_text()
        assert "ranges from 80 images of synped_demo-ground_truth, split train" in text and "features in int8" in text
    banks = read_banks(paths.features)
    assert json.loads(banks.attrs["int8"])["files"] == told.files
    apart = np.linalg.norm(banks.query.global_ - plain.query.global_, axis=1)
    assert 0 < apart.max() < 0.2 * np.linalg.norm(plain.query.global_, axis=1).max()
    assert banks.examples.parts.tobytes() == plain.examples.parts.tobytes(), "pictures show the network itself"
    calibration = read_calibration(paths.int8_calibration)
    assert calibration == read_calibration(paths.calibration) and calibration.int8 == told.digest
    assert paths.checkpoint_calibration.read_bytes() == own
    run(paths, INT8)
    assert len(seen) == 1


def test_another_int8_network_gives_other_features(paths, monkeypatch):
    use_stand_in(monkeypatch)
    write_run(paths, SPLITS)
    run(paths, INT8)
    first = read_banks(paths.features).attrs["fingerprint"]
    run(paths, INT8)
    assert read_banks(paths.features).attrs["fingerprint"] == first
    folder = paths.folder("train") / "int8"
    (folder / "network.bin").write_bytes(b"other weights")
    with pytest.raises(UserError, match=r"Delete .*int8.json"):
        run(paths, INT8)
    for file in folder.iterdir():
        file.unlink()
    monkeypatch.setattr("int8_stand_in.STEPS", 7)
    run(paths, INT8)
    assert read_banks(paths.features).attrs["fingerprint"] != first


def test_mirror_images_count_in_int8_too(paths, monkeypatch):
    use_stand_in(monkeypatch)
    write_run(paths, SPLITS)
    run(paths, INT8)
    alone = read_banks(paths.features).query.global_
    run(paths, evaluated(precision="int8", flip=True))
    assert not np.array_equal(read_banks(paths.features).query.global_, alone)


@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_a_gpu_is_refused_before_anything_runs(paths, device):
    write_run(paths, SPLITS)
    config = dataclasses.replace(INT8, runtime=Runtime(0, device))
    for refused in (lambda: stage.check(Run.of(config, paths)), lambda: run(paths, config)):
        with pytest.raises(UserError, match=f"int8 is computed on a CPU, and the device is '{device}'"):
            refused()


def test_missing_packages_are_told_before_anything_runs(paths, monkeypatch):
    write_run(paths, SPLITS)
    monkeypatch.setattr(record, "version", lambda name: "")
    with pytest.raises(UserError, match=r"lacks: openvino, nncf. In the project's folder, type: pip install .*=auto"):
        stage.check(Run.of(INT8, paths))


def test_another_evaluation_of_the_same_features_needs_no_package(paths, monkeypatch):
    write_run(paths, SPLITS)
    with monkeypatch.context() as patch:
        use_stand_in(patch)
        run(paths, INT8)
    monkeypatch.setattr(record, "version", lambda name: "")
    monkeypatch.setattr(network, "compiled", lambda *_: pytest.fail("the network ran"))
    config = evaluated(precision="int8", tau=0.3)
    stage.check(Run.of(config, paths))
    assert run(paths, config)["provenance"]["config"]["tau"] == 0.3


def test_shards_of_another_run_are_missed_before_anything_runs(paths, monkeypatch):
    use_stand_in(monkeypatch)
    write_run(paths, SPLITS)
    other = dataclasses.replace(paths, trained_on="gone-danet")
    (paths.runs / "gone-danet" / "train").mkdir(parents=True)
    with pytest.raises(UserError, match=r"gone-danet/masks/index.json is not there"):
        stage.check(Run.of(INT8, other))


def test_adapted_norms_are_refused():
    with pytest.raises(ValueError, match=r"eval.adapt_norms = True: expected false with eval.precision = int8"):
        evaluated(precision="int8", adapt_norms=True)
