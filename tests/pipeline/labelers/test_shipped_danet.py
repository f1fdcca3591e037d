"""LABELER=danet without a weights file: the DANet that ships, where a dataset can train none of its own."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from mask_runs import make_dataset
from PIL import Image

from pipeline.cli.app import main
from pipeline.datasets.manifest import Manifest
from pipeline.errors import UserError
from pipeline.io.files import digest_file
from pipeline.labelers.shipped_danet import shipped_in_place
from pipeline.runs import run, stamp
from pipeline.runs.config import Config, MasksConfig
from pipeline.runs.layout import Paths
from pipeline.runs.run import Run
from pipeline.shards.index import read_index
from pipeline.stages import driver, labeler, masks

UNLABELLED = {"train": 3, "query": 1, "gallery": 1}
ALL = ("data", "labeler", "masks", "train", "eval")


@pytest.fixture
def mine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "load_manifest", lambda name: Manifest(name, "Mine"))


def of(tmp_path: Path, **counts: int) -> Paths:
    return dataclasses.replace(make_dataset(tmp_path, UNLABELLED | counts), labeler="danet")


def test_it_takes_the_place_of_a_training_that_is_impossible(shipped: Path, tmp_path: Path, mine: None) -> None:
    paths = of(tmp_path)
    weights = shipped / "starter-danet" / "danet.safetensors"
    found = shipped_in_place(paths)
    assert found is not None and found.weights == weights
    assert driver.chain(Run.of(Config(), paths)) == tuple(name for name in ALL if name != "labeler")
    assert masks.settings(Run.of(Config(), paths))["labeler"]["weights"] == digest_file(weights)
    assert shipped_in_place(dataclasses.replace(paths, labeler="import")) is None


def test_a_dataset_that_can_train_its_own_does(shipped: Path, tmp_path: Path, mine: None) -> None:
    paths = of(tmp_path, labeler=2)
    assert shipped_in_place(paths) is None and driver.chain(Run.of(Config(), paths)) == ALL


def test_a_danet_that_was_trained_here_is_taken_first(shipped: Path, tmp_path: Path, mine: None) -> None:
    paths = of(tmp_path)
    stamp.write(paths.folder("labeler"), "labeler", 1, {}, {}, [], {})
    assert shipped_in_place(paths) is None and "labeler" in driver.chain(Run.of(Config(), paths))


def test_before_the_data_stage_it_is_unknown(shipped: Path, tmp_path: Path) -> None:
    assert shipped_in_place(Paths("mine", "danet", tmp_path, tmp_path / "runs")) is None


def test_where_none_ships_the_remedy_is_to_train_one_elsewhere(tmp_path: Path, mine: None) -> None:
    paths = of(tmp_path)
    assert shipped_in_place(paths) is None
    with pytest.raises(UserError, match=r"no split 'labeler'.*make labeler DATASET=synped.*No network ships"):
        labeler.inputs(Run.of(Config(), paths))


def test_one_that_is_damaged_labels_nothing(shipped: Path, tmp_path: Path, mine: None) -> None:
    weights = shipped / "starter-danet" / "danet.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    named = Config(masks=MasksConfig(options={"weights": "starter-danet"}))
    for config in (Config(), named):
        with pytest.raises(UserError, match=r"danet\.safetensors of the DANet 'starter-danet', which .* is damaged"):
            masks.settings(Run.of(config, of(tmp_path)))


@pytest.mark.parametrize("words", [[], ["--set", "masks.options.weights=starter-danet"]], ids=["default", "by name"])
def test_labels_of_own_pictures_without_any_training(shipped: Path, tmp_path: Path, words: list[str]) -> None:
    rows = ["path,pid,camid,split"]
    for i in range(4):
        split = ("train", "train", "query", "gallery")[i]
        noise = np.random.default_rng(i).integers(0, 255, (40, 20, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / f"{i}.png")
        rows.append(f"{i}.png,{i % 2 if i < 2 else 9},{i},{split}")
    (tmp_path / "own.csv").write_text("\n".join(rows) + "\n")
    common = ["--dataset", str(tmp_path / "own.csv"), "--labeler", "danet", "--runs", str(tmp_path / "runs")]
    common += ["--device", "cpu", "--set", "masks.image_size=[64,32]", *words]
    for stage in (["data"], ["labeler", "--if-needed"], ["masks"], ["status"]):
        result = CliRunner().invoke(main, [*stage, *common])
        assert result.exit_code == 0, result.output
    assert "labeler" not in {line.split()[0] for line in result.output.splitlines() if line[0] != " "}
    assert "masks   fresh" in result.output
    index = read_index(tmp_path / "runs" / "own-danet" / "masks" / "index.json")
    assert index.labeler.details["weights"] == digest_file(shipped / "starter-danet" / "danet.safetensors")
    report = json.loads((tmp_path / "runs" / "own-danet" / "masks" / "labels.json").read_text())
    assert index.labeler.details["weights"] in json.dumps(report)
