"""The eval stage with an external segmenter, whose part masks pick the stripes ("+S" of Table III)."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
import torch
from eval_runs import (
    CONFIG,
    GALLERY,
    MODEL,
    QUERY,
    SIZE,
    evaluated,
    run,
    weights,
    write_run,
)

from pipeline.errors import UserError
from pipeline.features import extraction, store
from pipeline.io import checkpoints
from pipeline.io.files import digest_file, write_text
from pipeline.runs.config import Config
from pipeline.runs.layout import Paths
from pipeline.runs.run import Run
from pipeline.runs.stored_options import as_json
from pipeline.stages import eval as stage
from sorn import engine
from sorn.config import SORNConfig

SEGMENTER = dataclasses.replace(MODEL, local_branch=False, global_branch=False)


def write_segmenter(folder: Path, sees: int, model: SORNConfig = SEGMENTER, size: tuple[int, int] = SIZE) -> Path:
    """A training folder whose network calls every pixel the part `sees`."""
    tensors = {name: tensor.clone() for name, tensor in weights(model, 0).items()}
    if model.semantic_branch:
        tensors["semantic.classify.weight"].zero_()
        tensors["semantic.classify.bias"] = torch.eye(model.labels)[sees]
    checkpoints.save_weights(folder / "model.safetensors", tensors, {})
    about = {"model": as_json(model), "image_size": list(size), "dataset": "elsewhere", "labeler": "danet"}
    write_text(folder / "config.json", json.dumps(about))
    return folder


def by(folder: Path) -> Config:
    return evaluated(visibility="segmenter", segmenter=str(folder))


def test_another_network_picks_the_stripes_when_it_is_asked(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eq. 15 with every stripe visible is "global+local", with none "global"; the features are not extracted again."""
    before = store.read_banks(paths.features)
    by_network = json.loads(paths.report_json.read_text())
    monkeypatch.setattr(engine, "extract_features", None)
    for sees, equal in ((0, "global"), (3, "global+local")):
        report = run(paths, by(write_segmenter(tmp_path / "other", sees)))
        assert report["metrics"]["sorn"] == report["metrics"][equal] == by_network["metrics"][equal]
        banks = store.read_banks(paths.features)
        for bank, old in ((banks.query, before.query), (banks.gallery, before.gallery)):
            assert bank.segmenter is not None and (bank.segmenter == (sees > 0)).all()
            assert (bank.local == old.local).all() and (bank.visibility == old.visibility).all()
    assert "tau 0.15 on the part masks of a segmenter trained on elsewhere-danet" in report["protocol"]
    assert "segmenter" not in by_network["protocol"] and by_network["provenance"]["segmenter"] is None
    found = report["provenance"]["segmenter"]
    assert found["checkpoint_sha256"] == digest_file(tmp_path / "other" / "model.safetensors")
    assert found["trained_on"] == "elsewhere-danet" and "external segmenter calls" in paths.report_md.read_text()


def test_a_segmenter_looks_at_the_images_once(paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_segmenter(tmp_path / "other", 3)
    run(paths, by(folder))
    written = paths.features.read_bytes()
    monkeypatch.setattr(extraction, "segmenter_visibility", None)
    run(paths, dataclasses.replace(by(folder), eval=dataclasses.replace(by(folder).eval, tau=0.4)))
    assert run(paths)["provenance"]["segmenter"] is None  # not asked: its scores stay, and are not used
    run(paths, by(shutil.copytree(folder, tmp_path / "elsewhere")))
    assert paths.features.read_bytes() == written
    with pytest.raises(TypeError, match="NoneType"):
        run(paths, by(write_segmenter(tmp_path / "other", 0)))


def test_a_segmenter_is_an_input_of_those_who_ask_it(paths: Paths, tmp_path: Path) -> None:
    """Its weights are, its place is not."""
    folder = write_segmenter(tmp_path / "other", 3)
    moved = shutil.copytree(folder, tmp_path / "moved")
    asking = stage.inputs(Run.of(by(folder), paths))
    assert {one.key for one in asking} - {one.key for one in stage.inputs(Run.of(CONFIG, paths))} == {"segmenter"}
    assert (asking, stage.settings(Run.of(by(folder), paths))) == (
        stage.inputs(Run.of(by(moved), paths)),
        stage.settings(Run.of(by(moved), paths)),
    )
    assert stage.settings(Run.of(by(folder), paths)) != stage.settings(Run.of(CONFIG, paths))
    assert stage.inputs(Run.of(by(write_segmenter(folder, 0)), paths)) != asking


def test_segmenters_that_cannot_serve(paths: Paths, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"eval\.segmenter = .*none: no model\.safetensors and no config\.json there\. Give"
    ):
        stage.inputs(Run.of(by(tmp_path / "none"), paths))
    blind = write_segmenter(tmp_path / "blind", 0, dataclasses.replace(MODEL, semantic_branch=False))
    with pytest.raises(UserError, match=r"eval\.segmenter = .*blind: that network has no semantic branch"):
        stage.inputs(Run.of(by(blind), paths))
    large = write_segmenter(tmp_path / "large", 0, size=(128, 64))
    with pytest.raises(UserError, match=r"segmenter in .*large was trained on images of 128x64, the shards hold 64x32"):
        run(paths, by(large))
    (large / "config.json").write_text('{"model": {"rows": 3}, "image_size": [64, 32]}')
    with pytest.raises(UserError, match=r"large/config\.json does not describe a trained network"):
        stage.inputs(Run.of(by(large), paths))


def test_networks_without_features_or_stripes(tmp_path: Path) -> None:
    """A segmenter alone has nothing to match, a network without local branch nothing for a segmenter to pick."""
    for model, config, message in (
        (
            SEGMENTER,
            CONFIG,
            r"alone/train has only the semantic branch, so it has no features to match.*eval\.segmenter=FOLDER",
        ),
        (dataclasses.replace(MODEL, local_branch=False), None, "no local branch, and so no stripes for eval.segmenter"),
    ):
        paths = Paths("synped_demo", "alone", Path("data"), tmp_path)
        write_run(paths, {"query": QUERY, "gallery": GALLERY}, model)
        with pytest.raises(UserError, match=message):
            run(paths, config or by(write_segmenter(tmp_path / "other", 3)))
        assert not paths.features.exists()
